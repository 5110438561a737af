#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "agent/meter.h"
#include "base/random.h"

/* What a crash of the agent leaves: the meter as it was kept last. */
static struct meter restarted(const struct meter *meter)
{
	json_t *json = meter_json(meter), *twice;
	struct meter again;

	assert_non_null(json);
	assert_int_equal(meter_parse(json, &again), 0);
	twice = meter_json(&again);
	assert_true(json_equal(json, twice));
	json_decref(twice);
	json_decref(json);
	return again;
}

static uint64_t below(struct random_seeded *random, uint64_t bound)
{
	uint64_t value;

	assert_int_equal(random_below(&random->random, bound, &value), 0);
	return value;
}

/* One life: a run with looks, records and restarts at random moments, kept or lost. */
static void live(uint64_t seed)
{
	int64_t started_ms = 1000000, now_ms = started_ms, ended_ms;
	struct random_seeded random;
	struct meter meter = { 0 }, kept = { 0 };

	random_seeded_init(&random, seed);
	ended_ms = started_ms + (int64_t)below(&random, 100000);
	while (now_ms < ended_ms) {
		struct meter before = meter;

		meter_running(&meter, started_ms);
		if (below(&random, 2) && meter_record(&meter, now_ms)) {
			/* A record leaves only after it was kept. */
			kept = restarted(&meter);
			assert_int_equal(meter.sequence, before.sequence + 1);
			assert_int_equal(meter.seconds, (now_ms - started_ms) / 1000);
			assert_false(meter.final);
		}
		if (below(&random, 3) == 0)
			meter = kept;
		now_ms += (int64_t)below(&random, 5000);
	}
	for (int look = 0; look < 3; look++)
		meter_ended(&meter, started_ms, ended_ms);
	assert_true(meter_record(&meter, now_ms + 50000));
	assert_int_equal(meter.seconds, (ended_ms - started_ms) / 1000);
	assert_true(meter.final);
	assert_true(meter.sequence > kept.sequence);
	assert_int_equal(meter.first_started_ms, started_ms);
	assert_true((int64_t)meter.seconds * 1000 <= meter.until_ms - started_ms);
	/* Nothing follows the end. */
	meter_ended(&meter, started_ms, ended_ms);
	assert_false(meter_record(&meter, now_ms + 60000));
}

static void restarts_neither_lose_nor_double(void **state _unused_)
{
	for (uint64_t seed = 0; seed < 2000; seed++)
		live(seed);
}

static void a_run_that_nobody_saw_counts(void **state _unused_)
{
	struct meter meter = { 0 };

	meter_ended(&meter, 5000, 8999);
	assert_true(meter_record(&meter, 100000));
	assert_int_equal(meter.seconds, 3);
	assert_int_equal(meter.until_ms, 8999);
}

static void what_vanished_counts_to_the_last_record(void **state _unused_)
{
	struct meter meter = { 0 };

	meter_running(&meter, 5000);
	assert_true(meter_record(&meter, 12500));
	meter_lost(&meter);
	assert_true(meter_record(&meter, 99000));
	assert_int_equal(meter.seconds, 7);
	assert_int_equal(meter.until_ms, 12500);
	assert_true(meter.final);
}

static void a_clock_that_steps_back_takes_nothing(void **state _unused_)
{
	struct meter meter = { 0 };

	meter_running(&meter, 5000);
	assert_true(meter_record(&meter, 15000));
	assert_true(meter_record(&meter, 9000));
	assert_int_equal(meter.seconds, 10);
	assert_int_equal(meter.until_ms, 15000);
}

static void never_ran_says_nothing(void **state _unused_)
{
	struct meter meter = { 0 };

	meter_lost(&meter);
	assert_false(meter_record(&meter, 9000));
	assert_false(meter_owes(&meter));
}

static void receipts_in_any_order(void **state _unused_)
{
	struct meter meter = { .sequence = 5 };

	meter_settle(&meter, 4);
	assert_true(meter_owes(&meter));
	meter_settle(&meter, 9);
	assert_true(meter_owes(&meter));
	meter_settle(&meter, 5);
	meter_settle(&meter, 3);
	assert_false(meter_owes(&meter));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(restarts_neither_lose_nor_double),
		cmocka_unit_test(a_run_that_nobody_saw_counts),
		cmocka_unit_test(what_vanished_counts_to_the_last_record),
		cmocka_unit_test(a_clock_that_steps_back_takes_nothing),
		cmocka_unit_test(never_ran_says_nothing),
		cmocka_unit_test(receipts_in_any_order),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
