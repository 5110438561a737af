#include "modules/billing/billing_world.h"

/* ---- credits ---- */

static void credits_once_by_key(void **state)
{
	struct world *world = *state;

	assert_int_equal(credit(world, account_of(1), 5000000, "a"), 0);
	assert_int_equal(credit(world, account_of(1), 5000000, "a"), 0);
	assert_int_equal(balances(world, account_of(1)).available.micro, 5000000);
	assert_int_equal(credit(world, account_of(1), 1, "b"), 0);
	assert_int_equal(balances(world, account_of(1)).available.micro, 5000001);
	assert_int_equal(credit(world, account_of(2), 5000000, "a"), BILLING_E_KEY);
	assert_int_equal(credit(world, account_of(1), 5000001, "a"), BILLING_E_KEY);
	assert_int_equal(network_sum(world, LEDGER_ISSUE), -5000001);
	assert_int_equal(postings(world), 2);
	assert_balanced(world);
}

static void refuses_credits_out_of_bounds(void **state)
{
	struct world *world = *state;
	char key[BILLING_KEY_MAX + 2];

	memset(key, 'k', sizeof(key));
	key[BILLING_KEY_MAX + 1] = 0;
	assert_int_equal(credit(world, account_of(1), 0, "a"), BILLING_E_LIMIT);
	assert_int_equal(credit(world, account_of(1), -5, "a"), BILLING_E_LIMIT);
	assert_int_equal(credit(world, account_of(1), BILLING_CREDIT_MAX_MICRO + 1, "a"),
			 BILLING_E_LIMIT);
	assert_int_equal(credit(world, account_of(1), 5, ""), BILLING_E_LIMIT);
	assert_int_equal(credit(world, account_of(1), 5, key), BILLING_E_LIMIT);
	assert_int_equal(postings(world), 0);
}

/* ---- deposits ---- */

static void deposits_once_by_key(void **state)
{
	struct world *world = *state;

	assert_int_equal(deposit(world, account_of(1), 5000000, "a"), 0);
	assert_int_equal(deposit(world, account_of(1), 5000000, "a"), 0);
	assert_int_equal(deposit(world, account_of(1), 0, "b"), -EINVAL);
	assert_int_equal(balances(world, account_of(1)).available.micro, 5000000);
	assert_int_equal(balances(world, account_of(1)).points.micro, 0);
	assert_int_equal(network_sum(world, LEDGER_ESCROW), -5000000);
	assert_int_equal(network_sum(world, LEDGER_ISSUE), 0);
	assert_int_equal(postings(world), 1);
	assert_balanced(world);
}

static int64_t coins(struct world *world, struct account_id account)
{
	struct ledger_balances now = balances(world, account);

	return ledger_coins(&now).micro;
}

static void points_pay_first_and_refunds_are_points(void **state)
{
	struct world *world = *state;
	struct billing_lease lease = lease_of(world, 1);
	struct usage_statement usage = usage_of(world, &lease, 1, 60);

	assert_int_equal(deposit(world, lease.tenant, 500000, "a"), 0);
	assert_int_equal(credit(world, lease.tenant, 20000, "b"), 0);
	assert_int_equal(balances(world, lease.tenant).points.micro, 20000);
	assert_int_equal(coins(world, lease.tenant), 500000);
	/* Of the hold of 100,000 the points are 20,000. */
	assert_int_equal(open_lease(world, &lease), 0);
	assert_int_equal(coins(world, lease.tenant), 420000);

	world->clock.ms = START_MS + 60000;
	assert_int_equal(report(world, &usage, NULL), 0); /* 60,000 */
	assert_int_equal(balances(world, lease.tenant).points.micro, 0);
	assert_int_equal(coins(world, lease.tenant), 420000);
	assert_int_equal(close_lease(world, lease.lease, START_MS + 60000, false), 0);
	assert_int_equal(balances(world, lease.tenant).available.micro, 520000);
	assert_int_equal(balances(world, lease.tenant).points.micro, 60000);
	assert_int_equal(coins(world, lease.tenant), 460000);
	assert_balanced(world);
}

