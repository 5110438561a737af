/* polls.h - answers checkers' polls: the machine's signature that it was there when it was asked. */
#pragma once

#include "base/clock.h"
#include "security/secp.h"
#include "wire/wire.h"

enum { POLLS_A_SECOND = 200 }; /* more are dropped: a signature costs something */

struct polls {
	struct address network;
	const struct secp_key *key; /* the machine's */
	const struct clock *clock;
	int64_t second;
	unsigned int n; /* answered in it */
	bool told; /* that some were dropped */
};

enum polls_outcome {
	POLLS_E_NOT_OURS = 1, /* it is for another machine */
	POLLS_E_TOO_MANY,
};

/* Signs poll_digest (wire/sign.h). */
_must_check_ int polls_answer(struct polls *polls, const Wire__Poll *poll,
			      uint8_t ret_signature[static SECP_SIGNATURE_SIZE]);
