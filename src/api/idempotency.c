#include "api/idempotency.h"

int idempotency_find(struct tx *tx, struct account_id account, const char *key,
		     const uint8_t digest[static 32], int *ret_status, const char **ret_body)
{
	uint8_t stored[32];
	struct sql_rows *rows;
	int r;

	r = tx_query(tx,
		     "SELECT digest, status, body FROM idempotency_keys"
		     " WHERE account = $1 AND key = $2",
		     SQL_PARAMS(sql_blob(&account, sizeof(account)), sql_text(key)), &rows);
	if (r != 0)
		return r < 0 ? r : -EIO;
	if (rows_count(rows) == 0)
		return 0;
	r = rows_bytes(rows, 0, "digest", stored, sizeof(stored));
	if (r < 0)
		return r;
	if (memcmp(stored, digest, sizeof(stored)) != 0)
		return IDEMPOTENCY_E_REUSED;
	*ret_status = (int)rows_int(rows, 0, "status");
	*ret_body = rows_text(rows, 0, "body");
	return IDEMPOTENCY_E_REPLAY;
}

int idempotency_store(struct tx *tx, struct account_id account, const char *key,
		      const uint8_t digest[static 32], int64_t now_ms, int status, const char *body)
{
	int r;

	r = tx_exec(tx,
		    "INSERT INTO idempotency_keys (account, key, digest, at_ms, status, body)"
		    " VALUES ($1, $2, $3, $4, $5, $6)",
		    SQL_PARAMS(sql_blob(&account, sizeof(account)), sql_text(key),
			       sql_blob(digest, 32), sql_int(now_ms), sql_int(status),
			       sql_text(body)),
		    NULL);
	/* Somebody stored the same key since idempotency_find: run again and find it. */
	return r > 0 ? -EAGAIN : r;
}

int idempotency_purge(struct tx *tx, int64_t before_ms)
{
	int r = tx_exec(tx, "DELETE FROM idempotency_keys WHERE at_ms < $1",
			SQL_PARAMS(sql_int(before_ms)), NULL);

	return r > 0 ? -EIO : r;
}