/* ---- the life of a lease ---- */

static void charges_hold_then_balance(void **state)
{
	struct world *world = *state;
	struct billing_lease lease = lease_of(world, 1);
	struct usage_statement usage = usage_of(world, &lease, 1, 60);
	int64_t charged;

	assert_int_equal(open_lease(world, &lease), BILLING_E_INSUFFICIENT);
	assert_int_equal(postings(world), 0);
	assert_int_equal(credit(world, lease.tenant, 1000000, "a"), 0);
	assert_int_equal(open_lease(world, &lease), 0);
	assert_int_equal(open_lease(world, &lease), -EEXIST);
	assert_int_equal(balances(world, lease.tenant).available.micro, 900000);
	assert_int_equal(balances(world, lease.tenant).held.micro, 100000);

	world->clock.ms = START_MS + 60000;
	assert_int_equal(report(world, &usage, &charged), 0);
	assert_int_equal(charged, 60000);
	assert_int_equal(balances(world, lease.tenant).available.micro, 900000);
	assert_int_equal(balances(world, lease.tenant).held.micro, 40000);

	world->clock.ms = START_MS + 110000;
	usage = usage_of(world, &lease, 2, 110);
	assert_int_equal(report(world, &usage, &charged), 0);
	assert_int_equal(charged, 110000);
	assert_int_equal(balances(world, lease.tenant).available.micro, 890000);
	assert_int_equal(balances(world, lease.tenant).held.micro, 0);
	assert_int_equal(balances(world, world->provider).earned.micro, 99000);
	assert_int_equal(network_sum(world, LEDGER_FEES), 11000);
	assert_balanced(world);
}

static void releases_what_was_held(void **state)
{
	struct world *world = *state;
	struct billing_lease lease = lease_of(world, 1);
	struct usage_statement usage = usage_of(world, &lease, 1, 30);

	assert_int_equal(credit(world, lease.tenant, 100000, "a"), 0);
	assert_int_equal(open_lease(world, &lease), 0);
	world->clock.ms = START_MS + 30000;
	assert_int_equal(report(world, &usage, NULL), 0);
	assert_int_equal(close_lease(world, lease.lease, world->clock.ms, true), 0);
	assert_int_equal(balances(world, lease.tenant).available.micro, 70000);
	assert_int_equal(balances(world, lease.tenant).held.micro, 0);
	assert_int_equal(sums(world, lease.lease).charged.micro, 30000);
	assert_int_equal(sums(world, lease.lease).seconds, 30);
	assert_int_equal(close_lease(world, lease.lease, world->clock.ms, true), 0);
	assert_int_equal(close_lease(world, lease.lease, START_MS, false), 0);
	assert_int_equal(sums(world, lease.lease).charged.micro, 30000);
	assert_int_equal(postings(world), 4);
	assert_balanced(world);
}

static void undoes_what_was_not_usable(void **state)
{
	struct world *world = *state;
	struct billing_lease lease = lease_of(world, 1);
	struct usage_statement usage = usage_of(world, &lease, 1, 30);
	int64_t charged = -1;

	assert_int_equal(credit(world, lease.tenant, 100000, "a"), 0);
	assert_int_equal(open_lease(world, &lease), 0);
	world->clock.ms = START_MS + 40000;
	assert_int_equal(report(world, &usage, NULL), 0);
	assert_int_equal(close_lease(world, lease.lease, world->clock.ms, false), 0);
	assert_int_equal(balances(world, lease.tenant).available.micro, 100000);
	assert_int_equal(balances(world, world->provider).earned.micro, 0);
	assert_int_equal(network_sum(world, LEDGER_FEES), 0);
	assert_int_equal(sums(world, lease.lease).charged.micro, 0);
	assert_int_equal(sums(world, lease.lease).seconds, 0);

	assert_int_equal(report(world, &usage, &charged), 0);
	assert_int_equal(charged, 0);
	usage = usage_of(world, &lease, 2, 35);
	assert_int_equal(report(world, &usage, NULL), BILLING_E_CLOSED);
	assert_balanced(world);
}

