#include "popw/judge.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#include "popw/verify_world.h"

enum { ALL_MEMBERS = 7 };

struct published {
	struct verify_world world;
	struct testimony testimony;
	uint8_t *bytes; /* in the world's arena */
	size_t len, transcript_len;
};

static int teardown(void **state)
{
	struct published *published = *state;

	verify_world_done(&published->world);
	free(published);
	return 0;
}

static void encode(struct published *published)
{
	struct verify_world *world = &published->world;
	uint8_t *transcript = verify_world_bytes(world, &published->transcript_len);

	assert_int_equal(record_encode(transcript, published->transcript_len, &published->testimony,
				       world->arena, &published->bytes, &published->len),
			 0);
}

static void publish(struct published *published, uint32_t committed, uint32_t revealed)
{
	published->testimony.set = revealed;
	assert_int_equal(
		rehearsal_testify(published->world.rehearsal, committed, &published->testimony), 0);
	encode(published);
}

/* All members found it good, in the first of which one took a little longer. */
static int setup(void **state)
{
	struct published *published = calloc(1, sizeof(*published));
	struct verify_world *world = &published->world;
	struct hash hash;
	uint8_t *bytes;
	size_t len;

	assert_non_null(published);
	verify_world_init(world, 13);
	verify_world_begin(world, SESSION_HAS_WALK | SESSION_HAS_MATRIX);
	verify_world_prove(world);
	bytes = verify_world_bytes(world, &len);
	hasher_once(world->rehearsal->hasher, bytes, len, &hash);
	for (uint32_t i = 0; i < WORLD_PANEL; i++) {
		struct result result = {
			.bits = PROOF_ALL, .transcript = hash, .walk_us = 1000 + i, .matrix_us = 100
		};

		assert_int_equal(rehearsal_sign_result(world->rehearsal, i, &result), 0);
		published->testimony.results[i] = result;
	}
	publish(published, ALL_MEMBERS, ALL_MEMBERS);
	*state = published;
	return 0;
}

static int decode(struct published *published, const uint8_t *bytes, size_t len,
		  struct record *ret_record, struct arena **ret_arena, const char **ret_detail)
{
	assert_int_equal(arena_new(WORLD_ARENA, ret_arena), 0);
	return record_decode(published->world.rehearsal->hasher, bytes, len, *ret_arena, ret_record,
			     ret_detail);
}

static int decode_in(struct published *published, struct arena *arena, struct record *ret_record)
{
	return record_decode(published->world.rehearsal->hasher, published->bytes, published->len,
			     arena, ret_record, NULL);
}

static void records_replay_to_the_verdict(void **state)
{
	_cleanup_(arena_freep) struct arena *arena = NULL;
	struct published *published = *state;
	struct record record;
	struct finding finding;
	struct verdict verdict, expected;
	const char *text, *again;

	assert_int_equal(decode(published, published->bytes, published->len, &record, &arena, NULL),
			 0);
	assert_int_equal(record.testimony.set, ALL_MEMBERS);
	assert_true(
		hash_equal(&record.transcript_hash, &published->testimony.results[0].transcript));
	assert_int_equal(record_replay(published->world.verifier, &record, &finding, &verdict), 0);
	assert_int_equal(finding.bits, PROOF_ALL);
	assert_string_equal(finding.detail, "");
	judge(&record.transcript.session, published->testimony.results, ALL_MEMBERS, &expected);
	assert_int_equal(verdict_text(&record.transcript.session, &expected, arena, &text), 0);
	assert_int_equal(verdict_text(&record.transcript.session, &verdict, arena, &again), 0);
	assert_string_equal(again, text);
	assert_int_equal(verdict.agreeing, ALL_MEMBERS);
	assert_int_equal(verdict.walk_us, 1001);
	assert_int_equal(verdict.outcome, VERDICT_LOWER); /* too small a set for any class */
}

static void some_may_be_silent(void **state)
{
	_cleanup_(arena_freep) struct arena *arena = NULL;
	struct published *published = *state;
	struct record record;
	struct finding finding;
	struct verdict verdict;

	publish(published, 7, 5);
	assert_int_equal(decode(published, published->bytes, published->len, &record, &arena, NULL),
			 0);
	assert_int_equal(record_replay(published->world.verifier, &record, &finding, &verdict), 0);
	assert_int_equal(verdict.agreeing, 5);
	assert_int_equal(verdict.silent, 2);
	assert_int_equal(verdict.unrevealed, 2);
	publish(published, 5, 5);
	arena_reset(arena);
	assert_int_equal(decode_in(published, arena, &record), 0);
	assert_int_equal(record_replay(published->world.verifier, &record, &finding, &verdict), 0);
	assert_int_equal(verdict.silent, 2);
	assert_int_equal(verdict.unrevealed, 0);
	publish(published, ALL_MEMBERS, ALL_MEMBERS);
}

