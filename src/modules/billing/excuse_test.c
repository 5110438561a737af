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

/* ---- time that a majority of watchers could not reach the machine ---- */

enum { HOUR = 472222 };

/* The times are call->n of them at call->key; how many excuses came of them goes to ret_amount. */
static int away_fn(struct tx *tx, struct call *call)
{
	size_t added = 0;
	int r = billing_excuse_away(&call->world->context, tx, call->id, HOUR,
				    (const struct billing_time *)(const void *)call->key, call->n,
				    &added);

	call->ret_amount.micro = (int64_t)added;
	return r;
}

/* Times in seconds since START_MS. */
static size_t excuse_away(struct world *world, struct lease_id id, const int64_t (*times)[2],
			  size_t n)
{
	struct billing_time list[8];
	struct call call = { world, away_fn, .id = id, .key = (const char *)list, .n = n };

	for (size_t i = 0; i < n; i++)
		list[i] = (struct billing_time){ START_MS + times[i][0] * 1000,
						 START_MS + times[i][1] * 1000 };
	assert_int_equal(run(&call, TX_WRITE), 0);
	return (size_t)call.ret_amount.micro;
}

#define AWAY(world, id, ...)                                        \
	excuse_away(world, id, (const int64_t[][2]){ __VA_ARGS__ }, \
		    sizeof((const int64_t[][2]){ __VA_ARGS__ }) / 16)

static void test_time_away_is_given_back(void **state)
{
	struct world *world = *state;
	struct billing_lease lease = running(world, 100);
	int64_t before = balances(world, account_of(1)).available.micro;

	assert_int_equal(AWAY(world, lease.lease, { 10, 20 }, { 30, 45 }), 2);
	assert_int_equal(balances(world, account_of(1)).available.micro, before + 25000);
	assert_int_equal(sums(world, lease.lease).seconds, 75);
	/* What follows is charged, and the same again changes nothing. */
	assert_int_equal(report_until(world, &lease, 2, 110), 85000);
	assert_int_equal(AWAY(world, lease.lease, { 10, 20 }, { 30, 45 }), 0);
	assert_int_equal(sums(world, lease.lease).seconds, 85);
	assert_int_equal(events(world, "rental.excused"), 2);
	assert_balanced(world);
}

/* The machine comes back late, and reports then that the container went on. */
static void test_what_is_reported_later_is_not_charged_either(void **state)
{
	struct world *world = *state;
	struct billing_lease lease = running(world, 10);

	assert_int_equal(AWAY(world, lease.lease, { 20, 80 }), 1);
	assert_int_equal(sums(world, lease.lease).seconds, 10);
	assert_int_equal(report_until(world, &lease, 2, 100), 40000);
	assert_balanced(world);
}

static void test_a_closed_lease_is_excused_too(void **state)
{
	struct world *world = *state;
	struct billing_lease lease = running(world, 100);
	int64_t before;

	assert_int_equal(close_lease(world, lease.lease, START_MS + 100000, true), 0);
	before = balances(world, account_of(1)).available.micro;
	assert_int_equal(AWAY(world, lease.lease, { -50, 5 }, { 90, 200 }, { 300, 400 }), 2);
	assert_int_equal(balances(world, account_of(1)).available.micro, before + 15000);
	assert_int_equal(sums(world, lease.lease).seconds, 85);
	assert_balanced(world);
}

/* Around what sessions excused, one of which goes on. */
static void test_only_what_is_not_excused_yet(void **state)
{
	struct world *world = *state;
	struct billing_lease lease = running(world, 100);

	begin(world, lease.lease, proof_one, START_MS + 20000);
	end(world, lease.lease, START_MS + 30000);
	begin(world, lease.lease, proof_two, START_MS + 60000);
	assert_int_equal(sums(world, lease.lease).seconds, 50);
	assert_int_equal(AWAY(world, lease.lease, { 10, 40 }, { 55, 90 }), 3);
	assert_int_equal(sums(world, lease.lease).seconds, 50 - 10 - 10 - 5);
	end(world, lease.lease, START_MS + 70000);
	assert_int_equal(report_until(world, &lease, 2, 110), (110 - 10 - 10 - 10 - 5 - 10) * 1000);
	assert_balanced(world);
}

/* A failed session's time began before the hours that were excused meanwhile. */
static void test_what_is_before_an_excuse_counts_too(void **state)
{
	struct world *world = *state;
	struct billing_lease lease = running(world, 100);

	assert_int_equal(AWAY(world, lease.lease, { 30, 40 }, { 50, 60 }), 2);
	begin(world, lease.lease, proof_one, START_MS + 20000);
	assert_int_equal(sums(world, lease.lease).seconds, 20);
	end(world, lease.lease, START_MS + 90000);
	assert_int_equal(report_until(world, &lease, 2, 110), (20 + 20) * 1000);
	assert_balanced(world);
}

/* The stop was asked for before, and the machine went on: the end comes first, and only what lies before it
 * counts. A verdict on what lies behind is none. */
static void test_what_lies_behind_the_end_does_not_count(void **state)
{
	struct world *world = *state;
	struct billing_lease lease = running(world, 100);

	assert_int_equal(AWAY(world, lease.lease, { 40, 90 }), 1);
	assert_int_equal(close_lease(world, lease.lease, START_MS + 60000, true), 0);
	assert_int_equal(sums(world, lease.lease).seconds, 61 - 20);
	begin(world, lease.lease, proof_two, START_MS + 50000);
	assert_int_equal(count(world, "SELECT COUNT(*) AS n FROM billing_excuses"), 1);
	assert_int_equal(sums(world, lease.lease).seconds, 61 - 20);
	assert_balanced(world);
}

