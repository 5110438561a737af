#include "modules/billing/billing.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>

#include <cmocka.h>

#include "api/settings.h"
#include "base/log.h"
#include "io/db_fault.h"
#include "io/migrate.h"
#include "modules/billing/billing_store.h"
#include "security/secp.h"

/* Every test runs on each store: memory, and PostgreSQL where the environment names one. */

enum { START_MS = 1700000000 * 1000ll, FEE_BASIS_POINTS = 1000 };

struct bench {
	const char *url;
	struct db *db;
	struct arena *arena;
	struct clock_fake clock;
	struct random_seeded random;
	struct secp_key *network, *machine, *stranger;
	struct settings settings;
	struct context context;
	struct account_id provider;
};

/* One call of the module in a transaction of its own; returns its result. */
struct call {
	struct bench *bench;
	int (*fn)(struct tx *tx, struct call *call);
	struct account_id account;
	struct amount amount, ret_amount;
	const char *key;
	struct billing_lease lease;
	struct lease_id id;
	struct usage_statement usage;
	uint8_t signature[SIGNATURE_SIZE], receipt[SIGNATURE_SIZE];
	int64_t ended_at_ms;
	bool billed;
	struct billing_lease_sums sums;
	struct ledger_balances balances;
	struct rental_id rentals[16];
	size_t n;
	const char *problem;
	struct ledger_posting *postings;
};

static int run_call(struct tx *tx, void *arg)
{
	struct call *call = arg;

	return call->fn(tx, call);
}

static int run(struct call *call, enum tx_mode mode)
{
	int r;

	arena_reset(call->bench->arena);
	r = db_run(call->bench->db, mode, call->bench->arena, run_call, call);
	return r;
}

/* ---- calls ---- */

static int credit_fn(struct tx *tx, struct call *call)
{
	return billing_credit(&call->bench->context, tx, call->account, call->amount, call->key,
			      "test");
}

static int credit(struct bench *bench, struct account_id account, int64_t micro, const char *key)
{
	struct call call = { bench, credit_fn, account, .amount = { micro }, .key = key };

	return run(&call, TX_WRITE);
}

static int open_fn(struct tx *tx, struct call *call)
{
	return billing_lease_open(&call->bench->context, tx, &call->lease);
}

static int open_lease(struct bench *bench, const struct billing_lease *lease)
{
	struct call call = { bench, open_fn, .lease = *lease };

	return run(&call, TX_WRITE);
}

static int usage_fn(struct tx *tx, struct call *call)
{
	return billing_usage(&call->bench->context, tx, &call->usage, call->signature,
			     &call->ret_amount, call->receipt);
}

static void sign_usage(const struct secp_key *key, struct call *call)
{
	uint8_t digest[SIGN_DIGEST_SIZE];

	usage_digest(&call->usage, digest);
	assert_int_equal(secp_sign(key, digest, call->signature), 0);
}

static int report(struct bench *bench, const struct usage_statement *usage, int64_t *ret_micro)
{
	struct call call = { bench, usage_fn, .usage = *usage };
	int r;

	sign_usage(bench->machine, &call);
	r = run(&call, TX_WRITE);
	if (r == 0 && ret_micro)
		*ret_micro = call.ret_amount.micro;
	return r;
}

static int close_fn(struct tx *tx, struct call *call)
{
	return billing_lease_close(&call->bench->context, tx, call->id, call->ended_at_ms,
				   call->billed);
}

static int close_lease(struct bench *bench, struct lease_id id, int64_t ended_at_ms, bool billed)
{
	struct call call = { bench, close_fn, .id = id, .ended_at_ms = ended_at_ms,
			     .billed = billed };

	return run(&call, TX_WRITE);
}

static int sums_fn(struct tx *tx, struct call *call)
{
	return billing_lease_sums(tx, call->id, &call->sums);
}

static struct billing_lease_sums sums(struct bench *bench, struct lease_id id)
{
	struct call call = { bench, sums_fn, .id = id };

	assert_int_equal(run(&call, TX_READ), 0);
	return call.sums;
}

static int balances_fn(struct tx *tx, struct call *call)
{
	return ledger_balances(tx, call->account, &call->balances);
}

