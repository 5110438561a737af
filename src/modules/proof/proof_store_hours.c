#include "io/store_values.h"
#include "modules/proof/proof_store.h"

#define SELECT_WATCHERS "SELECT machine, checker, account FROM proof_watchers WHERE "

int proof_store_watchers(struct tx *tx, const struct machine_id *machine, int64_t hour,
			 struct proof_watcher **ret_watchers, size_t *ret_n)
{
	struct proof_watcher *list;
	struct sql_rows *rows;
	int r;

	if (machine)
		r = tx_query(tx, SELECT_WATCHERS "machine = $1 AND hour = $2 ORDER BY checker",
			     SQL_PARAMS(sql_address(&machine->address), sql_int(hour)), &rows);
	else
		r = tx_query(tx, SELECT_WATCHERS "hour = $1 ORDER BY machine, checker",
			     SQL_PARAMS(sql_int(hour)), &rows);
	if (r != 0)
		return r;
	list = arena_array(tx_arena(tx), rows_count(rows) + 1, sizeof(*list));
	if (!list)
		return -ENOMEM;
	for (size_t i = 0; r == 0 && i < rows_count(rows); i++) {
		r = rows_bytes(rows, i, "machine", list[i].machine.address.bytes, 20);
		if (r == 0)
			r = rows_bytes(rows, i, "checker", list[i].checker.bytes, 20);
		if (r == 0)
			r = rows_bytes(rows, i, "account", list[i].account.address.bytes, 20);
	}
	*ret_watchers = list;
	*ret_n = rows_count(rows);
	return r;
}

int proof_store_watchers_add(struct tx *tx, int64_t hour, const struct proof_watcher *watchers,
			     size_t n)
{
	enum { COLUMNS = 4 };
	struct sql_value *values = arena_array(tx_arena(tx), n * COLUMNS + 1, sizeof(*values));
	struct sql_value *hours = arena_array(tx_arena(tx), n * 2 + 1, sizeof(*hours));
	int r;

	if (!values || !hours)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		struct sql_value *v = &values[i * COLUMNS];

		v[0] = hours[2 * i] = sql_address(&watchers[i].machine.address);
		v[1] = hours[2 * i + 1] = sql_int(hour);
		v[2] = sql_address(&watchers[i].checker);
		v[3] = sql_address(&watchers[i].account.address);
	}
	r = tx_exec_many(tx,
			 "INSERT INTO proof_watchers (machine, hour, checker, account) "
			 "VALUES ($1, $2, $3, $4)",
			 values, COLUMNS, n);
	if (r == 0)
		r = tx_exec_many(tx,
				 "INSERT INTO proof_hours (machine, hour, drawn, state) "
				 "VALUES ($1, $2, 1, 1) ON CONFLICT (machine, hour) DO UPDATE "
				 "SET drawn = proof_hours.drawn + 1",
				 hours, 2, n);
	return r > 0 ? -EIO : r;
}

int proof_store_hour(struct tx *tx, struct machine_id machine, int64_t hour,
		     enum proof_hour_state *ret_state)
{
	struct sql_rows *rows;
	int r = tx_query(tx, "SELECT state FROM proof_hours WHERE machine = $1 AND hour = $2",
			 SQL_PARAMS(sql_address(&machine.address), sql_int(hour)), &rows);

	if (r != 0)
		return r;
	if (rows_count(rows) == 0)
		return ROUTE_E_NOT_FOUND;
	*ret_state = (enum proof_hour_state)rows_int(rows, 0, "state");
	return 0;
}

int proof_store_hour_set(struct tx *tx, struct machine_id machine, int64_t hour,
			 enum proof_hour_state state)
{
	return tx_exec(tx, "UPDATE proof_hours SET state = $3 WHERE machine = $1 AND hour = $2",
		       SQL_PARAMS(sql_address(&machine.address), sql_int(hour), sql_int(state)),
		       NULL);
}

int proof_store_hours_open(struct tx *tx, int64_t hour, size_t max, struct proof_hour **ret_hours,
			   size_t *ret_n)
{
	struct proof_hour *hours;
	struct sql_rows *rows;
	int r = tx_query(tx,
			 "SELECT machine, hour FROM proof_hours WHERE state = 1 AND hour <= $1 "
			 "ORDER BY hour, machine LIMIT $2",
			 SQL_PARAMS(sql_int(hour), sql_int((int64_t)max)), &rows);

	if (r != 0)
		return r;
	hours = arena_array(tx_arena(tx), rows_count(rows) + 1, sizeof(*hours));
	if (!hours)
		return -ENOMEM;
	for (size_t i = 0; r == 0 && i < rows_count(rows); i++) {
		hours[i].hour = rows_int(rows, i, "hour");
		r = rows_bytes(rows, i, "machine", hours[i].machine.address.bytes, 20);
	}
	*ret_hours = hours;
	*ret_n = rows_count(rows);
	return r;
}

int proof_store_hours_quiet(struct tx *tx, int64_t hour)
{
	return tx_exec(tx,
		       "UPDATE proof_hours SET state = 2 WHERE state = 1 AND hour <= $1 AND "
		       "NOT EXISTS (SELECT 1 FROM proof_uptimes u WHERE u.machine = "
		       "proof_hours.machine AND u.hour = proof_hours.hour AND u.away IS NOT NULL)",
		       SQL_PARAMS(sql_int(hour)), NULL);
}

int proof_store_hours_purge(struct tx *tx, int64_t hour)
{
	static const char *const statements[] = {
		"DELETE FROM proof_uptimes WHERE hour < $1 AND NOT EXISTS (SELECT 1 FROM "
		"proof_hours h WHERE h.machine = proof_uptimes.machine AND h.hour = "
		"proof_uptimes.hour AND h.state = 3)",
		"DELETE FROM proof_watchers WHERE hour < $1 AND NOT EXISTS (SELECT 1 FROM "
		"proof_hours h WHERE h.machine = proof_watchers.machine AND h.hour = "
		"proof_watchers.hour AND h.state = 3)",
		"DELETE FROM proof_hours WHERE hour < $1 AND state <> 3",
	};
	int r = 0;

	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(statements); i++)
		r = tx_exec(tx, statements[i], SQL_PARAMS(sql_int(hour)), NULL);
	return r;
}
