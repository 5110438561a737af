/* iam_rules.h - what iam's routes and jobs ask of its rules (iam.c, iam_sessions.c). Outcomes are
 * iam.h's. */
#pragma once

#include "modules/iam/iam_store.h"

enum {
	IAM_NONCES_OF_PEER_MAX = 64, /* outstanding at once for one peer address */
	IAM_NONCES_MAX = 20000, /* and in all */
	IAM_SESSIONS_MAX = 50, /* an account's; one more ends the oldest */
	IAM_REFRESH_KEPT = 200, /* used tokens of a session that still give a thief away */
	IAM_KEYS_MAX = 50,
	IAM_KEY_USE_EVERY_MS = 60000, /* a key's last use is written at most so often */
};

/* ---- sessions: iam_sessions.c ---- */

/* 26 letters and digits with 128 random bits. IAM_E_TOO_MANY_NONCES. */
enum { IAM_NONCE_TEXT_SIZE = 27 };
_must_check_ int iam_nonce_make(const struct context *context, struct tx *tx, const char *peer,
				char ret_nonce[static IAM_NONCE_TEXT_SIZE],
				int64_t *ret_expires_at_ms);

struct iam_sign_in {
	const char *message; /* EIP-4361 */
	uint8_t signature[65];
};

/* What a sign-in or a refresh gives out. */
struct iam_grant {
	struct account_id account;
	uint32_t roles;
	const char *access_token; /* in the transaction's arena */
	int64_t access_token_ms; /* its life */
	char refresh_token[SECRET_TEXT_SIZE];
};

/* The nonce is used up with the session that it makes: a message that is refused for whatever
 * reason leaves it, and one that is accepted can never be accepted again.
 * IAM_E_MESSAGE with @ret_detail, a static text; IAM_E_NONCE. */
_must_check_ int iam_login(const struct request *request, struct tx *tx,
			   const struct iam_sign_in *sign_in, struct iam_grant *ret_grant,
			   const char **ret_detail);

/* IAM_E_REFRESH. A token that was used before was stolen, from one side or the other: 0 with
 * *@ret_revoked true and no grant, and the session is ended. The caller commits that, then answers
 * IAM_E_REFRESH. */
_must_check_ int iam_refresh(const struct request *request, struct tx *tx, const char *token,
			     struct iam_grant *ret_grant, bool *ret_revoked);

/* Ends the caller's session; its access token goes on until it expires. ROUTE_E_DENIED for an API
 * key. */
_must_check_ int iam_logout(const struct request *request, struct tx *tx);

/* ---- accounts, roles, keys: iam.c ---- */

/* The roles granted in the store, and operator by the settings. */
_must_check_ int iam_roles_of(const struct context *context, struct tx *tx,
			      struct account_id account, uint32_t *ret_roles);

struct iam_profile {
	struct account_id account;
	int64_t created_at_ms;
	uint32_t roles;
};

/* ROUTE_E_NOT_FOUND. */
_must_check_ int iam_profile(const struct context *context, struct tx *tx,
			     struct account_id account, struct iam_profile *ret_profile);

struct iam_key_wish {
	const char *name;
	uint32_t permissions;
	int64_t life_s; /* 0: for ever */
};

/* ROUTE_E_DENIED: by an API key, or for more than the caller may do. IAM_E_TOO_MANY_KEYS. */
_must_check_ int iam_key_make(const struct request *request, struct tx *tx,
			      const struct iam_key_wish *wish, struct iam_key *ret_key,
			      char ret_secret[static SECRET_TEXT_SIZE]);

/* ROUTE_E_DENIED: by an API key. ROUTE_E_NOT_FOUND. */
_must_check_ int iam_key_delete(const struct request *request, struct tx *tx,
				struct api_key_id key);

/* @granted false takes the role away; access tokens given out before keep it until they expire.
 * ROUTE_E_DENIED: the caller is no operator any more. IAM_E_LAST_OPERATOR,
 * IAM_E_SETTINGS_OPERATOR. */
_must_check_ int iam_role_set(const struct request *request, struct tx *tx,
			      struct account_id account, enum role role, bool granted);

/* ---- last uses of API keys: gathered in memory, written by the job "iam-key-uses" ---- */

/* Notes a use; lost if the process dies within the minute. From any thread. */
void iam_key_used(struct api_key_id key, int64_t at_ms);

extern const struct job iam_jobs[];
