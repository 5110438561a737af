#include "modules/billing/billing_world.h"

#include "base/log.h"
#include "io/migrate.h"
#include "modules/billing/deposit.h"

static int run_call(struct tx *tx, void *arg)
{
	struct call *call = arg;

	return call->fn(tx, call);
}

int run(struct call *call, enum tx_mode mode)
{
	int r;

	arena_reset(call->world->arena);
	r = db_run(call->world->db, mode, call->world->arena, run_call, call);
	return r;
}

/* ---- calls ---- */

int credit_fn(struct tx *tx, struct call *call)
{
	return billing_credit(&call->world->context, tx, call->account, call->amount, call->key,
			      "test");
}

int credit(struct world *world, struct account_id account, int64_t micro, const char *key)
{
	struct call call = { world, credit_fn, account, .amount = { micro }, .key = key };

	return run(&call, TX_WRITE);
}

int deposit_fn(struct tx *tx, struct call *call)
{
	return deposit_add(&call->world->context, tx, call->account, call->amount, call->key,
			   "test");
}

int deposit(struct world *world, struct account_id account, int64_t micro, const char *key)
{
	struct call call = { world, deposit_fn, account, .amount = { micro }, .key = key };

	return run(&call, TX_WRITE);
}

int open_fn(struct tx *tx, struct call *call)
{
	return billing_lease_open(&call->world->context, tx, &call->lease);
}

int open_lease(struct world *world, const struct billing_lease *lease)
{
	struct call call = { world, open_fn, .lease = *lease };

	return run(&call, TX_WRITE);
}

int usage_fn(struct tx *tx, struct call *call)
{
	return billing_usage(&call->world->context, tx, &call->usage, call->signature,
			     &call->ret_amount, call->receipt);
}

int usage_many_fn(struct tx *tx, struct call *call)
{
	return billing_usage_many(&call->world->context, tx, call->records, call->n);
}

void sign_record(const struct secp_key *key, struct billing_record *record)
{
	uint8_t digest[SIGN_DIGEST_SIZE];

	usage_digest(&record->usage, digest);
	assert_int_equal(secp_sign(key, digest, record->signature), 0);
	assert_int_equal(billing_record_check(record), 0);
}

void sign_usage(const struct secp_key *key, struct call *call)
{
	uint8_t digest[SIGN_DIGEST_SIZE];

	usage_digest(&call->usage, digest);
	assert_int_equal(secp_sign(key, digest, call->signature), 0);
}

int report(struct world *world, const struct usage_statement *usage, int64_t *ret_micro)
{
	struct call call = { world, usage_fn, .usage = *usage };
	int r;

	sign_usage(world->machine, &call);
	r = run(&call, TX_WRITE);
	if (r == 0 && ret_micro)
		*ret_micro = call.ret_amount.micro;
	return r;
}

int close_fn(struct tx *tx, struct call *call)
{
	return billing_lease_close(&call->world->context, tx, call->id, call->ended_at_ms,
				   call->billed);
}

int close_lease(struct world *world, struct lease_id id, int64_t ended_at_ms, bool billed)
{
	struct call call = { world, close_fn, .id = id, .ended_at_ms = ended_at_ms,
			     .billed = billed };

	return run(&call, TX_WRITE);
}

static int sums_fn(struct tx *tx, struct call *call)
{
	return billing_lease_sums(tx, call->id, &call->sums);
}

struct billing_lease_sums sums(struct world *world, struct lease_id id)
{
	struct call call = { world, sums_fn, .id = id };

	assert_int_equal(run(&call, TX_READ), 0);
	return call.sums;
}

static int balances_fn(struct tx *tx, struct call *call)
{
	return ledger_balances(tx, call->account, &call->balances);
}

struct ledger_balances balances(struct world *world, struct account_id account)
{
	struct call call = { world, balances_fn, account };

	assert_int_equal(run(&call, TX_READ), 0);
	return call.balances;
}

int take_exhausted_fn(struct tx *tx, struct call *call)
{
	return billing_exhausted_take(tx, ARRAY_SIZE(call->rentals), call->rentals, &call->n);
}

size_t take_exhausted(struct world *world, struct rental_id *ret_first)
{
	struct call call = { world, take_exhausted_fn };

	assert_int_equal(run(&call, TX_WRITE), 0);
	if (call.n > 0 && ret_first)
		*ret_first = call.rentals[0];
	return call.n;
}

static int check_fn(struct tx *tx, struct call *call)
{
	return billing_check(tx, &call->problem);
}

void assert_balanced(struct world *world)
{
	struct call call = { world, check_fn };

	assert_int_equal(run(&call, TX_READ), 0);
	if (call.problem)
		fail_msg("ledger: %s", call.problem);
}

static int network_fn(struct tx *tx, struct call *call)
{
	return store_network_sum(tx, call->n, &call->ret_amount);
}

