/* anchors.h - roots: which leaves, when, and what becomes of them.
 *
 * The next root is made when the one before it is in a block, so that what the chain is away for becomes few large
 * roots rather than many small ones. Its leaves are gathered in small transactions (they are marked with its
 * sequence number), then the tree is computed without any, then root and call are written in one: killed
 * anywhere, it goes on where it was. A call that ended without effect is made again: the contract takes each
 * sequence number once, so it is recorded once whatever happens. */
#pragma once

#include "modules/chain/chain_state.h"

enum { ANCHORS_PROBLEM_MAX = 256 };

/* One turn, which may ask the chain where to begin. @ret_problem: what is wrong, with the remedy; "". Faults are
 * the store's. */
_must_check_ int anchors_turn(const struct context *context, const struct chain_state *state,
			      struct arena *arena, char ret_problem[static ANCHORS_PROBLEM_MAX]);

/* The name of a root's call in the outbox; a call that ended without effect had an @attempt before. */
enum { ANCHORS_NAME_SIZE = 64 };
void anchors_call_name(uint64_t sequence, int64_t attempt, char ret_name[static ANCHORS_NAME_SIZE]);
