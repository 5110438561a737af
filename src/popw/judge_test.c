#include "popw/judge.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#include "base/random.h"

/* A registration of an RTX A6000 that takes 2.1 s of walks and 2.5 s of matrix rounds. */
static struct session example(void)
{
	struct session session = {
		.kind = SESSION_REGISTRATION,
		.device = SESSION_GPU,
		.flags = SESSION_HAS_WALK | SESSION_HAS_MATRIX,
		.epoch = 7,
		.id = { { 1 } },
		.network = { { 0xaa } },
		.machine = { { 0xbb } },
		.gpu_uuid = { 0xcc },
		.gpu_index = 2,
		.panel_size = 7,
		.work = { 48 << 20 >> 8 << 10, 256, 65536, 1024, 64, 65536, 8192, 8192, 80, 64,
			  64 },
	};

	session.class_ = (uint16_t)class_find("nvidia-rtx-a6000");
	return session;
}

static struct result good(uint32_t member)
{
	return (struct result){
		.member = member,
		.bits = PROOF_ALL,
		.transcript = { { 0xdd } },
		.fill_us = 1500000 + 10000 * member,
		.walk_us = 2100000 + 20000 * member,
		.matrix_us = 2500000 + 30000 * member,
		.rtt_us = 10000 * member,
		.down_kbps = 100000,
		.up_kbps = 50000,
	};
}

static void all_good(struct result *results)
{
	for (uint32_t i = 0; i < SESSION_PANEL_MAX; i++)
		results[i] = good(i);
}

static struct verdict judged(const struct session *session, const struct result *results,
			     uint32_t set)
{
	struct verdict verdict;

	judge(session, results, set, &verdict);
	return verdict;
}

static void a_claim_passes(void **state _unused_)
{
	struct session session = example();
	struct result results[SESSION_PANEL_MAX];
	struct verdict verdict;

	all_good(results);
	verdict = judged(&session, results, 0x7f);
	assert_int_equal(verdict.outcome, VERDICT_PASSED);
	assert_int_equal(verdict.bits, PROOF_ALL);
	assert_int_equal(verdict.transcript.bytes[0], 0xdd);
	assert_int_equal(verdict.agreeing, 0x7f);
	assert_int_equal(verdict.wrong | verdict.silent | verdict.deviating, 0);
	/* Less each one's round trip: 1.5 s for all, 2.1 .. 2.16, 2.5 .. 2.62. */
	assert_int_equal(verdict.fill_us, 1500000);
	assert_int_equal(verdict.walk_us, 2130000);
	assert_int_equal(verdict.matrix_us, 2560000);
	assert_int_equal(verdict.down_kbps, 700000);
	assert_int_equal(verdict.up_kbps, 350000);
	/* 2 * 65536 * 8192^2 * 80 / 2.56 s; 65536 * 1024 * 64 * 256 bytes / 2.13 s. */
	assert_int_equal(verdict.measured.matrix_mops, 274877906);
	assert_int_equal(verdict.measured.walk_kbps, 516202642);
	assert_int_equal(verdict.measured.set_mib, 48 << 10);
	assert_int_equal(verdict.earned, session.class_);
	assert_int_equal(verdict.score_milli, 1500);
}

static void a_slow_card_earns_less(void **state _unused_)
{
	struct session session = example();
	struct result results[SESSION_PANEL_MAX];
	struct verdict verdict;

	all_good(results);
	/* 206 TOPS of 250: it passes, and is paid by its speed. */
	for (int i = 0; i < 7; i++)
		results[i].matrix_us = 3400000;
	verdict = judged(&session, results, 0x7f);
	assert_int_equal(verdict.outcome, VERDICT_PASSED);
	assert_int_equal(verdict.matrix_us, 3370000);
	assert_int_equal(verdict.score_milli, 1500 * UINT64_C(208809329) / 250000000);
	/* 187 TOPS: less than an A40, more than an RTX 8000. */
	for (int i = 0; i < 7; i++)
		results[i].matrix_us = 3780000;
	verdict = judged(&session, results, 0x7f);
	assert_int_equal(verdict.outcome, VERDICT_LOWER);
	assert_int_equal(verdict.claimed, session.class_);
	assert_int_equal(verdict.earned, class_find("nvidia-quadro-rtx-8000"));
	assert_int_equal(verdict.score_milli, 1000);
	/* Nothing earns anything at a thousandth of that. */
	for (int i = 0; i < 7; i++)
		results[i].matrix_us = UINT32_MAX;
	session.work.n_items = 1024;
	verdict = judged(&session, results, 0x7f);
	assert_int_equal(verdict.outcome, VERDICT_LOWER);
	assert_int_equal(verdict.earned, -1);
	assert_int_equal(verdict.score_milli, 0);
}

