#include "modules/iam/iam_store.h"

#include "io/store_values.h"

static struct sql_value sql_hash(const uint8_t hash[static SECRET_HASH_SIZE])
{
	return sql_blob(hash, SECRET_HASH_SIZE);
}

/* 0 in the struct is NULL in the store. */
static struct sql_value sql_time(int64_t ms)
{
	return ms ? sql_int(ms) : sql_null();
}

static int changed_any(int r, int64_t changed, bool *ret_changed)
{
	if (r != 0)
		return no_conflict(r);
	*ret_changed = changed > 0;
	return 0;
}

static int query_count(struct tx *tx, const char *sql, const struct sql_value *params,
		       size_t n_params, int64_t *ret_n)
{
	struct sql_rows *rows;
	int r;

	r = tx_query(tx, sql, params, n_params, &rows);
	if (r != 0)
		return no_conflict(r);
	*ret_n = rows_int(rows, 0, "n");
	return 0;
}

/* ---- accounts and roles ---- */

int iam_store_account_add(struct tx *tx, struct account_id account, int64_t now_ms, bool *ret_new)
{
	int64_t changed = 0;
	int r;

	r = tx_exec(tx,
		    "INSERT INTO iam_accounts (account, created_at) VALUES ($1, $2)"
		    " ON CONFLICT (account) DO NOTHING",
		    SQL_PARAMS(sql_account(&account), sql_int(now_ms)), &changed);
	return changed_any(r, changed, ret_new);
}

int iam_store_account(struct tx *tx, struct account_id account, int64_t *ret_created_at_ms)
{
	struct sql_rows *rows;
	int r;

	r = tx_query(tx, "SELECT created_at FROM iam_accounts WHERE account = $1",
		     SQL_PARAMS(sql_account(&account)), &rows);
	if (r != 0)
		return no_conflict(r);
	if (rows_count(rows) == 0)
		return ROUTE_E_NOT_FOUND;
	*ret_created_at_ms = rows_int(rows, 0, "created_at");
	return 0;
}

int iam_store_roles(struct tx *tx, struct account_id account, uint32_t *ret_roles)
{
	struct sql_rows *rows;
	uint32_t roles = 0;
	int r;

	r = tx_query(tx, "SELECT role FROM iam_roles WHERE account = $1",
		     SQL_PARAMS(sql_account(&account)), &rows);
	if (r != 0)
		return no_conflict(r);
	for (size_t i = 0; i < rows_count(rows); i++) {
		enum role role;

		if (role_parse(rows_text(rows, i, "role"), &role) < 0)
			return -EIO;
		roles |= 1u << role;
	}
	*ret_roles = roles;
	return 0;
}

int iam_store_role_grant(struct tx *tx, struct account_id account, enum role role,
			 bool *ret_changed)
{
	int64_t changed = 0;
	int r;

	r = tx_exec(tx,
		    "INSERT INTO iam_roles (account, role) VALUES ($1, $2)"
		    " ON CONFLICT (account, role) DO NOTHING",
		    SQL_PARAMS(sql_account(&account), sql_text(role_words[role])), &changed);
	return changed_any(r, changed, ret_changed);
}

int iam_store_role_revoke(struct tx *tx, struct account_id account, enum role role,
			  bool *ret_changed)
{
	int64_t changed = 0;
	int r;

	r = tx_exec(tx, "DELETE FROM iam_roles WHERE account = $1 AND role = $2",
		    SQL_PARAMS(sql_account(&account), sql_text(role_words[role])), &changed);
	return changed_any(r, changed, ret_changed);
}

int iam_store_role_holders(struct tx *tx, enum role role, int64_t *ret_n)
{
	return query_count(tx, "SELECT COUNT(*) AS n FROM iam_roles WHERE role = $1",
			   SQL_PARAMS(sql_text(role_words[role])), ret_n);
}

int iam_store_role_list(struct tx *tx, enum role role, size_t max, struct account_id **ret_accounts,
			size_t *ret_n)
{
	struct account_id *list;
	struct sql_rows *rows;
	int r;

	r = tx_query(tx, "SELECT account FROM iam_roles WHERE role = $1 ORDER BY account LIMIT $2",
		     SQL_PARAMS(sql_text(role_words[role]), sql_int((int64_t)max)), &rows);
	if (r != 0)
		return no_conflict(r);
	list = arena_array(tx_arena(tx), rows_count(rows) + 1, sizeof(*list));
	if (!list)
		return -ENOMEM;
	for (size_t i = 0; r == 0 && i < rows_count(rows); i++)
		r = rows_bytes(rows, i, "account", &list[i], sizeof(list[i]));
	*ret_accounts = list;
	*ret_n = rows_count(rows);
	return r;
}

