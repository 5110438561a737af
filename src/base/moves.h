/* moves.h - a life as a table of legal moves: whoever changes a state asks here first. */
#pragma once

#include "base/base.h"

/* Row i holds a bit for each state that may follow state i. At most 32 states. */
struct moves {
	const char *const *names; /* of the states, in order */
	const uint32_t *next;
	size_t n;
};

static inline bool moves_allow(const struct moves *moves, int from, int to)
{
	return from >= 0 && to >= 0 && (size_t)from < moves->n && (size_t)to < moves->n &&
	       (moves->next[from] >> to & 1);
}

/* No state follows this one. */
static inline bool moves_final(const struct moves *moves, int state)
{
	return state >= 0 && (size_t)state < moves->n && moves->next[state] == 0;
}

/* The state called @name, or -1. */
static inline int moves_find(const struct moves *moves, const char *name)
{
	for (size_t i = 0; i < moves->n; i++)
		if (strcmp(moves->names[i], name) == 0)
			return (int)i;
	return -1;
}
