#include "popw/transcript.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#include "popw/verify_world.h"

static const uint16_t both = SESSION_HAS_WALK | SESSION_HAS_MATRIX;

static int setup(void **state)
{
	struct verify_world *world = malloc(sizeof(*world));

	assert_non_null(world);
	verify_world_init(world, 12);
	*state = world;
	return 0;
}

static int teardown(void **state)
{
	verify_world_done(*state);
	free(*state);
	return 0;
}

static uint8_t *proved(struct verify_world *world, uint16_t flags, size_t *ret_len)
{
	verify_world_begin(world, flags);
	verify_world_prove(world);
	return verify_world_bytes(world, ret_len);
}

static int decode(struct verify_world *world, const uint8_t *bytes, size_t len, size_t arena_bytes,
		  const char **ret_detail)
{
	_cleanup_(arena_freep) struct arena *arena = NULL;
	struct transcript transcript;
	uint8_t *again;
	size_t again_len;
	int r;

	assert_int_equal(arena_new(arena_bytes, &arena), 0);
	r = transcript_decode(world->rehearsal->hasher, bytes, len, arena, &transcript, ret_detail);
	if (r != 0)
		return r;
	assert_int_equal(transcript_encode(&transcript, arena, &again, &again_len), 0);
	assert_int_equal(again_len, len);
	assert_memory_equal(again, bytes, len);
	return 0;
}

static void every_kind_reads_back(void **state)
{
	for (uint16_t flags = SESSION_HAS_WALK; flags <= both; flags++) {
		size_t len;
		uint8_t *bytes = proved(*state, flags, &len);

		assert_int_equal(decode(*state, bytes, len, WORLD_ARENA, NULL), 0);
	}
}

/* The parts of the smallest session, counted by hand. */
static void parts_have_the_standards_lengths(void **state)
{
	struct verify_world *world = *state;
	struct session plan = world_plan(SESSION_HAS_MATRIX);
	struct prover_exchange exchange;
	size_t len;

	plan.work.n = plan.work.m = 16;
	plan.work.rounds = 2;
	plan.work.open_tiles = 1;
	assert_int_equal(rehearsal_begin(world->rehearsal, &plan, NULL), 0);
	exchange = rehearsal_exchange(world->rehearsal);
	assert_int_equal(prove(&world->transcript->session, world->device, &exchange), 0);
	verify_world_bytes(world, &len);
	assert_int_equal(len, 8 + 283 + 3 * 20 + 4 + 3 * 213 + (21 + 3 * 32 + 65) + 2 * 32 + 118 +
				      (21 + 3 * 32 + 65) + 20 + 512 + 32 + 65);
}

static void no_other_length_is_taken(void **state)
{
	size_t len;
	uint8_t *bytes = proved(*state, both, &len);
	_cleanup_(freep) uint8_t *longer = malloc(len + 1);

	assert_non_null(longer);
	memcpy(longer, bytes, len);
	longer[len] = 0;
	for (size_t cut = 0; cut < len; cut += cut < 2000 ? 1 : 97) {
		const char *detail = NULL;

		assert_int_equal(decode(*state, bytes, cut, WORLD_ARENA, &detail),
				 TRANSCRIPT_E_MALFORMED);
		assert_non_null(detail);
	}
	assert_int_equal(decode(*state, longer, len + 1, WORLD_ARENA, NULL),
			 TRANSCRIPT_E_MALFORMED);
}

