#include "io/db.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <unistd.h>

#include <cmocka.h>

#include "io/db_fault.h"

/* Every test runs on each store: a file, memory, and PostgreSQL where the environment names one. */
struct store {
	const char *url;
	struct db *db;
	struct arena *arena;
};

static int run(struct store *store, enum tx_mode mode, db_fn *fn, void *arg)
{
	return db_run(store->db, mode, store->arena, fn, arg);
}

static int exec_fn(struct tx *tx, void *arg)
{
	return tx_exec(tx, arg, SQL_NO_PARAMS, NULL);
}

static void exec(struct store *store, const char *sql)
{
	assert_int_equal(run(store, TX_WRITE, exec_fn, (void *)sql), 0);
}

static int store_open(void **state)
{
	struct store *store = *state;

	assert_int_equal(db_open(store->url, 8, &store->db), 0);
	assert_int_equal(arena_new(64 << 20, &store->arena), 0);
	exec(store, "DROP TABLE IF EXISTS child");
	exec(store, "DROP TABLE IF EXISTS thing");
	exec(store, "CREATE TABLE thing (id BIGINT PRIMARY KEY, number BIGINT, word TEXT UNIQUE, "
		    "bytes BYTEA, CHECK (number <> 13))");
	exec(store, "CREATE TABLE child (thing BIGINT NOT NULL REFERENCES thing (id))");
	return 0;
}

static int store_close(void **state)
{
	struct store *store = *state;

	db_close(store->db);
	arena_free(store->arena);
	return 0;
}

static int64_t count_result;

static int count_fn(struct tx *tx, void *arg)
{
	struct sql_rows *rows;
	int r = tx_query(tx, arg, SQL_NO_PARAMS, &rows);

	if (r == 0)
		count_result = rows_int(rows, 0, "n");
	return r;
}