static void signs_terms_and_receipts(void **state)
{
	struct world *world = *state;
	struct billing_lease lease = lease_of(world, 1);
	struct call call = { world, usage_fn, .usage = usage_of(world, &lease, 1, 7) };
	struct receipt_statement receipt = { .charged = { 7000 } };
	uint8_t digest[SIGN_DIGEST_SIZE];
	struct address signer;

	assert_int_equal(credit(world, lease.tenant, 100000, "a"), 0);
	assert_int_equal(open_lease(world, &lease), 0);
	world->clock.ms = START_MS + 7000;
	sign_usage(world->machine, &call);
	assert_int_equal(run(&call, TX_WRITE), 0);
	usage_digest(&call.usage, receipt.usage_digest);
	receipt_digest(&receipt, digest);
	assert_int_equal(secp_recover(digest, call.receipt, &signer), 0);
	assert_true(address_equal(&signer, &world->settings.network));
}

/* ---- records that cannot be ---- */

static void refuses_implausible_records(void **state)
{
	struct world *world = *state;
	struct billing_lease lease = lease_of(world, 1);
	struct usage_statement good, bad;
	struct call call = { world, usage_fn };

	assert_int_equal(credit(world, lease.tenant, 10000000, "a"), 0);
	good = usage_of(world, &lease, 5, 50);
	world->clock.ms = START_MS + 60000;
	assert_int_equal(report(world, &good, NULL), BILLING_E_NO_LEASE);
	world->clock.ms = START_MS;
	assert_int_equal(open_lease(world, &lease), 0);
	world->clock.ms = START_MS + 60000;
	assert_int_equal(report(world, &good, NULL), 0);

#define REFUSED(change)                       \
	bad = usage_of(world, &lease, 6, 55); \
	change;                               \
	assert_int_equal(report(world, &bad, NULL), BILLING_E_RECORD)
	REFUSED(bad.sequence = 5);
	REFUSED(bad.sequence = 4);
	REFUSED(bad.sequence = 0);
	REFUSED(bad.sequence = UINT64_MAX);
	REFUSED(bad.seconds = 49);
	REFUSED(bad.seconds = 57);
	REFUSED(bad.seconds = -1);
	REFUSED(bad.until_ms = START_MS + 49999; bad.seconds = 50);
	REFUSED(bad.until_ms = world->clock.ms + 5001);
	REFUSED(bad.until_ms = INT64_MAX);
	REFUSED(bad.until_ms = INT64_MIN);
	REFUSED(bad.started_at_ms = START_MS + 1);
	REFUSED(bad.started_at_ms = START_MS - 1);
	REFUSED(bad.machine.address.bytes[0] ^= 1);
	REFUSED(bad.rental.bytes[0] ^= 1);
	REFUSED(bad.network.bytes[0] ^= 1);
#undef REFUSED
	call.usage = usage_of(world, &lease, 6, 55);
	sign_usage(world->stranger, &call);
	assert_int_equal(run(&call, TX_WRITE), BILLING_E_SIGNATURE);
	assert_int_equal(sums(world, lease.lease).charged.micro, 50000);

	/* The edges of what is allowed: a begun second, a clock that is 5 s ahead. */
	good = usage_of(world, &lease, 6, 55);
	good.seconds = 56;
	assert_int_equal(report(world, &good, NULL), 0);
	good.sequence = 7;
	good.until_ms = world->clock.ms + 5000;
	good.final = true;
	assert_int_equal(report(world, &good, NULL), 0);
	good.sequence = 8;
	assert_int_equal(report(world, &good, NULL), BILLING_E_RECORD);
	assert_balanced(world);
}

static void refuses_a_start_before_the_placing(void **state)
{
	struct world *world = *state;
	struct billing_lease lease = lease_of(world, 1);
	struct usage_statement usage = usage_of(world, &lease, 1, 5);

	assert_int_equal(credit(world, lease.tenant, 100000, "a"), 0);
	assert_int_equal(open_lease(world, &lease), 0);
	usage.started_at_ms = START_MS - 5001;
	assert_int_equal(report(world, &usage, NULL), BILLING_E_RECORD);
	usage.started_at_ms = START_MS - 5000;
	assert_int_equal(report(world, &usage, NULL), 0);
}

