/* iam.h - who somebody is and what they may do: sign-in with a wallet (EIP-4361), sessions, access
 * tokens, API keys, roles. Everybody's account is a wallet address; a first sign-in makes it, with
 * the roles tenant and provider. Operators come from the settings or from another operator. */
#pragma once

#include "api/route.h"

enum iam_outcome {
	IAM_E_NONCE = ROUTE_E_MODULE, /* unknown, used or expired */
	IAM_E_MESSAGE, /* the sign-in message or its signature is not acceptable */
	IAM_E_REFRESH, /* refresh token unknown, used or expired */
	IAM_E_TOO_MANY_NONCES,
	IAM_E_TOO_MANY_KEYS,
	IAM_E_LAST_OPERATOR,
	IAM_E_SETTINGS_OPERATOR, /* named in the settings: not to be taken away here */
};

/* Who sent "Bearer ...": an access token (checked with the key alone, no query) or an API key (looked
 * up in a read transaction of its own). Outcome ROUTE_E_UNAUTHENTICATED. @authorization may be NULL:
 * an unknown caller, 0. */
_must_check_ int iam_authenticate(const struct context *context, const char *authorization,
				  struct caller *ret_caller);

/* Makes the account if it is new. */
_must_check_ int iam_account_ensure(const struct context *context, struct tx *tx,
				    struct account_id account);

/* Who holds the operator role: those of the settings, and by the store at most @max more. In the
 * transaction's arena, each once. */
_must_check_ int iam_operators(const struct context *context, struct tx *tx, size_t max,
			       struct account_id **ret_accounts, size_t *ret_n);

/* A token that opens one thing of @account's, the one with the id @thing, at the routes that take tickets,
 * for @life_ms. Nothing is stored: it is worth nothing once the thing is over. */
_must_check_ int iam_ticket(const struct context *context, struct account_id account,
			    const uint8_t thing[static 16], int64_t life_ms, struct arena *arena,
			    const char **ret_token);

extern const struct module iam_module;
