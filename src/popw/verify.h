/* verify.h - the exact part of a session's judgement: recomputes what was opened, on one CPU core, from
 * the transcript alone. Equal on every machine, bit for bit. A verifier takes about 3 MiB, whatever was
 * claimed; the time is bounded by session_check. */
#pragma once

#include "popw/transcript.h"

enum { /* what holds; a phase that the session does not have holds */
       PROOF_SESSION = 1, /* the network signed it, and the panel is the one it names */
       PROOF_NONCES =
	       2, /* committed by members, revealed as committed, a quorum each time, the sets
			 * signed by the network, and the opening's nonces from those whose nonces the
			 * phase before it began with, all but one at least */
       PROOF_SEALS = 4, /* the machine signed everything, over the roots that are shown */
       PROOF_WALK = 8,
       PROOF_TILES = 16,
       PROOF_ALL = 31,
};

struct verifier;

/* One for each thread. -ENOMEM. */
_must_check_ int verifier_new(struct verifier **ret_verifier);
void verifier_free(struct verifier *verifier);
/* The one it works with, for what else its thread has to hash. */
struct hasher *verifier_hasher(struct verifier *verifier);

struct finding {
	uint16_t bits;
	char detail[160]; /* the first thing that does not hold, for people; "" */
};

/* Every bit is found by itself: one thing that does not hold clears its own bit only. A change of what
 * seeds are made of (session, nonces, roots) makes what follows from them another session's, too. */
void verify(struct verifier *verifier, const struct transcript *transcript,
	    struct finding *ret_finding);

static inline void verifier_freep(struct verifier **verifier)
{
	verifier_free(*verifier);
}