static void answers_a_repeat_the_same(void **state)
{
	struct world *world = *state;
	struct billing_lease lease = lease_of(world, 1);
	struct call first = { world, usage_fn, .usage = usage_of(world, &lease, 1, 9) }, second;
	size_t n;

	assert_int_equal(credit(world, lease.tenant, 100000, "a"), 0);
	assert_int_equal(open_lease(world, &lease), 0);
	world->clock.ms = START_MS + 9000;
	sign_usage(world->machine, &first);
	second = first;
	assert_int_equal(run(&first, TX_WRITE), 0);
	n = postings(world);
	world->clock.ms += 100 * 3600 * 1000;
	assert_int_equal(run(&second, TX_WRITE), 0);
	assert_int_equal(postings(world), n);
	assert_int_equal(second.ret_amount.micro, 9000);
	assert_memory_equal(first.receipt, second.receipt, SIGNATURE_SIZE);
}

/* ---- after the close ---- */

static void takes_late_records_up_to_the_end(void **state)
{
	struct world *world = *state;
	struct billing_lease lease = lease_of(world, 1);
	struct usage_statement usage;
	int64_t charged;

	assert_int_equal(credit(world, lease.tenant, 200000, "a"), 0);
	assert_int_equal(open_lease(world, &lease), 0);
	world->clock.ms = START_MS + 300000;
	usage = usage_of(world, &lease, 1, 10);
	assert_int_equal(report(world, &usage, NULL), 0);
	assert_int_equal(close_lease(world, lease.lease, START_MS + 100500, true), 0);
	assert_int_equal(balances(world, lease.tenant).available.micro, 190000);

	usage = usage_of(world, &lease, 2, 90);
	assert_int_equal(report(world, &usage, &charged), 0);
	assert_int_equal(charged, 90000);
	usage = usage_of(world, &lease, 3, 106);
	assert_int_equal(report(world, &usage, NULL), BILLING_E_CLOSED);
	/* 104 seconds, but only 100.5 fit before the end: 101 are begun. */
	usage = usage_of(world, &lease, 3, 104);
	assert_int_equal(report(world, &usage, &charged), 0);
	assert_int_equal(charged, 101000);
	assert_int_equal(balances(world, lease.tenant).available.micro, 99000);
	assert_int_equal(sums(world, lease.lease).seconds, 101);
	assert_balanced(world);
}

static void takes_no_record_a_day_after_the_close(void **state)
{
	struct world *world = *state;
	struct billing_lease lease = lease_of(world, 1);
	struct usage_statement usage = usage_of(world, &lease, 1, 10);

	assert_int_equal(credit(world, lease.tenant, 200000, "a"), 0);
	assert_int_equal(open_lease(world, &lease), 0);
	world->clock.ms = START_MS + 10000;
	assert_int_equal(close_lease(world, lease.lease, world->clock.ms, true), 0);
	world->clock.ms += 24 * 3600 * 1000 + 1;
	assert_int_equal(report(world, &usage, NULL), BILLING_E_CLOSED);
	world->clock.ms -= 1;
	assert_int_equal(report(world, &usage, NULL), 0);
	assert_int_equal(sums(world, lease.lease).charged.micro, 10000);
}

static void gives_back_what_was_past_the_end(void **state)
{
	struct world *world = *state;
	struct billing_lease lease = lease_of(world, 1);
	struct usage_statement usage = usage_of(world, &lease, 1, 150);

	assert_int_equal(credit(world, lease.tenant, 200000, "a"), 0);
	assert_int_equal(open_lease(world, &lease), 0);
	world->clock.ms = START_MS + 150000;
	assert_int_equal(report(world, &usage, NULL), 0);
	assert_int_equal(close_lease(world, lease.lease, START_MS + 120000, true), 0);
	assert_int_equal(sums(world, lease.lease).charged.micro, 121000);
	assert_int_equal(balances(world, lease.tenant).available.micro, 79000);
	assert_int_equal(network_sum(world, LEDGER_FEES), 12100);
	assert_balanced(world);
}