static struct ledger_balances balances(struct bench *bench, struct account_id account)
{
	struct call call = { bench, balances_fn, account };

	assert_int_equal(run(&call, TX_READ), 0);
	return call.balances;
}

static int take_fn(struct tx *tx, struct call *call)
{
	return billing_exhausted_take(tx, ARRAY_SIZE(call->rentals), call->rentals, &call->n);
}

static size_t take_exhausted(struct bench *bench, struct rental_id *ret_first)
{
	struct call call = { bench, take_fn };

	assert_int_equal(run(&call, TX_WRITE), 0);
	if (call.n > 0 && ret_first)
		*ret_first = call.rentals[0];
	return call.n;
}

static int check_fn(struct tx *tx, struct call *call)
{
	return billing_check(tx, &call->problem);
}

static void assert_balanced(struct bench *bench)
{
	struct call call = { bench, check_fn };

	assert_int_equal(run(&call, TX_READ), 0);
	if (call.problem)
		fail_msg("ledger: %s", call.problem);
}

static int network_fn(struct tx *tx, struct call *call)
{
	return store_network_sum(tx, call->n, &call->ret_amount);
}

static int64_t network_sum(struct bench *bench, enum ledger_account account)
{
	struct call call = { bench, network_fn, .n = account };

	assert_int_equal(run(&call, TX_READ), 0);
	return call.ret_amount.micro;
}

static int count_fn(struct tx *tx, struct call *call)
{
	struct sql_rows *rows;
	int r = tx_query(tx, call->key, SQL_NO_PARAMS, &rows);

	if (r == 0)
		call->n = (size_t)rows_int(rows, 0, "n");
	return r;
}

static size_t count(struct bench *bench, const char *sql)
{
	struct call call = { bench, count_fn, .key = sql };

	assert_int_equal(run(&call, TX_READ), 0);
	return call.n;
}

static size_t postings(struct bench *bench)
{
	return count(bench, "SELECT COUNT(*) AS n FROM billing_postings");
}

static size_t events(struct bench *bench, const char *type)
{
	char sql[128];

	snprintf(sql, sizeof(sql), "SELECT COUNT(*) AS n FROM events WHERE type = '%s'",
		 type);
	return count(bench, sql);
}

/* ---- the stage ---- */

static struct account_id account_of(uint8_t byte)
{
	struct account_id account;

	memset(&account, byte, sizeof(account));
	return account;
}

/* A lease like most: 3.6 an hour is 1000 micro-units a second. */
static struct billing_lease lease_of(struct bench *bench, uint8_t tenant)
{
	struct billing_lease lease = {
		.tenant = account_of(tenant),
		.machine = { *secp_key_address(bench->machine) },
		.provider = bench->provider,
		.rate_hour = { 3600000 },
		.hold = { 100000 },
	};

	assert_int_equal(rental_id_make(&bench->clock.clock, &bench->random.random, &lease.rental),
			 0);
	assert_int_equal(lease_id_make(&bench->clock.clock, &bench->random.random, &lease.lease),
			 0);
	return lease;
}

static struct usage_statement usage_of(struct bench *bench, const struct billing_lease *lease,
				       uint64_t sequence, int64_t seconds)
{
	return (struct usage_statement){
		.network = bench->settings.network,
		.machine = lease->machine,
		.lease = lease->lease,
		.rental = lease->rental,
		.sequence = sequence,
		.started_at_ms = START_MS,
		.until_ms = START_MS + seconds * 1000,
		.seconds = seconds,
	};
}

static int drop_fn(struct tx *tx, void *arg)
{
	return tx_exec(tx, arg, SQL_NO_PARAMS, NULL);
}

static const char *const tables[] = { "billing_postings", "billing_entries", "billing_balances",
				      "billing_leases", "billing_exhausted" };

