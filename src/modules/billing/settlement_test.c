#include "modules/billing/billing_world.h"

#include "modules/billing/billing_store_escrow.h"
#include "modules/billing/conversion.h"
#include "modules/billing/settle.h"
#include "modules/billing/tally.h"

/* ---- the contract, in a few lines ---- */

enum { TENANTS = 3, PROVIDERS = 2, LEASES = 60, TREASURY = 0x99 };

struct stage {
	struct world *world;
	struct billing_lease leases[LEASES];
	struct usage_statement last[LEASES];
	bool closed[LEASES];
	size_t n;
	int64_t balance[TENANTS + 1]; /* the last is the treasury's */
	int64_t owed; /* to anybody */
	int log;
};

static int64_t *purse(struct stage *stage, struct account_id payer)
{
	uint8_t byte = payer.address.bytes[0];

	return &stage->balance[byte == TREASURY ? TENANTS : byte - 1];
}

static int treasury_fn(struct tx *tx, struct call *call)
{
	return store_treasury_add(tx, call->account);
}

static int fund_fn(struct tx *tx, struct call *call)
{
	struct ledger_posting posting = { .kind = "fund" };

	snprintf(posting.key, sizeof(posting.key), "%s", call->key);
	ledger_entry_network(&posting, LEDGER_FUND, call->amount);
	ledger_entry_network(&posting, LEDGER_ESCROW, (struct amount){ -call->amount.micro });
	return ledger_post_sure(&call->world->context, tx, &posting, 1);
}

struct due {
	struct settlement_row *rows;
	size_t n;
};

static int due_fn(struct tx *tx, void *arg)
{
	struct due *due = arg;

	return store_settlements_due(tx, 1, INT64_MAX, 0, NULL, 1000, &due->rows, &due->n);
}

struct paying {
	struct world *world;
	struct settle_paid paid;
	char place[32];
};

static int pay_fn(struct tx *tx, void *arg)
{
	const struct paying *paying = arg;

	return settle_take(&paying->world->context, tx, &paying->paid, paying->place);
}

/* As Escrow.settle: nothing where the payer has too little; fees as the contract wants them. */
static void pay(struct stage *stage, const struct settlement_row *row)
{
	struct paying paying = { .world = stage->world };
	int64_t amount = row->charged - row->settled, fee = row->fee - row->settled_fee;

	assert_true(fee >= 0 && fee <= amount);
	if (*purse(stage, row->payer) < amount)
		return;
	*purse(stage, row->payer) -= amount;
	stage->owed += amount;
	snprintf(paying.place, sizeof(paying.place), "log:%d", stage->log++);
	paying.paid = (struct settle_paid){
		row->payer, row->payee, { amount }, { fee }, { row->charged }
	};
	assert_int_equal(db_run(stage->world->db, TX_WRITE, stage->world->arena, pay_fn, &paying),
			 0);
}

static void settle_all(struct stage *stage)
{
	struct settlement_row rows[64];
	struct due due;

	assert_int_equal(tally_run(&stage->world->context, stage->world->arena), 0);
	assert_int_equal(db_run(stage->world->db, TX_READ, stage->world->arena, due_fn, &due), 0);
	assert_true(due.n <= ARRAY_SIZE(rows));
	memcpy(rows, due.rows, due.n * sizeof(*rows));
	for (size_t i = 0; i < due.n; i++)
		pay(stage, &rows[i]);
}

/* ---- steps ---- */

static void step_money(struct stage *stage, int n)
{
	uint8_t tenant = (uint8_t)below(stage->world, TENANTS);
	int64_t micro = 1 + (int64_t)below(stage->world, 40000);
	char key[32];

	snprintf(key, sizeof(key), "money-%d", n);
	if (below(stage->world, 3) == 0) {
		assert_int_equal(credit(stage->world, account_of(tenant + 1), micro, key), 0);
		return;
	}
	assert_int_equal(deposit(stage->world, account_of(tenant + 1), micro, key), 0);
	stage->balance[tenant] += micro;
}