/* ---- nonces ---- */

int iam_store_nonce_add(struct tx *tx, const struct iam_nonce *nonce)
{
	return no_conflict(tx_exec(
		tx, "INSERT INTO iam_nonces (nonce_hash, peer, expires_at) VALUES ($1, $2, $3)",
		SQL_PARAMS(sql_hash(nonce->hash), sql_text(nonce->peer),
			   sql_int(nonce->expires_at_ms)),
		NULL));
}

int iam_store_nonce_count(struct tx *tx, const char *peer, int64_t now_ms, int64_t *ret_of_peer,
			  int64_t *ret_of_all)
{
	int64_t of_peer;
	int r;

	r = query_count(tx,
			"SELECT COUNT(*) AS n FROM iam_nonces WHERE peer = $1 AND expires_at > $2",
			SQL_PARAMS(sql_text(peer), sql_int(now_ms)), &of_peer);
	if (r != 0)
		return r;
	r = query_count(tx, "SELECT COUNT(*) AS n FROM iam_nonces WHERE expires_at > $1",
			SQL_PARAMS(sql_int(now_ms)), ret_of_all);
	if (r != 0)
		return r;
	*ret_of_peer = of_peer;
	return 0;
}

int iam_store_nonce_take(struct tx *tx, const uint8_t hash[static SECRET_HASH_SIZE], int64_t now_ms)
{
	int64_t changed = 0;
	int r;

	r = tx_exec(tx, "DELETE FROM iam_nonces WHERE nonce_hash = $1 AND expires_at > $2",
		    SQL_PARAMS(sql_hash(hash), sql_int(now_ms)), &changed);
	if (r != 0)
		return no_conflict(r);
	return changed == 1 ? 0 : IAM_E_NONCE;
}

/* ---- sessions and refresh tokens ---- */

static struct sql_value sql_session(const struct session_id *session)
{
	return sql_blob(session->bytes, sizeof(session->bytes));
}

int iam_store_session_add(struct tx *tx, const struct iam_session *session)
{
	return no_conflict(tx_exec(
		tx,
		"INSERT INTO iam_sessions (session, account, created_at, expires_at)"
		" VALUES ($1, $2, $3, $4)",
		SQL_PARAMS(sql_session(&session->id), sql_account(&session->account),
			   sql_int(session->created_at_ms), sql_int(session->expires_at_ms)),
		NULL));
}

int iam_store_session_extend(struct tx *tx, struct session_id session, int64_t expires_at_ms)
{
	return no_conflict(tx_exec(tx, "UPDATE iam_sessions SET expires_at = $2 WHERE session = $1",
				   SQL_PARAMS(sql_session(&session), sql_int(expires_at_ms)),
				   NULL));
}

int iam_store_session_alive(struct tx *tx, struct session_id session, int64_t now_ms,
			    bool *ret_alive)
{
	int64_t n;
	int r;

	r = query_count(
		tx, "SELECT COUNT(*) AS n FROM iam_sessions WHERE session = $1 AND expires_at > $2",
		SQL_PARAMS(sql_session(&session), sql_int(now_ms)), &n);
	if (r == 0)
		*ret_alive = n > 0;
	return r;
}

int iam_store_session_delete(struct tx *tx, struct session_id session)
{
	int r;

	r = tx_exec(tx, "DELETE FROM iam_refresh_tokens WHERE session = $1",
		    SQL_PARAMS(sql_session(&session)), NULL);
	if (r != 0)
		return no_conflict(r);
	return no_conflict(tx_exec(tx, "DELETE FROM iam_sessions WHERE session = $1",
				   SQL_PARAMS(sql_session(&session)), NULL));
}

int iam_store_sessions_trim(struct tx *tx, struct account_id account, int64_t keep)
{
	struct sql_rows *rows;
	int r;

	r = tx_query(tx,
		     "SELECT session FROM iam_sessions WHERE account = $1"
		     " ORDER BY session DESC LIMIT 100 OFFSET $2",
		     SQL_PARAMS(sql_account(&account), sql_int(keep)), &rows);
	if (r != 0)
		return no_conflict(r);
	for (size_t i = 0; i < rows_count(rows); i++) {
		struct session_id session;

		r = rows_bytes(rows, i, "session", session.bytes, sizeof(session.bytes));
		if (r == 0)
			r = iam_store_session_delete(tx, session);
		if (r != 0)
			return r;
	}
	return 0;
}