static int bench_open(void **state)
{
	struct bench *bench = *state;
	char sql[64];

	assert_int_equal(db_open(bench->url, 8, &bench->db), 0);
	assert_int_equal(arena_new(256 << 20, &bench->arena), 0);
	assert_int_equal(migrate(bench->db, migrations, NULL), 0);
	for (size_t i = 0; i < ARRAY_SIZE(tables); i++) {
		snprintf(sql, sizeof(sql), "DELETE FROM %s", tables[i]);
		assert_int_equal(db_run(bench->db, TX_WRITE, bench->arena, drop_fn, sql), 0);
	}
	snprintf(sql, sizeof(sql), "DELETE FROM events");
	assert_int_equal(db_run(bench->db, TX_WRITE, bench->arena, drop_fn, sql), 0);
	clock_fake_init(&bench->clock, START_MS);
	random_seeded_init(&bench->random, 42);
	assert_int_equal(secp_key_generate(&bench->random.random, &bench->network), 0);
	assert_int_equal(secp_key_generate(&bench->random.random, &bench->machine), 0);
	assert_int_equal(secp_key_generate(&bench->random.random, &bench->stranger), 0);
	bench->settings = (struct settings){
		.network_key = bench->network,
		.network = *secp_key_address(bench->network),
		.fee_basis_points = FEE_BASIS_POINTS,
	};
	bench->context = (struct context){
		.clock = &bench->clock.clock,
		.random = &bench->random.random,
		.db = bench->db,
		.settings = &bench->settings,
	};
	bench->provider = account_of(0x77);
	return 0;
}

static int bench_close(void **state)
{
	struct bench *bench = *state;

	secp_key_free(bench->network);
	secp_key_free(bench->machine);
	secp_key_free(bench->stranger);
	db_close(bench->db);
	arena_free(bench->arena);
	return 0;
}

/* ---- credits ---- */

static void credits_once_by_key(void **state)
{
	struct bench *bench = *state;

	assert_int_equal(credit(bench, account_of(1), 5000000, "a"), 0);
	assert_int_equal(credit(bench, account_of(1), 5000000, "a"), 0);
	assert_int_equal(balances(bench, account_of(1)).available.micro, 5000000);
	assert_int_equal(credit(bench, account_of(1), 1, "b"), 0);
	assert_int_equal(balances(bench, account_of(1)).available.micro, 5000001);
	assert_int_equal(credit(bench, account_of(2), 5000000, "a"), BILLING_E_KEY);
	assert_int_equal(credit(bench, account_of(1), 5000001, "a"), BILLING_E_KEY);
	assert_int_equal(network_sum(bench, LEDGER_ISSUE), -5000001);
	assert_int_equal(postings(bench), 2);
	assert_balanced(bench);
}

static void refuses_credits_out_of_bounds(void **state)
{
	struct bench *bench = *state;
	char key[BILLING_KEY_MAX + 2];

	memset(key, 'k', sizeof(key));
	key[BILLING_KEY_MAX + 1] = 0;
	assert_int_equal(credit(bench, account_of(1), 0, "a"), BILLING_E_LIMIT);
	assert_int_equal(credit(bench, account_of(1), -5, "a"), BILLING_E_LIMIT);
	assert_int_equal(credit(bench, account_of(1), BILLING_CREDIT_MAX_MICRO + 1, "a"),
			 BILLING_E_LIMIT);
	assert_int_equal(credit(bench, account_of(1), 5, ""), BILLING_E_LIMIT);
	assert_int_equal(credit(bench, account_of(1), 5, key), BILLING_E_LIMIT);
	assert_int_equal(postings(bench), 0);
}

/* ---- the life of a lease ---- */

