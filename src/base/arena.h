/* arena.h - memory that is given back all at once, never past a limit.
 *
 * A request, a message or a query result lives in one arena. Not thread safe: one owner at a time. */
#pragma once

#include <stdarg.h>

#include "base/base.h"

struct arena;

/* An arena that hands out at most @limit_bytes. Outcomes: none. Faults: -ENOMEM. */
_must_check_ int arena_new(size_t limit_bytes, struct arena **ret_arena);
void arena_free(struct arena *arena);

/* Forgets everything allocated, keeps the first block for the next user. */
void arena_reset(struct arena *arena);

/* What was allocated up to now: going back to it forgets what came after. A reset ends all marks. */
struct arena_mark {
	struct block *block;
	size_t block_used, used;
};
struct arena_mark arena_mark(const struct arena *arena);
void arena_rewind(struct arena *arena, struct arena_mark mark);

/* Zeroed, aligned for any type; NULL past the limit or without memory. */
_must_check_ void *arena_alloc(struct arena *arena, size_t size);

/* @count elements of @size bytes, overflow checked. */
_must_check_ void *arena_array(struct arena *arena, size_t count, size_t size);

/* A copy of @len bytes with a NUL behind them. */
_must_check_ char *arena_text(struct arena *arena, const char *text, size_t len);

_must_check_ _printf_(2, 3) char *arena_printf(struct arena *arena, const char *format, ...);
_must_check_ _printf_(2, 0) char *arena_vprintf(struct arena *arena, const char *format,
						va_list args);

/* Bytes handed out since the last reset. */
size_t arena_used(const struct arena *arena);

static inline void arena_freep(struct arena **arena)
{
	arena_free(*arena);
}
