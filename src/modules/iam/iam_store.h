/* iam_store.h - every SQL statement of iam, and nothing that decides. Rows and texts live in the
 * transaction's arena. Faults as tx_query's. */
#pragma once

#include "modules/iam/iam.h"
#include "security/token.h"

/* ---- accounts and roles ---- */

/* @ret_new: whether it was not there before. */
_must_check_ int iam_store_account_add(struct tx *tx, struct account_id account, int64_t now_ms,
				       bool *ret_new);

/* ROUTE_E_NOT_FOUND. */
_must_check_ int iam_store_account(struct tx *tx, struct account_id account,
				   int64_t *ret_created_at_ms);

/* The mask of roles granted in the store; 0 for an unknown account. */
_must_check_ int iam_store_roles(struct tx *tx, struct account_id account, uint32_t *ret_roles);

/* @ret_changed: false when it was so already. */
_must_check_ int iam_store_role_grant(struct tx *tx, struct account_id account, enum role role,
				      bool *ret_changed);
_must_check_ int iam_store_role_revoke(struct tx *tx, struct account_id account, enum role role,
				       bool *ret_changed);
_must_check_ int iam_store_role_holders(struct tx *tx, enum role role, int64_t *ret_n);
_must_check_ int iam_store_role_list(struct tx *tx, enum role role, size_t max,
				     struct account_id **ret_accounts, size_t *ret_n);

/* ---- nonces ---- */

struct iam_nonce {
	uint8_t hash[SECRET_HASH_SIZE];
	const char *peer;
	int64_t expires_at_ms;
};

_must_check_ int iam_store_nonce_add(struct tx *tx, const struct iam_nonce *nonce);

/* Those that have not expired: of @peer, and of all. */
_must_check_ int iam_store_nonce_count(struct tx *tx, const char *peer, int64_t now_ms,
				       int64_t *ret_of_peer, int64_t *ret_of_all);

/* Uses it up. IAM_E_NONCE: there is none, or it has expired. */
_must_check_ int iam_store_nonce_take(struct tx *tx, const uint8_t hash[static SECRET_HASH_SIZE],
				      int64_t now_ms);

/* ---- sessions and refresh tokens ---- */

struct iam_session {
	struct session_id id;
	struct account_id account;
	int64_t created_at_ms, expires_at_ms;
};

_must_check_ int iam_store_session_add(struct tx *tx, const struct iam_session *session);
_must_check_ int iam_store_session_extend(struct tx *tx, struct session_id session,
					  int64_t expires_at_ms);

/* Neither ended nor expired. */
_must_check_ int iam_store_session_alive(struct tx *tx, struct session_id session, int64_t now_ms,
					 bool *ret_alive);

/* With its refresh tokens. */
_must_check_ int iam_store_session_delete(struct tx *tx, struct session_id session);

/* Deletes all but the @keep newest of the account. */
_must_check_ int iam_store_sessions_trim(struct tx *tx, struct account_id account, int64_t keep);
_must_check_ int iam_store_sessions_count(struct tx *tx, struct account_id account, int64_t now_ms,
					  int64_t *ret_n);

_must_check_ int iam_store_refresh_add(struct tx *tx, const uint8_t hash[static SECRET_HASH_SIZE],
				       struct session_id session);

/* The session of a token that is unused or used. ROUTE_E_NOT_FOUND. */
_must_check_ int iam_store_refresh_find(struct tx *tx, const uint8_t hash[static SECRET_HASH_SIZE],
					struct iam_session *ret_session, bool *ret_used);
_must_check_ int iam_store_refresh_use(struct tx *tx, const uint8_t hash[static SECRET_HASH_SIZE],
				       int64_t now_ms);

/* Forgets the session's tokens that were used before @before_ms, and all but the @keep last used. */
_must_check_ int iam_store_refresh_forget(struct tx *tx, struct session_id session,
					  int64_t before_ms, int64_t keep);

/* ---- API keys ---- */

struct iam_key {
	struct api_key_id id;
	struct account_id account;
	const char *name;
	uint32_t permissions; /* as chosen; what the account may not do is not granted */
	int64_t created_at_ms;
	int64_t expires_at_ms; /* 0: never */
	int64_t last_used_at_ms; /* 0: never */
};

_must_check_ int iam_store_key_add(struct tx *tx, const struct iam_key *key,
				   const uint8_t hash[static SECRET_HASH_SIZE]);
_must_check_ int iam_store_keys_count(struct tx *tx, struct account_id account, int64_t *ret_n);

/* ROUTE_E_NOT_FOUND. */
_must_check_ int iam_store_key_find(struct tx *tx, const uint8_t hash[static SECRET_HASH_SIZE],
				    struct iam_key *ret_key);

/* At most @limit of the account's with an id above @after, by id. */
_must_check_ int iam_store_keys(struct tx *tx, struct account_id account,
				const struct api_key_id *after, int64_t limit,
				struct iam_key **ret_keys, size_t *ret_n);

/* ROUTE_E_NOT_FOUND: no such key of this account. */
_must_check_ int iam_store_key_delete(struct tx *tx, struct account_id account,
				      struct api_key_id key);

struct iam_key_use {
	struct api_key_id key;
	int64_t at_ms;
};

/* Records last uses; never sets one back. */
_must_check_ int iam_store_keys_used(struct tx *tx, const struct iam_key_use *uses, size_t n);

/* ---- upkeep ---- */

/* Deletes nonces, sessions and keys that expired at or before @now_ms. */
_must_check_ int iam_store_purge(struct tx *tx, int64_t now_ms);