static void charges_hold_then_balance(void **state)
{
	struct bench *bench = *state;
	struct billing_lease lease = lease_of(bench, 1);
	struct usage_statement usage = usage_of(bench, &lease, 1, 60);
	int64_t charged;

	assert_int_equal(open_lease(bench, &lease), BILLING_E_INSUFFICIENT);
	assert_int_equal(postings(bench), 0);
	assert_int_equal(credit(bench, lease.tenant, 1000000, "a"), 0);
	assert_int_equal(open_lease(bench, &lease), 0);
	assert_int_equal(open_lease(bench, &lease), -EEXIST);
	assert_int_equal(balances(bench, lease.tenant).available.micro, 900000);
	assert_int_equal(balances(bench, lease.tenant).held.micro, 100000);

	bench->clock.ms = START_MS + 60000;
	assert_int_equal(report(bench, &usage, &charged), 0);
	assert_int_equal(charged, 60000);
	assert_int_equal(balances(bench, lease.tenant).available.micro, 900000);
	assert_int_equal(balances(bench, lease.tenant).held.micro, 40000);

	bench->clock.ms = START_MS + 110000;
	usage = usage_of(bench, &lease, 2, 110);
	assert_int_equal(report(bench, &usage, &charged), 0);
	assert_int_equal(charged, 110000);
	assert_int_equal(balances(bench, lease.tenant).available.micro, 890000);
	assert_int_equal(balances(bench, lease.tenant).held.micro, 0);
	assert_int_equal(balances(bench, bench->provider).earned.micro, 99000);
	assert_int_equal(network_sum(bench, LEDGER_FEES), 11000);
	assert_balanced(bench);
}

static void releases_what_was_held(void **state)
{
	struct bench *bench = *state;
	struct billing_lease lease = lease_of(bench, 1);
	struct usage_statement usage = usage_of(bench, &lease, 1, 30);

	assert_int_equal(credit(bench, lease.tenant, 100000, "a"), 0);
	assert_int_equal(open_lease(bench, &lease), 0);
	bench->clock.ms = START_MS + 30000;
	assert_int_equal(report(bench, &usage, NULL), 0);
	assert_int_equal(close_lease(bench, lease.lease, bench->clock.ms, true), 0);
	assert_int_equal(balances(bench, lease.tenant).available.micro, 70000);
	assert_int_equal(balances(bench, lease.tenant).held.micro, 0);
	assert_int_equal(sums(bench, lease.lease).charged.micro, 30000);
	assert_int_equal(sums(bench, lease.lease).seconds, 30);
	assert_int_equal(close_lease(bench, lease.lease, bench->clock.ms, true), 0);
	assert_int_equal(close_lease(bench, lease.lease, START_MS, false), 0);
	assert_int_equal(sums(bench, lease.lease).charged.micro, 30000);
	assert_int_equal(postings(bench), 4);
	assert_balanced(bench);
}

static void undoes_what_was_not_usable(void **state)
{
	struct bench *bench = *state;
	struct billing_lease lease = lease_of(bench, 1);
	struct usage_statement usage = usage_of(bench, &lease, 1, 30);
	int64_t charged = -1;

	assert_int_equal(credit(bench, lease.tenant, 100000, "a"), 0);
	assert_int_equal(open_lease(bench, &lease), 0);
	bench->clock.ms = START_MS + 40000;
	assert_int_equal(report(bench, &usage, NULL), 0);
	assert_int_equal(close_lease(bench, lease.lease, bench->clock.ms, false), 0);
	assert_int_equal(balances(bench, lease.tenant).available.micro, 100000);
	assert_int_equal(balances(bench, bench->provider).earned.micro, 0);
	assert_int_equal(network_sum(bench, LEDGER_FEES), 0);
	assert_int_equal(sums(bench, lease.lease).charged.micro, 0);
	assert_int_equal(sums(bench, lease.lease).seconds, 0);

	assert_int_equal(report(bench, &usage, &charged), 0);
	assert_int_equal(charged, 0);
	usage = usage_of(bench, &lease, 2, 35);
	assert_int_equal(report(bench, &usage, NULL), BILLING_E_CLOSED);
	assert_balanced(bench);
}

static void signs_terms_and_receipts(void **state)
{
	struct bench *bench = *state;
	struct billing_lease lease = lease_of(bench, 1);
	struct call call = { bench, usage_fn, .usage = usage_of(bench, &lease, 1, 7) };
	struct receipt_statement receipt = { .charged = { 7000 } };
	uint8_t digest[SIGN_DIGEST_SIZE];
	struct address signer;

	assert_int_equal(credit(bench, lease.tenant, 100000, "a"), 0);
	assert_int_equal(open_lease(bench, &lease), 0);
	bench->clock.ms = START_MS + 7000;
	sign_usage(bench->machine, &call);
	assert_int_equal(run(&call, TX_WRITE), 0);
	usage_digest(&call.usage, receipt.usage_digest);
	receipt_digest(&receipt, digest);
	assert_int_equal(secp_recover(digest, call.receipt, &signer), 0);
	assert_true(address_equal(&signer, &bench->settings.network));
}

