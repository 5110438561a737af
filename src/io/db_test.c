#include "io/db.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "io/db_fault.h"
#include "io/db_fixture.h"

static int setup(void **state)
{
	struct store *store = *state;

	store_open(store, store->kind);
	store_exec(store, "CREATE TABLE thing (id BIGINT PRIMARY KEY, number BIGINT, "
			  "word TEXT UNIQUE, bytes BYTEA, CHECK (number <> 13))");
	store_exec(store, "CREATE TABLE child (thing BIGINT NOT NULL REFERENCES thing (id))");
	return 0;
}

static int teardown(void **state)
{
	store_close(*state);
	return 0;
}

static int exec_fn(struct tx *tx, void *arg)
{
	return tx_exec(tx, arg, SQL_NO_PARAMS, NULL);
}

/* ---- values ---- */

static int values_fn(struct tx *tx, void *arg _unused_)
{
	static const uint8_t bytes[] = { 0, 1, 0xff, 0 };
	struct sql_rows *rows;
	const void *blob;
	size_t len;
	int64_t changed;

	assert_int_equal(tx_exec(tx, "INSERT INTO thing VALUES ($1, $2, $3, $4)",
				 SQL_PARAMS(sql_int(INT64_MIN), sql_int(INT64_MAX),
					    sql_text("größe"), sql_blob(bytes, sizeof(bytes))),
				 &changed),
			 0);
	assert_int_equal(changed, 1);
	assert_int_equal(
		tx_query(tx,
			 "INSERT INTO thing VALUES ($1, $2, $3, $4), ($5, $2, $6, $7) "
			 "RETURNING id, word, bytes",
			 SQL_PARAMS(sql_int(1), sql_null(), sql_text(NULL), sql_blob(NULL, 0),
				    sql_int(2), sql_text(""), sql_null()),
			 &rows),
		0);
	assert_int_equal(rows_count(rows), 2);
	assert_true(rows_null(rows, 0, "word"));
	assert_false(rows_null(rows, 0, "bytes"));
	rows_blob(rows, 0, "bytes", &len);
	assert_int_equal(len, 0);
	assert_string_equal(rows_text(rows, 1, "word"), "");
	assert_true(rows_null(rows, 1, "bytes"));

	assert_int_equal(tx_query(tx, "SELECT * FROM thing ORDER BY id", SQL_NO_PARAMS, &rows), 0);
	assert_int_equal(rows_count(rows), 3);
	assert_true(rows_int(rows, 0, "id") == INT64_MIN);
	assert_true(rows_int(rows, 0, "number") == INT64_MAX);
	assert_string_equal(rows_text(rows, 0, "word"), "größe");
	blob = rows_blob(rows, 0, "bytes", &len);
	assert_int_equal(len, sizeof(bytes));
	assert_memory_equal(blob, bytes, len);
	assert_int_equal(rows_int(rows, 1, "number"), 0);
	assert_null(rows_text(rows, 1, "word"));
	return 0;
}

static void test_values(void **state)
{
	assert_int_equal(store_run(*state, TX_WRITE, values_fn, NULL), 0);
}

static int names_fn(struct tx *tx, void *arg _unused_)
{
	struct sql_rows *rows;

	/* By position, $10 would be the first and $2 the third. */
	assert_int_equal(tx_query(tx,
				  "SELECT $10 + 0 AS ten, $1 + 0 AS one, $2 + 0 AS two, "
				  "$11 + $10 AS sum, $3 || $4 AS word",
				  SQL_PARAMS(sql_int(1), sql_int(2), sql_text("a"), sql_text("b"),
					     sql_int(5), sql_int(6), sql_int(7), sql_int(8),
					     sql_int(9), sql_int(10), sql_int(11)),
				  &rows),
			 0);
	assert_int_equal(rows_int(rows, 0, "ten"), 10);
	assert_int_equal(rows_int(rows, 0, "one"), 1);
	assert_int_equal(rows_int(rows, 0, "two"), 2);
	assert_int_equal(rows_int(rows, 0, "sum"), 21);
	assert_string_equal(rows_text(rows, 0, "word"), "ab");
	return 0;
}

struct item {
	int64_t id;
	const char *word;
};

