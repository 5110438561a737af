#include "modules/chain/chain_jobs.h"

#include "modules/chain/anchors.h"
#include "modules/chain/health.h"

enum { LOOK_EVERY_MS = 1000, ANCHORS_ARENA_BYTES = 64 << 20 };

static int run_outbox(const struct context *context, struct arena *arena)
{
	const struct chain_state *state = chain_state();
	struct outbox_health health;
	int r;

	if (!state)
		return 0;
	r = outbox_turn(&state->outbox, arena, &health);
	return r == 0 ? health_outbox(context, arena, &health) : r;
}

static int run_indexer(const struct context *context, struct arena *small _unused_)
{
	_cleanup_(arena_freep) struct arena *arena = NULL;
	const struct chain_state *state = chain_state();
	struct indexer_health health;
	int r;

	if (!state)
		return 0;
	r = arena_new(INDEXER_ARENA, &arena);
	if (r == 0)
		r = indexer_turn(&state->indexer, arena, &health);
	return r == 0 ? health_indexer(context, arena, &health) : r;
}

static int run_anchors(const struct context *context, struct arena *small _unused_)
{
	_cleanup_(arena_freep) struct arena *arena = NULL;
	const struct chain_state *state = chain_state();
	char problem[ANCHORS_PROBLEM_MAX];
	int r;

	if (!state)
		return 0;
	r = arena_new(ANCHORS_ARENA_BYTES, &arena);
	if (r == 0)
		r = anchors_turn(context, state, arena, problem);
	return r == 0 ? health_anchors(context, arena, problem) : r;
}

const struct job chain_jobs[] = {
	{ "chain_outbox", LOOK_EVERY_MS, run_outbox, .outside = true },
	{ "chain_indexer", LOOK_EVERY_MS, run_indexer, .outside = true },
	{ "chain_anchors", LOOK_EVERY_MS, run_anchors, .outside = true },
	{ 0 },
};
