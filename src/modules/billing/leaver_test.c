#include "modules/billing/leaver.h"

#include "modules/billing/billing_world.h"
#include "modules/billing/billing_store_escrow.h"
#include "modules/billing/billing_store_settlement.h"
#include "modules/billing/escrow.h"
#include "modules/billing/settle.h"
#include "modules/billing/tally.h"

enum { TREASURY = 0x99 };

static int treasury_fn(struct tx *tx, struct call *call)
{
	return store_treasury_add(tx, call->account);
}

static int asked_fn(struct tx *tx, struct call *call)
{
	return leaver_asked(&call->world->context, tx, call->key, call->account, call->ended_at_ms);
}

static int cancelled_fn(struct tx *tx, struct call *call)
{
	return leaver_cancelled(&call->world->context, tx, call->key, call->account);
}

static int exited_fn(struct tx *tx, struct call *call)
{
	return leaver_exited(&call->world->context, tx, call->key, call->account, call->amount);
}

static void leaves(struct world *world, int (*fn)(struct tx *tx, struct call *call),
		   struct account_id tenant, const char *place, int64_t given)
{
	struct call call = { world, fn, tenant, .key = place, .amount = { given } };

	call.ended_at_ms = world->clock.ms + 7 * 24 * 3600 * 1000;
	assert_int_equal(run(&call, TX_WRITE), 0);
}

static int take_leaving_fn(struct tx *tx, struct call *call)
{
	return billing_leaving_take(tx, ARRAY_SIZE(call->rentals), call->rentals, &call->n);
}

static size_t take_leaving(struct world *world, struct rental_id *ret_first)
{
	struct call call = { world, take_leaving_fn };

	assert_int_equal(run(&call, TX_WRITE), 0);
	if (ret_first && call.n > 0)
		*ret_first = call.rentals[0];
	return call.n;
}

static struct world *begin(void **state)
{
	struct world *world = *state;
	struct call treasury = { world, treasury_fn, account_of(TREASURY) };

	assert_int_equal(run(&treasury, TX_WRITE), 0);
	return world;
}

static void who_leaves_rents_nothing_and_is_stopped(void **state)
{
	struct world *world = begin(state);
	struct billing_lease lease = lease_of(world, 1), other = lease_of(world, 1);
	struct rental_id rental;

	assert_int_equal(deposit(world, lease.tenant, 500000, "a"), 0);
	assert_int_equal(credit(world, lease.tenant, 500000, "b"), 0);
	assert_int_equal(open_lease(world, &lease), 0);
	assert_int_equal(take_leaving(world, NULL), 0);
	leaves(world, asked_fn, lease.tenant, "1", 0);
	assert_int_equal(take_leaving(world, &rental), 1);
	assert_true(rental_id_equal(rental, lease.rental));
	assert_int_equal(take_leaving(world, NULL), 0);
	assert_int_equal(open_lease(world, &other), BILLING_E_LEAVING);
	other.rate_hour = other.hold = AMOUNT_ZERO;
	assert_int_equal(open_lease(world, &other), BILLING_E_LEAVING);

	leaves(world, cancelled_fn, lease.tenant, "2", 0);
	assert_int_equal(open_lease(world, &other), 0);
	assert_balanced(world);
}

static void who_stays_keeps_what_was_not_stopped(void **state)
{
	struct world *world = begin(state);
	struct billing_lease lease = lease_of(world, 1);

	assert_int_equal(deposit(world, lease.tenant, 500000, "a"), 0);
	assert_int_equal(open_lease(world, &lease), 0);
	leaves(world, asked_fn, lease.tenant, "1", 0);
	leaves(world, cancelled_fn, lease.tenant, "2", 0);
	assert_int_equal(take_leaving(world, NULL), 0);
	assert_int_equal(balances(world, lease.tenant).available.micro + lease.hold.micro, 500000);
	assert_balanced(world);
}

/* Until it is stopped; and it is stopped also if the tenant is gone before. */
static void what_runs_is_paid_to_its_last_second(void **state)
{
	struct world *world = begin(state);
	struct billing_lease lease = lease_of(world, 1);
	struct usage_statement usage;
	int64_t charged;

	assert_int_equal(deposit(world, lease.tenant, 500000, "a"), 0);
	assert_int_equal(open_lease(world, &lease), 0);
	leaves(world, asked_fn, lease.tenant, "1", 0);
	world->clock.ms += 300 * 1000;
	usage = usage_of(world, &lease, 1, 300);
	assert_int_equal(report(world, &usage, &charged), 0);
	assert_true(charged > lease.hold.micro);
	assert_int_equal(charged, lease.rate_hour.micro * 300 / 3600);
	leaves(world, exited_fn, lease.tenant, "2", 500000);
	assert_int_equal(take_leaving(world, NULL), 1);
	assert_balanced(world);
}

