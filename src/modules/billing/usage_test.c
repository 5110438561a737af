#include "modules/billing/billing_world.h"

/* ---- batches against one after the other ---- */

/* Two tenants alike in everything but their ids: the records of one are taken in batches, those of
 * the other one by one. */
enum { PAIRS = 3, PAIR_LEASES = 8, RECORDS = 24, ROUNDS = 120, EVENTS_TEXT = 1 << 16 };

enum side { BATCHED, SINGLE, SIDES };

struct pair_lease {
	struct billing_lease terms[SIDES];
	struct usage_statement last;
	bool closed;
};

struct pairs {
	struct pair_lease leases[PAIR_LEASES];
	struct billing_record records[SIDES][RECORDS];
	struct billing_record *batch[RECORDS];
	size_t n;
	char text[SIDES][EVENTS_TEXT];
	struct call call;
};

static struct account_id pair_tenant(enum side side, size_t pair)
{
	return account_of((uint8_t)(0x10 + 0x20 * side + pair));
}

static struct account_id pair_provider(enum side side)
{
	return account_of((uint8_t)(0x60 + side));
}

static void pair_credit(struct world *world, size_t pair, int64_t micro, const char *key)
{
	char name[64];

	for (enum side side = 0; side < SIDES; side++) {
		snprintf(name, sizeof(name), "%s-%zu-%d", key, pair, (int)side);
		assert_int_equal(credit(world, pair_tenant(side, pair), micro, name), 0);
	}
}

static void pair_open(struct world *world, struct pair_lease *lease, size_t pair)
{
	int64_t rate = 1000000 + (int64_t)below(world, 4000000);
	int64_t hold = (int64_t)below(world, 20000);

	*lease = (struct pair_lease){ 0 };
	for (enum side side = 0; side < SIDES; side++) {
		struct billing_lease *terms = &lease->terms[side];
		int r;

		*terms = lease_of(world, 1);
		terms->tenant = pair_tenant(side, pair);
		terms->provider = pair_provider(side);
		terms->rate_hour.micro = rate;
		terms->hold.micro = hold;
		r = open_lease(world, terms);
		assert_true(r == 0 || r == BILLING_E_INSUFFICIENT);
	}
	lease->last = usage_of(world, &lease->terms[BATCHED], 0, 0);
	lease->last.started_at_ms = lease->last.until_ms = world->clock.ms;
}

/* What a machine might send next, true or not. */
static struct usage_statement pair_usage(struct world *world, struct pair_lease *lease)
{
	struct usage_statement usage = lease->last;
	int64_t step_s = (int64_t)below(world, 8);

	switch (below(world, 16)) {
	case 0: /* a repeat */
		return usage;
	case 1:
		usage.sequence++;
		usage.seconds += 100;
		return usage;
	case 2:
		usage.sequence++;
		usage.started_at_ms -= 10000;
		return usage;
	default:
		usage.sequence++;
		usage.until_ms += step_s * 1000;
		usage.seconds += step_s;
		usage.final = below(world, 200) == 0;
	}
	if (usage.until_ms <= world->clock.ms)
		lease->last = usage;
	return usage;
}

static void pair_records(struct world *world, struct pairs *pairs)
{
	pairs->n = 1 + below(world, RECORDS);
	for (size_t i = 0; i < pairs->n; i++) {
		struct pair_lease *lease = &pairs->leases[below(world, PAIR_LEASES)];
		struct usage_statement usage = pair_usage(world, lease);
		const struct secp_key *key = below(world, 25) == 0 ? world->stranger
								   : world->machine;

		for (enum side side = 0; side < SIDES; side++) {
			struct billing_record *record = &pairs->records[side][i];

			*record = (struct billing_record){ .usage = usage };
			record->usage.lease = lease->terms[side].lease;
			record->usage.rental = lease->terms[side].rental;
			sign_record(key, record);
		}
		pairs->batch[i] = &pairs->records[BATCHED][i];
	}
}

static void pair_take(struct world *world, struct pairs *pairs)
{
	struct call call = { world, usage_many_fn, .n = pairs->n, .records = pairs->batch };

	assert_int_equal(run(&call, TX_WRITE), 0);
	for (size_t i = 0; i < pairs->n; i++) {
		struct billing_record *record = &pairs->records[SINGLE][i];

		call = (struct call){ world, usage_fn, .usage = record->usage };
		memcpy(call.signature, record->signature, SIGNATURE_SIZE);
		record->outcome = run(&call, TX_WRITE);
		record->charged = call.ret_amount;
	}
}