/* Of a result, no byte can be changed: not what was found, not when, not who says so. */
static void results_are_their_members(void **state)
{
	struct published *published = *state;
	size_t results = 12 + published->transcript_len + commits_size(ALL_MEMBERS) + 4;

	assert_int_equal(results + 3 * REVEAL_SIZE, published->len);
	for (size_t i = results; i < published->len; i++) {
		_cleanup_(arena_freep) struct arena *arena = NULL;
		struct finding finding;
		struct verdict verdict;
		struct record record;
		int r;

		published->bytes[i] ^= 0x40;
		r = decode(published, published->bytes, published->len, &record, &arena, NULL);
		published->bytes[i] ^= 0x40;
		if (r == 0 && i % 23 == 0) {
			r = record_replay(published->world.verifier, &record, &finding, &verdict);
			assert_memory_equal(finding.detail, "RESULT of member ", 17);
			assert_int_equal(finding.detail[17], '0' + (i - results) / REVEAL_SIZE);
		}
		assert_true(r == RECORD_E_MALFORMED || i % 23 != 0);
	}
}

static void assert_is_false(struct published *published, const char *expected)
{
	_cleanup_(arena_freep) struct arena *arena = NULL;
	struct finding finding;
	struct verdict verdict;
	struct record record;

	encode(published);
	assert_int_equal(decode(published, published->bytes, published->len, &record, &arena, NULL),
			 0);
	assert_int_equal(record_replay(published->world.verifier, &record, &finding, &verdict),
			 RECORD_E_MALFORMED);
	assert_string_equal(finding.detail, expected);
}

/* Relay and member 1 in league: it finds nothing, waits for what member 0 told, and commits to that. All is
 * signed, but member 0 signed other commitments before it told. */
static void nobody_commits_to_what_was_told(void **state)
{
	struct published *published = *state;
	struct testimony *testimony = &published->testimony;
	struct result honest = testimony->results[1], copy = testimony->results[0];
	uint8_t seen[SECP_SIGNATURE_SIZE];

	memcpy(seen, testimony->seen[0], sizeof(seen));
	copy.rtt_us = 1;
	assert_int_equal(rehearsal_sign_result(published->world.rehearsal, 1, &copy), 0);
	testimony->results[1] = copy;
	publish(published, ALL_MEMBERS, ALL_MEMBERS);
	memcpy(testimony->seen[0], seen, sizeof(seen));
	assert_is_false(published,
			"RESULT of member 0: it was told before these COMMITs were seen");
	/* Nor can its result be another than it committed to, or the commitment be another's. */
	publish(published, ALL_MEMBERS, ALL_MEMBERS);
	testimony->results[1] = honest;
	assert_is_false(published, "RESULT of member 1: it is not what it committed to");
	testimony->commits.commits[0].signature[3] ^= 1;
	assert_is_false(published, "RESULT of member 0: its COMMIT is not signed by it");
	publish(published, ALL_MEMBERS, ALL_MEMBERS);
}

/* Nor does a commitment that was never revealed, once it was there, vanish. */
static void commitments_cannot_be_left_out(void **state)
{
	struct published *published = *state;
	struct testimony before;

	publish(published, ALL_MEMBERS, 3);
	before = published->testimony;
	publish(published, 3, 3);
	memcpy(published->testimony.seen, before.seen, sizeof(before.seen));
	assert_is_false(published,
			"RESULT of member 0: it was told before these COMMITs were seen");
	publish(published, ALL_MEMBERS, ALL_MEMBERS);
}

