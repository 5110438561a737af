#include "modules/proof/conductor_world.h"

enum { RUNS = 2500 };

/* ---- what holds ---- */

static uint32_t members_that(const struct world *world, enum manner manner)
{
	uint32_t set = 0;

	for (unsigned int i = 0; i < world->n; i++)
		if (world->members[i].manner == manner)
			set |= 1u << i;
	return set;
}

static void assert_sound(struct world *world, const struct conductor_end *end)
{
	uint32_t honest = members_that(world, HONEST);
	unsigned int n_honest = (unsigned int)__builtin_popcount(honest);

	assert_true(end->end > END_NONE && end->end < END_COUNT);
	assert_non_null(end->phase);
	assert_int_equal(world->sent_after_end, 0);
	assert_int_equal(end->silent & honest, 0);
	if (n_honest == world->n && (world->craft == SOUND || world->craft == FORGING))
		assert_int_equal(end->end, END_JUDGED);
	if (end->end != END_JUDGED)
		return;
	assert_true(end->record_len > 0);
	if (2 * n_honest <= world->n)
		return;
	assert_int_equal(end->verdict.bits, truth(world));
	assert_int_equal(end->verdict.wrong & honest, 0);
	assert_int_equal(end->verdict.agreeing & honest, honest);
	assert_int_equal(end->verdict.wrong & members_that(world, LYING),
			 members_that(world, LYING));
}

static void test_whatever_anybody_does(void **state _unused_)
{
	struct world *world = world_new(1);
	unsigned int ends[END_COUNT] = { 0 };

	for (unsigned int i = 0; i < RUNS; i++) {
		const struct conductor_end *end;
		unsigned int bad = (unsigned int)below(world, 4);

		random_seeded_init(&world->random, 1000 + i);
		world->n = 1 + (unsigned int)below(world, MEMBERS);
		for (unsigned int m = 0; m < world->n; m++)
			world->members[m].manner = below(world, 4) < bad
							   ? (enum manner)below(world, MANNERS)
							   : HONEST;
		world->craft = below(world, 2) ? SOUND : (enum craft)below(world, CRAFTS);
		world->worker_breaks = (unsigned int)below(world, 12);
		end = run(world);
		assert_sound(world, end);
		ends[end->end]++;
		conductor_free(world->conductor);
	}
	/* The dice reached every end that this world has. */
	for (int end = END_JUDGED; end <= END_YIELDED; end++)
		assert_true(ends[end] > 0);
	world_free(world);
}

static const struct conductor_end *run_with(struct world *world, enum manner manner, unsigned int n)
{
	for (unsigned int i = 0; i < world->n; i++)
		world->members[i].manner = i < n ? manner : HONEST;
	return run(world);
}

static void test_liars_are_wrong_and_the_silent_silent(void **state _unused_)
{
	struct world *world = world_new(2);
	const struct conductor_end *end = run_with(world, LYING, 2);

	assert_int_equal(end->end, END_JUDGED);
	assert_int_equal(end->verdict.wrong, 3);
	assert_int_equal(end->verdict.bits, PROOF_ALL);
	conductor_free(world->conductor);
	end = run_with(world, DEFECTING, 2);
	assert_int_equal(end->end, END_JUDGED);
	assert_int_equal(end->silent, 3);
	assert_int_equal(end->verdict.wrong, 0);
	conductor_free(world->conductor);
	world_free(world);
}

static void test_copies_come_too_late(void **state _unused_)
{
	struct world *world = world_new(3);
	const struct conductor_end *end = run_with(world, COPYING, 2);

	assert_int_equal(end->end, END_JUDGED);
	assert_int_equal(end->silent, 3);
	conductor_free(world->conductor);
	world_free(world);
}

static void test_a_result_is_what_was_committed_to(void **state _unused_)
{
	struct world *world = world_new(5);
	const struct conductor_end *end = run_with(world, SWITCHING, 2);

	assert_int_equal(end->end, END_JUDGED);
	assert_int_equal(end->silent, 3);
	assert_int_equal(end->verdict.wrong, 0);
	conductor_free(world->conductor);
	world_free(world);
}

static void test_who_saw_other_commitments_reveals_nothing(void **state _unused_)
{
	struct world *world = world_new(6);
	const struct conductor_end *end = run_with(world, HASTY, 2);

	assert_int_equal(end->end, END_JUDGED);
	assert_int_equal(end->silent, 3);
	assert_int_equal(end->verdict.unrevealed, 3);
	conductor_free(world->conductor);
	world_free(world);
}

static void test_half_a_panel_decides_nothing(void **state _unused_)
{
	struct world *world = world_new(4);
	const struct conductor_end *end;

	world->n = 4;
	end = run_with(world, DEFECTING, 2);
	assert_int_equal(end->end, END_NO_RESULTS);
	assert_string_equal(end->phase, "reveal");
	conductor_free(world->conductor);
	end = run_with(world, LATE, 2);
	assert_int_equal(end->end, END_NO_QUORUM);
	assert_string_equal(end->phase, "commit");
	assert_int_equal(end->silent, 3);
	conductor_free(world->conductor);
	world_free(world);
}

