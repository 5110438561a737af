#include "modules/checker/checker.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#include "api/settings.h"
#include "chain/contracts.h"
#include "io/db_fixture.h"
#include "io/migrate.h"
#include "modules/checker/checker_rules.h"
#include "modules/checker/checker_store_licences.h"
#include "modules/checker/licences.h"
#include "security/secp.h"

#define NOW_MS INT64_C(1800000000000)
#define DAY_MS ((int64_t)CHECKER_DAY_MS)

static struct store store;
static struct clock_fake fake;
static struct settings settings;
static struct context context;
static struct secp_key *key;

static struct account_id account(uint8_t last)
{
	struct account_id id = { 0 };

	id.address.bytes[19] = last;
	return id;
}

struct registering {
	struct account_id account, signed_for;
	struct checker_row row;
};

static int tx_register(struct tx *tx, void *arg)
{
	struct registering *registering = arg;
	struct checker_registration registration = { .checker = *secp_key_address(key),
						     .name = "one" };
	const struct checker_statement statement = { settings.network, registration.checker,
						     registering->signed_for };
	uint8_t digest[SIGN_DIGEST_SIZE];

	checker_digest(&statement, digest);
	assert_int_equal(secp_sign(key, digest, registration.signature), 0);
	return checker_register(&context, tx, registering->account, &registration,
				&registering->row);
}

static int run_register(struct account_id who, struct account_id signed_for)
{
	struct registering registering = { who, signed_for };

	return store_run(&store, TX_WRITE, tx_register, &registering);
}

static void test_register(void **state)
{
	struct registering registering = { account(1), account(1) };

	(void)state;
	assert_int_equal(run_register(account(1), account(2)), CHECKER_E_SIGNATURE);
	assert_int_equal(run_register(account(1), account(1)), 0);
	assert_int_equal(run_register(account(2), account(2)), CHECKER_E_TAKEN);
	assert_int_equal(store_run(&store, TX_WRITE, tx_register, &registering), 0);
	assert_int_equal(store_number(&store, "SELECT COUNT(*) AS n FROM checkers"), 1);
}

struct marking {
	int64_t at_ms;
	uint8_t session;
	enum checker_mark mark;
	bool clear;
	int64_t banned_until_ms;
};

static int tx_mark(struct tx *tx, void *arg)
{
	struct marking *marking = arg;
	const uint8_t session[16] = { marking->session };
	struct checker_row row;
	int r;

	if (marking->clear)
		r = checker_cleared(&context, tx, secp_key_address(key), session);
	else
		r = checker_marked(&context, tx, secp_key_address(key), session, marking->mark,
				   false, marking->at_ms);
	if (r == 0)
		r = checker_store_get(tx, secp_key_address(key), &row);
	if (r == 0)
		marking->banned_until_ms = row.banned_until_ms;
	return r;
}

/* Until when the checker is banned behind this mark. */
static int64_t mark(int64_t day, uint8_t session, enum checker_mark what)
{
	struct marking marking = { NOW_MS + day * DAY_MS, session, what };

	assert_int_equal(store_run(&store, TX_WRITE, tx_mark, &marking), 0);
	return marking.banned_until_ms;
}

static int64_t clear(uint8_t session)
{
	struct marking marking = { .session = session, .clear = true };

	assert_int_equal(store_run(&store, TX_WRITE, tx_mark, &marking), 0);
	return marking.banned_until_ms;
}

static int64_t until(int64_t day, int64_t days)
{
	return NOW_MS + (day + days) * DAY_MS;
}

static void test_two_in_a_week(void **state)
{
	(void)state;
	assert_int_equal(run_register(account(1), account(1)), 0);
	assert_int_equal(mark(0, 1, CHECKER_VALID), 0);
	assert_int_equal(mark(0, 2, CHECKER_WRONG), 0);
	assert_int_equal(mark(0, 2, CHECKER_WRONG), 0); /* the same again */
	assert_int_equal(mark(1, 3, CHECKER_SILENT), 0);
	assert_int_equal(mark(1, 4, CHECKER_DEVIATING), 0);
	assert_int_equal(mark(7, 5, CHECKER_WRONG), 0); /* a week later is not within it */
	assert_int_equal(mark(13, 6, CHECKER_WRONG), until(13, 30));
}

