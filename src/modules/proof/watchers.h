/* watchers.h - who asks which machine in an hour whether it is there, by the numbers
 *
 *	H("popw1/watch" || beacon value at the hour's start || hour, 8 || machine || i, 4)
 *
 * of which the first 8 bytes, modulo the number of checkers that can be drawn, are a checker's place by address; i = 0,
 * 1 .., 16 for each that is wanted at most; behind them the places after the last one; where no more checkers can be
 * drawn than are wanted, the places from the first on. Integers are little-endian. A checker once, never one of the
 * account that owns the machine, and none that has its share of machines already.
 * Who was drawn for an hour stays drawn: where there were too few, more are drawn when there are more. */
#pragma once

#include "modules/checker/checker.h"
#include "modules/proof/proof_store.h"
#include "popw/hash.h"

struct proof_machine {
	struct machine_id machine;
	struct account_id owner;
};

struct watchers_call {
	struct hash beacon;
	int64_t hour;
	size_t wanted; /* for each machine */
	const struct checker_member *checkers; /* by address */
	size_t n_checkers;
	uint32_t *loads; /* machines that each of them has: more with each that is drawn */
	size_t most; /* of one checker */
	const struct proof_machine *machines; /* by address */
	size_t n_machines;
};

/* Counts what those that can be drawn now have already. */
void watchers_load(const struct watchers_call *call, const struct proof_watcher *known, size_t n);

/* Draws those who are missing beside the @n_known, by machine, that were drawn for this hour before. The new ones only, by machine, in @arena. -ENOMEM. */
_must_check_ int watchers_draw(struct hasher *hasher, const struct watchers_call *call,
			       const struct proof_watcher *known, size_t n_known,
			       struct arena *arena, struct proof_watcher **ret_new, size_t *ret_n);

/* How many of @drawn must have seen it for it to be so: more than half of them; in a network so small that
 * fewer than @least were drawn, all. */
size_t watchers_needed(size_t drawn, size_t least);