static void no_time_is_no_figure(void **state _unused_)
{
	struct session session = example();
	struct result results[SESSION_PANEL_MAX];
	struct verdict verdict;

	all_good(results);
	for (int i = 0; i < 7; i++)
		results[i].matrix_us = 0;
	results[0].walk_us = results[1].walk_us = results[2].walk_us = 0;
	verdict = judged(&session, results, 0x7f);
	assert_int_equal(verdict.matrix_us, 0);
	assert_int_equal(verdict.measured.matrix_mops, 0);
	assert_int_equal(verdict.walk_us, 2145000); /* of 2.13, 2.14, 2.15 and 2.16 */
	assert_int_equal(verdict.outcome, VERDICT_LOWER);
	assert_int_equal(verdict.earned, -1);
	assert_int_equal(verdict.deviating, 0);
	/* A round trip longer than the phase leaves a microsecond. */
	for (int i = 0; i < 7; i++)
		results[i].matrix_us = 1 + (uint32_t)i, results[i].rtt_us = UINT32_MAX;
	assert_int_equal(judged(&session, results, 0x7f).matrix_us, 1);
}

/* Who answers polls late on purpose gains no more than a quarter of a second by it. */
static void late_answers_buy_little_time(void **state _unused_)
{
	struct session session = example();
	struct result results[SESSION_PANEL_MAX];

	all_good(results);
	for (int i = 0; i < 7; i++)
		results[i].walk_us = 6000000, results[i].rtt_us = 4900000;
	assert_int_equal(judged(&session, results, 0x7f).walk_us, 5750000);
}

static void the_claim_of_nothing_earns_by_speed(void **state _unused_)
{
	struct session session = example();
	struct result results[SESSION_PANEL_MAX];
	struct verdict verdict;

	all_good(results);
	session.class_ = CLASS_UNKNOWN;
	verdict = judged(&session, results, 0x7f);
	assert_int_equal(verdict.outcome, VERDICT_PASSED);
	assert_int_equal(verdict.earned, class_find("nvidia-a40"));
	/* 274.9 TOPS lie between the 4070 Ti SUPER's 281.25 and the A6000's 250. */
	assert_int_equal(verdict.score_milli, (1500 * (UINT64_C(281250000) - 274877906) +
					       250 * (UINT64_C(274877906) - 250000000)) /
						      31250000);
}

static void rented_machines_only_have_to_be_exact(void **state _unused_)
{
	struct session session = example();
	struct result results[SESSION_PANEL_MAX] = { 0 };
	struct verdict verdict;

	session.kind = SESSION_RENTED;
	for (int i = 0; i < 7; i++)
		results[i].bits = PROOF_ALL;
	verdict = judged(&session, results, 0x7f);
	assert_int_equal(verdict.outcome, VERDICT_PASSED);
	assert_int_equal(verdict.earned, session.class_);
	assert_int_equal(verdict.score_milli, 0);
	for (int i = 0; i < 7; i++)
		results[i].bits = PROOF_ALL & ~PROOF_TILES;
	verdict = judged(&session, results, 0x7f);
	assert_int_equal(verdict.outcome, VERDICT_FAILED);
	assert_int_equal(verdict.earned, -1);
}

