#include "rewards/scores.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static void bandwidth_needs_both_ways(void **state _unused_)
{
	assert_int_equal(score_bandwidth_milli(1600, 1200), 800);
	assert_int_equal(score_bandwidth_milli(1599, 1200), 600);
	assert_int_equal(score_bandwidth_milli(10000, 1199), 600);
	assert_int_equal(score_bandwidth_milli(800, 599), 400);
	assert_int_equal(score_bandwidth_milli(400, 300), 400);
	assert_int_equal(score_bandwidth_milli(399, 300), 200);
	assert_int_equal(score_bandwidth_milli(75, 75), 200);
	assert_int_equal(score_bandwidth_milli(10000, 74), 0);
}

static void tiers_at_their_edges(void **state _unused_)
{
	static const struct {
		uint32_t (*score)(uint64_t);
		uint64_t top, second, third;
	} rows[] = {
		{ score_cores_milli, 128, 64, 32 },
		{ score_disk_milli, 10240, 5120, 512 },
		{ score_memory_milli, 512, 128, 32 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		assert_int_equal(rows[i].score(UINT64_MAX), 800);
		assert_int_equal(rows[i].score(rows[i].top + 1), 800);
		assert_int_equal(rows[i].score(rows[i].top), 600);
		assert_int_equal(rows[i].score(rows[i].second), 600);
		assert_int_equal(rows[i].score(rows[i].second - 1), 400);
		assert_int_equal(rows[i].score(rows[i].third), 400);
		assert_int_equal(rows[i].score(rows[i].third - 1), 200);
		assert_int_equal(rows[i].score(1), 200);
		assert_int_equal(rows[i].score(0), 0);
	}
}

static void machine_is_weighed(void **state _unused_)
{
	static const struct machine_figures eight_h100 = { 2000, 2000, 192, 80000, 20000, 2048 };

	/* 2*0.8 + 0.8 + 3*80 + 0.8 + 0.8 */
	assert_int_equal(score_machine_milli(&eight_h100), 244000);
	assert_int_equal(score_machine_milli(&(struct machine_figures){ 0 }), 0);
	assert_int_equal(score_machine_milli(&(struct machine_figures){ .gpu_milli = 750 }), 2250);
}

static void stake_at_most_doubles(void **state _unused_)
{
	const struct tokens max = { 1000 };
	unsigned __int128 without = u256_low(score_worker(3600, (struct tokens){ 0 }, max, 2250));

	assert_true(without == (unsigned __int128)3600 * 1000 * 2250);
	assert_true(u256_low(score_worker(3600, (struct tokens){ 500 }, max, 2250)) ==
		    without + without / 2);
	assert_true(u256_low(score_worker(3600, max, max, 2250)) == 2 * without);
	assert_true(u256_low(score_worker(3600, (struct tokens){ TOKENS_MAX }, max, 2250)) ==
		    2 * without);
}

/* The document's: 50 valid, 10 % errors, 2 licences: 50 * 0.9 * 2 = 90. */
static void checker_of_the_document(void **state _unused_)
{
	assert_true(u256_low(score_checker(50, 2000, 100000)) ==
		    90 * 1000 * (unsigned __int128)SCORE_PPM);
	assert_int_equal(score_error_ppm(450, 50), 100000);
	assert_int_equal(score_error_ppm(2, 1), 333333);
	assert_int_equal(score_error_ppm(0, 3), SCORE_PPM);
	assert_int_equal(score_error_ppm(0, 0), 0);
	assert_int_equal(score_error_ppm(UINT64_MAX, UINT64_MAX), SCORE_PPM / 2);
	assert_true(u256_is_zero(score_checker(50, 0, 0)));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bandwidth_needs_both_ways),
		cmocka_unit_test(tiers_at_their_edges),
		cmocka_unit_test(machine_is_weighed),
		cmocka_unit_test(stake_at_most_doubles),
		cmocka_unit_test(checker_of_the_document),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
