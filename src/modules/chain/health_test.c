/* What operators hear of the chain: each change once, and nothing of what passes by itself. */
#include "modules/chain/health.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#include "api/settings.h"
#include "io/db_fault.h"
#include "io/db_fixture.h"
#include "io/migrate.h"

enum { ALARM_MS = 60000 };

static struct store store;
static struct clock_fake fake;
static struct settings settings;
static struct context context;
static const struct address operator_ = { { 1 } };

static int set_up(void **state)
{
	int applied;

	(void)state;
	store_open(&store, STORE_MEMORY);
	assert_int_equal(migrate(store.db, migrations, &applied), 0);
	clock_fake_init(&fake, 1000000);
	settings = (struct settings){ .chain_alarm_ms = ALARM_MS,
				      .operators = &operator_,
				      .n_operators = 1 };
	context = (struct context){ .clock = &fake.clock,
				    .random = &random_system,
				    .db = store.db,
				    .settings = &settings };
	/* Another by the store, who holds two roles; and one who is no operator. */
	store_exec(&store, "INSERT INTO iam_accounts (account, created_at)"
			   " VALUES (x'0202020202020202020202020202020202020202', 1),"
			   " (x'0303030303030303030303030303030303030303', 1)");
	store_exec(&store, "INSERT INTO iam_roles (account, role) VALUES"
			   " (x'0202020202020202020202020202020202020202', 'operator'),"
			   " (x'0202020202020202020202020202020202020202', 'tenant'),"
			   " (x'0303030303030303030303030303030303030303', 'tenant')");
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	health_forget();
	store_close(&store);
	return 0;
}

static void see(const char *problem, int64_t later_ms)
{
	fake.ms += later_ms;
	assert_int_equal(health_see(&context, store.arena, HEALTH_OUTBOX, problem), 0);
	arena_reset(store.arena);
}

static int64_t events(const char *type)
{
	char sql[128];

	snprintf(sql, sizeof(sql), "SELECT count(*) AS n FROM events WHERE type = '%s'", type);
	return store_number(&store, sql);
}

static void each_change_is_told_once(void **state)
{
	(void)state;
	see("", 0);
	see("2 of 3 are away", 1000);
	see("1 of 3 are away", ALARM_MS - 1);
	assert_int_equal(events("chain.problem"), 0);
	see("2 of 3 are away", 1);
	assert_int_equal(events("chain.problem"), 2); /* operators */
	see("1 of 3 are away", 10 * ALARM_MS);
	assert_int_equal(events("chain.problem"), 2);
	see("something else", ALARM_MS);
	assert_int_equal(events("chain.problem"), 2);
	see("something else", ALARM_MS);
	assert_int_equal(events("chain.problem"), 4);
	see("", ALARM_MS);
	see("", ALARM_MS);
	see("", ALARM_MS);
	assert_int_equal(events("chain.well"), 2);
	assert_int_equal(events("chain.problem"), 4);
}

static void what_passes_is_not_told(void **state)
{
	(void)state;
	for (int i = 0; i < 10; i++) {
		see("away", ALARM_MS / 2);
		see("", ALARM_MS / 3);
	}
	assert_int_equal(events("chain.problem"), 0);
	assert_int_equal(events("chain.well"), 0);
}

static void a_store_that_fails_loses_none(void **state)
{
	(void)state;
	see("away", 0);
	fake.ms += ALARM_MS;
	db_fault_at(store.db, DB_FAULT_COMMIT, 1, -EIO);
	assert_int_equal(health_see(&context, store.arena, HEALTH_OUTBOX, "away"), -EIO);
	assert_int_equal(events("chain.problem"), 0);
	see("away", 1);
	assert_int_equal(events("chain.problem"), 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(each_change_is_told_once, set_up, tear_down),
		cmocka_unit_test_setup_teardown(what_passes_is_not_told, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_store_that_fails_loses_none, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