static void test_five_in_a_month(void **state)
{
	(void)state;
	assert_int_equal(run_register(account(1), account(1)), 0);
	for (uint8_t i = 0; i < 4; i++)
		assert_int_equal(mark(7 * i, i, CHECKER_WRONG), 0);
	assert_int_equal(mark(29, 4, CHECKER_WRONG), until(29, 180));
}

static void test_more_than_ten(void **state)
{
	(void)state;
	assert_int_equal(run_register(account(1), account(1)), 0);
	for (uint8_t i = 0; i < 10; i++)
		assert_int_equal(mark(40 * i, i, CHECKER_WRONG), 0);
	assert_int_equal(mark(400, 10, CHECKER_WRONG), CHECKER_FOREVER_MS);
	/* An appeal that is won takes it back. */
	assert_int_equal(clear(3), 0);
	assert_int_equal(clear(3), 0);
	assert_int_equal(
		store_number(&store, "SELECT COUNT(*) AS n FROM checker_marks WHERE cleared = 1"),
		1);
}

struct worked {
	struct checker_work work;
	size_t n;
};

static int tx_worked(struct tx *tx, void *arg)
{
	struct worked *worked = arg;
	struct checker_work *rows;
	int r;

	r = checker_worked(tx, NOW_MS, NOW_MS + 10 * DAY_MS, &rows, &worked->n);
	if (r == 0 && worked->n > 0)
		worked->work = rows[0];
	return r;
}

static void test_worked(void **state)
{
	struct worked worked;

	(void)state;
	assert_int_equal(run_register(account(1), account(1)), 0);
	store_exec(&store, "UPDATE checkers SET licences = 3");
	assert_int_equal(mark(-1, 1, CHECKER_VALID), 0);
	assert_int_equal(mark(0, 2, CHECKER_VALID), 0);
	assert_int_equal(mark(1, 3, CHECKER_DEVIATING), 0);
	assert_int_equal(mark(2, 4, CHECKER_SILENT), 0);
	assert_int_equal(mark(3, 5, CHECKER_WRONG), 0);
	assert_int_equal(mark(10, 6, CHECKER_VALID), 0);
	assert_int_equal(store_run(&store, TX_READ, tx_worked, &worked), 0);
	assert_int_equal(worked.n, 1);
	assert_int_equal(worked.work.valid, 2);
	assert_int_equal(worked.work.wrong, 1);
	assert_int_equal(worked.work.licences_milli, 3000);
	assert_int_equal(worked.work.n_delegators, 0);
	assert_false(worked.work.banned);
}

/* ---- licences on the chain ---- */

static int tx_take(struct tx *tx, void *arg)
{
	return licences_take(&context, tx, arg);
}

static void take(struct contract_event event)
{
	assert_int_equal(store_run(&store, TX_WRITE, tx_take, &event), 0);
}

static int64_t counting(void)
{
	return store_number(&store, "SELECT licences AS n FROM checkers");
}

struct staking {
	int64_t until_ms;
	struct checker_stake stake;
	size_t n;
};

static int tx_stakes(struct tx *tx, void *arg)
{
	struct staking *staking = arg;
	struct checker_stake *stakes;
	int r = licence_store_stakes(tx, NOW_MS, staking->until_ms, &stakes, &staking->n);

	if (r == 0 && staking->n > 0)
		staking->stake = stakes[0];
	return r;
}

/* The licences' milliseconds until then. */
static int64_t staked_ms(int64_t until_ms)
{
	struct staking staking = { .until_ms = until_ms };

	assert_int_equal(store_run(&store, TX_READ, tx_stakes, &staking), 0);
	return staking.n > 0 ? staking.stake.licence_ms : 0;
}

