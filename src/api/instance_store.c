#include "api/instance_store.h"

static int fault(int r)
{
	return r > 0 ? -EIO : r;
}

static int change_one(struct tx *tx, const char *sql, const struct sql_value *params, size_t n)
{
	int64_t changed = 0;
	int r = fault(tx_exec(tx, sql, params, n, &changed));

	return r == 0 && changed != 1 ? -EIO : r;
}

int instance_store_write(struct tx *tx, const struct instance_row *row)
{
	return fault(tx_exec(
		tx,
		"INSERT INTO instances (id, url, modules, version, state, started_at, seen_at)"
		" VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (id) DO UPDATE SET "
		"url = excluded.url, modules = excluded.modules, "
		"version = excluded.version, state = excluded.state, "
		"started_at = excluded.started_at, seen_at = excluded.seen_at",
		SQL_PARAMS(sql_blob(row->id.bytes, sizeof(row->id.bytes)), sql_text(row->url),
			   sql_text(row->modules), sql_text(row->version), sql_int(row->draining),
			   sql_int(row->started_ms), sql_int(row->seen_ms)),
		NULL));
}

int instance_store_forget(struct tx *tx, int64_t unseen_since_ms)
{
	return fault(tx_exec(tx, "DELETE FROM instances WHERE seen_at < $1",
			     SQL_PARAMS(sql_int(unseen_since_ms)), NULL));
}

int instance_store_others(struct tx *tx, const struct instance_id *id, int64_t since_ms, bool *ret)
{
	struct sql_rows *rows;
	int r = tx_query(tx,
			 "SELECT COUNT(*) AS n FROM instances WHERE id <> $1 AND state = 0 "
			 "AND seen_at > $2",
			 SQL_PARAMS(sql_blob(id->bytes, sizeof(id->bytes)), sql_int(since_ms)),
			 &rows);

	if (r == 0)
		*ret = rows_int(rows, 0, "n") > 0;
	return fault(r);
}

int instance_store_list(struct tx *tx, struct sql_rows **ret_rows)
{
	return fault(tx_query(tx, "SELECT * FROM instances ORDER BY started_at, id LIMIT 100",
			      SQL_NO_PARAMS, ret_rows));
}

int duty_store_list(struct tx *tx, struct sql_rows **ret_rows)
{
	return fault(tx_query(tx, "SELECT name, instance, token, beat FROM duties ORDER BY name",
			      SQL_NO_PARAMS, ret_rows));
}

int duty_store_token(struct tx *tx, const char *duty, int64_t *ret)
{
	struct sql_rows *rows;
	int r = tx_query(tx, "SELECT token FROM duties WHERE name = $1", SQL_PARAMS(sql_text(duty)),
			 &rows);

	if (r == 0)
		*ret = rows_count(rows) ? rows_int(rows, 0, "token") : 0;
	return fault(r);
}

int duty_store_renew(struct tx *tx, const char *duty, int64_t token, int64_t beat)
{
	return change_one(tx, "UPDATE duties SET beat = $3 WHERE name = $1 AND token = $2",
			  SQL_PARAMS(sql_text(duty), sql_int(token), sql_int(beat)));
}

int duty_store_take(struct tx *tx, const char *duty, const struct instance_id *by, int64_t token)
{
	return change_one(
		tx,
		"INSERT INTO duties (name, instance, token, beat) VALUES "
		"($1, $2, $3, 0) ON CONFLICT (name) DO UPDATE SET "
		"instance = excluded.instance, token = excluded.token, beat = 0",
		SQL_PARAMS(sql_text(duty), sql_blob(by->bytes, sizeof(by->bytes)), sql_int(token)));
}

int duty_store_give_back(struct tx *tx, const char *duty, int64_t token)
{
	static const uint8_t nobody[sizeof(struct instance_id)];

	return fault(tx_exec(
		tx, "UPDATE duties SET instance = $3 WHERE name = $1 AND token = $2",
		SQL_PARAMS(sql_text(duty), sql_int(token), sql_blob(nobody, sizeof(nobody))),
		NULL));
}

int network_store_own(struct tx *tx, const struct address *network, struct address *ret)
{
	struct sql_rows *rows;
	int r = tx_exec(
		tx,
		"INSERT INTO network (one, address) VALUES (1, $1) ON CONFLICT (one) DO NOTHING",
		SQL_PARAMS(sql_blob(network->bytes, sizeof(network->bytes))), NULL);

	if (r == 0)
		r = tx_query(tx, "SELECT address FROM network", SQL_NO_PARAMS, &rows);
	if (r == 0)
		r = rows_bytes(rows, 0, "address", ret->bytes, sizeof(ret->bytes));
	return fault(r);
}
