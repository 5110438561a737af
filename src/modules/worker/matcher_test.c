#include "modules/worker/matcher.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "base/random.h"

enum { ROWS = 300, PADDED = 320 };

struct table {
	int32_t gpus[PADDED], cpu[PADDED], memory[PADDED], disk[PADDED], price[PADDED];
};

static int32_t below(struct random *random, uint64_t bound)
{
	uint64_t value;

	assert_int_equal(random_below(random, bound, &value), 0);
	return (int32_t)value;
}

static void fill(struct table *table, struct random *random)
{
	for (size_t i = 0; i < PADDED; i++) {
		table->gpus[i] = i < ROWS ? below(random, 9) : -1;
		table->cpu[i] = below(random, 64000);
		table->memory[i] = below(random, 1 << 20);
		table->disk[i] = below(random, 1 << 20);
		table->price[i] = 1 + below(random, 4000000);
	}
}

static bool fits(const struct table *t, size_t i, const struct matcher_need *need)
{
	return t->gpus[i] >= need->gpus && t->cpu[i] >= need->cpu_milli &&
	       t->memory[i] >= need->memory_mib && t->disk[i] >= need->disk_mib &&
	       t->price[i] <= need->price_max;
}

static void test_scan_finds_what_the_reference_finds(void **state _unused_)
{
	struct random_seeded seeded;
	struct table table;
	uint32_t rows[ROWS];

	random_seeded_init(&seeded, 11);
	for (int round = 0; round < 500; round++) {
		struct random *random = &seeded.random;
		struct matcher_columns columns = { table.gpus,   table.cpu,
						   table.memory, table.disk,
						   table.price,  (size_t)below(random, ROWS + 1) };
		struct matcher_need need;
		bool seen[PADDED] = { 0 };
		size_t expected = 0, n, max;

		fill(&table, random);
		for (size_t i = columns.n; i < PADDED; i++)
			table.gpus[i] = -1;
		need = (struct matcher_need){ below(random, 9), below(random, 64000),
					      below(random, 1 << 20), below(random, 1 << 20),
					      below(random, 4000000) };
		for (size_t i = 0; i < columns.n; i++)
			expected += fits(&table, i, &need);
		max = (size_t)below(random, ROWS);
		n = matcher_scan(&columns, &need, (size_t)below(random, columns.n + 1), max, rows);
		assert_int_equal(n, expected < max ? expected : max);
		for (size_t i = 0; i < n; i++) {
			assert_true(rows[i] < columns.n && fits(&table, rows[i], &need));
			assert_false(seen[rows[i]]);
			seen[rows[i]] = true;
		}
	}
}

static void test_weights_order(void **state _unused_)
{
	struct matcher_candidate base = { 1000000, 900, 20 }, other = base;

	other.price = 2000000;
	assert_true(matcher_weight(&other, 1000000) < matcher_weight(&base, 1000000) / 3);
	other = base;
	other.quality = 300;
	assert_true(matcher_weight(&other, 1000000) < matcher_weight(&base, 1000000));
	other = base;
	other.latency_ms = 500;
	assert_true(matcher_weight(&other, 1000000) < matcher_weight(&base, 1000000));
	other.quality = 0;
	other.price = INT32_MAX;
	assert_true(matcher_weight(&other, 1) >= 1);
}

/* 40,000 draws of six candidates: chi-square with 5 degrees of freedom, 0.1 % bound 20.5. */
static void test_choice_follows_the_weights(void **state _unused_)
{
	static const struct matcher_candidate candidates[6] = {
		{ 1000000, 1000, 0 },  { 1000000, 500, 0 },    { 1500000, 1000, 0 },
		{ 2000000, 1000, 50 }, { 1000000, 1000, 200 }, { 1200000, 100, 10 },
	};
	const int draws = 40000;
	struct random_seeded seeded;
	double sum = 0, chi = 0;
	int counts[6] = { 0 };

	random_seeded_init(&seeded, 7);
	for (int i = 0; i < draws; i++) {
		uint64_t bits;

		assert_int_equal(random_fill(&seeded.random, &bits, sizeof(bits)), 0);
		counts[matcher_choose(candidates, 6, bits)]++;
	}
	for (int i = 0; i < 6; i++)
		sum += (double)matcher_weight(&candidates[i], 1000000);
	for (int i = 0; i < 6; i++) {
		double expected = draws * (double)matcher_weight(&candidates[i], 1000000) / sum;

		chi += (counts[i] - expected) * (counts[i] - expected) / expected;
	}
	assert_true(chi < 20.5);
	assert_int_equal(matcher_choose(candidates, 6, UINT64_MAX), 5);
	assert_int_equal(matcher_choose(candidates, 6, 0), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_scan_finds_what_the_reference_finds),
		cmocka_unit_test(test_weights_order),
		cmocka_unit_test(test_choice_follows_the_weights),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
