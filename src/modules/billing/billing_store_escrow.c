#include "modules/billing/billing_store_escrow.h"

/* ---- deposits ---- */

int store_deposit_add(struct tx *tx, const struct deposit_row *deposit)
{
	char amount[U256_TEXT_SIZE];

	u256_text(deposit->amount, amount);
	return tx_exec(tx,
		       "INSERT INTO billing_deposits (id, block_hash, log, block, "
		       "chain_transaction, tenant, payer, token, amount, credited, at_ms, detail) "
		       "VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)",
		       SQL_PARAMS(sql_blob(deposit->id.bytes, 16),
				  sql_blob(deposit->block_hash, 32), sql_int(deposit->log),
				  sql_int(deposit->block), sql_blob(deposit->transaction, 32),
				  sql_account(&deposit->tenant), sql_account(&deposit->payer),
				  sql_address(&deposit->token), sql_text(amount),
				  sql_int(deposit->credited.micro), sql_int(deposit->at_ms),
				  sql_text(deposit->detail)),
		       NULL);
}

static int read_deposit(const struct sql_rows *rows, size_t row, void *ret_item)
{
	struct deposit_row *deposit = ret_item;
	const char *amount = rows_text(rows, row, "amount");
	const struct {
		const char *column;
		void *to;
		size_t size;
	} columns[] = {
		{ "id", deposit->id.bytes, 16 },
		{ "block_hash", deposit->block_hash, 32 },
		{ "chain_transaction", deposit->transaction, 32 },
		{ "tenant", &deposit->tenant, 20 },
		{ "payer", &deposit->payer, 20 },
		{ "token", &deposit->token, 20 },
	};
	int r = u256_parse(amount, strlen(amount), &deposit->amount);

	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(columns); i++)
		r = rows_bytes(rows, row, columns[i].column, columns[i].to, columns[i].size);
	deposit->log = rows_int(rows, row, "log");
	deposit->block = rows_int(rows, row, "block");
	deposit->credited.micro = rows_int(rows, row, "credited");
	deposit->at_ms = rows_int(rows, row, "at_ms");
	deposit->detail = rows_text(rows, row, "detail");
	return r;
}

static const struct row_reader deposit_reader = { sizeof(struct deposit_row), read_deposit };

int store_deposits(struct tx *tx, struct account_id tenant, const struct deposit_id *before,
		   size_t limit, struct deposit_row **ret_deposits, size_t *ret_n)
{
	return tx_select(tx,
			 "SELECT * FROM billing_deposits WHERE tenant = $1 AND id < $2 "
			 "ORDER BY id DESC LIMIT $3",
			 SQL_PARAMS(sql_account(&tenant),
				    sql_blob(before ? before->bytes : store_newest, 16),
				    sql_int((int64_t)limit)),
			 &deposit_reader, ret_deposits, ret_n);
}

/* ---- withdrawals ---- */

static struct sql_value sql_transaction(const struct withdrawal_row *withdrawal)
{
	return withdrawal->has_transaction ? sql_blob(withdrawal->transaction, 32) : sql_null();
}

int store_withdrawal_add(struct tx *tx, const struct withdrawal_row *withdrawal)
{
	return tx_exec(
		tx,
		"INSERT INTO billing_withdrawals (id, tenant, amount, total, state, "
		"asked_at_ms, ended_at_ms, chain_transaction, detail) "
		"VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
		SQL_PARAMS(sql_blob(withdrawal->id.bytes, 16), sql_account(&withdrawal->tenant),
			   sql_int(withdrawal->amount.micro), sql_int(withdrawal->total.micro),
			   sql_int(withdrawal->state), sql_int(withdrawal->asked_at_ms),
			   sql_int(withdrawal->ended_at_ms), sql_transaction(withdrawal),
			   sql_text(withdrawal->detail)),
		NULL);
}

int store_withdrawal_update(struct tx *tx, const struct withdrawal_row *withdrawal)
{
	return changed_or(-EIO, tx,
			  "UPDATE billing_withdrawals SET state = $2, ended_at_ms = $3, "
			  "chain_transaction = $4, detail = $5, amount = $6 WHERE id = $1",
			  SQL_PARAMS(sql_blob(withdrawal->id.bytes, 16), sql_int(withdrawal->state),
				     sql_int(withdrawal->ended_at_ms), sql_transaction(withdrawal),
				     sql_text(withdrawal->detail),
				     sql_int(withdrawal->amount.micro)));
}

