/* finder.h - verifies transcripts on threads of its own, so that the loop goes on. */
#pragma once

#include "popw/verify.h"

struct finder;
struct loop;

enum { FINDER_THREADS = 2, FINDER_QUEUE_MAX = 16 };

struct finding_of {
	struct proof_id session;
	int fault; /* negative: nothing was found */
	struct finding finding;
	struct hash transcript; /* H of the bytes */
};

struct finder_config {
	struct loop *loop;
	/* On the loop, once for each transcript that was taken. */
	void (*on_found)(void *arg, const struct finding_of *found);
	void *arg;
	/* For tests of the network: a checker that lies, or (negative) says nothing. On a finder's
	 * thread; NULL: an honest one. */
	int (*twist)(struct finding *finding);
};

_must_check_ int finder_new(const struct finder_config *config, struct finder **ret_finder);

/* After the loop ended. Waits for what is being verified. */
void finder_free(struct finder *finder);

/* Copies @bytes. -EAGAIN: too much waits; -ENOMEM. */
_must_check_ int finder_verify(struct finder *finder, const struct proof_id *session,
			       const uint8_t *bytes, size_t len);