static int read_item(const struct sql_rows *rows, size_t i, void *ret_item)
{
	struct item *item = ret_item;

	assert_true(item->id == 0 && !item->word);
	item->id = rows_int(rows, i, "id");
	item->word = rows_text(rows, i, "word");
	return item->id == 3 ? -EPROTO : 0;
}

static int list_fn(struct tx *tx, void *arg _unused_)
{
	static const struct row_reader reader = { sizeof(struct item), read_item };
	struct item *items = NULL;
	size_t n = 9;

	assert_int_equal(tx_select(tx, "SELECT * FROM thing", SQL_NO_PARAMS, &reader, &items, &n),
			 0);
	assert_non_null(items);
	assert_int_equal(n, 0);
	assert_int_equal(tx_exec(tx,
				 "INSERT INTO thing VALUES (1, 0, 'a', NULL), (2, 0, 'b', NULL), "
				 "(3, 0, 'c', NULL)",
				 SQL_NO_PARAMS, NULL),
			 0);
	assert_int_equal(tx_select(tx, "SELECT * FROM thing WHERE id < $1 ORDER BY id DESC",
				   SQL_PARAMS(sql_int(3)), &reader, &items, &n),
			 0);
	assert_int_equal(n, 2);
	assert_true(items[0].id == 2 && items[1].id == 1);
	assert_string_equal(items[1].word, "a");
	/* What refuses a row changes nothing. */
	assert_int_equal(tx_select(tx, "SELECT * FROM thing", SQL_NO_PARAMS, &reader, &items, &n),
			 -EPROTO);
	assert_int_equal(n, 2);
	assert_int_equal(items[0].id, 2);
	return 0;
}

static void test_rows_become_items(void **state)
{
	assert_int_equal(store_run(*state, TX_WRITE, list_fn, NULL), 0);
}

static void test_names_decide(void **state)
{
	assert_int_equal(store_run(*state, TX_READ, names_fn, NULL), 0);
}

static int aggregates_fn(struct tx *tx, void *arg _unused_)
{
	const struct sql_value sets[][2] = { { sql_int(1), sql_int(-123456789012345) },
					     { sql_int(2), sql_int(20000) },
					     { sql_int(3), sql_null() } };
	struct sql_rows *rows;

	assert_int_equal(
		tx_exec_many(tx, "INSERT INTO thing (id, number) VALUES ($1, $2)", sets[0], 2, 3),
		0);
	assert_int_equal(tx_query(tx,
				  "SELECT sum(number) AS total, count(*) AS n, max(id) AS most, "
				  "coalesce(sum(number), 0) AS safe, id > 0 AS yes, "
				  "sum(number - number) AS zero, sum(number * 1000) AS big, "
				  "min(word) AS none FROM thing GROUP BY id > 0",
				  SQL_NO_PARAMS, &rows),
			 0);
	assert_true(rows_int(rows, 0, "total") == -123456788992345);
	assert_int_equal(rows_int(rows, 0, "n"), 3);
	assert_int_equal(rows_int(rows, 0, "most"), 3);
	assert_int_equal(rows_int(rows, 0, "yes"), 1);
	assert_int_equal(rows_int(rows, 0, "zero"), 0);
	assert_true(rows_int(rows, 0, "big") == -123456788992345000);
	assert_true(rows_null(rows, 0, "none"));
	return 0;
}

static void test_aggregates_are_integers(void **state)
{
	assert_int_equal(store_run(*state, TX_WRITE, aggregates_fn, NULL), 0);
}

static int large_fn(struct tx *tx, void *arg)
{
	size_t size = 8 << 20;
	uint8_t *bytes = arg;
	struct sql_rows *rows;
	uint8_t short_one[4];
	const void *blob;
	size_t len;

	assert_int_equal(tx_exec(tx, "INSERT INTO thing (id, bytes) VALUES ($1, $2)",
				 SQL_PARAMS(sql_int(1), sql_blob(bytes, size)), NULL),
			 0);
	assert_int_equal(tx_query(tx, "SELECT bytes FROM thing", SQL_NO_PARAMS, &rows), 0);
	blob = rows_blob(rows, 0, "bytes", &len);
	assert_int_equal(len, size);
	assert_memory_equal(blob, bytes, size);
	assert_int_equal(rows_bytes(rows, 0, "bytes", short_one, sizeof(short_one)), -EIO);
	return 0;
}

