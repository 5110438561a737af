/* idempotency.h - Idempotency-Key: the same account, key and request get the first answer again.
 *
 * The answer is stored in the transaction of the change, so that there is no moment at which one is
 * there without the other. Answers that changed nothing are not stored: trying again is safe. */
#pragma once

#include "api/route.h"

enum { IDEMPOTENCY_KEY_MAX = 64 };

enum idempotency_outcome {
	IDEMPOTENCY_E_REPLAY = 1, /* the stored answer was written to the ret_s */
	IDEMPOTENCY_E_REUSED, /* the key came before with another request */
};

/* @digest is Keccak-256 of method, path and body. 0: not seen before. */
_must_check_ int idempotency_find(struct tx *tx, struct account_id account, const char *key,
				  const uint8_t digest[static 32], int *ret_status,
				  const char **ret_body);

_must_check_ int idempotency_store(struct tx *tx, struct account_id account, const char *key,
				   const uint8_t digest[static 32], int64_t now_ms, int status,
				   const char *body);

/* Forgets what is older than @before_ms. */
_must_check_ int idempotency_purge(struct tx *tx, int64_t before_ms);