static int events_fn(struct tx *tx, struct call *call)
{
	struct sql_rows *rows;
	char *text = (char *)call->key;
	size_t n = 0;
	int r;

	r = tx_query(tx, "SELECT type, data FROM events WHERE account = $1 ORDER BY seq",
		     SQL_PARAMS(sql_blob(&call->account, sizeof(call->account))), &rows);
	text[0] = 0;
	for (size_t i = 0; r == 0 && i < rows_count(rows) && n < EVENTS_TEXT; i++)
		n += (size_t)snprintf(text + n, EVENTS_TEXT - n, "%s %s\n",
				      rows_text(rows, i, "type"), rows_text(rows, i, "data"));
	assert_true(n < EVENTS_TEXT);
	return r;
}

static void compare_pairs(struct world *world, struct pairs *pairs)
{
	for (size_t i = 0; i < pairs->n; i++) {
		const struct billing_record *a = &pairs->records[BATCHED][i];
		const struct billing_record *b = &pairs->records[SINGLE][i];

		assert_int_equal(a->outcome, b->outcome);
		if (a->outcome == 0)
			assert_int_equal(a->charged.micro, b->charged.micro);
	}
	for (size_t pair = 0; pair < PAIRS; pair++) {
		struct ledger_balances both[SIDES];

		for (enum side side = 0; side < SIDES; side++) {
			struct call call = { world, events_fn, pair_tenant(side, pair),
					     .key = pairs->text[side] };

			both[side] = balances(world, call.account);
			assert_int_equal(run(&call, TX_READ), 0);
		}
		assert_memory_equal(&both[BATCHED], &both[SINGLE], sizeof(both[0]));
		assert_string_equal(pairs->text[BATCHED], pairs->text[SINGLE]);
	}
	assert_int_equal(balances(world, pair_provider(BATCHED)).earned.micro,
			 balances(world, pair_provider(SINGLE)).earned.micro);
}

/* Both of a pair, or none, are listed. */
static size_t compare_exhausted(struct world *world, const struct pairs *pairs)
{
	struct rental_id rentals[16];
	struct call call = { world, take_exhausted_fn };
	size_t seen[PAIR_LEASES] = { 0 };

	assert_int_equal(run(&call, TX_WRITE), 0);
	memcpy(rentals, call.rentals, sizeof(rentals));
	for (size_t i = 0; i < call.n; i++)
		for (size_t k = 0; k < PAIR_LEASES; k++)
			for (enum side side = 0; side < SIDES; side++)
				if (rental_id_equal(rentals[i],
						    pairs->leases[k].terms[side].rental))
					seen[k]++;
	for (size_t k = 0; k < PAIR_LEASES; k++)
		assert_true(seen[k] == 0 || seen[k] == 2);
	return call.n;
}

static void pair_change(struct world *world, struct pairs *pairs, int round)
{
	size_t which = below(world, PAIR_LEASES);
	struct pair_lease *lease = &pairs->leases[which];
	char key[32];

	snprintf(key, sizeof(key), "round-%d", round);
	if (below(world, 3) == 0)
		pair_credit(world, below(world, PAIRS), (int64_t)below(world, 60000) + 1, key);
	if (below(world, 4) > 0)
		return;
	for (enum side side = 0; side < SIDES && !lease->closed; side++)
		assert_true(close_lease(world, lease->terms[side].lease, world->clock.ms, true) >=
			    0);
	if (lease->closed)
		pair_open(world, lease, which % PAIRS);
	else
		lease->closed = true;
}

static void a_batch_is_one_after_the_other(void **state)
{
	struct world *world = *state;
	struct pairs *pairs = calloc(1, sizeof(*pairs));
	size_t exhausted = 0;

	assert_non_null(pairs);
	for (size_t pair = 0; pair < PAIRS; pair++)
		pair_credit(world, pair, 200000, "start");
	for (size_t i = 0; i < PAIR_LEASES; i++)
		pair_open(world, &pairs->leases[i], i % PAIRS);
	for (int round = 0; round < ROUNDS; round++) {
		world->clock.ms += (int64_t)below(world, 20000);
		pair_change(world, pairs, round);
		pair_records(world, pairs);
		pair_take(world, pairs);
		compare_pairs(world, pairs);
		exhausted += compare_exhausted(world, pairs);
	}
	assert_balanced(world);
	/* It was not all plain sailing. */
	assert_true(exhausted > 10);
	assert_true(events(world, "balance.low") >= 2 && events(world, "balance.exhausted") >= 2);
	free(pairs);
}

