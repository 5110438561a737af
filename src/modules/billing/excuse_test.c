#include "modules/billing/billing_world.h"

#include "modules/billing/metering.h"

enum { RATE = 3600000 }; /* a micro-unit of a thousandth a second: 1,000 a second */

static const uint8_t proof_one[16] = { 1 }, proof_two[16] = { 2 };

static int begin_fn(struct tx *tx, struct call *call)
{
	return billing_excuse_begin(&call->world->context, tx, call->id, (const uint8_t *)call->key,
				    call->ended_at_ms);
}

static int end_fn(struct tx *tx, struct call *call)
{
	return billing_excuse_end(&call->world->context, tx, call->id, call->ended_at_ms);
}

static struct call begin_call(struct world *world, struct lease_id id, const uint8_t *proof,
			      int64_t from_ms)
{
	return (struct call){ world, begin_fn, .id = id, .key = (const char *)proof,
			      .ended_at_ms = from_ms };
}

static void begin(struct world *world, struct lease_id id, const uint8_t *proof, int64_t from_ms)
{
	struct call call = begin_call(world, id, proof, from_ms);

	assert_int_equal(run(&call, TX_WRITE), 0);
}

static void end(struct world *world, struct lease_id id, int64_t until_ms)
{
	struct call call = { world, end_fn, .id = id, .ended_at_ms = until_ms };

	assert_int_equal(run(&call, TX_WRITE), 0);
}

/* A lease that runs since START_MS, with a record of @seconds. */
static struct billing_lease running(struct world *world, int64_t seconds)
{
	struct billing_lease lease = lease_of(world, 1);
	struct usage_statement usage;
	int64_t charged;

	assert_int_equal(credit(world, account_of(1), 100000000, "money"), 0);
	lease.rate_hour.micro = RATE;
	assert_int_equal(open_lease(world, &lease), 0);
	world->clock.ms = START_MS + seconds * 1000;
	usage = usage_of(world, &lease, 1, seconds);
	usage.started_at_ms = START_MS;
	usage.until_ms = START_MS + seconds * 1000;
	assert_int_equal(report(world, &usage, &charged), 0);
	assert_int_equal(charged, seconds * 1000);
	return lease;
}

static int64_t report_until(struct world *world, const struct billing_lease *lease,
			    uint64_t sequence, int64_t seconds)
{
	struct usage_statement usage = usage_of(world, lease, sequence, seconds);
	int64_t charged;

	world->clock.ms = START_MS + seconds * 1000;
	usage.started_at_ms = START_MS;
	usage.until_ms = START_MS + seconds * 1000;
	assert_int_equal(report(world, &usage, &charged), 0);
	return charged;
}

static void test_excused_time_is_not_charged(void **state)
{
	struct world *world = *state;
	struct billing_lease lease = running(world, 10);

	begin(world, lease.lease, proof_one, START_MS + 10000);
	begin(world, lease.lease, proof_two, START_MS + 12000); /* one is open: nothing changes */
	assert_int_equal(report_until(world, &lease, 2, 20), 10000);
	end(world, lease.lease, START_MS + 25500);
	end(world, lease.lease, START_MS + 29000);
	assert_int_equal(report_until(world, &lease, 3, 30), 15000); /* 15.5 s excused: 15 */
	assert_balanced(world);
	assert_int_equal(events(world, "rental.excused"), 1);
	assert_int_equal(events(world, "rental.excuse_ended"), 1);
}

/* A verdict comes after the time it is about: what was charged meanwhile goes back at once. */
static void test_what_was_charged_is_given_back(void **state)
{
	struct world *world = *state;
	struct billing_lease lease = running(world, 10);
	int64_t before = balances(world, account_of(1)).available.micro;

	begin(world, lease.lease, proof_one, START_MS + 4000);
	assert_int_equal(balances(world, account_of(1)).available.micro, before + 6000);
	assert_int_equal(sums(world, lease.lease).charged.micro, 4000);
	assert_int_equal(sums(world, lease.lease).seconds, 4);
	end(world, lease.lease, START_MS + 8000);
	assert_int_equal(report_until(world, &lease, 2, 12), 8000);
	assert_balanced(world);
}

static void test_closing_ends_it(void **state)
{
	struct world *world = *state;
	struct billing_lease lease = running(world, 10);

	begin(world, lease.lease, proof_one, START_MS + 10000);
	assert_int_equal(report_until(world, &lease, 2, 20), 10000);
	assert_int_equal(close_lease(world, lease.lease, START_MS + 20000, true), 0);
	assert_int_equal(sums(world, lease.lease).charged.micro, 10000);
	assert_int_equal(count(world, "SELECT COUNT(*) AS n FROM billing_excuses"
				      " WHERE until_ms = 0"),
			 0);
	begin(world, lease.lease, proof_two, START_MS + 30000); /* behind the end: nothing */
	assert_int_equal(count(world, "SELECT COUNT(*) AS n FROM billing_excuses"), 1);
	assert_balanced(world);
}

/* A later excuse never counts a moment again. */
static void test_no_moment_twice(void **state)
{
	struct world *world = *state;
	struct billing_lease lease = running(world, 10);

	begin(world, lease.lease, proof_one, START_MS + 2000);
	end(world, lease.lease, START_MS + 6000);
	begin(world, lease.lease, proof_two, START_MS + 5000);
	end(world, lease.lease, START_MS + 8000);
	assert_int_equal(sums(world, lease.lease).seconds, 4);
	assert_balanced(world);
}

static void test_faults_leave_all_or_nothing(void **state)
{
	struct world *world = *state;
	struct billing_lease lease = running(world, 10);
	struct call call = begin_call(world, lease.lease, proof_one, START_MS + 4000);

	fail_everywhere(world, &call);
}

int excuse_tests(void)
{
	const struct CMUnitTest tests[] = {
		WORLD_TEST(test_excused_time_is_not_charged),
		WORLD_TEST(test_what_was_charged_is_given_back),
		WORLD_TEST(test_closing_ends_it),
		WORLD_TEST(test_no_moment_twice),
		WORLD_TEST(test_faults_leave_all_or_nothing),
	};

	return world_run(tests, ARRAY_SIZE(tests));
}
