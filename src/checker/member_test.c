#include "checker/member.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "checker/member_world.h"

enum { WALK = SESSION_HAS_WALK, MATRIX = SESSION_HAS_MATRIX, BOTH = WALK | MATRIX };

/* ---- whole sessions ---- */

/* All that were heard had the same transcript, and it holds. */
static void check_transcripts(struct world *world)
{
	_cleanup_(arena_freep) struct arena *arena = NULL;
	const struct world_member *first = &world->members[0];
	struct transcript transcript;
	struct verifier *verifier;
	struct finding finding;
	const char *detail;

	for (unsigned int i = 0; i < PANEL; i++) {
		if (world->deaf >> i & 1)
			continue;
		assert_non_null(world->members[i].transcript);
		assert_int_equal(world->members[i].transcript_len, first->transcript_len);
		assert_memory_equal(world->members[i].transcript, first->transcript,
				    first->transcript_len);
	}
	assert_int_equal(arena_new(8 << 20, &arena), 0);
	assert_int_equal(transcript_decode(world->rehearsal->hasher, first->transcript,
					   first->transcript_len, arena, &transcript, &detail),
			 0);
	assert_int_equal(verifier_new(&verifier), 0);
	verify(verifier, &transcript, &finding);
	verifier_free(verifier);
	assert_string_equal(finding.detail, "");
	assert_int_equal(finding.bits, PROOF_ALL);
}

static struct hash hash_of(struct world *world, unsigned int i)
{
	struct hash hash;

	hasher_once(world->rehearsal->hasher, world->members[i].transcript,
		    world->members[i].transcript_len, &hash);
	return hash;
}

static void all_verified(struct world *world)
{
	for (unsigned int i = 0; i < PANEL; i++) {
		struct hash hash;

		if (world->deaf >> i & 1)
			continue;
		hash = hash_of(world, i);
		member_verified(world->members[i].member, PROOF_ALL, &hash);
	}
}

/* Committed to before, signed, and as the clock went. */
static struct result check_result(struct world *world, unsigned int i)
{
	const struct world_member *of = &world->members[i];
	const struct said *said = world_last(world, i), *before = &of->said[of->n_said - 2];
	struct reveal reveal;
	struct result result;
	struct commit commit;
	struct hash hash;

	assert_int_equal(said->kind, MESSAGE_REVEAL);
	assert_int_equal(reveal_decode(said->bytes, said->len, &reveal), 0);
	result = reveal.result;
	reveal_digest(world->rehearsal->hasher, &world->rehearsal->transcript.session_digest,
		      &world->commits, &hash);
	assert_true(digest_signed_by(&hash, reveal.signature, &world->summons.members[i]));
	assert_true(message_signed_by(world->rehearsal->hasher, TAG_RESULT,
				      &world->rehearsal->transcript.session_digest,
				      &world->summons.members[i], said->bytes, RESULT_SIZE));
	assert_int_equal(commit_decode(before->bytes, before->len, &commit), 0);
	hasher_once(world->rehearsal->hasher, said->bytes, RESULT_SIZE, &hash);
	assert_true(hash_equal(&commit.result, &hash));
	assert_int_equal(result.member, i);
	assert_int_equal(result.bits, PROOF_ALL);
	hash = hash_of(world, i);
	assert_true(hash_equal(&result.transcript, &hash));
	return result;
}

static void goes_through(uint16_t flags)
{
	struct world *world = world_new(flags);

	world_call(world);
	world_run(world);
	check_transcripts(world);
	all_verified(world);
	world_show(world, (1u << PANEL) - 1);
	for (unsigned int i = 0; i < PANEL; i++) {
		struct result result = check_result(world, i);

		assert_int_equal(result.fill_us, flags & WALK ? world->phase_us : 0);
		assert_int_equal(result.walk_us, flags & WALK ? world->phase_us : 0);
		assert_int_equal(result.matrix_us, flags & MATRIX ? world->phase_us : 0);
		assert_null(member_over(world->members[i].member));
	}
	world_free(world);
}