static void test_large_blob(void **state)
{
	uint8_t *bytes = malloc(8 << 20);

	for (size_t i = 0; i < 8 << 20; i++)
		bytes[i] = (uint8_t)(i * 31 >> 3);
	assert_int_equal(store_run(*state, TX_WRITE, large_fn, bytes), 0);
	free(bytes);
}

static int rows_limit_fn(struct tx *tx, void *arg)
{
	struct sql_rows *rows;

	return tx_query(tx,
			"WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n "
			"WHERE i < $1 + 0) SELECT i FROM n",
			SQL_PARAMS(sql_int(*(int *)arg)), &rows);
}

static void test_too_many_rows_are_refused(void **state)
{
	int most = SQL_ROWS_MAX, more = SQL_ROWS_MAX + 1;

	assert_int_equal(store_run(*state, TX_READ, rows_limit_fn, &most), 0);
	assert_int_equal(store_run(*state, TX_READ, rows_limit_fn, &more), -E2BIG);
	assert_int_equal(store_run(*state, TX_READ, rows_limit_fn, &(int){ 3 }), 0);
}

/* ---- conflicts and roll-backs ---- */

static int conflicts_fn(struct tx *tx, void *arg _unused_)
{
	static const char *const refused[] = {
		"INSERT INTO thing (id) VALUES (1)",
		"INSERT INTO thing (id, word) VALUES (2, 'a')",
		"INSERT INTO thing (id, number) VALUES (3, 13)",
		"UPDATE thing SET number = 13",
		"INSERT INTO child VALUES (99)",
		"INSERT INTO child VALUES (NULL)",
		"DELETE FROM thing WHERE id = 1",
		"INSERT INTO thing (id) VALUES (50), (51), (1)",
	};
	int64_t changed = -1;

	assert_int_equal(
		tx_exec(tx, "INSERT INTO thing (id, word) VALUES (1, 'a')", SQL_NO_PARAMS, NULL),
		0);
	assert_int_equal(tx_exec(tx, "INSERT INTO child VALUES (1)", SQL_NO_PARAMS, NULL), 0);
	for (size_t i = 0; i < ARRAY_SIZE(refused); i++) {
		int r = tx_exec(tx, refused[i], SQL_NO_PARAMS, &changed);

		if (r < 0)
			return r;
		assert_int_equal(r, SQL_E_CONFLICT);
	}
	assert_int_equal(changed, -1);
	assert_int_equal(tx_exec(tx, "INSERT INTO thing (id) VALUES (1) ON CONFLICT DO NOTHING",
				 SQL_NO_PARAMS, &changed),
			 0);
	assert_int_equal(changed, 0);
	assert_int_equal(tx_exec(tx, "INSERT INTO thing (id) VALUES (7)", SQL_NO_PARAMS, &changed),
			 0);
	assert_int_equal(changed, 1);
	return 0;
}

static void test_conflict_leaves_the_transaction_usable(void **state)
{
	assert_int_equal(store_run(*state, TX_WRITE, conflicts_fn, NULL), 0);
	assert_int_equal(store_number(*state, "SELECT count(*) AS n FROM thing"), 2);
}

static int many_conflict_fn(struct tx *tx, void *arg _unused_)
{
	const struct sql_value ids[] = { sql_int(1), sql_int(2), sql_int(4), sql_int(5) };
	int r = tx_exec(tx, "INSERT INTO thing (id) VALUES (4)", SQL_NO_PARAMS, NULL);

	assert_int_equal(r, 0);
	r = tx_exec_many(tx, "INSERT INTO thing (id) VALUES ($1)", ids, 1, ARRAY_SIZE(ids));
	if (r < 0)
		return r;
	assert_int_equal(r, SQL_E_CONFLICT);
	return 0;
}

static void test_many_happen_together_or_not(void **state)
{
	assert_int_equal(store_run(*state, TX_WRITE, many_conflict_fn, NULL), 0);
	assert_int_equal(store_number(*state, "SELECT count(*) AS n FROM thing"), 1);
}

static void hook(void *arg)
{
	(*(int *)arg)++;
}

struct refuse {
	int result;
	int hooks;
};