int store_withdrawn(struct tx *tx, struct account_id tenant, struct amount *ret_total)
{
	struct sql_rows *rows;
	int r = tx_query(tx,
			 "SELECT CAST(COALESCE(SUM(amount), 0) AS BIGINT) AS total "
			 "FROM billing_withdrawals WHERE tenant = $1 AND state < 2",
			 SQL_PARAMS(sql_account(&tenant)), &rows);

	if (r == 0)
		ret_total->micro = rows_int(rows, 0, "total");
	return r;
}

int store_withdrawals_since(struct tx *tx, struct account_id tenant, int64_t since_ms,
			    int64_t *ret_n)
{
	struct sql_rows *rows;
	int r = tx_query(tx,
			 "SELECT COUNT(*) AS n FROM billing_withdrawals "
			 "WHERE tenant = $1 AND asked_at_ms > $2",
			 SQL_PARAMS(sql_account(&tenant), sql_int(since_ms)), &rows);

	if (r == 0)
		*ret_n = rows_int(rows, 0, "n");
	return r;
}

static int read_withdrawal(const struct sql_rows *rows, size_t row, void *ret_item)
{
	struct withdrawal_row *ret_withdrawal = ret_item;
	int r = rows_bytes(rows, row, "id", ret_withdrawal->id.bytes, 16);

	ret_withdrawal->has_transaction = !rows_null(rows, row, "chain_transaction");
	if (r == 0)
		r = rows_bytes(rows, row, "tenant", &ret_withdrawal->tenant, 20);
	if (r == 0)
		r = rows_bytes(rows, row, "chain_transaction", ret_withdrawal->transaction, 32);
	ret_withdrawal->amount.micro = rows_int(rows, row, "amount");
	ret_withdrawal->total.micro = rows_int(rows, row, "total");
	ret_withdrawal->state = (enum withdrawal_state)rows_int(rows, row, "state");
	ret_withdrawal->asked_at_ms = rows_int(rows, row, "asked_at_ms");
	ret_withdrawal->ended_at_ms = rows_int(rows, row, "ended_at_ms");
	ret_withdrawal->detail = rows_text(rows, row, "detail");
	return r;
}

static const struct row_reader withdrawal_reader = { sizeof(struct withdrawal_row),
						     read_withdrawal };

/* The only row, or none. */
static int read_one(const struct sql_rows *rows, struct withdrawal_row *ret_withdrawal)
{
	return rows_count(rows) ? read_withdrawal(rows, 0, ret_withdrawal) : ROUTE_E_NOT_FOUND;
}

int store_withdrawal_asked(struct tx *tx, struct account_id tenant,
			   struct withdrawal_row *ret_withdrawal)
{
	struct sql_rows *rows;
	int r = tx_query(tx, "SELECT * FROM billing_withdrawals WHERE tenant = $1 AND state = 0",
			 SQL_PARAMS(sql_account(&tenant)), &rows);

	return r != 0 ? r : read_one(rows, ret_withdrawal);
}

int store_withdrawal(struct tx *tx, struct withdrawal_id id, struct withdrawal_row *ret_withdrawal)
{
	struct sql_rows *rows;
	int r = tx_query(tx, "SELECT * FROM billing_withdrawals WHERE id = $1",
			 SQL_PARAMS(sql_blob(id.bytes, 16)), &rows);

	return r != 0 ? r : read_one(rows, ret_withdrawal);
}

int store_withdrawals_asked(struct tx *tx, struct withdrawal_id after, size_t limit,
			    struct withdrawal_row **ret_withdrawals, size_t *ret_n)
{
	return tx_select(tx,
			 "SELECT * FROM billing_withdrawals WHERE state = 0 AND id > $1 "
			 "ORDER BY id LIMIT $2",
			 SQL_PARAMS(sql_blob(after.bytes, 16), sql_int((int64_t)limit)),
			 &withdrawal_reader, ret_withdrawals, ret_n);
}