static void the_majority_decides(void **state _unused_)
{
	struct session session = example();
	struct result results[SESSION_PANEL_MAX];
	struct verdict verdict;

	all_good(results);
	results[0].bits = PROOF_ALL & ~PROOF_WALK;
	results[1].transcript.bytes[31] = 1;
	results[2].bits = 0;
	verdict = judged(&session, results, 0x7f);
	assert_int_equal(verdict.outcome, VERDICT_PASSED);
	assert_int_equal(verdict.agreeing, 0x78);
	assert_int_equal(verdict.wrong, 0x07);
	/* Of six, three are not more than half. */
	verdict = judged(&session, results, 0x3f);
	assert_int_equal(verdict.outcome, VERDICT_NO_MAJORITY);
	assert_int_equal(verdict.silent, 0x40);
	assert_int_equal(verdict.agreeing | verdict.wrong | verdict.bits, 0);
	assert_int_equal(verdict.earned, -1);
	/* Two of three that found it wrong. */
	results[1] = results[0];
	verdict = judged(&session, results, 0x43);
	assert_int_equal(verdict.outcome, VERDICT_FAILED);
	assert_int_equal(verdict.bits, PROOF_ALL & ~PROOF_WALK);
	assert_int_equal(verdict.wrong, 0x40);
	assert_int_equal(verdict.silent, 0x3c);
	assert_int_equal(verdict.measured.matrix_mops, 0);
	assert_int_equal(judged(&session, results, 0).outcome, VERDICT_NO_MAJORITY);
	/* Who is not on the panel has no voice. */
	assert_int_equal(judged(&session, results, 0xffffff80).outcome, VERDICT_NO_MAJORITY);
}

static void liars_about_time_move_little(void **state _unused_)
{
	struct session session = example();
	struct result results[SESSION_PANEL_MAX];
	struct verdict verdict;

	all_good(results);
	results[4].matrix_us = 1;
	results[5].matrix_us = 2;
	results[6].walk_us = UINT32_MAX;
	verdict = judged(&session, results, 0x7f);
	assert_int_equal(verdict.deviating, 0x70);
	assert_int_equal(verdict.agreeing, 0x7f);
	/* Two of seven pull it from the fourth to the second: 2.52 s. */
	assert_int_equal(verdict.matrix_us, 2520000);
	/* A quarter of a second is agreement, a microsecond more is not. */
	all_good(results);
	results[6].fill_us += JUDGE_AGREEMENT_US;
	assert_int_equal(judged(&session, results, 0x7f).deviating, 0);
	results[6].fill_us++;
	assert_int_equal(judged(&session, results, 0x7f).deviating, 0x40);
}

static struct verdict with_rates(const uint32_t *rates, size_t n)
{
	struct session session = example();
	struct result results[SESSION_PANEL_MAX];

	all_good(results);
	for (size_t i = 0; i < n; i++) {
		results[i].down_kbps = rates[i];
		results[i].up_kbps = rates[n - 1 - i];
	}
	return judged(&session, results, (1u << n) - 1);
}

/* Of bandwidth: what honest members saw differs, and counts; what one makes up does not. */
static void a_false_rate_weighs_little(void **state _unused_)
{
	static const uint32_t lies[] = { 100, 100, 100, 100, 100, 100, UINT32_MAX },
			      silence[] = { 100, 100, 100, 100, 100, 100, 0 },
			      three_lie[] = { 100, 110, 120, 130, 9000, 9000, 9000 },
			      uneven[] = { 40, 60, 80, 100, 150, 199, 200 },
			      unreached[] = { 0, 0, 0, 0, 500, 500, 500 },
			      one_of_two[] = { 100, UINT32_MAX }, alone[] = { 123 };

	assert_int_equal(with_rates(lies, 7).down_kbps, 6 * 100 + 200);
	assert_int_equal(with_rates(lies, 7).up_kbps, 6 * 100 + 200);
	assert_int_equal(with_rates(silence, 7).down_kbps, 600);
	assert_int_equal(with_rates(three_lie, 7).down_kbps, 100 + 110 + 120 + 130 + 3 * 260);
	assert_int_equal(with_rates(uneven, 7).down_kbps, 40 + 60 + 80 + 100 + 150 + 199 + 200);
	assert_int_equal(with_rates(unreached, 7).down_kbps, 0);
	assert_int_equal(with_rates(one_of_two, 2).down_kbps, 100 + 200);
	assert_int_equal(with_rates(alone, 1).down_kbps, 123);
}