static void step_fund(struct stage *stage, int n)
{
	struct call call = { stage->world, fund_fn, .amount = { 20000 } };
	char key[32];

	snprintf(key, sizeof(key), "fund-%d", n);
	call.key = key;
	assert_int_equal(run(&call, TX_WRITE), 0);
	stage->balance[TENANTS] += call.amount.micro;
}

static void step_open(struct stage *stage)
{
	struct world *world = stage->world;
	struct billing_lease *lease = &stage->leases[stage->n];

	if (stage->n == LEASES)
		return;
	*lease = lease_of(world, (uint8_t)(1 + below(world, TENANTS)));
	lease->provider = account_of((uint8_t)(0x70 + below(world, PROVIDERS)));
	lease->rate_hour.micro = (int64_t)below(world, 900000);
	lease->hold.micro = (int64_t)below(world, 500);
	if (open_lease(world, lease) != 0)
		return;
	stage->last[stage->n] = usage_of(world, lease, 0, 0);
	stage->last[stage->n].started_at_ms = world->clock.ms;
	stage->closed[stage->n++] = false;
}

static void step_use(struct stage *stage, size_t i)
{
	struct usage_statement *usage = &stage->last[i];

	if (stage->closed[i])
		return;
	usage->sequence++;
	usage->until_ms = stage->world->clock.ms;
	usage->seconds = (usage->until_ms - usage->started_at_ms) / 1000;
	assert_int_equal(report(stage->world, usage, NULL), 0);
}

/* Not billed, or ended before its last record: what was charged is refunded. */
static void step_close(struct stage *stage, size_t i)
{
	int64_t ended_ms = stage->world->clock.ms - (int64_t)below(stage->world, 9000);

	if (stage->closed[i])
		return;
	assert_int_equal(close_lease(stage->world, stage->leases[i].lease, ended_ms,
				     below(stage->world, 4) > 0),
			 0);
	stage->closed[i] = true;
}

static void step(struct stage *stage, int n)
{
	uint64_t choice = below(stage->world, 100);
	size_t lease = stage->n ? below(stage->world, stage->n) : 0;

	stage->world->clock.ms += (int64_t)below(stage->world, 4000);
	if (choice < 15)
		step_money(stage, n);
	else if (choice < 20)
		step_fund(stage, n);
	else if (choice < 35)
		step_open(stage);
	else if (choice < 75 && stage->n > 0)
		step_use(stage, lease);
	else if (choice < 87 && stage->n > 0)
		step_close(stage, lease);
	else if (choice < 95)
		settle_all(stage);
}

/* ---- what must hold ---- */

static int64_t sum_of(struct stage *stage, const char *sql)
{
	return (int64_t)count(stage->world, sql);
}

struct paid {
	struct account_id provider;
	struct amount paid;
};

static int paid_fn(struct tx *tx, void *arg)
{
	struct paid *paid = arg;

	return store_paid(tx, paid->provider, &paid->paid);
}

static void compare(struct stage *stage)
{
	int64_t in_contract = 0;

	for (uint8_t i = 0; i < TENANTS; i++) {
		struct ledger_balances now = balances(stage->world, account_of(i + 1));

		assert_int_equal(now.available.micro + now.held.micro - now.points.micro,
				 stage->balance[i]);
	}
	for (size_t i = 0; i <= TENANTS; i++)
		in_contract += stage->balance[i];
	assert_int_equal(-network_sum(stage->world, LEDGER_ESCROW), in_contract);
	assert_int_equal(network_sum(stage->world, LEDGER_FUND), stage->balance[TENANTS]);
	assert_int_equal(sum_of(stage, "SELECT CAST(SUM(settled) AS BIGINT) AS n "
				       "FROM billing_settlements"),
			 stage->owed);
	for (uint8_t i = 0; i < PROVIDERS; i++) {
		struct paid paid = { .provider = account_of((uint8_t)(0x70 + i)) };

		assert_int_equal(
			db_run(stage->world->db, TX_READ, stage->world->arena, paid_fn, &paid), 0);
		/* More only of what was refunded after it was paid. */
		assert_true(paid.paid.micro >= balances(stage->world, paid.provider).earned.micro);
	}
}