static void every_kind_of_session_goes_through(void **state _unused_)
{
	goes_through(BOTH);
	goes_through(WALK);
	goes_through(MATRIX);
}

/* Whom the relay does not hear takes no part in the seeds; the others do not wait. */
static void a_quorum_is_enough(void **state _unused_)
{
	struct world *world = world_new(BOTH);

	world_call(world);
	world->deaf = 1u << 4;
	world_run(world);
	check_transcripts(world);
	all_verified(world);
	world_show(world, (1u << PANEL) - 1);
	for (unsigned int i = 0; i < 4; i++)
		check_result(world, i);
	world_free(world);
}

/* Its commitment to nonces came too late: it tells none, watches, and says what it found. */
static void a_late_member_watches(void **state _unused_)
{
	struct world *world = world_new(BOTH);
	struct result result;

	world_call(world);
	world->members[4].said[0].kind = MESSAGE_SESSION;
	world_run(world);
	check_transcripts(world);
	assert_int_equal(world_count(world, 4, MESSAGE_NONCE), 0);
	all_verified(world);
	world_show(world, (1u << PANEL) - 1);
	result = check_result(world, 4);
	assert_int_equal(result.fill_us | result.walk_us | result.matrix_us, 0);
	world_free(world);
}

/* A phase that did not wait for a member's nonce has no time by its clock, and it tells no fourth. */
static void left_out_is_not_timed(void **state _unused_)
{
	struct world *world = world_new(BOTH);
	struct result result;

	world_call(world);
	world->left_out = 1u << 2;
	world_run(world);
	check_transcripts(world);
	assert_int_equal(world_count(world, 2, MESSAGE_NONCE), 3);
	all_verified(world);
	world_show(world, (1u << PANEL) - 1);
	result = check_result(world, 2);
	assert_int_equal(result.fill_us | result.walk_us | result.matrix_us, 0);
	assert_int_equal(check_result(world, 1).matrix_us, world->phase_us);
	world_free(world);
}

/* ---- never early ---- */

static void tells_no_nonce_before_a_quorum_committed(void **state _unused_)
{
	struct world *world = world_new(BOTH);

	world_call(world);
	world_ask(world, NONCE_FILL);
	/* Three of five have; four are a quorum. */
	for (unsigned int i = 0; i < 3; i++)
		world_tell(world, MESSAGE_NCOMMIT, world_last(world, i)->bytes, NCOMMIT_SIZE);
	world_ask(world, NONCE_FILL);
	assert_int_equal(world_count(world, 0, MESSAGE_NONCE), 0);
	/* The fourth is not member 0, whose own was taken; 4 is not among them. */
	world_tell(world, MESSAGE_NCOMMIT, world_last(world, 3)->bytes, NCOMMIT_SIZE);
	world_ask(world, NONCE_FILL);
	assert_int_equal(world_count(world, 0, MESSAGE_NONCE), 1);
	assert_int_equal(world_count(world, 4, MESSAGE_NONCE), 0);
	world_free(world);
}

/* A worker that is asked for more than is due: at each of its words all nonces that are not due are asked
 * for. */
struct greedy {
	struct world *world;
	unsigned int asked;
};

static void ask_all_but(struct greedy *greedy, uint8_t due)
{
	for (uint8_t k = NONCE_FILL; k <= NONCE_OPEN; k++)
		if (k != due)
			world_ask(greedy->world, k);
	greedy->asked++;
}

static int greedy_nonces(void *arg, uint8_t k, struct nonces *ret_nonces)
{
	struct greedy *greedy = arg;
	int r;

	ask_all_but(greedy, k);
	r = world_nonces(greedy->world, k, ret_nonces);
	ask_all_but(greedy, 0);
	/* What was told is not told again. */
	assert_int_equal(world_count(greedy->world, 1, MESSAGE_NONCE), k);
	return r;
}

static int greedy_say(void *arg, enum message_kind kind, const uint8_t *bytes, size_t len)
{
	struct greedy *greedy = arg;

	ask_all_but(greedy, 0);
	return world_say(greedy->world, kind, bytes, len);
}

