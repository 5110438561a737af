/* crew.h - threads that compute one thing together: a loop whose turns are shared out. They live as long
 * as the crew and sleep between loops; a crew of one is the calling thread alone. */
#pragma once

#include "popw/hash.h"

struct crew;

/* @threads: at least 1, the calling thread among them. -ENOMEM, -EAGAIN. */
_must_check_ int crew_new(unsigned int threads, struct crew **ret_crew);
void crew_free(struct crew *crew);

unsigned int crew_size(const struct crew *crew);

/* The hasher of worker 0..size - 1: for the calling thread between loops, that of worker 0. */
struct hasher *crew_hasher(const struct crew *crew, unsigned int worker);

/* Calls @turn for every @i below @n, in any order, on all threads; back when all have ended. The first
 * fault of a turn is returned, and turns that had not begun are left out. */
_must_check_ int crew_run(struct crew *crew, size_t n,
			  int (*turn)(void *arg, unsigned int worker, size_t i), void *arg);

/* tree_build (tree.h), by all of them. */
void crew_tree_build(struct crew *crew, struct hash *nodes, uint32_t leaves);

static inline void crew_freep(struct crew **crew)
{
	crew_free(*crew);
}
