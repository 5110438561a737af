/* vigil.h - who was drawn (watchers.h) to watch which machine in the hour that goes on: in the store, and here as it is
 * there. The job's "proof_watch" alone.
 *
 * Watched is every joined machine that a session came to a verdict about within a week, linked or not, up to
 * VIGIL_MACHINES_MAX; of more, and of more than the checkers there are can hold, those whose addresses follow the
 * beacon's value at the hour's start, so that each has its turn. Each has panel_standing watchers; fewer where the
 * checkers can hold no more, WIRE_WATCHED_MAX machines each. */
#pragma once

#include "modules/checker/checker.h"
#include "modules/proof/watchers.h"

enum {
	VIGIL_MACHINES_MAX = 131072,
	VIGIL_WATCHERS_MAX = 1 << 20, /* in an hour: 60 bytes each */
	VIGIL_DRAWN_AT_ONCE = 16384, /* written in one transaction */
};

/* Zeroed until vigil_init. */
struct vigil {
	struct hasher *hasher;
	int64_t hour; /* -1: none */
	struct proof_watcher *watchers; /* by machine */
	size_t n;
	size_t each; /* watchers of a machine */
	struct checker_member *checkers; /* that can be drawn now, by address */
	size_t n_checkers;
};

_must_check_ int vigil_init(struct vigil *vigil);
void vigil_done(struct vigil *vigil);

/* Those of @hour: what is in the store, and who is missing there drawn and written. Before the beacon's value is
 * known nobody is drawn. */
_must_check_ int vigil_look(struct vigil *vigil, const struct context *context, int64_t hour,
			    struct arena *arena);