static int refuse_fn(struct tx *tx, void *arg)
{
	struct refuse *refuse = arg;

	assert_int_equal(tx_on_commit(tx, hook, &refuse->hooks), 0);
	assert_int_equal(tx_exec(tx, "INSERT INTO thing (id) VALUES (1)", SQL_NO_PARAMS, NULL), 0);
	return refuse->result;
}

static void test_results_decide(void **state)
{
	struct refuse outcome = { .result = 7 }, fault = { .result = -EPERM }, good = { 0 };

	assert_int_equal(store_run(*state, TX_WRITE, refuse_fn, &outcome), 7);
	assert_int_equal(store_run(*state, TX_WRITE, refuse_fn, &fault), -EPERM);
	assert_int_equal(store_number(*state, "SELECT count(*) AS n FROM thing"), 0);
	assert_int_equal(outcome.hooks + fault.hooks, 0);
	assert_int_equal(store_run(*state, TX_WRITE, refuse_fn, &good), 0);
	assert_int_equal(good.hooks, 1);
	assert_int_equal(store_number(*state, "SELECT count(*) AS n FROM thing"), 1);
}

static int swallow_fn(struct tx *tx, void *arg _unused_)
{
	int r = tx_exec(tx, "INSERT INTO thing (id) VALUES (1)", SQL_NO_PARAMS, NULL);

	assert_int_equal(r, 0);
	r = tx_exec(tx, "SELECT no_such_column FROM thing", SQL_NO_PARAMS, NULL);
	assert_true(r < 0);
	return 0;
}

static void test_swallowed_fault_does_not_commit(void **state)
{
	assert_int_equal(store_run(*state, TX_WRITE, swallow_fn, NULL), -EIO);
	assert_int_equal(store_number(*state, "SELECT count(*) AS n FROM thing"), 0);
	store_exec(*state, "INSERT INTO thing (id) VALUES (1)");
}

static void test_read_cannot_write(void **state)
{
	assert_true(store_run(*state, TX_READ, exec_fn,
			      (void *)"INSERT INTO thing (id) VALUES (1)") < 0);
	assert_int_equal(store_number(*state, "SELECT count(*) AS n FROM thing"), 0);
}

static void test_faults_come_when_asked_for(void **state)
{
	struct store *store = *state;
	struct refuse none = { 0 };

	db_fault_at(store->db, DB_FAULT_STATEMENT, 2, -EIO);
	store_exec(store, "INSERT INTO thing (id) VALUES (1)");
	assert_int_equal(
		store_run(store, TX_WRITE, exec_fn, (void *)"INSERT INTO thing (id) VALUES (2)"),
		-EIO);
	db_fault_at(store->db, DB_FAULT_COMMIT, 1, -EIO);
	assert_int_equal(
		store_run(store, TX_WRITE, exec_fn, (void *)"INSERT INTO thing (id) VALUES (3)"),
		-EIO);
	db_fault_at(store->db, DB_FAULT_STATEMENT, 1, -EAGAIN);
	store_exec(store, "INSERT INTO thing (id) VALUES (4)");
	db_fault_at(store->db, DB_FAULT_COMMIT, 1, -EAGAIN);
	store_exec(store, "DELETE FROM thing WHERE id = 1");
	assert_int_equal(store_run(store, TX_WRITE, refuse_fn, &none), 0);
	assert_int_equal(store_number(store, "SELECT count(*) AS n FROM thing"), 2);
}

static int test_store(enum store_kind kind)
{
	struct store store = { .kind = kind };
#define TEST(f)                                \
	{                                      \
#f, f, setup, teardown, &store \
	}
	const struct CMUnitTest tests[] = {
		TEST(test_values),
		TEST(test_rows_become_items),
		TEST(test_names_decide),
		TEST(test_aggregates_are_integers),
		TEST(test_large_blob),
		TEST(test_too_many_rows_are_refused),
		TEST(test_conflict_leaves_the_transaction_usable),
		TEST(test_many_happen_together_or_not),
		TEST(test_results_decide),
		TEST(test_swallowed_fault_does_not_commit),
		TEST(test_read_cannot_write),
		TEST(test_faults_come_when_asked_for),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

int main(void)
{
	return store_each(test_store) != 0;
}