static int64_t count(struct store *store, const char *sql)
{
	assert_int_equal(run(store, TX_READ, count_fn, (void *)sql), 0);
	return count_result;
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
	assert_int_equal(run(*state, TX_WRITE, values_fn, NULL), 0);
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

static void test_names_decide(void **state)
{
	assert_int_equal(run(*state, TX_READ, names_fn, NULL), 0);
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
	assert_int_equal(run(*state, TX_WRITE, aggregates_fn, NULL), 0);
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
	assert_int_equal(run(*state, TX_WRITE, large_fn, bytes), 0);
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

	assert_int_equal(run(*state, TX_READ, rows_limit_fn, &most), 0);
	assert_int_equal(run(*state, TX_READ, rows_limit_fn, &more), -E2BIG);
	assert_int_equal(run(*state, TX_READ, rows_limit_fn, &(int){ 3 }), 0);
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
	assert_int_equal(run(*state, TX_WRITE, conflicts_fn, NULL), 0);
	assert_int_equal(count(*state, "SELECT count(*) AS n FROM thing"), 2);
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
	assert_int_equal(run(*state, TX_WRITE, many_conflict_fn, NULL), 0);
	assert_int_equal(count(*state, "SELECT count(*) AS n FROM thing"), 1);
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

	assert_int_equal(run(*state, TX_WRITE, refuse_fn, &outcome), 7);
	assert_int_equal(run(*state, TX_WRITE, refuse_fn, &fault), -EPERM);
	assert_int_equal(count(*state, "SELECT count(*) AS n FROM thing"), 0);
	assert_int_equal(outcome.hooks + fault.hooks, 0);
	assert_int_equal(run(*state, TX_WRITE, refuse_fn, &good), 0);
	assert_int_equal(good.hooks, 1);
	assert_int_equal(count(*state, "SELECT count(*) AS n FROM thing"), 1);
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
	assert_int_equal(run(*state, TX_WRITE, swallow_fn, NULL), -EIO);
	assert_int_equal(count(*state, "SELECT count(*) AS n FROM thing"), 0);
	exec(*state, "INSERT INTO thing (id) VALUES (1)");
}

static void test_read_cannot_write(void **state)
{
	assert_true(run(*state, TX_READ, exec_fn, (void *)"INSERT INTO thing (id) VALUES (1)") < 0);
	assert_int_equal(count(*state, "SELECT count(*) AS n FROM thing"), 0);
}

static void test_faults_come_when_asked_for(void **state)
{
	struct store *store = *state;
	struct refuse none = { 0 };

	db_fault_at(store->db, DB_FAULT_STATEMENT, 2, -EIO);
	exec(store, "INSERT INTO thing (id) VALUES (1)");
	assert_int_equal(run(store, TX_WRITE, exec_fn, (void *)"INSERT INTO thing (id) VALUES (2)"),
			 -EIO);
	db_fault_at(store->db, DB_FAULT_COMMIT, 1, -EIO);
	assert_int_equal(run(store, TX_WRITE, exec_fn, (void *)"INSERT INTO thing (id) VALUES (3)"),
			 -EIO);
	db_fault_at(store->db, DB_FAULT_STATEMENT, 1, -EAGAIN);
	exec(store, "INSERT INTO thing (id) VALUES (4)");
	db_fault_at(store->db, DB_FAULT_COMMIT, 1, -EAGAIN);
	exec(store, "DELETE FROM thing WHERE id = 1");
	assert_int_equal(run(store, TX_WRITE, refuse_fn, &none), 0);
	assert_int_equal(count(store, "SELECT count(*) AS n FROM thing"), 2);
}

/* ---- threads ---- */

enum { THREADS = 8, ROUNDS = 200 };

struct worker {
	struct store *store;
	db_fn *fn;
	int rounds;
	int number;
	int failed;
	pthread_t thread;
};

static void *worker_main(void *arg)
{
	struct worker *worker = arg;
	struct arena *arena;

	if (arena_new(1 << 20, &arena) < 0)
		abort();
	for (int i = 0; i < worker->rounds; i++) {
		worker->failed += db_run(worker->store->db, TX_WRITE, arena, worker->fn, worker) !=
				  0;
		arena_reset(arena);
	}
	arena_free(arena);
	return NULL;
}

static int workers_run(struct store *store, db_fn *fn, int rounds)
{
	struct worker workers[THREADS];
	int failed = 0;

	for (int i = 0; i < THREADS; i++) {
		workers[i] = (struct worker){ store, fn, rounds, i, 0, 0 };
		assert_int_equal(pthread_create(&workers[i].thread, NULL, worker_main, &workers[i]),
				 0);
	}
	for (int i = 0; i < THREADS; i++) {
		pthread_join(workers[i].thread, NULL);
		failed += workers[i].failed;
	}
	return failed;
}

/* Reads, then writes what it read plus one: wrong under anything weaker than SERIALIZABLE. */
static int increment_fn(struct tx *tx, void *arg _unused_)
{
	struct sql_rows *rows;
	int r;

	r = tx_query(tx, "SELECT number FROM thing WHERE id = 1", SQL_NO_PARAMS, &rows);
	if (r != 0)
		return r;
	return tx_exec(tx, "UPDATE thing SET number = $1 + 1 WHERE id = 1",
		       SQL_PARAMS(sql_int(rows_int(rows, 0, "number"))), NULL);
}

static void test_counter_loses_nothing(void **state)
{
	int failed;

	exec(*state, "INSERT INTO thing (id, number) VALUES (1, 1000)");
	failed = workers_run(*state, increment_fn, ROUNDS);
	assert_int_equal(count(*state, "SELECT number AS n FROM thing"),
			 1000 + THREADS * ROUNDS - failed);
	/* Giving up under such contention is allowed, but must stay rare. */
	assert_true(failed < THREADS * ROUNDS / 100);
}

/* Each may go off duty while another is on. */
static int off_duty_fn(struct tx *tx, void *arg)
{
	struct worker *worker = arg;
	struct sql_rows *rows;
	int r;

	r = tx_query(tx, "SELECT count(*) AS n FROM thing WHERE number = 1", SQL_NO_PARAMS, &rows);
	if (r != 0)
		return r;
	if (rows_int(rows, 0, "n") < 2)
		return 0;
	usleep(2000);
	return tx_exec(tx, "UPDATE thing SET number = 0 WHERE id = $1",
		       SQL_PARAMS(sql_int(worker->number)), NULL);
}

static void test_write_skew_is_refused(void **state)
{
	for (int round = 0; round < 10; round++) {
		exec(*state, "DELETE FROM thing");
		exec(*state, "INSERT INTO thing (id, number) VALUES (0, 1), (1, 1), (2, 1), "
			     "(3, 1), (4, 1), (5, 1), (6, 1), (7, 1)");
		assert_int_equal(workers_run(*state, off_duty_fn, 1), 0);
		assert_int_equal(count(*state, "SELECT count(*) AS n FROM thing WHERE number = 1"),
				 1);
	}
}

static int snapshot_fn(struct tx *tx, void *arg _unused_)
{
	struct sql_rows *rows;
	int64_t before;

	assert_int_equal(tx_query(tx, "SELECT count(*) AS n FROM thing", SQL_NO_PARAMS, &rows), 0);
	before = rows_int(rows, 0, "n");
	usleep(5000);
	assert_int_equal(tx_query(tx, "SELECT count(*) AS n FROM thing", SQL_NO_PARAMS, &rows), 0);
	assert_int_equal(rows_int(rows, 0, "n"), before);
	return 0;
}

static int insert_fn(struct tx *tx, void *arg _unused_)
{
	return tx_exec(tx, "INSERT INTO thing (id) SELECT coalesce(max(id), 0) + 1 FROM thing",
		       SQL_NO_PARAMS, NULL);
}

static void test_read_is_a_snapshot(void **state)
{
	struct worker writer = { *state, insert_fn, 200, 0, 0, 0 };

	assert_int_equal(pthread_create(&writer.thread, NULL, worker_main, &writer), 0);
	for (int i = 0; i < 10; i++)
		assert_int_equal(run(*state, TX_READ, snapshot_fn, *state), 0);
	pthread_join(writer.thread, NULL);
	assert_int_equal(writer.failed, 0);
}

/* ---- submitted writes ---- */

struct submitted {
	int64_t id;
	struct arena *arena;
	atomic_int *finished;
	int result;
	int hooks;
};

static int submitted_fn(struct tx *tx, void *arg)
{
	struct submitted *one = arg;
	int r;

	r = tx_on_commit(tx, hook, &one->hooks);
	if (r < 0)
		return r;
	r = tx_exec(tx, "INSERT INTO thing (id) VALUES ($1)", SQL_PARAMS(sql_int(one->id)), NULL);
	if (r != 0)
		return r;
	return one->id % 10 == 3 ? -EPERM : 0;
}

static void submitted_done(void *arg, int result)
{
	struct submitted *one = arg;

	one->result = result;
	atomic_fetch_add(one->finished, 1);
}

static void test_a_failed_job_leaves_its_neighbours_alone(void **state)
{
	enum { JOBS = 1000 };
	struct store *store = *state;
	struct submitted *jobs = calloc(JOBS, sizeof(*jobs));
	atomic_int finished = 0;

	for (int i = 0; i < JOBS; i++) {
		/* Every fifth of them meets the row of the one before. */
		jobs[i] = (struct submitted){ .id = i % 5 == 4 ? i - 1 : i, .finished = &finished };
		assert_int_equal(arena_new(1 << 16, &jobs[i].arena), 0);
		while (db_submit(store->db, jobs[i].arena, submitted_fn, submitted_done,
				 &jobs[i]) == -EAGAIN)
			usleep(1000);
	}
	for (int waited = 0; atomic_load(&finished) < JOBS && waited < 20000; waited++)
		usleep(1000);
	for (int i = 0; i < JOBS; i++) {
		int expected = i % 10 == 3   ? -EPERM
			       : i % 10 == 4 ? -EPERM
			       : i % 5 == 4  ? SQL_E_CONFLICT
					     : 0;

		assert_int_equal(jobs[i].result, expected);
		assert_int_equal(jobs[i].hooks, expected == 0);
		arena_free(jobs[i].arena);
	}
	free(jobs);
	assert_int_equal(count(store, "SELECT count(*) AS n FROM thing"), JOBS * 7 / 10);
}

static int test_store(const char *name, const char *url)
{
	struct store store = { .url = url };
#define TEST(f)                                        \
	{                                              \
#f, f, store_open, store_close, &store \
	}
	const struct CMUnitTest tests[] = {
		TEST(test_values),
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
		TEST(test_counter_loses_nothing),
		TEST(test_write_skew_is_refused),
		TEST(test_read_is_a_snapshot),
		TEST(test_a_failed_job_leaves_its_neighbours_alone),
	};

	print_message("store: %s\n", name);
	return cmocka_run_group_tests_name(name, tests, NULL, NULL);
}

int main(void)
{
	const char *postgres = getenv("KAISAR_TEST_POSTGRES");
	char folder[] = "/tmp/kaisar-db-XXXXXX", url[64], command[64];
	int failed;

	if (!mkdtemp(folder))
		return 1;
	snprintf(url, sizeof(url), "sqlite:%s/store", folder);
	failed = test_store("file", url);
	snprintf(command, sizeof(command), "rm -r %s", folder);
	failed += system(command) != 0;
	failed += test_store("memory", "sqlite::memory:");
	if (postgres)
		failed += test_store("postgres", postgres);
	return failed != 0;
}