/* What is held at the exit went with it: the tenant has it, and no points for it. */
static void an_exit_gives_no_points(void **state)
{
	struct world *world = begin(state);
	struct billing_lease lease = lease_of(world, 1);
	struct usage_statement usage;

	assert_int_equal(deposit(world, lease.tenant, 500000, "a"), 0);
	assert_int_equal(open_lease(world, &lease), 0);
	assert_true(lease.hold.micro > 0);
	leaves(world, asked_fn, lease.tenant, "1", 0);
	leaves(world, exited_fn, lease.tenant, "2", 500000);
	assert_int_equal(balances(world, lease.tenant).available.micro, 0);
	assert_int_equal(balances(world, lease.tenant).held.micro, 0);
	assert_int_equal(balances(world, lease.tenant).points.micro, 0);
	assert_int_equal(network_sum(world, LEDGER_ESCROW), 0);
	assert_int_equal(network_sum(world, LEDGER_FEES), 0);
	assert_balanced(world);

	/* What a machine still says of it cannot be paid; the close has nothing to give back. */
	world->clock.ms += 60000;
	usage = usage_of(world, &lease, 1, 60);
	assert_int_equal(report(world, &usage, NULL), 0);
	assert_int_equal(balances(world, world->provider).earned.micro, 0);
	assert_int_equal(close_lease(world, lease.lease, world->clock.ms, true), 0);
	assert_int_equal(network_sum(world, LEDGER_ESCROW), 0);
	assert_balanced(world);
}

/* What was spent before and is not settled is paid by the network. */
static void what_left_unsettled_is_the_networks(void **state)
{
	struct world *world = begin(state);
	struct billing_lease lease = lease_of(world, 1);
	struct usage_statement usage;
	int64_t charged;

	assert_int_equal(deposit(world, lease.tenant, 500000, "a"), 0);
	assert_int_equal(open_lease(world, &lease), 0);
	world->clock.ms += 60000;
	usage = usage_of(world, &lease, 1, 60);
	assert_int_equal(report(world, &usage, &charged), 0);
	assert_true(charged > 0);
	leaves(world, asked_fn, lease.tenant, "1", 0);
	leaves(world, exited_fn, lease.tenant, "2", 500000);
	assert_int_equal(network_sum(world, LEDGER_ESCROW), 0);
	assert_int_equal(balances(world, lease.tenant).available.micro, 0);
	assert_int_equal(balances(world, lease.tenant).points.micro, 0);
	assert_int_equal(network_sum(world, LEDGER_FEES),
			 -balances(world, world->provider).earned.micro);
	assert_balanced(world);
}

/* ---- given back late ---- */

static int ask_fn(struct tx *tx, struct call *call)
{
	struct ledger_posting posting = { .kind = "withdrawal", .key = "withdrawal:" };
	struct withdrawal_row row = { .tenant = call->account,
				      .amount = call->amount,
				      .detail = "" };
	struct amount before;
	int r = store_withdrawn(tx, call->account, &before);

	if (r == 0)
		r = amount_add(before, row.amount, &row.total);
	if (r == 0)
		r = withdrawal_id_make(call->world->context.clock, call->world->context.random,
				       &row.id);
	if (r == 0)
		r = store_withdrawal_add(tx, &row);
	if (r != 0)
		return r;
	call->ret_amount = row.total;
	snprintf(posting.key, sizeof(posting.key), "withdrawal:%s", call->key);
	ledger_entry(&posting, row.tenant, LEDGER_AVAILABLE, (struct amount){ -row.amount.micro });
	ledger_entry_network(&posting, LEDGER_ESCROW, row.amount);
	return ledger_post_sure(&call->world->context, tx, &posting, 1);
}

/* As withdrawal_ask, but for the call: returns the total that it would name. */
static int64_t ask(struct world *world, struct account_id tenant, int64_t micro, const char *key)
{
	struct call call = { world, ask_fn, tenant, .amount = { micro }, .key = key };

	assert_int_equal(run(&call, TX_WRITE), 0);
	return call.ret_amount.micro;
}

