#include "rewards/share.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#include "base/random.h"

enum { N_MAX = 64 };

static struct arena *arena;

static int shares(uint64_t allotted, const uint64_t *weights, size_t n, struct tokens *ret_parts)
{
	struct u256 wide[N_MAX];

	for (size_t i = 0; i < n; i++)
		wide[i] = u256_from(weights[i]);
	return share_out((struct tokens){ allotted }, wide, n, arena, ret_parts);
}

static void equal_remainders_go_to_the_lower_index(void **state _unused_)
{
	static const uint64_t equal[] = { 5, 5, 5 }, seats[] = { 3, 3, 2, 1 };
	struct tokens parts[4];

	assert_int_equal(shares(11, equal, 3, parts), 0);
	assert_true(parts[0].units == 4 && parts[1].units == 4 && parts[2].units == 3);
	/* 10 of 9: 3.33, 3.33, 2.22, 1.11 */
	assert_int_equal(shares(10, seats, 4, parts), 0);
	assert_true(parts[0].units == 4 && parts[1].units == 3 && parts[2].units == 2 &&
		    parts[3].units == 1);
}

static void largest_remainder_comes_first(void **state _unused_)
{
	static const uint64_t weights[] = { 41, 29, 16, 14 }; /* of 3: 1.23, 0.87, 0.48, 0.42 */
	struct tokens parts[4];

	assert_int_equal(shares(3, weights, 4, parts), 0);
	assert_true(parts[0].units == 1 && parts[1].units == 1 && parts[2].units == 1 &&
		    parts[3].units == 0);
}

static void without_weights_nothing_is_given_out(void **state _unused_)
{
	static const uint64_t zeros[2], one[] = { 0, 1 };
	struct tokens parts[2] = { { 9 }, { 9 } };

	assert_int_equal(shares(5, zeros, 2, parts), SHARE_E_WEIGHTLESS);
	assert_int_equal(shares(5, zeros, 0, parts), SHARE_E_WEIGHTLESS);
	assert_true(parts[0].units == 9);
	assert_int_equal(shares(5, one, 2, parts), 0);
	assert_true(parts[0].units == 0 && parts[1].units == 5);
	assert_int_equal(shares(0, one, 2, parts), 0);
	assert_true(parts[1].units == 0);
}

/* Sums are exact, a larger weight never gets less, and a factor on all weights changes nothing. */
static void properties(void **state _unused_)
{
	struct random_seeded seeded;

	random_seeded_init(&seeded, 3);
	for (int round = 0; round < 2000; round++) {
		struct u256 weights[N_MAX], scaled[N_MAX];
		struct tokens parts[N_MAX], again[N_MAX], allotted;
		unsigned __int128 sum = 0;
		uint64_t n;

		assert_int_equal(random_below(&seeded.random, N_MAX, &n), 0);
		n++;
		assert_int_equal(random_fill(&seeded.random, &allotted, sizeof(allotted)), 0);
		allotted.units >>= 32 + round % 96;
		for (size_t i = 0; i < n; i++) {
			uint64_t bits, shift;

			assert_int_equal(random_fill(&seeded.random, &bits, sizeof(bits)), 0);
			assert_int_equal(random_below(&seeded.random, 64, &shift), 0);
			weights[i] = u256_from((bits | 1) >> shift | (i == 0));
			scaled[i] = u256_mul(weights[i], u256_from((unsigned __int128)7 << 61));
		}
		assert_int_equal(share_out(allotted, weights, n, arena, parts), 0);
		assert_int_equal(share_out(allotted, scaled, n, arena, again), 0);
		for (size_t i = 0; i < n; i++) {
			sum += parts[i].units;
			assert_true(parts[i].units == again[i].units);
			if (u256_compare(&weights[i], &weights[0]) > 0)
				assert_true(parts[i].units >= parts[0].units);
		}
		assert_true(sum == allotted.units);
	}
	assert_int_equal(arena_used(arena), 0);
}

static void cut_in_two(void **state _unused_)
{
	static const struct {
		uint64_t whole;
		uint32_t bp;
		uint64_t first, second;
	} rows[] = {
		{ 100, 0, 100, 0 }, { 100, 10000, 0, 100 }, { 101, 5000, 51, 50 },
		{ 1, 5001, 0, 1 },  { 3, 3333, 2, 1 },      { 0, 77, 0, 0 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct tokens first, second;

		share_split((struct tokens){ rows[i].whole }, rows[i].bp, &first, &second);
		assert_true(first.units == rows[i].first && second.units == rows[i].second);
	}
}

/* A cut in two is share_out's of two weights. */
static void cut_is_a_share(void **state _unused_)
{
	for (uint64_t whole = 0; whole < 40; whole++)
		for (uint32_t bp = 0; bp <= BASIS_POINTS; bp += 73) {
			const uint64_t weights[] = { BASIS_POINTS - bp, bp };
			struct tokens first, second, parts[2];

			share_split((struct tokens){ whole }, bp, &first, &second);
			assert_int_equal(shares(whole, weights, 2, parts), 0);
			assert_true(parts[0].units == first.units &&
				    parts[1].units == second.units);
		}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(equal_remainders_go_to_the_lower_index),
		cmocka_unit_test(largest_remainder_comes_first),
		cmocka_unit_test(without_weights_nothing_is_given_out),
		cmocka_unit_test(properties),
		cmocka_unit_test(cut_in_two),
		cmocka_unit_test(cut_is_a_share),
	};
	int r;

	if (arena_new(1 << 20, &arena) < 0)
		return 1;
	r = cmocka_run_group_tests(tests, NULL, NULL);
	arena_free(arena);
	return r;
}
