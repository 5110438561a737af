/* The statements on join tokens (worker_store.h). */
#include "modules/worker/worker_store.h"

#include "io/store_values.h"

static struct sql_value sql_token(const struct join_token_id *id)
{
	return sql_blob(id->bytes, sizeof(id->bytes));
}

int worker_store_token_add(struct tx *tx, const struct worker_token *token,
			   const uint8_t hash[static SECRET_HASH_SIZE])
{
	return no_conflict(tx_exec(
		tx,
		"INSERT INTO worker_tokens (token, token_hash, account, name, expires_at, used_by)"
		" VALUES ($1, $2, $3, $4, $5, NULL)",
		SQL_PARAMS(sql_token(&token->id), sql_blob(hash, SECRET_HASH_SIZE),
			   sql_account(&token->account), sql_text(token->name),
			   sql_int(token->expires_at_ms)),
		NULL));
}

int worker_store_tokens_open(struct tx *tx, struct account_id account, int64_t now_ms,
			     int64_t *ret_n)
{
	struct sql_rows *rows;
	int r;

	r = tx_query(tx,
		     "SELECT COUNT(*) AS n FROM worker_tokens WHERE account = $1"
		     " AND expires_at > $2 AND used_by IS NULL",
		     SQL_PARAMS(sql_account(&account), sql_int(now_ms)), &rows);
	if (r != 0)
		return no_conflict(r);
	*ret_n = rows_int(rows, 0, "n");
	return 0;
}

int worker_store_token(struct tx *tx, const uint8_t hash[static SECRET_HASH_SIZE],
		       struct worker_token *ret_token)
{
	struct worker_token token;
	struct sql_rows *rows;
	int r;

	r = tx_query(tx,
		     "SELECT token, account, name, expires_at, used_by FROM worker_tokens"
		     " WHERE token_hash = $1",
		     SQL_PARAMS(sql_blob(hash, SECRET_HASH_SIZE)), &rows);
	if (r != 0)
		return no_conflict(r);
	if (rows_count(rows) == 0)
		return ROUTE_E_NOT_FOUND;
	token.name = rows_text(rows, 0, "name");
	token.expires_at_ms = rows_int(rows, 0, "expires_at");
	token.used = !rows_null(rows, 0, "used_by");
	r = rows_bytes(rows, 0, "token", &token.id, sizeof(token.id));
	if (r == 0)
		r = rows_bytes(rows, 0, "account", &token.account, sizeof(token.account));
	if (r == 0)
		*ret_token = token;
	return r;
}

int worker_store_token_use(struct tx *tx, struct join_token_id id, struct machine_id machine,
			   int64_t now_ms)
{
	return changed_or(WORKER_E_JOIN_TOKEN, tx,
			  "UPDATE worker_tokens SET used_by = $2"
			  " WHERE token = $1 AND used_by IS NULL AND expires_at > $3",
			  SQL_PARAMS(sql_token(&id), sql_machine(&machine), sql_int(now_ms)));
}

int worker_store_tokens_purge(struct tx *tx, int64_t before_ms)
{
	return no_conflict(tx_exec(tx, "DELETE FROM worker_tokens WHERE expires_at < $1",
				   SQL_PARAMS(sql_int(before_ms)), NULL));
}
