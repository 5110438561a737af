/* verify_world.h - for tests: a small session that the CPU proved, with the keys of all who took part at hand, so
 * that what they said can be changed and signed again. */
#pragma once

#include "popw/prove_world.h"
#include "popw/verify.h"

struct verify_world {
	struct random_seeded random;
	struct rehearsal *rehearsal;
	struct transcript *transcript; /* the rehearsal's */
	struct prover_device *device;
	struct verifier *verifier;
	struct arena *arena;
};

static inline void verify_world_init_panel(struct verify_world *world, uint64_t seed,
					   unsigned int panel_size)
{
	const char *detail = "";

	*world = (struct verify_world){ 0 };
	random_seeded_init(&world->random, seed);
	assert_int_equal(rehearsal_new(&world->random.random, panel_size, &world->rehearsal), 0);
	world->transcript = &world->rehearsal->transcript;
	if (prover_cpu_open(1, &world->device, &detail) != 0)
		fail_msg("%s", detail);
	assert_int_equal(verifier_new(&world->verifier), 0);
	assert_int_equal(arena_new(WORLD_ARENA, &world->arena), 0);
}

static inline void verify_world_init(struct verify_world *world, uint64_t seed)
{
	verify_world_init_panel(world, seed, WORLD_PANEL);
}

static inline void verify_world_done(struct verify_world *world)
{
	arena_free(world->arena);
	verifier_free(world->verifier);
	world->device->ops->close(world->device);
	rehearsal_free(world->rehearsal);
}

/* Ends before the proof, for changes to what the prover is told. */
static inline void verify_world_begin(struct verify_world *world, uint16_t flags)
{
	struct session plan = world_plan(flags);

	assert_int_equal(rehearsal_begin(world->rehearsal, &plan, NULL), 0);
}

static inline void verify_world_prove(struct verify_world *world)
{
	struct prover_exchange exchange = rehearsal_exchange(world->rehearsal);

	assert_int_equal(prove(&world->transcript->session, world->device, &exchange), 0);
}

static inline struct finding verify_world_finding(struct verify_world *world)
{
	struct finding finding;

	verify(world->verifier, world->transcript, &finding);
	return finding;
}

/* The transcript as bytes, until the next time. */
static inline uint8_t *verify_world_bytes(struct verify_world *world, size_t *ret_len)
{
	uint8_t *bytes;

	arena_reset(world->arena);
	assert_int_equal(rehearsal_transcript(world->rehearsal, world->arena, &bytes, ret_len), 0);
	return bytes;
}