static void settles_to_the_last_unit(void **state)
{
	struct world *world = *state;
	struct stage *stage = calloc(1, sizeof(*stage));
	struct call treasury = { world, treasury_fn, account_of(TREASURY) };

	assert_non_null(stage);
	stage->world = world;
	world->settings.settle_after_ms = 3000;
	assert_int_equal(run(&treasury, TX_WRITE), 0);
	for (int n = 0; n < 700; n++) {
		step(stage, n);
		if (n % 100 == 0)
			assert_balanced(world);
	}
	for (size_t i = 0; i < stage->n; i++)
		step_close(stage, i);
	world->clock.ms += 10000;
	for (int n = 0; n < 60; n++)
		step_fund(stage, 1000 + n);
	settle_all(stage);
	assert_balanced(world);
	compare(stage);
	assert_int_equal(sum_of(stage, "SELECT COUNT(*) AS n FROM billing_settlements "
				       "WHERE charged <> settled OR fee <> settled_fee"),
			 0);
	assert_true(sum_of(stage, "SELECT COUNT(*) AS n FROM billing_pairs "
				  "WHERE refunded > 0 AND points > 0") > 0);
	assert_true(sum_of(stage, "SELECT CAST(SUM(to_treasury) AS BIGINT) AS n "
				  "FROM billing_pairs") > 0);
	free(stage);
}

/* ---- sums that cannot be ---- */

static int postings_fn(struct tx *tx, struct call *call)
{
	return ledger_post_many(&call->world->context, tx, call->postings, call->n);
}

/* What @lease's tenant was charged (below zero), or got back; each amount once. */
static void post(struct world *world, const struct billing_lease *lease, const char *kind,
		 int64_t micro)
{
	struct ledger_posting posting = { .kind = kind, .lease = &lease->lease };
	struct call call = { world, postings_fn, .postings = &posting, .n = 1 };

	snprintf(posting.key, sizeof(posting.key), "%s:%" PRId64, kind, micro);
	ledger_entry(&posting, lease->tenant, LEDGER_AVAILABLE, (struct amount){ micro });
	ledger_entry(&posting, lease->provider, LEDGER_EARNED, (struct amount){ -micro });
	assert_int_equal(run(&call, TX_WRITE), 0);
}

static int64_t due_of(struct world *world, struct account_id payer)
{
	struct due due;
	int64_t sum = 0;

	arena_reset(world->arena);
	assert_int_equal(db_run(world->db, TX_READ, world->arena, due_fn, &due), 0);
	for (size_t i = 0; i < due.n; i++)
		if (account_equal(due.rows[i].payer, payer))
			sum += due.rows[i].charged;
	return sum;
}

/* Such postings are nobody's to make: the hourly audit says so, too. */
static void one_pair_holds_up_nobody(void **state)
{
	struct world *world = *state;
	struct billing_lease broken = lease_of(world, 1), sound = lease_of(world, 2);
	struct call treasury = { world, treasury_fn, account_of(TREASURY) };

	assert_int_equal(run(&treasury, TX_WRITE), 0);
	assert_int_equal(deposit(world, broken.tenant, 500000, "a"), 0);
	assert_int_equal(deposit(world, sound.tenant, 500000, "b"), 0);
	assert_int_equal(open_lease(world, &broken), 0);
	assert_int_equal(open_lease(world, &sound), 0);
	post(world, &sound, "charge", -7000);
	/* More back than ever was charged. */
	post(world, &broken, "refund", 3000);
	world->clock.ms += 1000;
	assert_int_equal(tally_run(&world->context, world->arena), 0);
	assert_int_equal(due_of(world, sound.tenant), 7000);
	assert_int_equal(due_of(world, broken.tenant), 0);

	/* With what is charged later they can be: nothing was lost. */
	post(world, &broken, "charge", -10000);
	world->clock.ms += 1000;
	assert_int_equal(tally_run(&world->context, world->arena), 0);
	assert_int_equal(due_of(world, broken.tenant), 10000);
}

/* ---- calls that are refused ---- */

enum { PAIRS = 12, MOST = 8, BAD = 5, EVERY_MS = 1000 };

struct calling {
	struct world *world;
	int64_t items; /* in a call, at most */
	bool refused;
	size_t named;
};

