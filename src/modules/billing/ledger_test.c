#include "modules/billing/billing_world.h"

#include <pthread.h>
#include <stdatomic.h>

/* ---- rounding ---- */

static void never_accumulates_rounding(void **state)
{
	struct world *world = *state;

	assert_int_equal(credit(world, account_of(1), 1000000000000, "a"), 0);
	for (int round = 0; round < 20; round++) {
		int64_t seconds = 0, total = 0, rate = (int64_t)below(world, 9000000) + 1;
		struct billing_lease lease = lease_of(world, 1);
		int64_t started_ms = world->clock.ms, fees = network_sum(world, LEDGER_FEES);

		lease.rate_hour.micro = rate;
		lease.hold.micro = (int64_t)below(world, 5000);
		assert_int_equal(open_lease(world, &lease), 0);
		for (uint64_t sequence = 1; sequence <= 30; sequence++) {
			struct usage_statement usage;

			seconds += (int64_t)below(world, 17);
			world->clock.ms = started_ms + seconds * 1000;
			usage = usage_of(world, &lease, sequence, 0);
			usage.started_at_ms = started_ms;
			usage.until_ms = world->clock.ms;
			usage.seconds = seconds;
			assert_int_equal(report(world, &usage, &total), 0);
			assert_int_equal(total, rate * seconds / 3600);
		}
		assert_int_equal(network_sum(world, LEDGER_FEES) - fees,
				 total * FEE_BASIS_POINTS / 10000);
	}
	assert_balanced(world);
}

/* ---- a store that fails ---- */

static void leaves_nothing_half_done(void **state)
{
	struct world *world = *state;
	struct billing_lease lease = lease_of(world, 1);
	struct call call = { world, credit_fn, lease.tenant, .amount = { 500000 }, .key = "a" };

	fail_everywhere(world, &call);
	call = (struct call){ world, open_fn, .lease = lease };
	fail_everywhere(world, &call);
	world->clock.ms = START_MS + 1000000;
	call = (struct call){ world, usage_fn, .usage = usage_of(world, &lease, 1, 200) };
	sign_usage(world->machine, &call);
	fail_everywhere(world, &call);
	/* More than there is: the event and the list, too. */
	call.usage = usage_of(world, &lease, 2, 900);
	sign_usage(world->machine, &call);
	fail_everywhere(world, &call);
	call = (struct call){ world, close_fn, .id = lease.lease, .ended_at_ms = world->clock.ms };
	fail_everywhere(world, &call);
	assert_int_equal(balances(world, lease.tenant).available.micro, 500000);
}

static void runs_again_after_a_lost_race(void **state)
{
	struct world *world = *state;

	db_fault_at(world->db, DB_FAULT_STATEMENT, 4, -EAGAIN);
	assert_int_equal(credit(world, account_of(1), 5, "a"), 0);
	db_fault_at(world->db, DB_FAULT_STATEMENT, 0, 0);
	assert_int_equal(balances(world, account_of(1)).available.micro, 5);
	assert_int_equal(postings(world), 1);
}

/* ---- many at once ---- */

static int post_fn(struct tx *tx, struct call *call)
{
	return ledger_post_many(&call->world->context, tx, call->postings, call->n);
}

static int post(struct world *world, struct ledger_posting *list, size_t n)
{
	struct call call = { world, post_fn, .postings = list, .n = n };

	return run(&call, TX_WRITE);
}

static struct ledger_posting gift(int number, uint8_t to, int64_t micro)
{
	struct ledger_posting posting = { .kind = "credit" };

	snprintf(posting.key, sizeof(posting.key), "gift-%d", number);
	ledger_entry(&posting, account_of(to), LEDGER_AVAILABLE, (struct amount){ micro });
	ledger_entry_network(&posting, LEDGER_ISSUE, (struct amount){ -micro });
	return posting;
}

