/* What only PostgreSQL can do to us: connections that end, plans that grow old. */
#include <setjmp.h>
#include <stdarg.h>
#include <unistd.h>

#include <cmocka.h>

#include "io/db_fixture.h"

static int setup(void **state)
{
	struct store *store = *state;

	store_open(store, STORE_POSTGRES);
	store_exec(store, "CREATE TABLE thing (id BIGINT PRIMARY KEY, word TEXT)");
	return 0;
}

static int teardown(void **state)
{
	store_close(*state);
	return 0;
}

/* Ends the connections of this process but the one that asks. */
static int terminate_fn(struct tx *tx, void *arg _unused_)
{
	char sql[192];

	snprintf(sql, sizeof(sql),
		 "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity "
		 "WHERE application_name = 'test_%d' AND pid <> pg_backend_pid()",
		 (int)getpid());
	return tx_exec(tx, sql, SQL_NO_PARAMS, NULL);
}

static void test_a_lost_idle_connection_is_replaced(void **state)
{
	struct store *store = *state, other = { 0 };

	assert_int_equal(db_open(store->url, 1, &other.db), 0);
	assert_int_equal(arena_new(1 << 20, &other.arena), 0);
	for (int i = 0; i < 3; i++) {
		char sql[64];

		snprintf(sql, sizeof(sql), "INSERT INTO thing (id) VALUES (%d)", i);
		assert_int_equal(store_run(&other, TX_READ, terminate_fn, NULL), 0);
		store_exec(store, sql);
	}
	assert_int_equal(store_number(store, "SELECT count(*) AS n FROM thing"), 3);
	db_close(other.db);
	arena_free(other.arena);
}

static int cut_fn(struct tx *tx, void *arg)
{
	int *calls = arg;
	int r = tx_exec(tx, "INSERT INTO thing (id) VALUES (1)", SQL_NO_PARAMS, NULL);

	if (r == 0 && (*calls)++ == 0)
		r = tx_exec(tx, "SELECT pg_terminate_backend(pg_backend_pid())", SQL_NO_PARAMS,
			    NULL);
	return r;
}

static void test_a_transaction_cut_in_the_middle_is_run_again(void **state)
{
	int calls = 0;

	assert_int_equal(store_run(*state, TX_WRITE, cut_fn, &calls), 0);
	assert_int_equal(calls, 2);
	assert_int_equal(store_number(*state, "SELECT count(*) AS n FROM thing"), 1);
}

static void test_no_server_is_a_fault(void **state)
{
	struct db *db;

	(void)state;
	assert_int_equal(db_open("postgresql:///postgres?host=/nonexistent", 1, &db), -EIO);
}

static int columns_fn(struct tx *tx, void *arg)
{
	struct sql_rows *rows;
	int r = tx_query(tx, "SELECT * FROM thing", SQL_NO_PARAMS, &rows);

	if (r == 0 && arg)
		assert_true(rows_null(rows, 0, arg));
	return r;
}

static void test_an_old_plan_is_made_anew(void **state)
{
	store_exec(*state, "INSERT INTO thing (id) VALUES (1)");
	assert_int_equal(store_run(*state, TX_READ, columns_fn, NULL), 0);
	store_exec(*state, "ALTER TABLE thing ADD COLUMN later BIGINT");
	assert_int_equal(store_run(*state, TX_READ, columns_fn, (void *)"later"), 0);
}

static int thousand_fn(struct tx *tx, void *arg _unused_)
{
	for (int i = 0; i < 3000; i++) {
		char sql[64];
		struct sql_rows *rows;
		int r;

		snprintf(sql, sizeof(sql), "SELECT %d + $1 AS n", i);
		r = tx_query(tx, sql, SQL_PARAMS(sql_int(1)), &rows);
		if (r != 0)
			return r;
		assert_int_equal(rows_int(rows, 0, "n"), i + 1);
	}
	return 0;
}

static void test_more_statements_than_are_kept(void **state)
{
	assert_int_equal(store_run(*state, TX_READ, thousand_fn, NULL), 0);
	assert_int_equal(store_run(*state, TX_READ, columns_fn, NULL), 0);
}

int main(void)
{
	struct store store = { 0 };
#define TEST(f)                                \
	{                                      \
#f, f, setup, teardown, &store \
	}
	const struct CMUnitTest tests[] = {
		TEST(test_a_lost_idle_connection_is_replaced),
		TEST(test_a_transaction_cut_in_the_middle_is_run_again),
		TEST(test_no_server_is_a_fault),
		TEST(test_an_old_plan_is_made_anew),
		TEST(test_more_statements_than_are_kept),
	};

	if (!getenv("KAISAR_TEST_POSTGRES")) {
		puts("skipped: KAISAR_TEST_POSTGRES is not set, see tools/with-postgres");
		return 77;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
