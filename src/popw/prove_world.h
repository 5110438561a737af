/* prove_world.h - for tests: a small session of every kind, proved on a device, as a transcript. The same seed
 * makes the same network, panel and nonces, so that two devices must end with the same bytes. */
#pragma once

#include "popw/rehearsal.h"

enum { WORLD_PANEL = 3, WORLD_ARENA = 4 << 20 };

static inline struct session world_plan(uint16_t flags)
{
	struct session plan = {
		.kind = SESSION_SELF_TEST,
		.device = SESSION_HOST,
		.flags = flags,
		.chain_id = 1,
	};

	if (flags & SESSION_HAS_WALK) {
		plan.fill_ms = plan.walk_ms = 60000;
		plan.work.n_items = 1500;
		plan.work.double_rounds = 3;
		plan.work.walks = 512;
		plan.work.steps = 5;
		plan.work.epochs = 4;
		plan.work.open_walks = 16;
	}
	if (flags & SESSION_HAS_MATRIX) {
		plan.matrix_ms = 60000;
		plan.work.k = 192;
		plan.work.n = 64;
		plan.work.m = 128;
		plan.work.rounds = 3;
		plan.work.open_tiles = 16;
	}
	return plan;
}

/* The transcript of @plan's session, made up from @seed and proved by @device, in @arena. */
static inline void world_prove(struct prover_device *device, uint64_t seed,
			       const struct session *plan, struct arena *arena, uint8_t **ret_bytes,
			       size_t *ret_len)
{
	_cleanup_(rehearsal_freep) struct rehearsal *rehearsal = NULL;
	struct prover_exchange exchange;
	struct random_seeded random;
	const char *detail = "";
	int r;

	random_seeded_init(&random, seed);
	assert_int_equal(rehearsal_new(&random.random, WORLD_PANEL, &rehearsal), 0);
	r = rehearsal_begin(rehearsal, plan, &detail);
	if (r < 0)
		fail_msg("the plan: %s", detail);
	exchange = rehearsal_exchange(rehearsal);
	r = prove(&rehearsal->transcript.session, device, &exchange);
	if (r < 0)
		fail_msg("%s: fault %d: %s", device->ops->backend, r, device->detail);
	assert_int_equal(rehearsal_transcript(rehearsal, arena, ret_bytes, ret_len), 0);
}

/* That @device proves what the CPU does, byte for byte. */
static inline void world_assert_same(struct prover_device *device, uint64_t seed,
				     const struct session *plan)
{
	_cleanup_(arena_freep) struct arena *arena = NULL;
	struct prover_device *cpu;
	uint8_t *expected, *found;
	size_t expected_len, len;
	const char *detail;

	assert_int_equal(arena_new(WORLD_ARENA, &arena), 0);
	assert_int_equal(prover_cpu_open(1, &cpu, &detail), 0);
	world_prove(cpu, seed, plan, arena, &expected, &expected_len);
	cpu->ops->close(cpu);
	world_prove(device, seed, plan, arena, &found, &len);
	assert_int_equal(len, expected_len);
	assert_memory_equal(found, expected, len);
}