static void posts_many_or_none(void **state)
{
	struct world *world = *state;
	struct ledger_posting *list = calloc(LEDGER_BATCH_MAX + 1, sizeof(*list));

	assert_non_null(list);
	for (int i = 0; i <= LEDGER_BATCH_MAX; i++)
		list[i] = gift(i, (uint8_t)(1 + i % 7), 10);
	assert_int_equal(post(world, list, LEDGER_BATCH_MAX + 1), -EINVAL);
	assert_int_equal(post(world, list, LEDGER_BATCH_MAX), 0);
	assert_int_equal(balances(world, account_of(1)).available.micro, 1430);
	assert_int_equal(balances(world, account_of(7)).available.micro, 1420);
	assert_balanced(world);

	for (int i = 0; i < 10; i++)
		list[i] = gift(5000 + i, 9, 10);
	list[9] = gift(3, 9, 10);
	assert_int_equal(post(world, list, 10), LEDGER_E_DUPLICATE);
	list[9] = gift(6000, 9, -91);
	assert_int_equal(post(world, list, 10), LEDGER_E_INSUFFICIENT);
	list[9].entries[1].amount.micro = 90;
	assert_int_equal(post(world, list, 10), -EINVAL);
	assert_int_equal(postings(world), LEDGER_BATCH_MAX);
	list[9] = gift(6000, 9, -90);
	assert_int_equal(post(world, list, 10), 0);
	assert_int_equal(balances(world, account_of(9)).available.micro, 0);
	assert_balanced(world);
	free(list);
}

/* ---- many threads ---- */

enum { THREADS = 8, ROUNDS = 25 };

struct racer {
	struct world *world; /* its own arena */
	struct billing_lease lease;
	int number;
	atomic_int faults;
};

/* Under PostgreSQL a transaction may lose its race so often that db_run gives up. */
static int insist(struct call *call)
{
	struct call copy;
	int r = -EBUSY;

	for (int tries = 0; r == -EBUSY && tries < 50; tries++) {
		copy = *call;
		r = run(&copy, TX_WRITE);
	}
	return r;
}

static void *race(void *arg)
{
	struct racer *racer = arg;
	struct call call;
	char key[32];
	int r;

	for (int i = 1; i <= ROUNDS; i++) {
		snprintf(key, sizeof(key), "race-%d-%d", racer->number % 4, i);
		call = (struct call){ racer->world, credit_fn, racer->lease.tenant,
				      .amount = { 1000 }, .key = key };
		racer->faults += insist(&call) != 0;
		call = (struct call){ racer->world, usage_fn };
		call.usage = usage_of(racer->world, &racer->lease, (uint64_t)i, i * 10);
		sign_usage(racer->world->machine, &call);
		r = insist(&call);
		/* The twin was quicker and is further. */
		racer->faults += r != 0 && r != BILLING_E_RECORD;
	}
	return NULL;
}

/* Two threads each for four leases of one tenant: both credit with the same keys and report the same
 * records. */
static void charges_once_whoever_races(void **state)
{
	struct world *world = *state;
	struct world worlds[THREADS];
	struct racer racers[THREADS];
	pthread_t threads[THREADS];

	assert_int_equal(credit(world, account_of(1), 10000000, "a"), 0);
	world->context.random = &random_system;
	for (int i = 0; i < THREADS; i++) {
		worlds[i] = *world;
		assert_int_equal(arena_new(64 << 20, &worlds[i].arena), 0);
		racers[i] = (struct racer){ &worlds[i], .number = i };
		racers[i].lease = i < 4 ? lease_of(world, 1) : racers[i - 4].lease;
		if (i < 4)
			assert_int_equal(open_lease(world, &racers[i].lease), 0);
	}
	world->clock.ms = START_MS + 1000000;
	for (int i = 0; i < THREADS; i++) {
		assert_int_equal(pthread_create(&threads[i], NULL, race, &racers[i]), 0);
	}
	for (int i = 0; i < THREADS; i++) {
		assert_int_equal(pthread_join(threads[i], NULL), 0);
		assert_int_equal(racers[i].faults, 0);
		arena_free(worlds[i].arena);
	}
	for (int i = 0; i < 4; i++)
		assert_int_equal(sums(world, racers[i].lease.lease).charged.micro,
				 ROUNDS * 10 * 1000);
	assert_int_equal(network_sum(world, LEDGER_ISSUE), -(10000000 + 4 * ROUNDS * 1000));
	assert_int_equal(network_sum(world, LEDGER_FEES), 4 * ROUNDS * 10 * 100);
	assert_balanced(world);
}

int ledger_tests(void)
{
	static const struct CMUnitTest tests[] = {
		WORLD_TEST(never_accumulates_rounding),   WORLD_TEST(leaves_nothing_half_done),
		WORLD_TEST(runs_again_after_a_lost_race), WORLD_TEST(posts_many_or_none),
		WORLD_TEST(charges_once_whoever_races),
	};

	return world_run(tests, ARRAY_SIZE(tests));
}
