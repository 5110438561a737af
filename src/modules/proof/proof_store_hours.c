#include "io/store_values.h"
#include "modules/proof/proof_store.h"

#define SELECT_WATCHERS "SELECT machine, checker, account FROM proof_watchers WHERE "

static int read_watchers(struct tx *tx, const struct sql_rows *rows,
			 struct proof_watcher **ret_watchers, size_t *ret_n)
{
	struct proof_watcher *list = arena_array(tx_arena(tx), rows_count(rows) + 1, sizeof(*list));
	int r = list ? 0 : -ENOMEM;

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

int proof_store_watchers(struct tx *tx, struct machine_id machine, int64_t hour,
			 struct proof_watcher **ret_watchers, size_t *ret_n)
{
	struct sql_rows *rows;
	int r = tx_query(tx, SELECT_WATCHERS "machine = $1 AND hour = $2 ORDER BY checker",
			 SQL_PARAMS(sql_address(&machine.address), sql_int(hour)), &rows);

	return r != 0 ? r : read_watchers(tx, rows, ret_watchers, ret_n);
}

int proof_store_watchers_page(struct tx *tx, int64_t hour, const struct proof_watcher *after,
			      size_t max, struct proof_watcher **ret_watchers, size_t *ret_n)
{
	struct sql_rows *rows;
	int r = tx_query(tx,
			 SELECT_WATCHERS "hour = $1 AND (machine, checker) > ($2, $3) "
					 "ORDER BY machine, checker LIMIT $4",
			 SQL_PARAMS(sql_int(hour), sql_address(&after->machine.address),
				    sql_address(&after->checker), sql_int((int64_t)max)),
			 &rows);

	return r != 0 ? r : read_watchers(tx, rows, ret_watchers, ret_n);
}

static int add_watchers(struct tx *tx, int64_t hour, const struct proof_watcher *watchers, size_t n)
{
	enum { COLUMNS = 4 };
	struct sql_value *values = arena_array(tx_arena(tx), n * COLUMNS + 1, sizeof(*values));

	if (!values)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		struct sql_value *v = &values[i * COLUMNS];

		v[0] = sql_address(&watchers[i].machine.address);
		v[1] = sql_int(hour);
		v[2] = sql_address(&watchers[i].checker);
		v[3] = sql_address(&watchers[i].account.address);
	}
	return tx_exec_many(tx,
			    "INSERT INTO proof_watchers (machine, hour, checker, account) "
			    "VALUES ($1, $2, $3, $4)",
			    values, COLUMNS, n);
}

static int add_hours(struct tx *tx, int64_t hour, const struct proof_watcher *watchers, size_t n)
{
	enum { COLUMNS = 3 };
	struct sql_value *values = arena_array(tx_arena(tx), n * COLUMNS + 1, sizeof(*values));
	size_t machines = 0, of_it;

	if (!values)
		return -ENOMEM;
	for (size_t i = 0; i < n; i += of_it) {
		struct sql_value *v = &values[machines++ * COLUMNS];

		for (of_it = 1; i + of_it < n; of_it++)
			if (!machine_equal(watchers[i].machine, watchers[i + of_it].machine))
				break;
		v[0] = sql_address(&watchers[i].machine.address);
		v[1] = sql_int(hour);
		v[2] = sql_int((int64_t)of_it);
	}
	return tx_exec_many(tx,
			    "INSERT INTO proof_hours (machine, hour, drawn, state) "
			    "VALUES ($1, $2, $3, 1) ON CONFLICT (machine, hour) DO UPDATE "
			    "SET drawn = proof_hours.drawn + excluded.drawn",
			    values, COLUMNS, machines);
}

int proof_store_watchers_add(struct tx *tx, int64_t hour, const struct proof_watcher *watchers,
			     size_t n)
{
	int r = add_watchers(tx, hour, watchers, n);

	if (r == 0)
		r = add_hours(tx, hour, watchers, n);
	return r > 0 ? -EIO : r;
}

