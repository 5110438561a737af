/* poll.h - "are you there?", asked of a machine over the control plane, and answered with its signature. */
#pragma once

#include "wire/sign.h"

enum { POLL_NONCE_SIZE = 16, POLL_ANSWER_MS = 5000 /* later is never */ };

struct poll_nonce {
	uint8_t bytes[POLL_NONCE_SIZE];
};

static inline bool poll_nonce_equal(const struct poll_nonce *a, const struct poll_nonce *b)
{
	return memcmp(a->bytes, b->bytes, POLL_NONCE_SIZE) == 0;
}

/* Who asks whom, in which network. */
struct poll_path {
	struct address network, machine, checker;
};

/* Whether the machine signed it for this checker. */
bool poll_answer_holds(const struct poll_path *path, const struct poll_nonce *nonce,
		       const uint8_t signature[static SIGNATURE_SIZE]);