static int returned_fn(struct tx *tx, struct call *call)
{
	const uint8_t transaction[32] = { 7 };
	const struct contract_event event = {
		.kind = EVENT_RETURNED,
		.returned = { .tenant = call->account.address,
			      .amount = u256_from((unsigned __int128)call->amount.micro),
			      .total = u256_from((unsigned __int128)call->ended_at_ms) },
	};
	struct indexer_log log = { .index = 1 };

	memcpy(log.transaction, transaction, sizeof(transaction));
	return escrow_take(&call->world->context, tx, &log, &event);
}

static void returns(struct world *world, struct account_id tenant, int64_t micro, int64_t total)
{
	struct call call = { world, returned_fn, tenant, .amount = { micro },
			     .ended_at_ms = total };

	assert_int_equal(run(&call, TX_WRITE), 0);
}

/* The tenant asked for it, left with it, and deposited again: it is of the new deposit, and he has it only once. */
static void what_is_given_back_after_an_exit_is_off_the_balance(void **state)
{
	struct world *world = begin(state);
	static const struct chain_settings chain;
	struct account_id tenant = account_of(1);
	int64_t total;

	world->settings.chain = &chain;
	assert_int_equal(deposit(world, tenant, 500000, "a"), 0);
	total = ask(world, tenant, 200000, "1");
	leaves(world, asked_fn, tenant, "1", 0);
	leaves(world, exited_fn, tenant, "2", 500000);
	assert_int_equal(deposit(world, tenant, 300000, "b"), 0);
	returns(world, tenant, 200000, total);
	assert_int_equal(balances(world, tenant).available.micro, 100000);
	assert_int_equal(network_sum(world, LEDGER_ESCROW), -100000);
	/* The contract's sum stands at it: the next is above. */
	assert_int_equal(ask(world, tenant, 40000, "2"), 240000);
	returns(world, tenant, 40000, 240000);
	assert_int_equal(balances(world, tenant).available.micro, 60000);
	assert_int_equal(network_sum(world, LEDGER_ESCROW), -60000);
	assert_int_equal(network_sum(world, LEDGER_FEES), 0);
	assert_balanced(world);
}

/* Asked again before the late one was seen: the contract gives the less. */
static void what_was_asked_meanwhile_is_given_once(void **state)
{
	struct world *world = begin(state);
	static const struct chain_settings chain;
	struct account_id tenant = account_of(1);

	world->settings.chain = &chain;
	assert_int_equal(deposit(world, tenant, 500000, "a"), 0);
	assert_int_equal(ask(world, tenant, 200000, "1"), 200000);
	leaves(world, asked_fn, tenant, "1", 0);
	leaves(world, exited_fn, tenant, "2", 500000);
	assert_int_equal(deposit(world, tenant, 600000, "b"), 0);
	assert_int_equal(ask(world, tenant, 250000, "2"), 250000);
	returns(world, tenant, 200000, 200000);
	returns(world, tenant, 50000, 250000);
	assert_int_equal(balances(world, tenant).available.micro, 350000);
	assert_int_equal(network_sum(world, LEDGER_ESCROW), -350000);
	assert_int_equal(ask(world, tenant, 10000, "3"), 260000);
	assert_balanced(world);
}

/* Points are not what was deposited; what he spent of it meanwhile is the network's loss. */
static void what_is_spent_cannot_be_given_back(void **state)
{
	struct world *world = begin(state);
	static const struct chain_settings chain;
	struct account_id tenant = account_of(1);

	world->settings.chain = &chain;
	assert_int_equal(credit(world, tenant, 900000, "c"), 0);
	assert_int_equal(deposit(world, tenant, 120000, "b"), 0);
	returns(world, tenant, 200000, 200000);
	assert_int_equal(balances(world, tenant).available.micro, 900000);
	assert_int_equal(balances(world, tenant).points.micro, 900000);
	assert_int_equal(network_sum(world, LEDGER_FEES), -80000);
	assert_int_equal(network_sum(world, LEDGER_ESCROW), 80000);
	assert_balanced(world);
}

/* ---- settled late ---- */

static int owe_fn(struct tx *tx, struct call *call)
{
	return tally_add(tx, call->account, account_of(0x77), call->amount.micro, 1000);
}

static bool by_network(const struct call *call)
{
	return call->account.address.bytes[0] == TREASURY;
}

