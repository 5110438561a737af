#include "modules/billing/billing_world.h"

/* ---- anything in any order, against plain arithmetic ---- */

enum { TENANTS = 3, LEASES_MAX = 400, STEPS = 3000 };

struct model_lease {
	struct billing_lease terms;
	struct usage_statement last;
	int64_t held, seconds, charged, opened_ms, closed_ms, ended_ms;
	bool used, billed;
};

struct model {
	int64_t available[TENANTS], points[TENANTS], issued, deposited;
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
	model->points[tenant_of(lease)] -= least(from_hold + from_available,
						 model->points[tenant_of(lease)]);
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
	model->points[tenant] += micro;
	model->issued += micro;
}

static void step_deposit(struct world *world, struct model *model)
{
	uint8_t tenant = (uint8_t)below(world, TENANTS);
	int64_t micro = (int64_t)below(world, 3000) + 1;
	char key[32];

	snprintf(key, sizeof(key), "step-%d", model->steps);
	for (uint64_t times = below(world, 3); times < 3; times++)
		assert_int_equal(deposit(world, account_of(tenant + 1), micro, key), 0);
	model->available[tenant] += micro;
	model->deposited += micro;
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

enum { BATCH = 20 };

struct expected {
	int outcome;
	int64_t charged;
};

/* One record of a batch, good or bad, and what must become of it. */
static struct expected step_record(struct world *world, struct model *model,
				   struct model_lease *lease, struct billing_record *record)
{
	uint64_t kind = below(world, 10);

	record->usage = next_usage(world, lease);
	if (kind == 0)
		return (struct expected){ BILLING_E_SIGNATURE, 0 };
	if (kind == 1) {
		record->usage.lease.bytes[15] ^= 0xff;
		return (struct expected){ BILLING_E_NO_LEASE, 0 };
	}
	if (kind == 2 && lease->used) {
		record->usage = lease->last;
		return (struct expected){ 0, lease->charged };
	}
	if (!is_taken(world, lease, &record->usage))
		return (struct expected){ BILLING_E_CLOSED, 0 };
	if (kind == 3) {
		record->usage.seconds += 1000000000;
		return (struct expected){ BILLING_E_RECORD, 0 };
	}
	lease->used = true;
	lease->last = record->usage;
	model_charge(model, lease);
	return (struct expected){ 0, lease->charged };
}

/* Few leases, so that some are there many times. */
static void step_batch(struct world *world, struct model *model)
{
	struct billing_record records[BATCH] = { 0 }, *pointers[BATCH];
	struct expected expected[BATCH];
	struct call call = { world, usage_many_fn, .n = 1 + below(world, BATCH) };
	size_t first = below(world, model->n), few = 1 + below(world, 12);

	for (size_t i = 0; i < call.n; i++) {
		size_t which = (first + below(world, few)) % model->n;

		expected[i] = step_record(world, model, &model->leases[which], &records[i]);
		sign_record(expected[i].outcome == BILLING_E_SIGNATURE ? world->stranger
								       : world->machine,
			    &records[i]);
		pointers[i] = &records[i];
	}
	call.records = pointers;
	assert_int_equal(run(&call, TX_WRITE), 0);
	for (size_t i = 0; i < call.n; i++) {
		assert_int_equal(records[i].outcome, expected[i].outcome);
		if (expected[i].outcome == 0)
			assert_int_equal(records[i].charged.micro, expected[i].charged);
	}
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
		model->points[tenant_of(lease)] += lease->charged - cost;
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
	assert_int_equal(network_sum(world, LEDGER_ESCROW), -model->deposited);
	sum = earned + fees - model->issued - model->deposited;
	for (uint8_t i = 0; i < TENANTS; i++) {
		struct ledger_balances now = balances(world, account_of(i + 1));

		assert_int_equal(now.available.micro, model->available[i]);
		assert_int_equal(now.held.micro, held[i]);
		assert_int_equal(now.points.micro, model->points[i]);
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
	if (choice < 6)
		step_credit(world, model);
	else if (choice < 12)
		step_deposit(world, model);
	else if (choice < 22)
		step_open(world, model);
	else if (lease && choice < 50)
		step_batch(world, model);
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

int model_tests(void)
{
	static const struct CMUnitTest tests[] = { WORLD_TEST(agrees_with_plain_arithmetic) };

	return world_run(tests, ARRAY_SIZE(tests));
}
