#include "modules/billing/billing_world.h"

#include <pthread.h>
#include <stdatomic.h>

static uint64_t below(struct world *world, uint64_t bound)
{
	uint64_t value;

	assert_int_equal(random_below(&world->random.random, bound, &value), 0);
	return value;
}

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

/* ---- anything in any order, against plain arithmetic ---- */

enum { TENANTS = 3, LEASES_MAX = 400, STEPS = 3000 };

struct model_lease {
	struct billing_lease terms;
	struct usage_statement last;
	int64_t held, seconds, charged, opened_ms, closed_ms, ended_ms;
	bool used, billed;
};

struct model {
	int64_t available[TENANTS], issued;
	struct model_lease leases[LEASES_MAX];
	size_t n;
	int steps;
};

static int64_t least(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

static int64_t model_fee(const struct model_lease *lease)
{
	return lease->charged * FEE_BASIS_POINTS / 10000;
}

static int64_t model_cost(const struct model_lease *lease)
{
	int64_t seconds = lease->used ? lease->last.seconds : 0;

	if (!lease->billed)
		return 0;
	if (lease->closed_ms && lease->ended_ms < lease->opened_ms)
		seconds = 0;
	else if (lease->closed_ms)
		seconds = least(seconds, (lease->ended_ms - lease->opened_ms) / 1000 + 1);
	return lease->terms.rate_hour.micro * seconds / 3600;
}

static size_t tenant_of(const struct model_lease *lease)
{
	return lease->terms.tenant.address.bytes[0] - 1u;
}

static void model_charge(struct model *model, struct model_lease *lease)
{
	int64_t due = model_cost(lease) - lease->charged;
	int64_t from_hold = least(due, lease->held);
	int64_t from_available = least(due - from_hold, model->available[tenant_of(lease)]);

	lease->held -= from_hold;
	model->available[tenant_of(lease)] -= from_available;
	lease->charged += from_hold + from_available;
}

static void step_credit(struct world *world, struct model *model)
{
	uint8_t tenant = (uint8_t)below(world, TENANTS);
	int64_t micro = (int64_t)below(world, 3000) + 1;
	char key[32];

	snprintf(key, sizeof(key), "step-%d", model->steps);
	for (uint64_t times = below(world, 3); times < 3; times++)
		assert_int_equal(credit(world, account_of(tenant + 1), micro, key), 0);
	model->available[tenant] += micro;
	model->issued += micro;
}

static void step_open(struct world *world, struct model *model)
{
	uint8_t tenant = (uint8_t)below(world, TENANTS);
	struct model_lease *lease = &model->leases[model->n];
	struct billing_lease terms = lease_of(world, tenant + 1);
	int r;

	if (model->n == LEASES_MAX)
		return;
	terms.rate_hour.micro = (int64_t)below(world, 200000);
	terms.hold.micro = (int64_t)below(world, 2000);
	r = open_lease(world, &terms);
	if (terms.hold.micro > model->available[tenant]) {
		assert_int_equal(r, BILLING_E_INSUFFICIENT);
		return;
	}
	assert_int_equal(r, 0);
	*lease = (struct model_lease){ .terms = terms,
				       .held = terms.hold.micro,
				       .opened_ms = world->clock.ms,
				       .billed = true };
	model->available[tenant] -= terms.hold.micro;
	model->n++;
}

/* A record that follows the last one. */
static struct usage_statement next_usage(struct world *world, const struct model_lease *lease)
{
	struct usage_statement usage = usage_of(world, &lease->terms, 0, 0);
	int64_t most_ms = world->clock.ms, room;

	if (lease->closed_ms)
		most_ms = least(most_ms, lease->ended_ms + 5000);
	usage.sequence = lease->last.sequence + 1 + below(world, 3);
	usage.started_at_ms = lease->opened_ms;
	usage.until_ms = lease->used ? lease->last.until_ms : lease->opened_ms;
	if (most_ms > usage.until_ms)
		usage.until_ms += (int64_t)below(world, (uint64_t)(most_ms - usage.until_ms) + 1);
	room = (usage.until_ms - usage.started_at_ms) / 1000 + 1 - lease->last.seconds;
	usage.seconds = lease->last.seconds + (int64_t)below(world, (uint64_t)room + 1);
	return usage;
}

static bool is_taken(const struct world *world, const struct model_lease *lease,
		     const struct usage_statement *usage)
{
	return !lease->closed_ms || (lease->billed && usage->until_ms <= lease->ended_ms + 5000 &&
				     world->clock.ms <= lease->closed_ms + 24 * 3600 * 1000);
}

static void step_usage(struct world *world, struct model *model, struct model_lease *lease)
{
	struct usage_statement usage = next_usage(world, lease);
	int64_t charged;

	if (!is_taken(world, lease, &usage)) {
		assert_int_equal(report(world, &usage, NULL), BILLING_E_CLOSED);
		return;
	}
	lease->used = true;
	lease->last = usage;
	model_charge(model, lease);
	assert_int_equal(report(world, &usage, &charged), 0);
	assert_int_equal(charged, lease->charged);
}

/* What a machine that lost track, or lies, sends. */
static void step_bad_usage(struct world *world, struct model_lease *lease)
{
	struct usage_statement usage = lease->last;
	int64_t charged;

	if (!lease->used)
		return;
	assert_int_equal(report(world, &usage, &charged), 0);
	assert_int_equal(charged, lease->charged);
	usage.seconds++;
	assert_true(report(world, &usage, NULL) > 0);
	usage.sequence++;
	usage.seconds = (usage.until_ms - usage.started_at_ms) / 1000 + 2;
	assert_true(report(world, &usage, NULL) > 0);
	usage = lease->last;
	usage.sequence++;
	usage.until_ms = world->clock.ms + 5001;
	assert_true(report(world, &usage, NULL) > 0);
}

static void step_close(struct world *world, struct model *model, struct model_lease *lease)
{
	bool billed = below(world, 3) > 0;
	int64_t ended_ms = world->clock.ms - (int64_t)below(world, 20000), cost;

	assert_int_equal(close_lease(world, lease->terms.lease, ended_ms, billed), 0);
	if (lease->closed_ms)
		return;
	lease->closed_ms = world->clock.ms;
	lease->ended_ms = ended_ms;
	lease->billed = billed;
	model->available[tenant_of(lease)] += lease->held;
	lease->held = 0;
	cost = model_cost(lease);
	if (cost < lease->charged) {
		model->available[tenant_of(lease)] += lease->charged - cost;
		lease->charged = cost;
	}
}

static void compare(struct world *world, const struct model *model)
{
	int64_t held[TENANTS] = { 0 }, earned = 0, fees = 0, sum;

	for (size_t i = 0; i < model->n; i++) {
		const struct model_lease *lease = &model->leases[i];

		held[tenant_of(lease)] += lease->held;
		fees += model_fee(lease);
		earned += lease->charged - model_fee(lease);
	}
	assert_int_equal(balances(world, world->provider).earned.micro, earned);
	assert_int_equal(network_sum(world, LEDGER_FEES), fees);
	assert_int_equal(network_sum(world, LEDGER_ISSUE), -model->issued);
	sum = earned + fees - model->issued;
	for (uint8_t i = 0; i < TENANTS; i++) {
		struct ledger_balances now = balances(world, account_of(i + 1));

		assert_int_equal(now.available.micro, model->available[i]);
		assert_int_equal(now.held.micro, held[i]);
		assert_true(now.available.micro >= 0 && now.held.micro >= 0);
		sum += now.available.micro + now.held.micro;
	}
	assert_int_equal(sum, 0);
}

static void step(struct world *world, struct model *model)
{
	struct model_lease *lease = model->n ? &model->leases[below(world, model->n)] : NULL;
	uint64_t choice = below(world, 100);

	world->clock.ms += (int64_t)below(world, 8000);
	if (choice < 12)
		step_credit(world, model);
	else if (choice < 22)
		step_open(world, model);
	else if (lease && choice < 80)
		step_usage(world, model, lease);
	else if (lease && choice < 92)
		step_bad_usage(world, lease);
	else if (lease)
		step_close(world, model, lease);
}

static void agrees_with_plain_arithmetic(void **state)
{
	struct world *world = *state;
	struct model *model = calloc(1, sizeof(*model));

	assert_non_null(model);
	for (; model->steps < STEPS; model->steps++) {
		step(world, model);
		compare(world, model);
		if (model->steps % 250 == 0)
			assert_balanced(world);
	}
	assert_balanced(world);
	for (size_t i = 0; i < model->n; i++)
		assert_int_equal(sums(world, model->leases[i].terms.lease).charged.micro,
				 model->leases[i].charged);
	free(model);
}

/* ---- a store that fails ---- */

/* The call meets a fault at its 1st, 2nd, ... statement, then at its commit, until none is left to
 * meet: each time all or nothing happened. */
static void fail_everywhere(struct world *world, const struct call *call)
{
	size_t before = postings(world);
	struct call copy;

	for (unsigned int n = 1;; n++) {
		copy = *call;
		db_fault_at(world->db, DB_FAULT_STATEMENT, n, -EIO);
		if (run(&copy, TX_WRITE) == 0)
			break;
		db_fault_at(world->db, DB_FAULT_STATEMENT, 0, 0);
		assert_int_equal(postings(world), before);
		assert_balanced(world);
		assert_true(n < 100);
		if (n > 2)
			continue;
		copy = *call;
		db_fault_at(world->db, DB_FAULT_COMMIT, 1, -EIO);
		assert_int_equal(run(&copy, TX_WRITE), -EIO);
		assert_int_equal(postings(world), before);
	}
	db_fault_at(world->db, DB_FAULT_STATEMENT, 0, 0);
	assert_true(postings(world) > before);
	assert_balanced(world);
}

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
		WORLD_TEST(never_accumulates_rounding), WORLD_TEST(agrees_with_plain_arithmetic),
		WORLD_TEST(leaves_nothing_half_done),   WORLD_TEST(runs_again_after_a_lost_race),
		WORLD_TEST(posts_many_or_none),         WORLD_TEST(charges_once_whoever_races),
	};

	return world_run(tests, ARRAY_SIZE(tests));
}