static int owe_fn(struct tx *tx, struct call *call)
{
	return tally_add(tx, call->account, account_of(0x77), 10000, 1000);
}

static int asks_to_leave_fn(struct tx *tx, struct call *call)
{
	return store_leaving_add(tx, call->account, call->world->clock.ms,
				 call->world->clock.ms + 7LL * 86400 * 1000);
}

static int say(struct tx *tx, struct calling *calling, struct settlement_row *row)
{
	calling->refused |= row->payer.address.bytes[0] == BAD;
	row->reported = row->charged;
	row->tried_ms = calling->world->clock.ms;
	return store_settlement_put(tx, row);
}

static int paid(struct tx *tx, struct world *world, const struct settlement_row *row)
{
	struct settle_paid paid = { row->payer, row->payee, { 10000 }, { 1000 }, { 10000 } };
	char place[16];

	snprintf(place, sizeof(place), "pair:%d", row->payer.address.bytes[0]);
	return settle_take(&world->context, tx, &paid, place);
}

/* As a turn: the next call, and what becomes of it. The contract refuses all of what names BAD. */
static int call_fn(struct tx *tx, void *arg)
{
	struct calling *calling = arg;
	struct world *world = calling->world;
	struct settlement_row *rows;
	int r;

	calling->refused = false;
	r = store_settlements_due(tx, 1, world->clock.ms - 6 * EVERY_MS, world->clock.ms, NULL,
				  (size_t)calling->items, &rows, &calling->named);
	for (size_t i = 0; r == 0 && i < calling->named; i++)
		r = say(tx, calling, &rows[i]);
	for (size_t i = 0; r == 0 && !calling->refused && i < calling->named; i++)
		r = paid(tx, world, &rows[i]);
	return r == 0 ? settle_ended(tx, calling->refused, calling->items == 1) : r;
}

static void call_once(struct calling *calling)
{
	int64_t next;

	arena_reset(calling->world->arena);
	assert_int_equal(
		db_run(calling->world->db, TX_WRITE, calling->world->arena, call_fn, calling), 0);
	next = settle_items_next(calling->items, MOST, calling->refused);
	calling->items = next ? next : MOST;
	calling->world->clock.ms += EVERY_MS;
}

static void owe_all(struct world *world)
{
	struct call treasury = { world, treasury_fn, account_of(TREASURY) };

	assert_int_equal(run(&treasury, TX_WRITE), 0);
	for (uint8_t i = 1; i <= PAIRS; i++) {
		struct call owe = { world, owe_fn, account_of(i) };

		assert_int_equal(run(&owe, TX_WRITE), 0);
	}
}

static size_t settled_pairs(struct world *world)
{
	return count(world,
		     "SELECT COUNT(*) AS n FROM billing_settlements WHERE settled = charged");
}

/* Whose tenant asked to leave is named first: and yet it keeps nobody from being paid. */
static void a_refused_pair_holds_up_nobody(void **state)
{
	struct world *world = *state;
	struct call leaves = { world, asks_to_leave_fn, account_of(BAD) };
	struct calling calling = { .world = world, .items = MOST };

	owe_all(world);
	assert_int_equal(run(&leaves, TX_WRITE), 0);
	for (int i = 0; i < 20; i++)
		call_once(&calling);
	assert_int_equal(settled_pairs(world), PAIRS - 1);
}

static void a_refusal_says_nothing_of_many(void **state)
{
	struct world *world = *state;
	struct calling calling = { .world = world, .items = MOST };

	owe_all(world);
	call_once(&calling);
	assert_true(calling.refused);
	call_once(&calling);
	assert_false(calling.refused);
	assert_int_equal(settled_pairs(world), MOST / 2);
	assert_int_equal(count(world, "SELECT CAST(SUM(unpaid) AS BIGINT) AS n "
				      "FROM billing_settlements"),
			 0);
}

