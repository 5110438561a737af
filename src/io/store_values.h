/* store_values.h - ids and addresses as parameters of statements, and what their results mean. For *_store
 * files. */
#pragma once

#include "base/address.h"
#include "base/id.h"
#include "io/db.h"

static inline struct sql_value sql_address(const struct address *address)
{
	return sql_blob(address->bytes, sizeof(address->bytes));
}

static inline struct sql_value sql_machine(const struct machine_id *machine)
{
	return sql_address(&machine->address);
}

static inline struct sql_value sql_account(const struct account_id *account)
{
	return sql_address(&account->address);
}

static inline struct sql_value sql_lease(const struct lease_id *lease)
{
	return sql_blob(lease->bytes, sizeof(lease->bytes));
}

static inline struct sql_value sql_rental(const struct rental_id *rental)
{
	return sql_blob(rental->bytes, sizeof(rental->bytes));
}

/* A conflict where the rules leave none possible is a fault of the store. */
static inline int no_conflict(int r)
{
	return r == SQL_E_CONFLICT ? -EIO : r;
}

/* Runs @sql; @otherwise if it changed no row. */
static inline _must_check_ int changed_or(int otherwise, struct tx *tx, const char *sql,
					  const struct sql_value *params, size_t n_params)
{
	int64_t changed = 0;
	int r = tx_exec(tx, sql, params, n_params, &changed);

	if (r != 0)
		return no_conflict(r);
	return changed > 0 ? 0 : otherwise;
}