/* ---- records that cannot be ---- */

static void refuses_implausible_records(void **state)
{
	struct bench *bench = *state;
	struct billing_lease lease = lease_of(bench, 1);
	struct usage_statement good, bad;
	struct call call = { bench, usage_fn };

	assert_int_equal(credit(bench, lease.tenant, 10000000, "a"), 0);
	good = usage_of(bench, &lease, 5, 50);
	bench->clock.ms = START_MS + 60000;
	assert_int_equal(report(bench, &good, NULL), BILLING_E_NO_LEASE);
	bench->clock.ms = START_MS;
	assert_int_equal(open_lease(bench, &lease), 0);
	bench->clock.ms = START_MS + 60000;
	assert_int_equal(report(bench, &good, NULL), 0);

#define REFUSED(change)                       \
	bad = usage_of(bench, &lease, 6, 55); \
	change;                               \
	assert_int_equal(report(bench, &bad, NULL), BILLING_E_RECORD)
	REFUSED(bad.sequence = 5);
	REFUSED(bad.sequence = 4);
	REFUSED(bad.sequence = 0);
	REFUSED(bad.sequence = UINT64_MAX);
	REFUSED(bad.seconds = 49);
	REFUSED(bad.seconds = 57);
	REFUSED(bad.seconds = -1);
	REFUSED(bad.until_ms = START_MS + 49999; bad.seconds = 50);
	REFUSED(bad.until_ms = bench->clock.ms + 5001);
	REFUSED(bad.until_ms = INT64_MAX);
	REFUSED(bad.until_ms = INT64_MIN);
	REFUSED(bad.started_at_ms = START_MS + 1);
	REFUSED(bad.started_at_ms = START_MS - 1);
	REFUSED(bad.machine.address.bytes[0] ^= 1);
	REFUSED(bad.rental.bytes[0] ^= 1);
	REFUSED(bad.network.bytes[0] ^= 1);
#undef REFUSED
	call.usage = usage_of(bench, &lease, 6, 55);
	sign_usage(bench->stranger, &call);
	assert_int_equal(run(&call, TX_WRITE), BILLING_E_SIGNATURE);
	assert_int_equal(sums(bench, lease.lease).charged.micro, 50000);

	/* The edges of what is allowed: a begun second, a clock that is 5 s ahead. */
	good = usage_of(bench, &lease, 6, 55);
	good.seconds = 56;
	assert_int_equal(report(bench, &good, NULL), 0);
	good.sequence = 7;
	good.until_ms = bench->clock.ms + 5000;
	good.final = true;
	assert_int_equal(report(bench, &good, NULL), 0);
	good.sequence = 8;
	assert_int_equal(report(bench, &good, NULL), BILLING_E_RECORD);
	assert_balanced(bench);
}

static void refuses_a_start_before_the_placing(void **state)
{
	struct bench *bench = *state;
	struct billing_lease lease = lease_of(bench, 1);
	struct usage_statement usage = usage_of(bench, &lease, 1, 5);

	assert_int_equal(credit(bench, lease.tenant, 100000, "a"), 0);
	assert_int_equal(open_lease(bench, &lease), 0);
	usage.started_at_ms = START_MS - 5001;
	assert_int_equal(report(bench, &usage, NULL), BILLING_E_RECORD);
	usage.started_at_ms = START_MS - 5000;
	assert_int_equal(report(bench, &usage, NULL), 0);
}