static void calls_grow_again_step_by_step(void **state _unused_)
{
	assert_int_equal(settle_items_next(64, 64, true), 32);
	assert_int_equal(settle_items_next(5, 64, true), 3);
	assert_int_equal(settle_items_next(1, 64, true), 1);
	assert_int_equal(settle_items_next(1, 64, false), 2);
	assert_int_equal(settle_items_next(16, 64, false), 32);
	assert_int_equal(settle_items_next(32, 64, false), 0);
	assert_int_equal(settle_items_next(64, 64, false), 0);
	assert_int_equal(settle_items_next(1, 1, false), 0);
}

/* ---- KAI ---- */

static struct u256 wei(uint64_t whole, uint64_t more)
{
	return u256_from((unsigned __int128)whole * 1000000000000000000ull + more);
}

static void assert_converts(struct u256 amount, int64_t price, int64_t credit, struct u256 used)
{
	struct amount is;
	struct u256 of;

	conversion_value(amount, (struct amount){ price }, &is, &of);
	assert_int_equal(is.micro, credit);
	assert_int_equal(u256_compare(&of, &used), 0);
}

static void converts_what_makes_whole_units(void **state _unused_)
{
	const struct u256 none = u256_from(0);

	assert_converts(wei(2, 0), 300000, 600000, wei(2, 0));
	assert_converts(wei(2, 7), 300000, 600000, wei(2, 0));
	assert_converts(wei(0, 4000000000000), 300000, 1, wei(0, 3333333333334));
	assert_converts(wei(0, 3333333333333), 300000, 0, none);
	assert_converts(wei(0, 3333333333334), 300000, 1, wei(0, 3333333333334));
	assert_converts(wei(1, 0), 0, 0, none);
	assert_converts(wei(1000000000, 0), 1000000, 1000000000000000, wei(1000000000, 0));
	assert_converts(wei(1000000001, 0), 1000000, 0, none);
	assert_converts(u256_mul(wei(1000000000, 0), wei(1000000000, 0)), 1000000, 0, none);
	assert_converts(wei(1, 0), INT64_C(1000000000000), INT64_C(1000000000000), wei(1, 0));
}

static int kai_deposited_fn(struct tx *tx, struct call *call)
{
	const struct context *context = &call->world->context;
	struct deposit_row deposit = { .tenant = call->account, .amount = wei(call->n, 0) };
	struct conversion_row conversion;
	int r = deposit_id_make(context->clock, context->random, &deposit.id);

	memcpy(deposit.block_hash, deposit.id.bytes, sizeof(deposit.id.bytes));
	if (r == 0)
		r = conversion_deposit(context, tx, &deposit);
	if (r == 0)
		r = store_conversion(tx, deposit.id, &conversion);
	if (r == 0)
		call->ret_amount.micro = (int64_t)(u256_low(conversion.total) / 1000000000000);
	return r;
}

static int kai_left_fn(struct tx *tx, struct call *call)
{
	return conversion_leave(&call->world->context, tx, call->account);
}

static int kai_paid_fn(struct tx *tx, struct call *call)
{
	return conversion_take(&call->world->context, tx, call->account,
			       wei((uint64_t)call->amount.micro, 0));
}

/* A deposit of @whole KAI; what is to be paid of it and all before, in millionths. */
static int64_t deposit_some_kai(struct world *world, struct account_id tenant, size_t whole)
{
	struct call call = { world, kai_deposited_fn, tenant, .n = whole };

	assert_int_equal(run(&call, TX_WRITE), 0);
	return call.ret_amount.micro;
}

static int64_t deposit_kai(struct world *world, struct account_id tenant)
{
	return deposit_some_kai(world, tenant, 1);
}