/* The clock was set back meanwhile: an excuse of no length keeps its moment's place from no other. */
static void test_an_empty_excuse_gives_way(void **state)
{
	struct world *world = *state;
	struct billing_lease lease = running(world, 100);

	begin(world, lease.lease, proof_one, START_MS + 20000);
	end(world, lease.lease, START_MS + 15000);
	assert_int_equal(sums(world, lease.lease).seconds, 100);
	assert_int_equal(AWAY(world, lease.lease, { 10, 40 }), 2);
	assert_int_equal(sums(world, lease.lease).seconds, 70);
	/* Each row says what its signature is of. */
	assert_int_equal(count(world, "SELECT COUNT(*) AS n FROM billing_excuses WHERE hour = 0"),
			 0);
	assert_balanced(world);
}

/* Second by second: whatever came before in whatever order, a moment counts once. */
static void test_random_times_count_once(void **state)
{
	enum { SECONDS = 200, ROUNDS = 25 };
	struct world *world = *state;
	struct billing_lease lease = running(world, SECONDS);
	bool excused[SECONDS] = { false };

	for (int round = 0; round < ROUNDS; round++) {
		int64_t from = (int64_t)below(world, SECONDS + 20) - 10;
		int64_t until = from + 1 + (int64_t)below(world, 6), left = 0;

		AWAY(world, lease.lease, { from, until });
		for (int64_t second = 0; second < SECONDS; second++) {
			excused[second] = excused[second] || (second >= from && second < until);
			left += !excused[second];
		}
		assert_int_equal(sums(world, lease.lease).seconds, left);
	}
	assert_balanced(world);
}

/* Whoever flaps all the time uses up nothing: his tenant goes on being excused, and gets the shortest of the
 * times between for nothing, so that the bill can be read. */
static void test_excuses_never_end(void **state)
{
	enum { SHORT = 1000 /* the outage that comes a second after the one before */ };
	struct world *world = *state;
	struct billing_lease lease = running(world, 4 * BILLING_EXCUSES_MAX);
	int64_t seconds = 4 * BILLING_EXCUSES_MAX, last = 4 * BILLING_EXCUSES_MAX - 10;

	for (int64_t i = 0; i < BILLING_EXCUSES_MAX; i += 8) {
		int64_t times[8][2];

		for (int64_t n = 0; n < 8; n++) {
			times[n][0] = 3 * (i + n) - (i + n == SHORT);
			times[n][1] = times[n][0] + 1;
		}
		assert_int_equal(excuse_away(world, lease.lease, (const int64_t(*)[2])times, 8), 8);
	}
	assert_int_equal(sums(world, lease.lease).seconds, seconds -= BILLING_EXCUSES_MAX);
	/* What lies between the two closest, one second, is not charged, either. */
	assert_int_equal(AWAY(world, lease.lease, { last, last + 5 }), 1);
	assert_int_equal(sums(world, lease.lease).seconds, seconds -= 5 + 1);
	assert_int_equal(count(world, "SELECT COUNT(*) AS n FROM billing_excuses"),
			 BILLING_EXCUSES_MAX);
	assert_int_equal(count(world, "SELECT COUNT(*) AS n FROM billing_excuses WHERE until_ms = "
				      "from_ms + 3000"),
			 1);
	/* A session's, too; it goes on. */
	begin(world, lease.lease, proof_one, START_MS + (last + 7) * 1000);
	assert_int_equal(sums(world, lease.lease).seconds, seconds - 3 - 2);
	assert_int_equal(count(world, "SELECT COUNT(*) AS n FROM billing_excuses"),
			 BILLING_EXCUSES_MAX);
	assert_int_equal(count(world, "SELECT excuses AS n FROM billing_leases"),
			 BILLING_EXCUSES_MAX);
	assert_balanced(world);
}

static void test_faults_in_giving_back_leave_all_or_nothing(void **state)
{
	static const struct billing_time times[] = { { START_MS + 1000, START_MS + 2000 },
						     { START_MS + 5000, START_MS + 8000 } };
	struct world *world = *state;
	struct billing_lease lease = running(world, 10);
	struct call call = { world, away_fn, .id = lease.lease, .key = (const char *)times,
			     .n = 2 };

	fail_everywhere(world, &call);
	assert_int_equal(sums(world, lease.lease).charged.micro, 6000);
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
		WORLD_TEST(test_time_away_is_given_back),
		WORLD_TEST(test_what_is_reported_later_is_not_charged_either),
		WORLD_TEST(test_a_closed_lease_is_excused_too),
		WORLD_TEST(test_only_what_is_not_excused_yet),
		WORLD_TEST(test_what_is_before_an_excuse_counts_too),
		WORLD_TEST(test_what_lies_behind_the_end_does_not_count),
		WORLD_TEST(test_an_empty_excuse_gives_way),
		WORLD_TEST(test_random_times_count_once),
		WORLD_TEST(test_excuses_never_end),
		WORLD_TEST(test_faults_in_giving_back_leave_all_or_nothing),
		WORLD_TEST(test_faults_leave_all_or_nothing),
	};

	return world_run(tests, ARRAY_SIZE(tests));
}
