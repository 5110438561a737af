/* watchers.h - who asks which machine in an hour whether it is there, by the numbers
 *
 *	H("popw1/watch" || beacon value at the hour's start || hour, 8 || machine || i, 4)
 *
 * of which the first 8 bytes, modulo the number of checkers that can be drawn, are a checker's place; i = 0,
 * 1 .. Integers are little-endian. A checker once, and never one of the account that owns the machine.
 * Who was drawn for an hour stays drawn: where there were too few, more are drawn when there are more. */
#pragma once

#include "modules/checker/checker.h"
#include "modules/proof/proof_store.h"
#include "popw/hash.h"

struct watchers_call {
	struct hash beacon;
	int64_t hour;
	size_t wanted; /* for each machine */
	const struct checker_member *checkers;
	size_t n_checkers;
	const struct proof_machine *machines; /* by address; one twice has two owners */
	size_t n_machines;
};

/* Draws those who are missing beside the @n_known, in watchers_compare's order, that were drawn for this hour
 * before. The new ones only, by machine, in @arena. -ENOMEM. */
_must_check_ int watchers_draw(struct hasher *hasher, const struct watchers_call *call,
			       const struct proof_watcher *known, size_t n_known,
			       struct arena *arena, struct proof_watcher **ret_new, size_t *ret_n);

/* By machine, then by checker. */
int watchers_compare(const void *a, const void *b);

/* How many of @drawn must have seen it for it to be so: more than half of them; in a network so small that
 * fewer than @least were drawn, all. */
size_t watchers_needed(size_t drawn, size_t least);