/* ---- who may be missing when it is drawn what is opened ---- */

/* @n of seven say all but their last nonce. */
static const struct conductor_end *run_until_opening(struct world *world, unsigned int n)
{
	const struct conductor_end *end;

	world->n = 7;
	for (;;) {
		world->quiet = (1u << n) - 1;
		end = run_with(world, HONEST, 0);
		world->quiet = 0;
		if (world->session.flags == (SESSION_HAS_WALK | SESSION_HAS_MATRIX))
			return end;
		conductor_free(world->conductor);
	}
}

static void test_two_missing_draw_no_openings(void **state _unused_)
{
	struct world *world = world_new(7);
	const struct conductor_end *end = run_until_opening(world, 1);

	assert_int_equal(end->end, END_JUDGED);
	assert_int_equal(end->verdict.bits, PROOF_ALL);
	conductor_free(world->conductor);
	end = run_until_opening(world, 2);
	assert_int_equal(end->end, END_NO_QUORUM);
	assert_int_equal(end->silent, 3);
	conductor_free(world->conductor);
	world_free(world);
}

/* ---- how long a silent member is waited for ---- */

static void hear(void *arg, enum message_kind kind, _unused_ const void *bytes, _unused_ size_t len)
{
	*(bool *)arg = kind == MESSAGE_NONCES;
}

static void hear_nothing(_unused_ void *arg, _unused_ unsigned int member,
			 _unused_ enum message_kind kind, _unused_ const void *bytes,
			 _unused_ size_t len)
{
}

static void say_ncommit(struct world *world, unsigned int member, const uint8_t nonce[static 32])
{
	struct ncommit message = { .session = world->session.id, .member = member };
	uint8_t bytes[NCOMMIT_SIZE];

	for (unsigned int k = 0; k < SESSION_NONCES; k++)
		hasher_once(world->hasher, nonce, SESSION_NONCE_SIZE, &message.nonces[k]);
	ncommit_encode(&message, bytes);
	assert_int_equal(message_sign(world->hasher, TAG_NCOMMIT, &world->digest,
				      world->keys[member], bytes, sizeof(bytes)),
			 0);
	conductor_member(world->conductor, member, MESSAGE_NCOMMIT, bytes, sizeof(bytes), 0);
}

static void say_nonce(struct world *world, unsigned int member, const uint8_t nonce[static 32])
{
	struct nonce message = { .session = world->session.id, .member = member };
	uint8_t bytes[NONCE_SIZE];

	message.k = world->session.flags & SESSION_HAS_WALK ? NONCE_FILL : NONCE_MATRIX;
	memcpy(message.bytes, nonce, sizeof(message.bytes));
	nonce_encode(&message, bytes);
	conductor_member(world->conductor, member, MESSAGE_NONCE, bytes, sizeof(bytes), 1000);
}

static void test_a_silent_member_costs_little_time(void **state _unused_)
{
	static const uint8_t nonce[SESSION_NONCE_SIZE] = { 1 };
	struct world *world = world_new(5);
	bool begun = false;
	const struct conductor_ops ops = { hear, hear_nothing, &begun };
	struct conductor_plan plan = { .session = &world->session,
				       .members = world->addresses,
				       .network = world->network,
				       .host = "",
				       .nonce_ms = 60000,
				       .result_ms = RESULT_MS };

	world->n = 3;
	(void)run(world); /* for a session that fits */
	conductor_free(world->conductor);
	assert_int_equal(conductor_new(&plan, &ops, 0, &world->conductor), 0);
	for (unsigned int i = 0; i < 3; i++)
		say_ncommit(world, i, nonce);
	say_nonce(world, 0, nonce);
	conductor_tick(world->conductor, 1000 + CONDUCTOR_LATE_MS);
	assert_false(begun); /* one of three is no quorum */
	say_nonce(world, 2, nonce);
	conductor_tick(world->conductor, 1000 + CONDUCTOR_LATE_MS - 1);
	assert_false(begun);
	conductor_tick(world->conductor, 1000 + CONDUCTOR_LATE_MS);
	assert_true(begun);
	assert_null(conductor_end(world->conductor));
	conductor_free(world->conductor);
	world_free(world);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_liars_are_wrong_and_the_silent_silent),
		cmocka_unit_test(test_copies_come_too_late),
		cmocka_unit_test(test_a_result_is_what_was_committed_to),
		cmocka_unit_test(test_who_saw_other_commitments_reveals_nothing),
		cmocka_unit_test(test_two_missing_draw_no_openings),
		cmocka_unit_test(test_half_a_panel_decides_nothing),
		cmocka_unit_test(test_a_silent_member_costs_little_time),
		cmocka_unit_test(test_whatever_anybody_does),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