static void test_licences(void **state)
{
	const struct address machine = *secp_key_address(key);
	const struct u256 one = u256_from(1), two = u256_from(2);
	struct contract_event mint = { .kind = EVENT_MINTED,
				       .minted = { one, .to = account(7).address } };
	const struct contract_event proposed = {
		.kind = EVENT_PROPOSED,
		.proposed = { one, .owner = account(7).address, .machine = machine },
	};
	const struct contract_event accepted = { .kind = EVENT_ACCEPTED,
						 .accepted = { one, .machine = machine } };
	const struct contract_event ended = {
		.kind = EVENT_UNDELEGATED,
		.undelegated = { one, .machine = machine, .accepted = true },
	};

	(void)state;
	take(mint);
	take(proposed);
	take(accepted);
	/* It counts whenever the machine is registered here. */
	assert_int_equal(run_register(account(1), account(1)), 0);
	assert_int_equal(counting(), 1);
	mint.minted.id = two;
	take(mint);
	fake.ms += 1000;
	take((struct contract_event){ .kind = EVENT_PROPOSED,
				      .proposed = { two, .machine = machine } });
	assert_int_equal(counting(), 1);
	take((struct contract_event){ .kind = EVENT_ACCEPTED,
				      .accepted = { two, .machine = machine } });
	assert_int_equal(counting(), 2);
	fake.ms += 2000;
	take(ended);
	/* What comes and goes at once never counted. */
	take(proposed);
	take(accepted);
	take(ended);
	assert_int_equal(counting(), 1);
	assert_int_equal(staked_ms(NOW_MS + 4000), 3000 + 3000);
	assert_int_equal(staked_ms(NOW_MS + 500), 500);
	/* Of a licence that nobody made: said, and passed. */
	take((struct contract_event){ .kind = EVENT_ACCEPTED,
				      .accepted = { u256_from(9), .machine = machine } });
	assert_int_equal(counting(), 1);
}

/* It keeps its licences in the contract, and gets no tasks by them. */
static void test_deregistered(void **state)
{
	const struct address machine = *secp_key_address(key);
	const struct u256 one = u256_from(1), two = u256_from(2);
	struct contract_event out = { .kind = EVENT_DEREGISTERED,
				      .deregistered = { .machine = machine,
							.kind = MACHINE_CHECKER } };
	struct contract_event in = { .kind = EVENT_REGISTERED,
				     .registered = { .machine = machine,
						     .kind = MACHINE_CHECKER } };
	struct contract_event accepted = { .kind = EVENT_ACCEPTED,
					   .accepted = { one, .machine = machine } };

	(void)state;
	assert_int_equal(run_register(account(1), account(1)), 0);
	take(in);
	take((struct contract_event){ .kind = EVENT_MINTED,
				      .minted = { one, .to = account(7).address } });
	take((struct contract_event){
		.kind = EVENT_MINTED,
		.minted = { two, .mint_id = { 2 }, .to = account(7).address } });
	take(accepted);
	assert_int_equal(counting(), 1);
	fake.ms += 1000;
	take(out);
	take(out);
	assert_int_equal(counting(), 0);
	assert_int_equal(staked_ms(NOW_MS + 9000), 1000);
	/* What was accepted before, and is read behind it, does not count either; nor as another kind of machine. */
	accepted.accepted.id = two;
	take(accepted);
	in.registered.kind = MACHINE_WORKER;
	take(in);
	assert_int_equal(counting(), 0);
	fake.ms += 2000;
	in.registered.kind = MACHINE_CHECKER;
	take(in);
	take(in);
	assert_int_equal(counting(), 2);
	assert_int_equal(staked_ms(NOW_MS + 4000), 1000 + 2 * 1000);
	out.deregistered.kind = MACHINE_WORKER;
	take(out);
	assert_int_equal(counting(), 2);
}

