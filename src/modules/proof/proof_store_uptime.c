#include "modules/proof/proof_store.h"

int proof_store_uptime_add(struct tx *tx, const struct proof_uptime *uptime)
{
	int r = tx_exec(
		tx,
		"INSERT INTO proof_uptimes (machine, hour, checker, polls, answered, signature) "
		"VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (machine, hour, checker) DO UPDATE "
		"SET polls = excluded.polls, answered = excluded.answered, "
		"signature = excluded.signature WHERE excluded.polls > proof_uptimes.polls",
		SQL_PARAMS(sql_blob(uptime->machine.address.bytes, 20), sql_int(uptime->hour),
			   sql_blob(uptime->checker.bytes, 20), sql_int(uptime->polls),
			   sql_int(uptime->answered), sql_blob(uptime->signature, SIGNATURE_SIZE)),
		NULL);

	return r > 0 ? -EIO : r;
}

int proof_store_uptime_hours(struct tx *tx, struct machine_id machine, int64_t from_hour,
			     int64_t until_hour, int64_t *ret_hours)
{
	struct sql_rows *rows;
	int r = tx_query(tx,
			 "SELECT count(*) AS n FROM (SELECT hour FROM proof_uptimes WHERE "
			 "machine = $1 AND hour >= $2 AND hour < $3 GROUP BY hour HAVING "
			 "2 * sum(CASE WHEN answered * 100 >= polls * 95 THEN 1 ELSE 0 END) > "
			 "count(*)) AS hours",
			 SQL_PARAMS(sql_blob(machine.address.bytes, 20), sql_int(from_hour),
				    sql_int(until_hour)),
			 &rows);

	if (r == 0)
		*ret_hours = rows_int(rows, 0, "n");
	return r;
}

int proof_store_uptime_purge(struct tx *tx, int64_t before_hour)
{
	return tx_exec(tx, "DELETE FROM proof_uptimes WHERE hour < $1",
		       SQL_PARAMS(sql_int(before_hour)), NULL);
}