int proof_store_hour_figures(struct tx *tx, struct machine_id machine, int64_t hour,
			     const struct worker_figures *figures)
{
	return tx_exec(tx,
		       "UPDATE proof_hours SET down_kbps = $3, up_kbps = $4, cores = $5, "
		       "gpu_milli = $6, disk_bytes = $7, memory_bytes = $8 "
		       "WHERE machine = $1 AND hour = $2 AND gpu_milli IS NULL",
		       SQL_PARAMS(sql_address(&machine.address), sql_int(hour),
				  sql_int(figures->down_kbps), sql_int(figures->up_kbps),
				  sql_int(figures->cores), sql_int(figures->gpu_milli),
				  sql_int(figures->disk_bytes), sql_int(figures->memory_bytes)),
		       NULL);
}

#define FIGURES "h.down_kbps, h.up_kbps, h.cores, h.gpu_milli, h.disk_bytes, h.memory_bytes"

static struct proof_watched read_watched(const struct sql_rows *rows, size_t i)
{
	return (struct proof_watched){
		.hour = rows_int(rows, i, "hour"),
		.up = rows_int(rows, i, "up") != 0,
		.figured = rows_int(rows, i, "figured") != 0,
		.figures = {
			.down_kbps = rows_int(rows, i, "down_kbps"),
			.up_kbps = rows_int(rows, i, "up_kbps"),
			.cores = rows_int(rows, i, "cores"),
			.gpu_milli = rows_int(rows, i, "gpu_milli"),
			.disk_bytes = rows_int(rows, i, "disk_bytes"),
			.memory_bytes = rows_int(rows, i, "memory_bytes"),
		},
	};
}

int proof_store_hours_watched(struct tx *tx, struct machine_id machine, int64_t from, int64_t until,
			      size_t max, struct proof_watched **ret_hours, size_t *ret_n)
{
	struct proof_watched *hours;
	struct sql_rows *rows;
	int r = tx_query(
		tx,
		"SELECT h.hour AS hour, CASE WHEN 2 * count(u.checker) > h.drawn AND "
		"2 * sum(CASE WHEN u.answered * 100 >= u.polls * 95 THEN 1 ELSE 0 END) > "
		"count(u.checker) THEN 1 ELSE 0 END AS up, "
		"CASE WHEN h.gpu_milli IS NULL THEN 0 ELSE 1 END AS figured, " FIGURES
		" FROM proof_hours h LEFT JOIN proof_uptimes u ON u.machine = h.machine AND "
		"u.hour = h.hour WHERE h.machine = $1 AND h.hour >= $2 AND h.hour < $3 "
		"GROUP BY h.hour, h.drawn, " FIGURES " ORDER BY h.hour LIMIT $4",
		SQL_PARAMS(sql_address(&machine.address), sql_int(from), sql_int(until),
			   sql_int((int64_t)max)),
		&rows);

	if (r != 0)
		return r;
	hours = arena_array(tx_arena(tx), rows_count(rows) + 1, sizeof(*hours));
	if (!hours)
		return -ENOMEM;
	for (size_t i = 0; i < rows_count(rows); i++)
		hours[i] = read_watched(rows, i);
	*ret_hours = hours;
	*ret_n = rows_count(rows);
	return 0;
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

#define PURGE(table, condition) \
	"DELETE FROM " table " WHERE hour < $1 AND machine >= $2 AND machine < $3 AND " condition
#define OVER(table)                                                                        \
	"NOT EXISTS (SELECT 1 FROM proof_hours h WHERE h.machine = " table ".machine AND " \
	"h.hour = " table ".hour AND h.state <> 2)"

int proof_store_hours_purge(struct tx *tx, int64_t hour, unsigned int part)
{
	static const char *const statements[] = {
		PURGE("proof_uptimes", OVER("proof_uptimes")),
		PURGE("proof_watchers", OVER("proof_watchers")),
		PURGE("proof_hours", "state = 2"),
	};
	const uint8_t from = (uint8_t)(part * 256 / HOURS_PARTS);
	uint8_t until[21] = { (uint8_t)((part + 1) * 256 / HOURS_PARTS) };
	size_t len = 1;
	int r = 0;

	if (part == HOURS_PARTS - 1) {
		len = sizeof(until); /* longer than any address */
		memset(until, 0xff, len);
	}
	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(statements); i++)
		r = tx_exec(tx, statements[i],
			    SQL_PARAMS(sql_int(hour), sql_blob(&from, 1), sql_blob(until, len)),
			    NULL);
	return r;
}