static void tells_no_nonce_before_its_phase(void **state _unused_)
{
	struct world *world = world_new(BOTH);
	struct greedy greedy = { world, 0 };
	const struct prover_exchange exchange = { greedy_nonces, greedy_say, &greedy };
	struct prover_device *device;
	const char *detail;

	world_call(world);
	world_share(world, MESSAGE_NCOMMIT);
	/* One is asked only when the phase runs already. */
	world->unasked = 1u << 2;
	assert_int_equal(prover_cpu_open(1, &device, &detail), 0);
	assert_int_equal(prove(&world->summons.session, device, &exchange), 0);
	device->ops->close(device);
	assert_true(greedy.asked > 8);
	assert_int_equal(world_count(world, 2, MESSAGE_NONCE), 0);
	assert_int_equal(world_count(world, 1, MESSAGE_NONCE), 4);
	check_transcripts(world);
	world_free(world);
}

static void tells_no_result_before_a_majority_committed(void **state _unused_)
{
	struct world *world = world_new(WALK);
	struct said *said;

	world_call(world);
	world_run(world);
	all_verified(world);
	world_show(world, 6); /* two of five */
	assert_int_equal(world_count(world, 1, MESSAGE_REVEAL), 0);
	/* Three, of which one is another's word for member 3. */
	said = &world->members[3].said[world->members[3].n_said - 1];
	said->bytes[30] ^= 1;
	world_show(world, 14);
	said->bytes[30] ^= 1;
	assert_int_equal(world_count(world, 1, MESSAGE_REVEAL), 0);
	/* Three: those who are among them tell. */
	world_show(world, 22);
	for (unsigned int i = 0; i < PANEL; i++)
		assert_int_equal(world_count(world, i, MESSAGE_REVEAL), 22 >> i & 1);
	/* Once. */
	world_tell(world, MESSAGE_COMMITS, world->shown, world->shown_len);
	assert_int_equal(world_count(world, 1, MESSAGE_REVEAL), 1);
	world_free(world);
}

/* ---- what is refused ---- */

static void assert_refused(struct world *world, const char *why)
{
	const char *detail = NULL;

	world->summons_len = summons_encode(&world->summons, world->summons_bytes);
	assert_int_equal(world_join(world, 0, &detail), MEMBER_E_REFUSED);
	assert_non_null(strstr(detail, why));
	assert_int_equal(world->members[0].n_said, 0);
}

static void sign_again(struct world *world)
{
	struct session *session = &world->summons.session;
	struct hash digest;

	session_panel_hash(world->rehearsal->hasher, world->summons.members, session->panel_size,
			   &session->panel);
	session_digest(world->rehearsal->hasher, session, &digest);
	assert_int_equal(secp_sign(world->rehearsal->network, digest.bytes, session->signature), 0);
}

static void foreign_sessions_are_refused(void **state _unused_)
{
	struct world *world = world_new(BOTH);
	const struct summons good = world->summons;

	world->summons.session.epoch++;
	assert_refused(world, "did not sign");
	world->summons = good;
	world->summons.session.network.bytes[0] ^= 1;
	sign_again(world);
	assert_refused(world, "another network");
	world->summons = good;
	world->summons.members[0] = world->summons.members[1];
	sign_again(world);
	assert_refused(world, "not in its panel");
	world_free(world);
}

static void no_messages_of_others_are_taken(void **state _unused_)
{
	struct world *world = world_new(BOTH);
	uint8_t bytes[NCOMMIT_SIZE];

	world_call(world);
	/* Member 1's commitment, with a nonce of somebody else's put in. */
	for (unsigned int i = 1; i < PANEL; i++) {
		memcpy(bytes, world_last(world, i)->bytes, sizeof(bytes));
		bytes[60] ^= 1;
		member_take(world->members[0].member, MESSAGE_NCOMMIT, bytes, sizeof(bytes));
	}
	world_tell(world, MESSAGE_NCOMMIT, world_last(world, 0)->bytes, NCOMMIT_SIZE);
	world_ask(world, NONCE_FILL);
	assert_int_equal(world_count(world, 0, MESSAGE_NONCE), 0);
	world_free(world);
}