static void large_figures_do_not_overflow(void **state _unused_)
{
	struct session session = example();
	struct result results[SESSION_PANEL_MAX];
	struct verdict verdict;

	session.work = (struct session_work){ UINT32_MAX, 1,     1 << 20, 4096, 64, 65536,
					      16384,      16384, 4096,    1,    1 };
	session.panel_size = 32;
	all_good(results);
	for (uint32_t i = 0; i < 32; i++) {
		results[i].walk_us = results[i].matrix_us = 1;
		results[i].down_kbps = UINT32_MAX / 31;
	}
	verdict = judged(&session, results, UINT32_MAX);
	assert_int_equal(verdict.measured.matrix_mops, UINT64_C(1) << 57);
	assert_int_equal(verdict.measured.walk_kbps, (UINT64_C(1) << 46) * 1000);
	assert_int_equal(verdict.measured.set_mib, (1 << 20) - 1);
	assert_int_equal(verdict.down_kbps, UINT32_MAX);
}

/* ---- against a plain reference ---- */

static uint32_t below(struct random_seeded *seeded, uint32_t bound)
{
	uint64_t value;

	assert_int_equal(random_below(&seeded->random, bound, &value), 0);
	return (uint32_t)value;
}

static struct result any_result(struct random_seeded *seeded)
{
	struct result result = {
		.bits = below(seeded, 3) ? PROOF_ALL : PROOF_ALL - 8,
		.transcript = { { (uint8_t)(below(seeded, 5) == 0) } },
		.fill_us = below(seeded, 3) * 800000,
		.walk_us = below(seeded, 900000) + 1800000,
		.matrix_us = below(seeded, 2) * (below(seeded, 900000) + 2100000),
		.rtt_us = below(seeded, 300000),
	};

	return result;
}

/* Whether as many are below as above, by counting: what a median is. */
static void assert_median(uint32_t median, const uint32_t *times, size_t n)
{
	size_t less = 0, more = 0;

	for (size_t i = 0; i < n; i++) {
		less += times[i] < median;
		more += times[i] > median;
	}
	assert_true(2 * less <= n);
	assert_true(2 * more <= n);
	assert_int_equal(median == 0, n == 0);
}

static void assert_walk_median(const struct result *results, const struct verdict *verdict)
{
	uint32_t times[SESSION_PANEL_MAX];
	size_t n = 0;

	for (int i = 0; i < SESSION_PANEL_MAX; i++)
		if (verdict->agreeing >> i & 1 && results[i].walk_us)
			times[n++] = results[i].walk_us -
				     (results[i].rtt_us < 250000 ? results[i].rtt_us : 250000);
	assert_median(verdict->walk_us, times, n);
}

/* The most frequent exact part, by a table of its four values. */
static void assert_majority(const struct result *results, uint32_t set, unsigned int panel_size,
			    const struct verdict *verdict)
{
	uint32_t sets[4] = { 0 }, all = 0, expected = 0;
	unsigned int given = 0, votes;

	for (unsigned int i = 0; i < panel_size; i++) {
		all |= 1u << i;
		if (!(set >> i & 1))
			continue;
		given++;
		sets[(results[i].bits == PROOF_ALL) * 2 + results[i].transcript.bytes[0]] |= 1u
											     << i;
	}
	for (int i = 0; i < 4; i++) {
		votes = 0;
		for (unsigned int j = 0; j < panel_size; j++)
			votes += sets[i] >> j & 1;
		if (votes > given - votes)
			expected = sets[i];
	}
	assert_int_equal(verdict->agreeing, expected);
	assert_int_equal(verdict->silent, all & ~set);
	assert_int_equal(verdict->wrong, expected ? all & set & ~expected : 0);
	assert_int_equal(verdict->outcome == VERDICT_NO_MAJORITY, !expected);
}

