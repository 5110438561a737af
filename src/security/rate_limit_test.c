#include "security/rate_limit.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static struct rate_limit *limit_new(size_t slots, double rate, double burst)
{
	struct random_seeded seeded;
	struct rate_limit *limit;

	random_seeded_init(&seeded, 1);
	assert_int_equal(rate_limit_new(slots, rate, burst, &seeded.random, &limit), 0);
	return limit;
}

static void burst_then_rate(void **state _unused_)
{
	struct rate_limit *limit = limit_new(64, 10, 3);
	int64_t wait_ms = 0;

	for (int i = 0; i < 3; i++)
		assert_true(rate_limit_take(limit, "a", 1, 1000, &wait_ms));
	assert_false(rate_limit_take(limit, "a", 1, 1000, &wait_ms));
	assert_int_equal(wait_ms, 100);
	assert_false(rate_limit_take(limit, "a", 1, 1099, &wait_ms));
	assert_true(rate_limit_take(limit, "a", 1, 1101, &wait_ms));
	/* Another key is not touched by it. */
	assert_true(rate_limit_take(limit, "b", 1, 1101, &wait_ms));
	rate_limit_free(limit);
}

static void never_more_than_burst(void **state _unused_)
{
	struct rate_limit *limit = limit_new(64, 10, 3);
	int64_t wait_ms;
	int taken = 0;

	assert_true(rate_limit_take(limit, "a", 1, 0, &wait_ms));
	for (int i = 0; i < 10; i++)
		taken += rate_limit_take(limit, "a", 1, 1000000, &wait_ms);
	assert_int_equal(taken, 3);
	/* A clock that steps back gives nothing away. */
	assert_false(rate_limit_take(limit, "a", 1, 500000, &wait_ms));
	rate_limit_free(limit);
}

static void many_keys_in_few_slots(void **state _unused_)
{
	struct rate_limit *limit = limit_new(16, 1, 2);
	int64_t wait_ms;

	/* The greedy key stays limited while thousands of others pass through the table. */
	assert_true(rate_limit_take(limit, "greedy", 6, 0, &wait_ms));
	assert_true(rate_limit_take(limit, "greedy", 6, 0, &wait_ms));
	for (int i = 0; i < 1000; i++) {
		assert_true(rate_limit_take(limit, &i, sizeof(i), 0, &wait_ms));
		assert_false(rate_limit_take(limit, "greedy", 6, 0, &wait_ms));
	}
	rate_limit_free(limit);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(burst_then_rate),
		cmocka_unit_test(never_more_than_burst),
		cmocka_unit_test(many_keys_in_few_slots),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