int iam_store_sessions_count(struct tx *tx, struct account_id account, int64_t now_ms,
			     int64_t *ret_n)
{
	return query_count(
		tx, "SELECT COUNT(*) AS n FROM iam_sessions WHERE account = $1 AND expires_at > $2",
		SQL_PARAMS(sql_account(&account), sql_int(now_ms)), ret_n);
}

int iam_store_refresh_add(struct tx *tx, const uint8_t hash[static SECRET_HASH_SIZE],
			  struct session_id session)
{
	return no_conflict(
		tx_exec(tx, "INSERT INTO iam_refresh_tokens (token_hash, session) VALUES ($1, $2)",
			SQL_PARAMS(sql_hash(hash), sql_session(&session)), NULL));
}

int iam_store_refresh_find(struct tx *tx, const uint8_t hash[static SECRET_HASH_SIZE],
			   struct iam_session *ret_session, bool *ret_used)
{
	struct iam_session session;
	struct sql_rows *rows;
	int r;

	r = tx_query(tx,
		     "SELECT s.session, s.account, s.created_at, s.expires_at, t.used_at"
		     " FROM iam_refresh_tokens t JOIN iam_sessions s ON s.session = t.session"
		     " WHERE t.token_hash = $1",
		     SQL_PARAMS(sql_hash(hash)), &rows);
	if (r != 0)
		return no_conflict(r);
	if (rows_count(rows) == 0)
		return ROUTE_E_NOT_FOUND;
	r = rows_bytes(rows, 0, "session", session.id.bytes, sizeof(session.id.bytes));
	if (r == 0)
		r = rows_bytes(rows, 0, "account", session.account.address.bytes,
			       sizeof(session.account.address.bytes));
	if (r != 0)
		return r;
	session.created_at_ms = rows_int(rows, 0, "created_at");
	session.expires_at_ms = rows_int(rows, 0, "expires_at");
	*ret_used = !rows_null(rows, 0, "used_at");
	*ret_session = session;
	return 0;
}

int iam_store_refresh_use(struct tx *tx, const uint8_t hash[static SECRET_HASH_SIZE],
			  int64_t now_ms)
{
	return no_conflict(
		tx_exec(tx, "UPDATE iam_refresh_tokens SET used_at = $2 WHERE token_hash = $1",
			SQL_PARAMS(sql_hash(hash), sql_int(now_ms)), NULL));
}

int iam_store_refresh_forget(struct tx *tx, struct session_id session, int64_t before_ms,
			     int64_t keep)
{
	return no_conflict(tx_exec(
		tx,
		"DELETE FROM iam_refresh_tokens WHERE session = $1 AND (used_at < $2"
		" OR used_at < (SELECT used_at FROM iam_refresh_tokens WHERE session = $1"
		" AND used_at IS NOT NULL ORDER BY used_at DESC LIMIT 1 OFFSET $3))",
		SQL_PARAMS(sql_session(&session), sql_int(before_ms), sql_int(keep - 1)), NULL));
}

/* ---- API keys ---- */

/* Enough for every permission's word with a space behind it. */
enum { PERMISSIONS_TEXT_SIZE = 128 };

/* "account rental.read": does not depend on the numbers of enum permission. */
static void permissions_text(uint32_t permissions, char ret_text[static PERMISSIONS_TEXT_SIZE])
{
	size_t used = 0;

	ret_text[0] = 0;
	for (enum permission p = PERM_ACCOUNT; permission_word(p); p++)
		if (permissions >> p & 1 && used < PERMISSIONS_TEXT_SIZE)
			used += (size_t)snprintf(ret_text + used, PERMISSIONS_TEXT_SIZE - used,
						 "%s%s", used ? " " : "", permission_word(p));
}

/* A word that this version does not know grants nothing. */
static uint32_t permissions_parse(const char *text)
{
	uint32_t permissions = 0;
	char word[32];

	while (*text) {
		size_t len = strcspn(text, " ");
		enum permission permission;

		snprintf(word, sizeof(word), "%.*s", (int)size_min(len, sizeof(word)), text);
		if (permission_parse(word, &permission) == 0)
			permissions |= 1u << permission;
		text += len + (text[len] == ' ');
	}
	return permissions;
}

#define KEY_COLUMNS "api_key, account, name, permissions, created_at, expires_at, last_used_at"

static struct sql_value sql_key(const struct api_key_id *key)
{
	return sql_blob(key->bytes, sizeof(key->bytes));
}