/* The contract's sums only grow: a total that it passed already is paid by nothing, and waits for ever. */
static void converts_above_all_that_was_paid(void **state)
{
	struct world *world = *state;
	struct chain_settings chain = { .kai_price = { 1000000 } };
	struct call left = { world, kai_left_fn, account_of(1) };
	struct call paid = { world, kai_paid_fn, account_of(1) };

	world->settings.chain = &chain;
	world->settings.kai_day_micro = 100 * 1000000;
	assert_int_equal(deposit_kai(world, account_of(1)), 1000000);
	assert_int_equal(deposit_kai(world, account_of(1)), 2000000);
	assert_int_equal(run(&left, TX_WRITE), 0);
	/* Of those who left nothing counts, but what a call from before paid after all does. */
	assert_int_equal(deposit_kai(world, account_of(1)), 1000000);
	assert_int_equal(run(&left, TX_WRITE), 0);
	paid.amount.micro = 2;
	assert_int_equal(run(&paid, TX_WRITE), 0);
	assert_int_equal(deposit_kai(world, account_of(1)), 3000000);
	paid.amount.micro = 1;
	assert_int_equal(run(&paid, TX_WRITE), 0);
	assert_int_equal(deposit_kai(world, account_of(1)), 4000000);
	assert_int_equal(balances(world, account_of(1)).points.micro, 0);
	paid.amount.micro = 4;
	assert_int_equal(run(&paid, TX_WRITE), 0);
	assert_int_equal(balances(world, account_of(1)).points.micro, 2000000);
	assert_balanced(world);
	world->settings.chain = NULL;
}

static int gather_fn(struct tx *tx, struct call *call)
{
	struct conversion_call next = {
		.treasury = account_of(TREASURY),
		.now_ms = call->world->clock.ms,
		.left = wei(1000, 0),
		.max = 16,
	};
	int r = conversion_gather(&call->world->context, tx, &next);

	call->n = next.n;
	if (r == 0 && next.n > 0)
		call->ret_amount.micro = (int64_t)(u256_low(next.items[0].charged) / 1000000000000);
	return r;
}

/* What the next call would say of the first tenant, in millionths of KAI; -1: nothing. */
static int64_t would_convert(struct world *world)
{
	struct call call = { world, gather_fn };

	assert_int_equal(run(&call, TX_READ), 0);
	return call.n ? call.ret_amount.micro : -1;
}

static void fund_more(struct world *world, int64_t micro, const char *key)
{
	struct call call = { world, fund_fn, .amount = { micro }, .key = key };

	assert_int_equal(run(&call, TX_WRITE), 0);
}

static void fund(struct world *world, int64_t micro)
{
	struct call treasury = { world, treasury_fn, account_of(TREASURY) };

	assert_int_equal(run(&treasury, TX_WRITE), 0);
	fund_more(world, micro, "fund");
}

/* They came in one millisecond, in which ids have no order: a later one's total would pay the earlier, too. */
static void converts_the_oldest_within_a_day(void **state)
{
	struct world *world = *state;
	struct chain_settings chain = { .kai_price = { 1000000 } };

	world->settings.chain = &chain;
	world->settings.kai_day_micro = 3 * 1000000;
	fund(world, 100 * 1000000);
	for (int i = 1; i <= 6; i++)
		assert_int_equal(deposit_kai(world, account_of(1)), i * 1000000);
	assert_int_equal(would_convert(world), 3 * 1000000);
	world->settings.chain = NULL;
}

/* Whoever fits in a day has its turn at the beginning of the next, whatever others deposit. */
static void the_longest_waiting_converts_first(void **state)
{
	struct world *world = *state;
	struct chain_settings chain = { .kai_price = { 1000000 } };
	struct call paid = { world, kai_paid_fn, account_of(2), .amount = { 2 } };

	world->settings.chain = &chain;
	world->settings.kai_day_micro = 3 * 1000000;
	fund(world, 100 * 1000000);
	assert_int_equal(deposit_some_kai(world, account_of(2), 2), 2000000);
	assert_int_equal(run(&paid, TX_WRITE), 0);
	world->clock.ms++;
	assert_int_equal(deposit_some_kai(world, account_of(9), 3), 3000000);
	assert_int_equal(would_convert(world), -1);
	for (uint8_t day = 0; day < 3; day++) {
		world->clock.ms++;
		assert_int_equal(deposit_kai(world, account_of((uint8_t)(3 + day))), 1000000);
		assert_int_equal(would_convert(world), 1000000);
	}
	world->clock.ms += 86400000;
	assert_int_equal(would_convert(world), 3000000);
	world->settings.chain = NULL;
}

static int gather_alone_fn(struct tx *tx, struct call *call)
{
	struct conversion_call next = {
		.treasury = account_of(TREASURY),
		.now_ms = call->world->clock.ms,
		.left = wei(1000, 0),
		.marks = true,
		.max = 1,
	};
	int r = conversion_gather(&call->world->context, tx, &next);

	assert_int_equal(next.n, 1);
	call->account.address = next.items[0].tenant;
	return r;
}

