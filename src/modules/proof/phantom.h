/* phantom.h - a worker that does not exist: the control plane proves a planted session itself, wrongly on
 * purpose, so that checkers who look at nothing are found out.
 *
 * In the last third of its rounds, or of its epochs, another seed is used: some of the openings are all but sure
 * to show it. Roots, paths and signatures fit all the same: only who computes again sees it. Proves on a thread of its own, with one core. */
#pragma once

#include "base/random.h"
#include "popw/prover.h"

enum phantom_flaw { PHANTOM_SOUND, PHANTOM_WALK, PHANTOM_MATRIX };

struct phantom;

/* What it says, signed, on its own thread: FILLED to OPEN, then MESSAGE_SESSION (no message) when it can say
 * no more. @say must not wait. */
struct phantom_mouth {
	void (*say)(void *arg, enum message_kind kind, const void *bytes, size_t len);
	void *arg;
};

/* @session is for @key's address; both are copied or taken over (@key, on success). -ENOMEM. */
_must_check_ int phantom_new(const struct session *session, struct secp_key *key,
			     enum phantom_flaw flaw, const struct phantom_mouth *mouth,
			     struct phantom **ret_phantom);

/* NONCES; anything else means nothing to it. From any thread. */
void phantom_hear(struct phantom *phantom, enum message_kind kind, const void *bytes, size_t len);

/* Ends its thread, and waits for it: as long as one phase takes, at most. */
void phantom_free(struct phantom *phantom);
