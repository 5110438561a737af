/* signer_keeper.h - who holds the key and answers what is asked: by the policy, and only what is counted durably.
 * The same question gets the same bytes again. Single thread. */
#pragma once

#include "chain/signer_store.h"
#include "chain/signer_wire.h"

enum { SIGNER_REFUSALS_MAX = 16 };

struct signer_refusal {
	int64_t at_ms;
	char kind[OUTBOX_KIND_MAX + 1];
	char reason[320];
};

struct signer_keeper {
	const struct signer_policy *policy;
	const struct secp_key *key;
	struct signer_store *store;
	const struct clock *clock;
	struct signer_refusal
		refusals[SIGNER_REFUSALS_MAX]; /* the latest at n_refusals - 1, around */
	size_t n_refusals;
	int64_t logged_ms;
};

/* The answer to what is behind a length, with its own before it, in @arena. -ENOMEM. */
_must_check_ int signer_keeper_answer(struct signer_keeper *keeper, const uint8_t *question,
				      size_t len, struct arena *arena, const uint8_t **ret_answer,
				      size_t *ret_len);