static void answers_a_repeat_the_same(void **state)
{
	struct bench *bench = *state;
	struct billing_lease lease = lease_of(bench, 1);
	struct call first = { bench, usage_fn, .usage = usage_of(bench, &lease, 1, 9) }, second;
	size_t n;

	assert_int_equal(credit(bench, lease.tenant, 100000, "a"), 0);
	assert_int_equal(open_lease(bench, &lease), 0);
	bench->clock.ms = START_MS + 9000;
	sign_usage(bench->machine, &first);
	second = first;
	assert_int_equal(run(&first, TX_WRITE), 0);
	n = postings(bench);
	bench->clock.ms += 100 * 3600 * 1000;
	assert_int_equal(run(&second, TX_WRITE), 0);
	assert_int_equal(postings(bench), n);
	assert_int_equal(second.ret_amount.micro, 9000);
	assert_memory_equal(first.receipt, second.receipt, SIGNATURE_SIZE);
}

/* ---- after the close ---- */

static void takes_late_records_up_to_the_end(void **state)
{
	struct bench *bench = *state;
	struct billing_lease lease = lease_of(bench, 1);
	struct usage_statement usage;
	int64_t charged;

	assert_int_equal(credit(bench, lease.tenant, 200000, "a"), 0);
	assert_int_equal(open_lease(bench, &lease), 0);
	bench->clock.ms = START_MS + 300000;
	usage = usage_of(bench, &lease, 1, 10);
	assert_int_equal(report(bench, &usage, NULL), 0);
	assert_int_equal(close_lease(bench, lease.lease, START_MS + 100500, true), 0);
	assert_int_equal(balances(bench, lease.tenant).available.micro, 190000);

	usage = usage_of(bench, &lease, 2, 90);
	assert_int_equal(report(bench, &usage, &charged), 0);
	assert_int_equal(charged, 90000);
	usage = usage_of(bench, &lease, 3, 106);
	assert_int_equal(report(bench, &usage, NULL), BILLING_E_CLOSED);
	/* 104 seconds, but only 100.5 fit before the end: 101 are begun. */
	usage = usage_of(bench, &lease, 3, 104);
	assert_int_equal(report(bench, &usage, &charged), 0);
	assert_int_equal(charged, 101000);
	assert_int_equal(balances(bench, lease.tenant).available.micro, 99000);
	assert_int_equal(sums(bench, lease.lease).seconds, 101);
	assert_balanced(bench);
}

static void takes_no_record_a_day_after_the_close(void **state)
{
	struct bench *bench = *state;
	struct billing_lease lease = lease_of(bench, 1);
	struct usage_statement usage = usage_of(bench, &lease, 1, 10);

	assert_int_equal(credit(bench, lease.tenant, 200000, "a"), 0);
	assert_int_equal(open_lease(bench, &lease), 0);
	bench->clock.ms = START_MS + 10000;
	assert_int_equal(close_lease(bench, lease.lease, bench->clock.ms, true), 0);
	bench->clock.ms += 24 * 3600 * 1000 + 1;
	assert_int_equal(report(bench, &usage, NULL), BILLING_E_CLOSED);
	bench->clock.ms -= 1;
	assert_int_equal(report(bench, &usage, NULL), 0);
	assert_int_equal(sums(bench, lease.lease).charged.micro, 10000);
}

static void gives_back_what_was_past_the_end(void **state)
{
	struct bench *bench = *state;
	struct billing_lease lease = lease_of(bench, 1);
	struct usage_statement usage = usage_of(bench, &lease, 1, 150);

	assert_int_equal(credit(bench, lease.tenant, 200000, "a"), 0);
	assert_int_equal(open_lease(bench, &lease), 0);
	bench->clock.ms = START_MS + 150000;
	assert_int_equal(report(bench, &usage, NULL), 0);
	assert_int_equal(close_lease(bench, lease.lease, START_MS + 120000, true), 0);
	assert_int_equal(sums(bench, lease.lease).charged.micro, 121000);
	assert_int_equal(balances(bench, lease.tenant).available.micro, 79000);
	assert_int_equal(network_sum(bench, LEDGER_FEES), 12100);
	assert_balanced(bench);
}

/* ---- empty pockets ---- */