int store_withdrawals(struct tx *tx, struct account_id tenant, const struct withdrawal_id *before,
		      size_t limit, struct withdrawal_row **ret_withdrawals, size_t *ret_n)
{
	return tx_select(tx,
			 "SELECT * FROM billing_withdrawals WHERE tenant = $1 AND id < $2 "
			 "ORDER BY id DESC LIMIT $3",
			 SQL_PARAMS(sql_account(&tenant),
				    sql_blob(before ? before->bytes : store_newest, 16),
				    sql_int((int64_t)limit)),
			 &withdrawal_reader, ret_withdrawals, ret_n);
}

/* ---- who leaves ---- */

int store_leaving_add(struct tx *tx, struct account_id tenant, int64_t at_ms, int64_t exit_at_ms)
{
	return tx_exec(tx,
		       "INSERT INTO billing_leaving (tenant, amount, at_ms, exit_at_ms) "
		       "VALUES ($1, 0, $2, $3)",
		       SQL_PARAMS(sql_account(&tenant), sql_int(at_ms), sql_int(exit_at_ms)), NULL);
}

int store_leaving_take(struct tx *tx, struct account_id tenant, struct amount *ret_amount)
{
	struct sql_rows *rows;
	int r = tx_query(tx, "SELECT amount FROM billing_leaving WHERE tenant = $1",
			 SQL_PARAMS(sql_account(&tenant)), &rows);

	if (r != 0)
		return r;
	ret_amount->micro = rows_count(rows) ? rows_int(rows, 0, "amount") : 0;
	return tx_exec(tx, "DELETE FROM billing_leaving WHERE tenant = $1",
		       SQL_PARAMS(sql_account(&tenant)), NULL);
}

int store_leaving(struct tx *tx, struct account_id tenant, int64_t *ret_exit_at_ms)
{
	struct sql_rows *rows;
	int r = tx_query(tx, "SELECT exit_at_ms FROM billing_leaving WHERE tenant = $1",
			 SQL_PARAMS(sql_account(&tenant)), &rows);

	if (r != 0)
		return no_conflict(r);
	if (rows_count(rows) == 0)
		return ROUTE_E_NOT_FOUND;
	*ret_exit_at_ms = rows_int(rows, 0, "exit_at_ms");
	return 0;
}

int store_leaving_rentals_add(struct tx *tx, struct account_id tenant, int64_t at_ms)
{
	return no_conflict(tx_exec(tx,
				   "INSERT INTO billing_leaving_rentals (rental, at_ms) "
				   "SELECT DISTINCT rental, CAST($2 AS BIGINT) FROM billing_leases "
				   "WHERE tenant = $1 AND closed_at_ms = 0 "
				   "ON CONFLICT (rental) DO NOTHING",
				   SQL_PARAMS(sql_account(&tenant), sql_int(at_ms)), NULL));
}

int store_leaving_rentals_drop(struct tx *tx, struct account_id tenant)
{
	return no_conflict(tx_exec(tx,
				   "DELETE FROM billing_leaving_rentals WHERE rental IN "
				   "(SELECT rental FROM billing_leases WHERE tenant = $1)",
				   SQL_PARAMS(sql_account(&tenant)), NULL));
}

int store_leaving_rentals_take(struct tx *tx, size_t max, struct rental_id *ret_rentals,
			       size_t *ret_n)
{
	struct sql_rows *rows;
	size_t n;
	int r = tx_query(
		tx, "SELECT rental FROM billing_leaving_rentals ORDER BY at_ms, rental LIMIT $1",
		SQL_PARAMS(sql_int((int64_t)max)), &rows);

	if (r != 0)
		return no_conflict(r);
	n = rows_count(rows);
	for (size_t i = 0; r == 0 && i < n; i++) {
		r = rows_bytes(rows, i, "rental", ret_rentals[i].bytes, 16);
		if (r == 0)
			r = tx_exec(tx, "DELETE FROM billing_leaving_rentals WHERE rental = $1",
				    SQL_PARAMS(sql_blob(ret_rentals[i].bytes, 16)), NULL);
	}
	if (r == 0)
		*ret_n = n;
	return r;
}