static int settled_fn(struct tx *tx, struct call *call)
{
	const struct settle_paid paid = { .payer = call->account,
					  .payee = account_of(0x77),
					  .amount = call->amount,
					  .fee = { by_network(call) ? 0 : 1000 },
					  .total = call->amount };

	return settle_take(&call->world->context, tx, &paid, call->key);
}

/* What the payer is to have paid ever: only the treasury pays no fee. */
static int64_t charged_of(struct world *world, struct account_id payer)
{
	char sql[160];

	snprintf(sql, sizeof(sql),
		 "SELECT CAST(SUM(charged) AS BIGINT) AS n FROM billing_settlements "
		 "WHERE fee %s 0",
		 payer.address.bytes[0] == TREASURY ? "=" : ">");
	return (int64_t)count(world, sql);
}

/* The network is to pay for points. */
static int pays_fn(struct tx *tx, struct call *call)
{
	return tally_add(tx, account_of(TREASURY), account_of(0x77), call->amount.micro, 0);
}

static int64_t due_of_network(struct world *world)
{
	return (int64_t)count(world, "SELECT CAST(SUM(charged - settled) AS BIGINT) AS n FROM "
				     "billing_settlements WHERE fee = 0");
}

/* A call from before the exit is mined after a new deposit: the provider has it once, and the tenant pays it. */
static void what_is_settled_after_an_exit_is_paid_once(void **state)
{
	struct world *world = begin(state);
	struct account_id tenant = account_of(1);
	struct call owe = { world, owe_fn, tenant, .amount = { 10000 } };
	struct call settled = { world, settled_fn, tenant, .amount = { 10000 }, .key = "late" };
	int64_t fees;

	assert_int_equal(deposit(world, tenant, 500000, "a"), 0);
	assert_int_equal(run(&owe, TX_WRITE), 0);
	leaves(world, asked_fn, tenant, "1", 0);
	leaves(world, exited_fn, tenant, "2", 500000);
	assert_int_equal(charged_of(world, account_of(TREASURY)), 9000);
	assert_int_equal(deposit(world, tenant, 300000, "b"), 0);
	fees = network_sum(world, LEDGER_FEES);
	assert_int_equal(run(&settled, TX_WRITE), 0);
	assert_int_equal(charged_of(world, account_of(TREASURY)), 0);
	assert_int_equal(balances(world, tenant).available.micro, 290000);
	assert_int_equal(network_sum(world, LEDGER_FEES), fees + 10000);
	assert_balanced(world);
}

/* The provider whom the network had paid by then is owed that much less by it from then on. */
static void what_the_network_paid_before_is_paid_once(void **state)
{
	struct world *world = begin(state);
	struct account_id tenant = account_of(1);
	struct call owe = { world, owe_fn, tenant, .amount = { 10000 } };
	struct call settled = { world, settled_fn, tenant, .amount = { 10000 }, .key = "late" };
	struct call network = { world, settled_fn, account_of(TREASURY), .amount = { 9000 },
				.key = "network" };
	struct call more = { world, pays_fn, .amount = { 7000 } };

	assert_int_equal(deposit(world, tenant, 500000, "a"), 0);
	assert_int_equal(run(&owe, TX_WRITE), 0);
	leaves(world, asked_fn, tenant, "1", 0);
	leaves(world, exited_fn, tenant, "2", 500000);
	assert_int_equal(run(&network, TX_WRITE), 0);
	assert_int_equal(due_of_network(world), 0);
	assert_int_equal(deposit(world, tenant, 300000, "b"), 0);
	assert_int_equal(run(&settled, TX_WRITE), 0);
	assert_int_equal(run(&more, TX_WRITE), 0);
	assert_int_equal(due_of_network(world), 0);
	assert_int_equal(run(&more, TX_WRITE), 0);
	assert_int_equal(due_of_network(world), 5000);
	assert_balanced(world);
}

/* ---- the network's own ---- */

static int fund_exited_fn(struct tx *tx, struct call *call)
{
	const struct contract_event event = {
		.kind = EVENT_EXITED,
		.exited = { .token = *escrow_stablecoin(&call->world->context),
			    .tenant = call->account.address },
	};
	const struct indexer_log log = { .index = 1 };

	return escrow_take(&call->world->context, tx, &log, &event);
}

static int due_fn(struct tx *tx, struct call *call)
{
	struct settlement_row *rows;
	int r = store_settlements_due(tx, call->amount.micro, INT64_MAX, call->world->clock.ms,
				      NULL, 100, &rows, &call->n);

	if (r == 0 && call->n > 0)
		call->account = rows[0].payer;
	return r;
}