/* ---- round trips ---- */

static void answer(struct world *world, unsigned int i, const struct secp_key *by)
{
	struct world_member *of = &world->members[i];
	struct poll_statement statement = {
		.network = world->summons.session.network,
		.machine.address = world->summons.session.machine,
		.checker = world->summons.members[i],
	};
	uint8_t digest[SIGN_DIGEST_SIZE], signature[SIGNATURE_SIZE];
	struct poll_nonce nonce = of->nonce;

	memcpy(statement.nonce, nonce.bytes, sizeof(nonce.bytes));
	poll_digest(&statement, digest);
	assert_int_equal(secp_sign(by, digest, signature), 0);
	assert_true(member_answered(of->member, &nonce, signature));
	assert_false(member_answered(of->member, &nonce, signature));
}

static void the_smallest_signed_round_trip_counts(void **state _unused_)
{
	static const int64_t times_us[] = { 9000, 4000, 7000, 5000 };
	struct world *world = world_new(WALK);
	const struct secp_key *machine = world->rehearsal->machine;

	world_call(world);
	/* Quick, but not the machine's. */
	world->now_us += 10;
	answer(world, 0, world->rehearsal->members[1]);
	for (size_t i = 0; i < ARRAY_SIZE(times_us); i++) {
		world->now_us += times_us[i];
		answer(world, 0, machine);
	}
	assert_int_equal(world->members[0].polls, MEMBER_POLLS_FIRST);
	/* Nobody answers member 1: each poll is given up, one after another. */
	for (int i = 0; i < 3; i++) {
		world->now_us += (POLL_ANSWER_MS + 1) * 1000;
		member_tick(world->members[1].member);
	}
	assert_int_equal(world->members[1].polls, 4);
	world_run(world);
	all_verified(world);
	world_show(world, (1u << PANEL) - 1);
	assert_int_equal(check_result(world, 0).rtt_us, 4000);
	assert_int_equal(check_result(world, 1).rtt_us, 0);
	assert_int_equal(world->members[0].polls, MEMBER_POLLS_FIRST + 1);
	world_free(world);
}

/* ---- bandwidth ---- */

static void the_result_waits_for_what_is_measured(void **state _unused_)
{
	struct world *world = world_new(MATRIX);
	struct result result;

	world->summons.port = 4000;
	world->summons.bandwidth_ms = 500;
	snprintf(world->summons.host, sizeof(world->summons.host), "127.0.0.1");
	world->summons_len = summons_encode(&world->summons, world->summons_bytes);
	world_call(world);
	world_run(world);
	all_verified(world);
	assert_int_equal(world->members[0].measures, 1);
	assert_int_equal(world_count(world, 0, MESSAGE_COMMIT), 0);
	for (unsigned int i = 0; i < PANEL; i++)
		member_measured(world->members[i].member, 1000 + i, 2000);
	world_show(world, (1u << PANEL) - 1);
	result = check_result(world, 3);
	assert_int_equal(result.down_kbps, 1003);
	assert_int_equal(result.up_kbps, 2000);
	world_free(world);
}

/* ---- ends ---- */

/* The relay falls silent behind its @words-th message; by its own deadline the member is over. */
struct cut {
	struct world *world;
	unsigned int left;
};

static void take_one(struct cut *cut)
{
	if (cut->left == 0)
		cut->world->deaf = UINT32_MAX;
	else
		cut->left--;
}

static int cut_nonces(void *arg, uint8_t k, struct nonces *ret_nonces)
{
	struct cut *cut = arg;

	take_one(cut);
	return cut->world->deaf ? -ECANCELED : world_nonces(cut->world, k, ret_nonces);
}