/* ---- empty pockets ---- */

static void charges_what_there_is(void **state)
{
	struct world *world = *state;
	struct billing_lease lease = lease_of(world, 1);
	struct usage_statement usage;
	struct rental_id rental;
	int64_t charged;

	assert_int_equal(credit(world, lease.tenant, 120500, "a"), 0);
	assert_int_equal(open_lease(world, &lease), 0);
	world->clock.ms = START_MS + 200000;
	usage = usage_of(world, &lease, 1, 130);
	assert_int_equal(report(world, &usage, &charged), 0);
	assert_int_equal(charged, 120500);
	assert_int_equal(balances(world, lease.tenant).available.micro, 0);
	assert_int_equal(balances(world, lease.tenant).held.micro, 0);
	assert_int_equal(take_exhausted(world, &rental), 1);
	assert_true(rental_id_equal(rental, lease.rental));
	assert_int_equal(take_exhausted(world, NULL), 0);
	assert_int_equal(events(world, "balance.exhausted"), 1);

	/* Listed again as long as it goes on, told once. */
	usage = usage_of(world, &lease, 2, 140);
	assert_int_equal(report(world, &usage, &charged), 0);
	assert_int_equal(charged, 120500);
	assert_int_equal(take_exhausted(world, NULL), 1);
	assert_int_equal(events(world, "balance.exhausted"), 1);

	/* While the lease is open, what was not paid stays due. */
	assert_int_equal(credit(world, lease.tenant, 100000, "b"), 0);
	usage = usage_of(world, &lease, 3, 150);
	assert_int_equal(report(world, &usage, &charged), 0);
	assert_int_equal(charged, 150000);
	assert_int_equal(take_exhausted(world, NULL), 0);
	assert_int_equal(balances(world, lease.tenant).available.micro, 70500);
	assert_balanced(world);
}

static void warns_once_before_the_end(void **state)
{
	struct world *world = *state;
	struct billing_lease lease = lease_of(world, 1);
	struct usage_statement usage;

	assert_int_equal(credit(world, lease.tenant, 700000, "a"), 0);
	assert_int_equal(open_lease(world, &lease), 0);
	assert_int_equal(events(world, "balance.low"), 0);
	world->clock.ms = START_MS + 200000;
	usage = usage_of(world, &lease, 1, 100);
	assert_int_equal(report(world, &usage, NULL), 0);
	assert_int_equal(events(world, "balance.low"), 0);
	usage = usage_of(world, &lease, 2, 101);
	assert_int_equal(report(world, &usage, NULL), 0);
	assert_int_equal(events(world, "balance.low"), 1);
	usage = usage_of(world, &lease, 3, 102);
	assert_int_equal(report(world, &usage, NULL), 0);
	assert_int_equal(events(world, "balance.low"), 1);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		WORLD_TEST(credits_once_by_key),
		WORLD_TEST(refuses_credits_out_of_bounds),
		WORLD_TEST(deposits_once_by_key),
		WORLD_TEST(points_pay_first_and_refunds_are_points),
		WORLD_TEST(charges_hold_then_balance),
		WORLD_TEST(releases_what_was_held),
		WORLD_TEST(undoes_what_was_not_usable),
		WORLD_TEST(signs_terms_and_receipts),
		WORLD_TEST(refuses_implausible_records),
		WORLD_TEST(refuses_a_start_before_the_placing),
		WORLD_TEST(answers_a_repeat_the_same),
		WORLD_TEST(takes_late_records_up_to_the_end),
		WORLD_TEST(takes_no_record_a_day_after_the_close),
		WORLD_TEST(gives_back_what_was_past_the_end),
		WORLD_TEST(charges_what_there_is),
		WORLD_TEST(warns_once_before_the_end),
	};
	int failed = world_run(tests, ARRAY_SIZE(tests));

	failed += ledger_tests();
	failed += model_tests();
	failed += usage_tests();
	failed += excuse_tests();
	failed += routes_tests();
	failed += settlement_tests();
	failed += leaver_tests();
	return failed;
}