static int read_key(const struct sql_rows *rows, size_t row, void *ret_item)
{
	struct iam_key *ret_key = ret_item;
	struct iam_key key;
	int r;

	r = rows_bytes(rows, row, "api_key", key.id.bytes, sizeof(key.id.bytes));
	if (r == 0)
		r = rows_bytes(rows, row, "account", key.account.address.bytes,
			       sizeof(key.account.address.bytes));
	if (r != 0)
		return r;
	key.name = rows_text(rows, row, "name");
	key.permissions = permissions_parse(rows_text(rows, row, "permissions"));
	key.created_at_ms = rows_int(rows, row, "created_at");
	key.expires_at_ms = rows_int(rows, row, "expires_at");
	key.last_used_at_ms = rows_int(rows, row, "last_used_at");
	*ret_key = key;
	return 0;
}

static const struct row_reader key_reader = { sizeof(struct iam_key), read_key };

int iam_store_key_add(struct tx *tx, const struct iam_key *key,
		      const uint8_t hash[static SECRET_HASH_SIZE])
{
	char permissions[PERMISSIONS_TEXT_SIZE];

	permissions_text(key->permissions, permissions);
	return no_conflict(
		tx_exec(tx,
			"INSERT INTO iam_api_keys"
			" (api_key, account, key_hash, name, permissions, created_at, expires_at)"
			" VALUES ($1, $2, $3, $4, $5, $6, $7)",
			SQL_PARAMS(sql_key(&key->id), sql_account(&key->account), sql_hash(hash),
				   sql_text(key->name), sql_text(permissions),
				   sql_int(key->created_at_ms), sql_time(key->expires_at_ms)),
			NULL));
}

int iam_store_keys_count(struct tx *tx, struct account_id account, int64_t *ret_n)
{
	return query_count(tx, "SELECT COUNT(*) AS n FROM iam_api_keys WHERE account = $1",
			   SQL_PARAMS(sql_account(&account)), ret_n);
}

int iam_store_key_find(struct tx *tx, const uint8_t hash[static SECRET_HASH_SIZE],
		       struct iam_key *ret_key)
{
	struct sql_rows *rows;
	int r;

	r = tx_query(tx, "SELECT " KEY_COLUMNS " FROM iam_api_keys WHERE key_hash = $1",
		     SQL_PARAMS(sql_hash(hash)), &rows);
	if (r != 0)
		return no_conflict(r);
	return rows_count(rows) == 0 ? ROUTE_E_NOT_FOUND : read_key(rows, 0, ret_key);
}

int iam_store_keys(struct tx *tx, struct account_id account, const struct api_key_id *after,
		   int64_t limit, struct iam_key **ret_keys, size_t *ret_n)
{
	return tx_select(tx,
			 "SELECT " KEY_COLUMNS " FROM iam_api_keys"
			 " WHERE account = $1 AND api_key > $2 ORDER BY api_key LIMIT $3",
			 SQL_PARAMS(sql_account(&account), sql_key(after), sql_int(limit)),
			 &key_reader, ret_keys, ret_n);
}

int iam_store_key_delete(struct tx *tx, struct account_id account, struct api_key_id key)
{
	int64_t changed = 0;
	int r;

	r = tx_exec(tx, "DELETE FROM iam_api_keys WHERE api_key = $1 AND account = $2",
		    SQL_PARAMS(sql_key(&key), sql_account(&account)), &changed);
	if (r != 0)
		return no_conflict(r);
	return changed == 1 ? 0 : ROUTE_E_NOT_FOUND;
}

int iam_store_keys_used(struct tx *tx, const struct iam_key_use *uses, size_t n)
{
	struct sql_value *params = arena_array(tx_arena(tx), n * 2, sizeof(*params));

	if (!params)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		params[i * 2] = sql_key(&uses[i].key);
		params[i * 2 + 1] = sql_int(uses[i].at_ms);
	}
	return no_conflict(
		tx_exec_many(tx,
			     "UPDATE iam_api_keys SET last_used_at = $2 WHERE api_key = $1"
			     " AND (last_used_at IS NULL OR last_used_at < $2)",
			     params, 2, n));
}

/* ---- upkeep ---- */

int iam_store_purge(struct tx *tx, int64_t now_ms)
{
	static const char *const statements[] = {
		"DELETE FROM iam_nonces WHERE expires_at <= $1",
		("DELETE FROM iam_refresh_tokens WHERE session IN"
		 " (SELECT session FROM iam_sessions WHERE expires_at <= $1)"),
		"DELETE FROM iam_sessions WHERE expires_at <= $1",
		"DELETE FROM iam_api_keys WHERE expires_at <= $1",
	};
	int r;

	for (size_t i = 0; i < ARRAY_SIZE(statements); i++) {
		r = tx_exec(tx, statements[i], SQL_PARAMS(sql_int(now_ms)), NULL);
		if (r != 0)
			return no_conflict(r);
	}
	return 0;
}
