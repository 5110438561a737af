#include "modules/proof/proof_store.h"

#include "io/store_values.h"

/* What an excuse rests on does not change any more. */
static int is_open(struct tx *tx, const struct proof_uptime *uptime, bool *ret_open)
{
	enum proof_hour_state state;
	int r = proof_store_hour(tx, uptime->machine, uptime->hour, &state);

	if (r != 0 && r != ROUTE_E_NOT_FOUND)
		return r;
	*ret_open = r == ROUTE_E_NOT_FOUND || state == HOUR_OPEN;
	return 0;
}

int proof_store_uptime_awaited(struct tx *tx, const struct proof_uptime *uptime, bool *ret_awaited)
{
	struct sql_rows *rows;
	int r = tx_query(tx,
			 "SELECT 1 AS one FROM proof_watchers w JOIN proof_hours h "
			 "ON h.machine = w.machine AND h.hour = w.hour "
			 "WHERE w.machine = $1 AND w.hour = $2 AND w.checker = $3 AND h.state = 1",
			 SQL_PARAMS(sql_address(&uptime->machine.address), sql_int(uptime->hour),
				    sql_address(&uptime->checker)),
			 &rows);

	if (r == 0)
		*ret_awaited = rows_count(rows) > 0;
	return r;
}

int proof_store_uptime_add(struct tx *tx, const struct proof_uptime *uptime)
{
	uint8_t away[SPANS_BYTES_MAX];
	size_t len = spans_encode(&uptime->away, away);
	bool open = false;
	int r = is_open(tx, uptime, &open);

	if (r != 0 || !open)
		return r;
	r = tx_exec(
		tx,
		"INSERT INTO proof_uptimes (machine, hour, checker, polls, answered, signature, "
		"away) VALUES ($1, $2, $3, $4, $5, $6, $7) "
		"ON CONFLICT (machine, hour, checker) DO UPDATE "
		"SET polls = excluded.polls, answered = excluded.answered, "
		"signature = excluded.signature, away = excluded.away "
		"WHERE excluded.polls > proof_uptimes.polls",
		SQL_PARAMS(sql_blob(uptime->machine.address.bytes, 20), sql_int(uptime->hour),
			   sql_blob(uptime->checker.bytes, 20), sql_int(uptime->polls),
			   sql_int(uptime->answered), sql_blob(uptime->signature, SIGNATURE_SIZE),
			   len > 0 ? sql_blob(away, len) : sql_null()),
		NULL);
	return r > 0 ? -EIO : r;
}

static int read_uptime(const struct sql_rows *rows, size_t row, struct proof_uptime *ret_uptime)
{
	size_t len;
	const void *away = rows_blob(rows, row, "away", &len);
	int r = rows_bytes(rows, row, "checker", ret_uptime->checker.bytes, 20);

	ret_uptime->polls = rows_int(rows, row, "polls");
	ret_uptime->answered = rows_int(rows, row, "answered");
	if (r == 0)
		r = rows_bytes(rows, row, "signature", ret_uptime->signature, SIGNATURE_SIZE);
	if (r == 0 && away)
		r = spans_decode(away, len, SPANS_HOUR_S, &ret_uptime->away);
	return r;
}

int proof_store_uptimes(struct tx *tx, struct machine_id machine, int64_t hour,
			struct proof_uptime **ret_uptimes, size_t *ret_n)
{
	struct proof_uptime *uptimes;
	struct sql_rows *rows;
	int r = tx_query(tx,
			 "SELECT checker, polls, answered, signature, away FROM proof_uptimes "
			 "WHERE machine = $1 AND hour = $2 ORDER BY checker",
			 SQL_PARAMS(sql_address(&machine.address), sql_int(hour)), &rows);

	if (r != 0)
		return r;
	uptimes = arena_array(tx_arena(tx), rows_count(rows) + 1, sizeof(*uptimes));
	if (!uptimes)
		return -ENOMEM;
	for (size_t i = 0; r == 0 && i < rows_count(rows); i++) {
		uptimes[i] = (struct proof_uptime){ .machine = machine, .hour = hour };
		r = read_uptime(rows, i, &uptimes[i]);
	}
	*ret_uptimes = uptimes;
	*ret_n = rows_count(rows);
	return r;
}