int64_t network_sum(struct world *world, enum ledger_account account)
{
	struct call call = { world, network_fn, .n = account };

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

size_t count(struct world *world, const char *sql)
{
	struct call call = { world, count_fn, .key = sql };

	assert_int_equal(run(&call, TX_READ), 0);
	return call.n;
}

size_t postings(struct world *world)
{
	return count(world, "SELECT COUNT(*) AS n FROM billing_postings");
}

size_t events(struct world *world, const char *type)
{
	char sql[128];

	snprintf(sql, sizeof(sql), "SELECT COUNT(*) AS n FROM events WHERE type = '%s'", type);
	return count(world, sql);
}

/* ---- a store that fails ---- */

static const char all_events[] = "SELECT COUNT(*) AS n FROM events";

void fail_everywhere(struct world *world, const struct call *call)
{
	size_t before = postings(world), told = count(world, all_events);
	struct call copy;

	for (unsigned int n = 1;; n++) {
		copy = *call;
		db_fault_at(world->db, DB_FAULT_STATEMENT, n, -EIO);
		if (run(&copy, TX_WRITE) == 0)
			break;
		db_fault_at(world->db, DB_FAULT_STATEMENT, 0, 0);
		assert_int_equal(postings(world), before);
		assert_int_equal(count(world, all_events), told);
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

/* ---- bills ---- */

static int bill_fn(struct tx *tx, struct call *call)
{
	const struct route *row = billing_module.routes;
	struct reply reply = { 0 };
	char rental[ID_TEXT_SIZE];
	struct request request = { .context = &call->world->context,
				   .arena = tx_arena(tx),
				   .caller = { .known = true, .account = call->account },
				   .params = { rental } };
	int r;

	while (strcmp(row->path, "/v1/bills/{rental}") != 0)
		row++;
	rental_id_text(&call->lease.rental, rental);
	r = row->handler(&request, tx, &reply);
	if (r == 0)
		call->key = json_dumps(reply.body, 0);
	json_decref(reply.body);
	return r;
}

char *bill_of(struct world *world, const struct billing_lease *lease)
{
	struct call call = { world, bill_fn, lease->tenant, .lease = *lease };

	assert_int_equal(run(&call, TX_READ), 0);
	assert_non_null(call.key);
	return (char *)call.key;
}

/* ---- the stage ---- */

uint64_t below(struct world *world, uint64_t bound)
{
	uint64_t value;

	assert_int_equal(random_below(&world->random.random, bound, &value), 0);
	return value;
}

struct account_id account_of(uint8_t byte)
{
	struct account_id account;

	memset(&account, byte, sizeof(account));
	return account;
}

/* A lease like most: 3.6 an hour is 1000 micro-units a second. */
struct billing_lease lease_of(struct world *world, uint8_t tenant)
{
	struct billing_lease lease = {
		.placing = 1,
		.tenant = account_of(tenant),
		.machine = { *secp_key_address(world->machine) },
		.provider = world->provider,
		.rate_hour = { 3600000 },
		.hold = { 100000 },
	};

	assert_int_equal(rental_id_make(&world->clock.clock, &world->random.random, &lease.rental),
			 0);
	assert_int_equal(lease_id_make(&world->clock.clock, &world->random.random, &lease.lease),
			 0);
	return lease;
}

struct usage_statement usage_of(struct world *world, const struct billing_lease *lease,
				uint64_t sequence, int64_t seconds)
{
	return (struct usage_statement){
		.network = world->settings.network,
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

static const char *const tables[] = {
	"billing_excuses",         "billing_postings",    "billing_entries",
	"billing_balances",        "billing_leases",      "billing_exhausted",
	"billing_treasury",        "billing_tally",       "billing_pairs",
	"billing_settlements",     "billing_escaped",     "billing_leaving",
	"billing_leaving_rentals", "billing_withdrawals", "billing_conversions",
	"billing_converters",      "billing_deposits"
};

int world_open(void **state)
{
	struct world *world = *state;
	char sql[96];

	assert_int_equal(db_open(world->url, 8, &world->db), 0);
	assert_int_equal(arena_new(256 << 20, &world->arena), 0);
	assert_int_equal(migrate(world->db, migrations, NULL), 0);
	for (size_t i = 0; i < ARRAY_SIZE(tables); i++) {
		snprintf(sql, sizeof(sql), "DELETE FROM %s", tables[i]);
		assert_int_equal(db_run(world->db, TX_WRITE, world->arena, drop_fn, sql), 0);
	}
	snprintf(sql, sizeof(sql),
		 "DELETE FROM events WHERE type LIKE 'balance.%%'"
		 " OR type LIKE 'rental.excuse%%'");
	assert_int_equal(db_run(world->db, TX_WRITE, world->arena, drop_fn, sql), 0);
	clock_fake_init(&world->clock, START_MS);
	random_seeded_init(&world->random, 42);
	assert_int_equal(secp_key_generate(&world->random.random, &world->network), 0);
	assert_int_equal(secp_key_generate(&world->random.random, &world->machine), 0);
	assert_int_equal(secp_key_generate(&world->random.random, &world->stranger), 0);
	world->settings = (struct settings){
		.network_key = world->network,
		.network = *secp_key_address(world->network),
		.fee_basis_points = FEE_BASIS_POINTS,
	};
	world->context = (struct context){
		.clock = &world->clock.clock,
		.random = &world->random.random,
		.db = world->db,
		.settings = &world->settings,
	};
	world->provider = account_of(0x77);
	return 0;
}

int world_close(void **state)
{
	struct world *world = *state;

	secp_key_free(world->network);
	secp_key_free(world->machine);
	secp_key_free(world->stranger);
	db_close(world->db);
	arena_free(world->arena);
	return 0;
}

int world_run(const struct CMUnitTest *tests, size_t n)
{
	const char *const urls[] = { "sqlite::memory:", getenv("KAISAR_TEST_POSTGRES") };
	struct CMUnitTest on_store[64];
	int failed = 0;

	assert_true(n <= ARRAY_SIZE(on_store));
	log_init(false, LOG_WARN);
	for (size_t i = 0; i < ARRAY_SIZE(urls) && urls[i]; i++) {
		struct world world = { .url = urls[i] };

		for (size_t j = 0; j < n; j++) {
			on_store[j] = tests[j];
			on_store[j].initial_state = &world;
		}
		/* The macro wants an array. */
		failed += _cmocka_run_group_tests(urls[i], on_store, n, NULL, NULL);
	}
	return failed;
}