/* Where each part begins that names session, member or phase, in the world's session of both phases. */
static void parts_are_of_their_session_and_place(void **state)
{
	enum {
		COMMITTED = 8 + SESSION_SIZE + 3 * 20,
		COMMITS = COMMITTED + 4,
		NONCES_1 = COMMITS + 3 * NCOMMIT_SIZE,
		FILLED = NONCES_1 + 21 + 3 * 32 + 65,
		NONCES_2 = FILLED + FILLED_SIZE,
		SEAL = NONCES_2 + 21 + 3 * 32 + 65 + 4 * 32,
		NONCES_3 = SEAL + SEAL_SIZE,
		NONCES_4 = NONCES_3 + 21 + 3 * 32 + 65 + 3 * 32 + SEAL_SIZE,
		OPEN = NONCES_4 + 21 + 3 * 32 + 65,
	};
	static const struct {
		size_t at;
		const char *detail;
	} places[] = {
		{ 0, "a transcript begins" },
		{ 8, "a session begins" },
		{ COMMITTED, "NCOMMIT of another" }, /* the first of two is not the second's */
		{ COMMITTED + 1, "NCOMMIT of nobody" },
		{ COMMITS, "NCOMMIT of another" },
		{ COMMITS + 16, "NCOMMIT of another" },
		{ COMMITS + NCOMMIT_SIZE + 16, "NCOMMIT of another" },
		{ NONCES_1, "NONCES of another" },
		{ NONCES_1 + 16, "malformed NONCES" },
		{ FILLED, "FILLED of another" },
		{ FILLED + 16, "malformed FILLED" },
		{ NONCES_2 + 16, "NONCES of another" },
		{ SEAL, "SEAL of another" },
		{ SEAL + 16, "SEAL of another" },
		{ NONCES_3 + 16, "NONCES of another" },
		{ NONCES_4, "NONCES of another" },
		{ OPEN, "OPEN of another" },
	};
	size_t len;
	uint8_t *bytes = proved(*state, both, &len);

	for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
		const char *detail = "";

		bytes[places[i].at] ^= 1;
		assert_int_equal(decode(*state, bytes, len, WORLD_ARENA, &detail),
				 TRANSCRIPT_E_MALFORMED);
		assert_memory_equal(detail, places[i].detail, strlen(places[i].detail));
		bytes[places[i].at] ^= 1;
	}
}

/* Whatever can be read is written as it was. */
static void there_is_one_spelling(void **state)
{
	struct verify_world *world = *state;
	size_t len;
	uint8_t *bytes = proved(world, both, &len);

	for (int i = 0; i < 2000; i++) {
		uint64_t at, change;
		int r;

		assert_int_equal(random_below(&world->random.random, i % 2 ? len : 1600, &at), 0);
		assert_int_equal(random_below(&world->random.random, 255, &change), 0);
		bytes[at] ^= (uint8_t)(change + 1);
		r = decode(world, bytes, len, WORLD_ARENA, NULL);
		assert_true(r == 0 || r == TRANSCRIPT_E_MALFORMED);
		bytes[at] ^= (uint8_t)(change + 1);
	}
}

static void a_full_arena_is_a_fault(void **state)
{
	size_t len;
	uint8_t *bytes = proved(*state, both, &len);

	assert_int_equal(decode(*state, bytes, len, 64, NULL), -ENOMEM);
	assert_int_equal(decode(*state, bytes, len, 4096, NULL), -ENOMEM);
}

/* What the header says that the dearest session takes. */
static void the_largest_fits_in_what_is_said(void **state _unused_)
{
	size_t openings = SESSION_OPENINGS_MAX *
			  (sizeof(struct walk_opening) + sizeof(struct tile_opening));
	size_t roots = 2 * SESSION_ROOTS_MAX * sizeof(struct hash);
	struct session session = { .work = { .walks = SESSION_WALKS_MAX,
					     .n = SESSION_SIDE_MAX,
					     .m = SESSION_SIDE_MAX,
					     .open_walks = 256,
					     .open_tiles = 256 } };

	assert_true(openings + roots <= 1200 << 10);
	assert_int_equal(open_size(&session), OPEN_SIZE_MAX);
	assert_true(OPEN_SIZE_MAX + roots + 32 * (20 + NCOMMIT_SIZE) + 4 * NONCES_SIZE_MAX + 1000 <=
		    TRANSCRIPT_SIZE_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_kind_reads_back),
		cmocka_unit_test(parts_have_the_standards_lengths),
		cmocka_unit_test(no_other_length_is_taken),
		cmocka_unit_test(parts_are_of_their_session_and_place),
		cmocka_unit_test(there_is_one_spelling),
		cmocka_unit_test(a_full_arena_is_a_fault),
		cmocka_unit_test(the_largest_fits_in_what_is_said),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