/* What no contract of ours says twice is said, and passed: what comes behind it counts. */
static void test_repeated_licence_events(void **state)
{
	const struct address machine = *secp_key_address(key);
	const struct u256 one = u256_from(1);
	const struct contract_event purchased = {
		.kind = EVENT_PURCHASED,
		.purchased = { .round = u256_from(3), .buyer = account(7).address, .quantity = 2 },
	};
	const struct contract_event accepted = { .kind = EVENT_ACCEPTED,
						 .accepted = { one, .machine = machine } };

	(void)state;
	assert_int_equal(run_register(account(1), account(1)), 0);
	take(purchased);
	take(purchased);
	assert_int_equal(store_number(&store, "SELECT COUNT(*) AS n FROM checker_purchases"), 2);
	take((struct contract_event){ .kind = EVENT_MINTED,
				      .minted = { one, .to = account(7).address } });
	take(accepted);
	take(accepted);
	fake.ms += 1000;
	take(accepted);
	assert_int_equal(counting(), 1);
	assert_int_equal(staked_ms(NOW_MS + 3000), 3000);
}

static void test_weigh(void **state)
{
	const struct checker_stake stakes[] = { { account(1).address, account(7).address, 50000 },
						{ account(2).address, account(7).address, 200009 },
						{ account(2).address, account(8).address, 150009 },
						{ account(4).address, account(7).address, 99 } };
	struct checker_work rows[] = { { .checker = account(2).address, .licences_milli = 9 },
				       { .checker = account(3).address, .licences_milli = 9 },
				       { .checker = account(4).address } };
	struct checker_delegator delegators[4];

	(void)state;
	checker_weigh(stakes, 4, 100000, delegators, rows, 3);
	/* Of 3.50018: whole thousandths, of each owner and of all. */
	assert_int_equal(rows[0].licences_milli, 3500);
	assert_int_equal(rows[0].n_delegators, 2);
	assert_true(address_equal(&rows[0].delegators[0].owner, &stakes[1].owner));
	assert_int_equal(rows[0].delegators[0].licences_milli, 2000);
	assert_true(address_equal(&rows[0].delegators[1].owner, &stakes[2].owner));
	assert_int_equal(rows[0].delegators[1].licences_milli, 1500);
	assert_int_equal(rows[1].licences_milli, 0);
	assert_int_equal(rows[1].n_delegators, 0);
	/* Lent for a moment, it is next to nothing. */
	assert_int_equal(rows[2].licences_milli, 0);
	assert_int_equal(rows[2].n_delegators, 0);
}

static int setup(void **state)
{
	const struct context fresh = { .clock = &fake.clock,
				       .random = &random_system,
				       .db = store.db,
				       .settings = &settings };

	(void)state;
	clock_fake_init(&fake, NOW_MS);
	context = fresh;
	store_exec(&store, "DELETE FROM checker_marks");
	store_exec(&store, "DELETE FROM checkers");
	store_exec(&store, "DELETE FROM checker_stakes");
	store_exec(&store, "DELETE FROM checker_licences");
	store_exec(&store, "DELETE FROM checker_deregistered");
	return 0;
}

static int run(enum store_kind kind)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_register, setup),
		cmocka_unit_test_setup(test_two_in_a_week, setup),
		cmocka_unit_test_setup(test_five_in_a_month, setup),
		cmocka_unit_test_setup(test_more_than_ten, setup),
		cmocka_unit_test_setup(test_worked, setup),
		cmocka_unit_test_setup(test_licences, setup),
		cmocka_unit_test_setup(test_deregistered, setup),
		cmocka_unit_test_setup(test_repeated_licence_events, setup),
		cmocka_unit_test_setup(test_weigh, setup),
	};
	int failed;

	store_open(&store, kind);
	if (migrate(store.db, migrations, NULL) < 0)
		abort();
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	store_close(&store);
	return failed;
}

int main(void)
{
	int failed;

	if (secp_key_generate(&random_system, &key) < 0)
		abort();
	failed = store_each(run);
	secp_key_free(key);
	return failed;
}