static void judges_like_a_plain_reference(void **state _unused_)
{
	struct random_seeded seeded;

	random_seeded_init(&seeded, 4);
	for (int i = 0; i < 5000; i++) {
		struct session session = example();
		struct result results[SESSION_PANEL_MAX];
		struct verdict verdict;
		uint32_t set = below(&seeded, UINT32_MAX) | below(&seeded, UINT32_MAX);

		session.panel_size = (uint8_t)(1 + below(&seeded, 32));
		for (int j = 0; j < SESSION_PANEL_MAX; j++)
			results[j] = any_result(&seeded);
		verdict = judged(&session, results, set);
		assert_majority(results, set, session.panel_size, &verdict);
		assert_walk_median(results, &verdict);
		if (verdict.bits == PROOF_ALL && verdict.matrix_us)
			assert_int_equal(verdict.measured.matrix_mops,
					 UINT64_C(703687441776640) / verdict.matrix_us);
	}
}

/* ---- as text ---- */

static void a_verdict_has_one_spelling(void **state _unused_)
{
	_cleanup_(arena_freep) struct arena *arena = NULL;
	struct session session = example();
	struct result results[SESSION_PANEL_MAX];
	struct verdict verdict;
	const char *text;

	all_good(results);
	results[1].bits = 3;
	verdict = judged(&session, results, 0x5f);
	assert_int_equal(arena_new(1 << 16, &arena), 0);
	assert_int_equal(verdict_text(&session, &verdict, arena, &text), 0);
	assert_string_equal(
		text,
		"{\"proof\":\"prf-01000000000000000000000000\",\"kind\":\"registration\","
		"\"network\":\"0xaa00000000000000000000000000000000000000\","
		"\"machine\":\"0xbb00000000000000000000000000000000000000\",\"device\":\"gpu\","
		"\"gpu_uuid\":\"cc000000000000000000000000000000\",\"gpu_index\":2,\"epoch\":7,"
		"\"outcome\":\"passed\",\"bits\":31,"
		"\"transcript\":"
		"\"dd00000000000000000000000000000000000000000000000000000000000000\","
		"\"agreeing\":[0,2,3,4,6],\"wrong\":[1],\"silent\":[5],\"unrevealed\":[],"
		"\"deviating\":[],"
		"\"fill_us\":1500000,\"walk_us\":2130000,\"matrix_us\":2560000,"
		"\"down_kbps\":500000,\"up_kbps\":250000,\"matrix_mops\":274877906,"
		"\"walk_kbps\":516202642,\"set_mib\":49152,\"claimed\":\"nvidia-rtx-a6000\","
		"\"earned\":\"nvidia-rtx-a6000\",\"score_milli\":1500}\n");
}

static void nobodys_verdict_is_spelled_too(void **state _unused_)
{
	_cleanup_(arena_freep) struct arena *arena = NULL, *small = NULL;
	struct session session = example();
	struct verdict verdict;
	const char *text;

	session.panel_size = 32;
	session.class_ = CLASS_UNKNOWN;
	verdict = judged(&session, NULL, 0);
	assert_int_equal(arena_new(1 << 16, &arena), 0);
	assert_int_equal(verdict_text(&session, &verdict, arena, &text), 0);
	assert_non_null(strstr(text, "\"outcome\":\"no_majority\",\"bits\":0,\"transcript\":\"00"));
	assert_non_null(strstr(text, "\"agreeing\":[],\"wrong\":[],\"silent\":[0,1,2,3,"));
	assert_non_null(strstr(text, ",30,31],\"unrevealed\":[],\"deviating\":[],"));
	assert_non_null(strstr(text, "\"claimed\":\"unknown\",\"earned\":\"none\","));
	assert_int_equal(arena_new(700, &small), 0);
	assert_int_equal(verdict_text(&session, &verdict, small, &text), -ENOMEM);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_claim_passes),
		cmocka_unit_test(a_slow_card_earns_less),
		cmocka_unit_test(no_time_is_no_figure),
		cmocka_unit_test(late_answers_buy_little_time),
		cmocka_unit_test(the_claim_of_nothing_earns_by_speed),
		cmocka_unit_test(rented_machines_only_have_to_be_exact),
		cmocka_unit_test(the_majority_decides),
		cmocka_unit_test(liars_about_time_move_little),
		cmocka_unit_test(a_false_rate_weighs_little),
		cmocka_unit_test(large_figures_do_not_overflow),
		cmocka_unit_test(judges_like_a_plain_reference),
		cmocka_unit_test(a_verdict_has_one_spelling),
		cmocka_unit_test(nobodys_verdict_is_spelled_too),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