static void charges_what_there_is(void **state)
{
	struct bench *bench = *state;
	struct billing_lease lease = lease_of(bench, 1);
	struct usage_statement usage;
	struct rental_id rental;
	int64_t charged;

	assert_int_equal(credit(bench, lease.tenant, 120500, "a"), 0);
	assert_int_equal(open_lease(bench, &lease), 0);
	bench->clock.ms = START_MS + 200000;
	usage = usage_of(bench, &lease, 1, 130);
	assert_int_equal(report(bench, &usage, &charged), 0);
	assert_int_equal(charged, 120500);
	assert_int_equal(balances(bench, lease.tenant).available.micro, 0);
	assert_int_equal(balances(bench, lease.tenant).held.micro, 0);
	assert_int_equal(take_exhausted(bench, &rental), 1);
	assert_true(rental_id_equal(rental, lease.rental));
	assert_int_equal(take_exhausted(bench, NULL), 0);
	assert_int_equal(events(bench, "balance.exhausted"), 1);

	/* Listed again as long as it goes on, told once. */
	usage = usage_of(bench, &lease, 2, 140);
	assert_int_equal(report(bench, &usage, &charged), 0);
	assert_int_equal(charged, 120500);
	assert_int_equal(take_exhausted(bench, NULL), 1);
	assert_int_equal(events(bench, "balance.exhausted"), 1);

	/* While the lease is open, what was not paid stays due. */
	assert_int_equal(credit(bench, lease.tenant, 100000, "b"), 0);
	usage = usage_of(bench, &lease, 3, 150);
	assert_int_equal(report(bench, &usage, &charged), 0);
	assert_int_equal(charged, 150000);
	assert_int_equal(take_exhausted(bench, NULL), 0);
	assert_int_equal(balances(bench, lease.tenant).available.micro, 70500);
	assert_balanced(bench);
}

static void warns_once_before_the_end(void **state)
{
	struct bench *bench = *state;
	struct billing_lease lease = lease_of(bench, 1);
	struct usage_statement usage;

	assert_int_equal(credit(bench, lease.tenant, 700000, "a"), 0);
	assert_int_equal(open_lease(bench, &lease), 0);
	assert_int_equal(events(bench, "balance.low"), 0);
	bench->clock.ms = START_MS + 200000;
	usage = usage_of(bench, &lease, 1, 100);
	assert_int_equal(report(bench, &usage, NULL), 0);
	assert_int_equal(events(bench, "balance.low"), 0);
	usage = usage_of(bench, &lease, 2, 101);
	assert_int_equal(report(bench, &usage, NULL), 0);
	assert_int_equal(events(bench, "balance.low"), 1);
	usage = usage_of(bench, &lease, 3, 102);
	assert_int_equal(report(bench, &usage, NULL), 0);
	assert_int_equal(events(bench, "balance.low"), 1);
}

#define ON_STORE(test) cmocka_unit_test_setup_teardown(test, bench_open, bench_close)

int main(void)
{
	const struct CMUnitTest tests[] = {
		ON_STORE(credits_once_by_key),
		ON_STORE(refuses_credits_out_of_bounds),
		ON_STORE(charges_hold_then_balance),
		ON_STORE(releases_what_was_held),
		ON_STORE(undoes_what_was_not_usable),
		ON_STORE(signs_terms_and_receipts),
		ON_STORE(refuses_implausible_records),
		ON_STORE(refuses_a_start_before_the_placing),
		ON_STORE(answers_a_repeat_the_same),
		ON_STORE(takes_late_records_up_to_the_end),
		ON_STORE(takes_no_record_a_day_after_the_close),
		ON_STORE(gives_back_what_was_past_the_end),
		ON_STORE(charges_what_there_is),
		ON_STORE(warns_once_before_the_end),
	};
	const char *postgres = getenv("KAISAR_TEST_POSTGRES");
	const char *const urls[] = { "sqlite::memory:", postgres };
	int failed = 0;

	log_init(false, LOG_WARN);
	for (size_t i = 0; i < ARRAY_SIZE(urls) && urls[i]; i++) {
		struct bench bench = { .url = urls[i] };
		struct CMUnitTest on_store[ARRAY_SIZE(tests)];

		for (size_t j = 0; j < ARRAY_SIZE(tests); j++) {
			on_store[j] = tests[j];
			on_store[j].initial_state = &bench;
		}
		failed += cmocka_run_group_tests_name(urls[i], on_store, NULL, NULL);
	}
	return failed;
}
