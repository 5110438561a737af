#include "base/arena.h"

enum { BLOCK_MIN = 4096, ALIGN = 16 };

struct block {
	struct block *next;
	size_t size, used;
	_Alignas(ALIGN) unsigned char bytes[];
};

struct arena {
	size_t limit, used;
	struct block *first, *last;
};

static int block_add(struct arena *arena, size_t at_least)
{
	size_t size = at_least > BLOCK_MIN ? at_least : BLOCK_MIN;
	struct block *block = malloc(sizeof(*block) + size);

	if (!block)
		return -ENOMEM;
	*block = (struct block){ .size = size };
	if (arena->last)
		arena->last->next = block;
	else
		arena->first = block;
	arena->last = block;
	return 0;
}

int arena_new(size_t limit_bytes, struct arena **ret_arena)
{
	struct arena *arena = calloc(1, sizeof(*arena));

	if (!arena)
		return -ENOMEM;
	arena->limit = limit_bytes;
	*ret_arena = arena;
	return 0;
}

static void blocks_free(struct block *block)
{
	while (block) {
		struct block *next = block->next;

		free(block);
		block = next;
	}
}

void arena_free(struct arena *arena)
{
	if (!arena)
		return;
	blocks_free(arena->first);
	free(arena);
}

void arena_reset(struct arena *arena)
{
	arena->used = 0;
	if (!arena->first)
		return;
	blocks_free(arena->first->next);
	arena->first->next = NULL;
	arena->first->used = 0;
	arena->last = arena->first;
}

struct arena_mark arena_mark(const struct arena *arena)
{
	return (struct arena_mark){ arena->last, arena->last ? arena->last->used : 0, arena->used };
}

void arena_rewind(struct arena *arena, struct arena_mark mark)
{
	struct block *last = mark.block;

	blocks_free(last ? last->next : arena->first);
	if (last) {
		last->next = NULL;
		last->used = mark.block_used;
	} else {
		arena->first = NULL;
	}
	arena->last = last;
	arena->used = mark.used;
}

void *arena_alloc(struct arena *arena, size_t size)
{
	void *p;

	if (size > SIZE_MAX - ALIGN)
		return NULL;
	size = (size + ALIGN - 1) & ~(size_t)(ALIGN - 1);
	if (size > arena->limit - arena->used)
		return NULL;
	if (!arena->last || size > arena->last->size - arena->last->used)
		if (block_add(arena, size) < 0)
			return NULL;
	p = arena->last->bytes + arena->last->used;
	arena->last->used += size;
	arena->used += size;
	return memset(p, 0, size);
}

void *arena_array(struct arena *arena, size_t count, size_t size)
{
	size_t total;

	if (__builtin_mul_overflow(count, size, &total))
		return NULL;
	return arena_alloc(arena, total);
}

char *arena_text(struct arena *arena, const char *text, size_t len)
{
	char *copy;

	if (len == SIZE_MAX)
		return NULL;
	copy = arena_alloc(arena, len + 1);
	if (copy && len > 0)
		memcpy(copy, text, len);
	return copy;
}

char *arena_vprintf(struct arena *arena, const char *format, va_list args)
{
	va_list again;
	char *text;
	int len;

	va_copy(again, args);
	len = vsnprintf(NULL, 0, format, again);
	va_end(again);
	if (len < 0)
		return NULL;
	text = arena_alloc(arena, (size_t)len + 1);
	if (text)
		vsnprintf(text, (size_t)len + 1, format, args);
	return text;
}

char *arena_printf(struct arena *arena, const char *format, ...)
{
	va_list args;
	char *text;

	va_start(args, format);
	text = arena_vprintf(arena, format, args);
	va_end(args);
	return text;
}

size_t arena_used(const struct arena *arena)
{
	return arena->used;
}