static void the_panels_word_is_compared_with_the_truth(void **state)
{
	_cleanup_(arena_freep) struct arena *arena = NULL;
	struct published *published = *state;
	struct result honest = published->testimony.results[0], lie = honest;
	struct record record;
	struct finding finding;
	struct verdict verdict;

	lie.bits = PROOF_ALL & ~PROOF_TILES;
	for (uint32_t i = 0; i < 2; i++) {
		assert_int_equal(rehearsal_sign_result(published->world.rehearsal, i, &lie), 0);
		published->testimony.results[i] = lie;
	}
	publish(published, ALL_MEMBERS, ALL_MEMBERS);
	assert_int_equal(decode(published, published->bytes, published->len, &record, &arena, NULL),
			 0);
	assert_int_equal(record_replay(published->world.verifier, &record, &finding, &verdict), 0);
	assert_int_equal(finding.bits, PROOF_ALL);
	assert_int_equal(verdict.bits, PROOF_ALL & ~PROOF_TILES);
	assert_int_equal(verdict.outcome, VERDICT_FAILED);
	assert_int_equal(verdict.wrong, 4);
	for (uint32_t i = 0; i < 2; i++) {
		assert_int_equal(rehearsal_sign_result(published->world.rehearsal, i, &honest), 0);
		published->testimony.results[i] = honest;
	}
	publish(published, ALL_MEMBERS, ALL_MEMBERS);
}

static void assert_refused(struct published *published, const uint8_t *bytes, size_t len,
			   const char *expected)
{
	_cleanup_(arena_freep) struct arena *arena = NULL;
	const char *detail = "";
	struct record record;

	assert_int_equal(decode(published, bytes, len, &record, &arena, &detail),
			 RECORD_E_MALFORMED);
	assert_memory_equal(detail, expected, strlen(expected));
}

static void malformed_records_are_refused(void **state)
{
	struct published *published = *state;
	size_t len = published->len, commits = 12 + published->transcript_len;
	size_t set = commits + commits_size(ALL_MEMBERS);
	_cleanup_(freep) uint8_t *bytes = malloc(len + 1);

	assert_non_null(bytes);
	memcpy(bytes, published->bytes, len);
	bytes[len] = 0;
	assert_refused(published, bytes, 0, "a record begins");
	assert_refused(published, bytes, 12, "cut off");
	assert_refused(published, bytes, commits + 19, "cut off in COMMITS");
	assert_refused(published, bytes, set - 1, "cut off in COMMITS");
	assert_refused(published, bytes, set + 3, "cut off behind");
	assert_refused(published, bytes, set + 4, "not as many");
	assert_refused(published, bytes, len - 1, "not as many");
	assert_refused(published, bytes, len + 1, "not as many");
	bytes[set] = 15;
	assert_refused(published, bytes, len, "a result of a member that committed to none");
	bytes[set] = 3;
	assert_refused(published, bytes, len, "not as many");
	bytes[set] = ALL_MEMBERS;
	bytes[set + 4 + 16] = 1;
	assert_refused(published, bytes, len, "RESULT of another");
	bytes[set + 4 + 16] = 32;
	assert_refused(published, bytes, len, "malformed RESULT");
	bytes[set + 4 + 16] = 0;
	bytes[commits] ^= 1;
	assert_refused(published, bytes, len, "malformed COMMITS");
	for (unsigned int i = 0; i < 3; i++)
		bytes[commits + COMMITS_HEAD_SIZE + i * COMMIT_SIZE] ^= 1;
	assert_refused(published, bytes, len, "COMMITS of another session");
	bytes[commits + 16] = 15;
	assert_refused(published, bytes, len, "a COMMIT of nobody");
	bytes[8]--;
	assert_refused(published, bytes, len, "cut off in OPEN");
	memset(bytes + 8, 0xff, 4);
	assert_refused(published, bytes, len, "cut off in the transcript");
	bytes[0] = 'Q';
	assert_refused(published, bytes, len, "a record begins");
}

static void a_full_arena_is_a_fault(void **state)
{
	_cleanup_(arena_freep) struct arena *arena = NULL;
	struct published *published = *state;
	struct record record;
	uint8_t *bytes;
	size_t len;

	assert_int_equal(arena_new(1024, &arena), 0);
	assert_int_equal(record_decode(published->world.rehearsal->hasher, published->bytes,
				       published->len, arena, &record, NULL),
			 -ENOMEM);
	assert_int_equal(
		record_encode(published->bytes, 2048, &published->testimony, arena, &bytes, &len),
		-ENOMEM);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(records_replay_to_the_verdict),
		cmocka_unit_test(some_may_be_silent),
		cmocka_unit_test(results_are_their_members),
		cmocka_unit_test(nobody_commits_to_what_was_told),
		cmocka_unit_test(commitments_cannot_be_left_out),
		cmocka_unit_test(the_panels_word_is_compared_with_the_truth),
		cmocka_unit_test(malformed_records_are_refused),
		cmocka_unit_test(a_full_arena_is_a_fault),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
