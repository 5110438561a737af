/* settle.h - what follows from a session that is over: the job "proof_settle".
 *
 * Judged: the control plane verifies the transcript itself. Where the panel's majority found the same, its
 * members are marked, and the device stands as the verdict says. Where it found something else, or there is no
 * majority, nobody is marked, nothing follows for the device, and a fresh session with the appeal's panel is
 * asked for. Not judged: proof_end_blame says what follows.
 *
 * A rented device that failed: its lease is excused from the session's start on, until one passes. */
#pragma once

#include "modules/proof/proof_store.h"
#include "popw/judge.h"

_must_check_ int settle_run(const struct context *context, struct arena *arena);

/* What the control plane finds in a published record, on this thread: up to a second of one core. -ENOMEM;
 * RECORD_E_MALFORMED. @arena: 4 MiB. */
struct replay {
	struct record record;
	struct finding finding;
	struct verdict verdict;
};
_must_check_ int settle_replay(const void *bytes, size_t len, struct arena *arena,
			       struct replay *ret_replay);