/* Whose pair the next call would name first; @ret_n pairs in all. */
static struct account_id first_due(struct world *world, size_t *ret_n)
{
	struct call call = { world, due_fn, .amount = { 1 } };

	assert_int_equal(run(&call, TX_READ), 0);
	*ret_n = call.n;
	return call.account;
}

/* A treasury that left and deposited again pays again. */
static void the_network_pays_again_after_it_left(void **state)
{
	struct world *world = begin(state);
	static const struct chain_settings chain = { .stablecoin = { { 5 } } };
	const struct account_id treasury = account_of(TREASURY);
	struct call more = { world, pays_fn, .amount = { 7000 } };
	struct call exited = { world, fund_exited_fn, treasury };
	size_t n;

	world->settings.chain = &chain;
	assert_int_equal(run(&more, TX_WRITE), 0);
	leaves(world, asked_fn, treasury, "1", 0);
	world->clock.ms += 8LL * 24 * 3600 * 1000;
	first_due(world, &n);
	assert_int_equal(n, 0);
	assert_int_equal(run(&exited, TX_WRITE), 0);
	first_due(world, &n);
	assert_int_equal(n, 1);
}

/* Limits may keep some back: of those who stay there is time. */
static void who_leaves_is_settled_first(void **state)
{
	struct world *world = begin(state);
	struct account_id leaver = account_of(3);
	size_t n;

	for (uint8_t i = 1; i <= 4; i++) {
		struct call owe = { world, owe_fn, account_of(i), .amount = { 10000 } };

		assert_int_equal(run(&owe, TX_WRITE), 0);
	}
	leaves(world, asked_fn, leaver, "1", 0);
	assert_true(account_equal(first_due(world, &n), leaver));
	assert_int_equal(n, 4);
}

/* Of those who stay it waits until it is worth a call. */
static void who_leaves_is_settled_to_the_last_unit(void **state)
{
	struct world *world = begin(state);
	struct account_id leaver = account_of(3);
	struct call due = { world, due_fn, .amount = { 10001 } };

	for (uint8_t i = 1; i <= 4; i++) {
		struct call owe = { world, owe_fn, account_of(i), .amount = { 10000 } };

		assert_int_equal(run(&owe, TX_WRITE), 0);
	}
	assert_int_equal(run(&due, TX_READ), 0);
	assert_int_equal(due.n, 0);
	leaves(world, asked_fn, leaver, "1", 0);
	assert_int_equal(run(&due, TX_READ), 0);
	assert_int_equal(due.n, 1);
	assert_true(account_equal(due.account, leaver));
}

/* What he no longer has stays the network's loss. */
static void what_is_settled_late_takes_no_points(void **state)
{
	struct world *world = begin(state);
	struct account_id tenant = account_of(1);
	struct call settled = { world, settled_fn, tenant, .amount = { 10000 }, .key = "late" };

	assert_int_equal(credit(world, tenant, 500000, "c"), 0);
	assert_int_equal(deposit(world, tenant, 4000, "a"), 0);
	assert_int_equal(run(&settled, TX_WRITE), 0);
	assert_int_equal(balances(world, tenant).available.micro, 500000);
	assert_int_equal(network_sum(world, LEDGER_FEES), 4000);
	assert_balanced(world);
}

int leaver_tests(void)
{
	static const struct CMUnitTest tests[] = {
		WORLD_TEST(who_leaves_rents_nothing_and_is_stopped),
		WORLD_TEST(who_stays_keeps_what_was_not_stopped),
		WORLD_TEST(what_runs_is_paid_to_its_last_second),
		WORLD_TEST(an_exit_gives_no_points),
		WORLD_TEST(what_left_unsettled_is_the_networks),
		WORLD_TEST(what_is_given_back_after_an_exit_is_off_the_balance),
		WORLD_TEST(what_was_asked_meanwhile_is_given_once),
		WORLD_TEST(what_is_spent_cannot_be_given_back),
		WORLD_TEST(what_is_settled_after_an_exit_is_paid_once),
		WORLD_TEST(what_the_network_paid_before_is_paid_once),
		WORLD_TEST(what_is_settled_late_takes_no_points),
		WORLD_TEST(the_network_pays_again_after_it_left),
		WORLD_TEST(who_leaves_is_settled_first),
		WORLD_TEST(who_leaves_is_settled_to_the_last_unit),
	};

	return world_run(tests, ARRAY_SIZE(tests));
}