/* The contract refused a call that named nobody else. */
static void who_is_refused_alone_converts_last(void **state)
{
	struct world *world = *state;
	struct chain_settings chain = { .kai_price = { 1000000 } };
	struct call alone = { world, gather_alone_fn };
	struct call paid = { world, kai_paid_fn, account_of(1), .amount = { 1 } };

	world->settings.chain = &chain;
	world->settings.kai_day_micro = 100 * 1000000;
	fund(world, 100 * 1000000);
	for (uint8_t i = 1; i <= 3; i++) {
		assert_int_equal(deposit_kai(world, account_of(i)), 1000000);
		world->clock.ms++;
	}
	for (uint8_t i = 1; i <= 4; i++) {
		assert_int_equal(run(&alone, TX_WRITE), 0);
		assert_true(account_equal(alone.account, account_of(i == 4 ? 1 : i)));
		world->clock.ms++;
	}
	/* What did it good after all makes it like any other. */
	assert_int_equal(run(&paid, TX_WRITE), 0);
	assert_int_equal(deposit_kai(world, account_of(1)), 2000000);
	assert_int_equal(run(&alone, TX_WRITE), 0);
	assert_true(account_equal(alone.account, account_of(1)));
	world->settings.chain = NULL;
}

static int escaped_fn(struct tx *tx, struct call *call)
{
	return store_escaped_put(tx, call->account, call->amount);
}

/* Points that were spent are owed to providers from then on, not from the tally on. */
static void spent_points_make_no_room(void **state)
{
	struct world *world = *state;
	struct chain_settings chain = { .kai_price = { 1000000 } };
	struct billing_lease lease = lease_of(world, 2);
	struct call escapes = { world, escaped_fn, account_of(3), .amount = { 1 } };
	struct usage_statement usage;

	world->settings.chain = &chain;
	world->settings.kai_day_micro = 100 * 1000000;
	world->settings.settle_after_ms = 3600000;
	fund(world, 1500000);
	assert_int_equal(credit(world, lease.tenant, 1000000, "c"), 0);
	assert_int_equal(deposit_kai(world, account_of(1)), 1000000);
	assert_int_equal(would_convert(world), -1);
	lease.rate_hour.micro = 36000000;
	assert_int_equal(open_lease(world, &lease), 0);
	world->clock.ms += 100000;
	usage = usage_of(world, &lease, 1, 100);
	assert_int_equal(report(world, &usage, NULL), 0);
	assert_int_equal(balances(world, lease.tenant).points.micro, 0);
	assert_int_equal(would_convert(world), -1);
	world->clock.ms += 2 * 3600000;
	assert_int_equal(tally_run(&world->context, world->arena), 0);
	assert_int_equal(would_convert(world), -1);

	/* The provider's share is less than what was spent: with so much more there is room. */
	fund_more(world, 400000, "more");
	assert_int_equal(would_convert(world), 1000000);
	/* What who left spent last, and is not tallied either. */
	assert_int_equal(run(&escapes, TX_WRITE), 0);
	assert_int_equal(would_convert(world), -1);
	world->settings.chain = NULL;
}

int settlement_tests(void)
{
	static const struct CMUnitTest tests[] = {
		WORLD_TEST(settles_to_the_last_unit),
		WORLD_TEST(one_pair_holds_up_nobody),
		WORLD_TEST(a_refused_pair_holds_up_nobody),
		WORLD_TEST(a_refusal_says_nothing_of_many),
		WORLD_TEST(calls_grow_again_step_by_step),
		WORLD_TEST(converts_what_makes_whole_units),
		WORLD_TEST(converts_above_all_that_was_paid),
		WORLD_TEST(converts_the_oldest_within_a_day),
		WORLD_TEST(the_longest_waiting_converts_first),
		WORLD_TEST(who_is_refused_alone_converts_last),
		WORLD_TEST(spent_points_make_no_room),
	};

	return world_run(tests, ARRAY_SIZE(tests));
}