/* ---- many of one tenant ---- */

enum { LEASES = 6 };

static struct billing_record record_of(struct world *world, const struct billing_lease *lease,
				       uint64_t sequence, int64_t seconds)
{
	struct billing_record record = { .usage = usage_of(world, lease, sequence, seconds) };

	sign_record(world->machine, &record);
	return record;
}

/* The tenant has enough for half of it: three leases are paid, one in part, two not at all. */
static void a_batch_never_overdraws(void **state)
{
	struct world *world = *state;
	struct billing_lease leases[LEASES];
	struct billing_record records[LEASES], *batch[LEASES];
	struct call call = { world, usage_many_fn, .records = batch, .n = LEASES };

	assert_int_equal(credit(world, account_of(1), 350000, "a"), 0);
	for (size_t i = 0; i < LEASES; i++) {
		leases[i] = lease_of(world, 1);
		leases[i].hold.micro = 0;
		assert_int_equal(open_lease(world, &leases[i]), 0);
		records[i] = record_of(world, &leases[i], 1, 100);
		batch[i] = &records[i];
	}
	world->clock.ms = START_MS + 100000;
	assert_int_equal(run(&call, TX_WRITE), 0);
	for (size_t i = 0; i < LEASES; i++) {
		assert_int_equal(records[i].outcome, 0);
		assert_int_equal(records[i].charged.micro, i < 3 ? 100000 : i == 3 ? 50000 : 0);
	}
	assert_int_equal(balances(world, account_of(1)).available.micro, 0);
	assert_int_equal(events(world, "balance.exhausted"), 3);
	assert_int_equal(take_exhausted(world, NULL), 3);
	assert_balanced(world);
}

static void a_batch_is_all_or_nothing(void **state)
{
	struct world *world = *state;
	struct billing_lease leases[LEASES];
	struct billing_record records[LEASES * 2], *batch[LEASES * 2];
	struct call call = { world, usage_many_fn, .records = batch, .n = LEASES * 2 };

	for (size_t i = 0; i < LEASES; i++) {
		leases[i] = lease_of(world, (uint8_t)(1 + i % 3));
		leases[i].hold.micro = 1000;
	}
	for (uint8_t i = 1; i <= 3; i++)
		assert_int_equal(
			credit(world, account_of(i), 120000, (char[]){ (char)('a' + i), 0 }), 0);
	for (size_t i = 0; i < LEASES; i++) {
		assert_int_equal(open_lease(world, &leases[i]), 0);
		records[2 * i] = record_of(world, &leases[i], 1, 50);
		records[2 * i + 1] = record_of(world, &leases[i], 2, 90);
	}
	for (size_t i = 0; i < LEASES * 2; i++)
		batch[i] = &records[i];
	world->clock.ms = START_MS + 100000;
	fail_everywhere(world, &call);
	for (uint8_t i = 1; i <= 3; i++)
		assert_int_equal(balances(world, account_of(i)).available.micro, 0);
	assert_int_equal(events(world, "balance.exhausted"), 3);
}

static void a_batch_has_a_bound(void **state)
{
	struct world *world = *state;
	static struct billing_record records[BILLING_RECORDS_MAX + 1];
	static struct billing_record *batch[BILLING_RECORDS_MAX + 1];
	struct call call = { world, usage_many_fn, .records = batch };

	for (size_t i = 0; i <= BILLING_RECORDS_MAX; i++) {
		memset(&records[i].usage.lease, (int)i, sizeof(records[i].usage.lease));
		batch[i] = &records[i];
	}
	call.n = BILLING_RECORDS_MAX + 1;
	assert_int_equal(run(&call, TX_WRITE), -EINVAL);
	call.n = BILLING_RECORDS_MAX;
	assert_int_equal(run(&call, TX_WRITE), 0);
	for (size_t i = 0; i < BILLING_RECORDS_MAX; i++)
		assert_int_equal(records[i].outcome, BILLING_E_NO_LEASE);
}

int usage_tests(void)
{
	static const struct CMUnitTest tests[] = {
		WORLD_TEST(a_batch_is_one_after_the_other),
		WORLD_TEST(a_batch_never_overdraws),
		WORLD_TEST(a_batch_is_all_or_nothing),
		WORLD_TEST(a_batch_has_a_bound),
	};

	return world_run(tests, ARRAY_SIZE(tests));
}