static int cut_say(void *arg, enum message_kind kind, const uint8_t *bytes, size_t len)
{
	struct cut *cut = arg;

	take_one(cut);
	return cut->world->deaf ? -ECANCELED : world_say(cut->world, kind, bytes, len);
}

static void assert_ends(struct world *world)
{
	struct member *member = world->members[0].member;

	assert_null(member_over(member));
	world->now_us += INT64_C(1000) * (60000 + MEMBER_RESULTS_MS);
	member_tick(member);
	assert_non_null(member_over(member));
	/* And says nothing more. */
	world->deaf = 0;
	world->members[0].n_said = 0;
	world_ask(world, NONCE_FILL);
	member_tick(member);
	assert_int_equal(world->members[0].n_said, 0);
}

static void ends_wherever_the_relay_falls_silent(void **state _unused_)
{
	enum { MESSAGES = 4 + 1 + 4 + 1 + 3 + 1 + 1 };
	struct prover_device *device;
	const char *detail;

	assert_int_equal(prover_cpu_open(1, &device, &detail), 0);
	for (unsigned int n = 0; n <= MESSAGES; n++) {
		struct world *world = world_new(BOTH);
		struct cut cut = { world, n };
		const struct prover_exchange exchange = { cut_nonces, cut_say, &cut };

		world_call(world);
		world_share(world, MESSAGE_NCOMMIT);
		assert_int_equal(prove(&world->summons.session, device, &exchange),
				 n < MESSAGES ? -ECANCELED : 0);
		assert_ends(world);
		world_free(world);
	}
	device->ops->close(device);
}

static void ends_while_results_are_waited_for(void **state _unused_)
{
	for (int told = 0; told < 2; told++) {
		struct world *world = world_new(WALK);

		world_call(world);
		world_run(world);
		all_verified(world);
		if (told)
			world_show(world, (1u << PANEL) - 1);
		assert_ends(world);
		world_free(world);
	}
}

/* Whatever comes, no nonce is told twice, and none of a phase that did not begin. */
static void survives_noise(void **state _unused_)
{
	struct world *world = world_new(BOTH);
	struct member *member;
	uint64_t state64 = 99;
	uint8_t bytes[4096];

	world_call(world);
	member = world->members[0].member;
	world_share(world, MESSAGE_NCOMMIT);
	for (int i = 0; i < 20000; i++) {
		static const size_t sizes[] = { NCOMMIT_SIZE, NONCE_SIZE,  FILLED_SIZE, ROOT_SIZE,
						SEAL_SIZE,    COMMIT_SIZE, REVEAL_SIZE, 4096 };
		size_t len = sizes[next_random(&state64) % ARRAY_SIZE(sizes)];

		for (size_t at = 0; at + 8 <= len; at += 8) {
			uint64_t word = next_random(&state64);

			memcpy(bytes + at, &word, 8);
		}
		/* Half of them are of this session, so that they get further. */
		if (i % 2)
			memcpy(bytes, world->summons.session.id.bytes, 16);
		member_take(member, (enum message_kind)(next_random(&state64) % 12), bytes,
			    next_random(&state64) % 8 ? len : len - 1);
	}
	assert_int_equal(world->members[0].n_said, 1);
	/* It was not thrown off. */
	world_run(world);
	check_transcripts(world);
	world_free(world);
}

#define TEST(name) cmocka_unit_test(name)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(every_kind_of_session_goes_through),
		TEST(a_quorum_is_enough),
		TEST(a_late_member_watches),
		TEST(left_out_is_not_timed),
		TEST(tells_no_nonce_before_a_quorum_committed),
		TEST(tells_no_nonce_before_its_phase),
		TEST(tells_no_result_before_a_majority_committed),
		TEST(foreign_sessions_are_refused),
		TEST(no_messages_of_others_are_taken),
		TEST(the_smallest_signed_round_trip_counts),
		TEST(the_result_waits_for_what_is_measured),
		TEST(ends_wherever_the_relay_falls_silent),
		TEST(ends_while_results_are_waited_for),
		TEST(survives_noise),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
