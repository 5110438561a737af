#include "io/db.h"

#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "io/db_fault.h"
#include "io/db_fixture.h"

static int setup(void **state)
{
	struct store *store = *state;

	store_open(store, store->kind);
	store_exec(store, "CREATE TABLE thing (id BIGINT PRIMARY KEY, number BIGINT, "
			  "word TEXT)");
	return 0;
}

static int teardown(void **state)
{
	store_close(*state);
	return 0;
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

	store_exec(*state, "INSERT INTO thing (id, number) VALUES (1, 1000)");
	failed = workers_run(*state, increment_fn, ROUNDS);
	assert_int_equal(store_number(*state, "SELECT number AS n FROM thing"),
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
		store_exec(*state, "DELETE FROM thing");
		store_exec(*state, "INSERT INTO thing (id, number) VALUES (0, 1), (1, 1), (2, 1), "
				   "(3, 1), (4, 1), (5, 1), (6, 1), (7, 1)");
		assert_int_equal(workers_run(*state, off_duty_fn, 1), 0);
		assert_int_equal(
			store_number(*state, "SELECT count(*) AS n FROM thing WHERE number = 1"),
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
		assert_int_equal(store_run(*state, TX_READ, snapshot_fn, *state), 0);
	pthread_join(writer.thread, NULL);
	assert_int_equal(writer.failed, 0);
}

/* ---- submitted writes ---- */

enum { JOBS = 1000 };

struct job {
	struct store *store;
	int64_t id;
	int result; /* of its function */
	const char *before; /* a statement to run first, or NULL */
	struct arena *arena;
	atomic_int *finished;
	int got, hooks;
};

static void hook(void *arg)
{
	(*(int *)arg)++;
}

static int job_fn(struct tx *tx, void *arg)
{
	struct job *job = arg;
	int r;

	r = tx_on_commit(tx, hook, &job->hooks);
	if (r == 0 && job->before)
		r = tx_exec(tx, job->before, SQL_NO_PARAMS, NULL);
	if (r == 0)
		r = tx_exec(tx, "INSERT INTO thing (id) VALUES ($1)", SQL_PARAMS(sql_int(job->id)),
			    NULL);
	return r == 0 ? job->result : r;
}

static void job_done(void *arg, int result)
{
	struct job *job = arg;

	job->got = result;
	atomic_fetch_add(job->finished, 1);
}

static struct job *jobs_new(struct store *store, atomic_int *finished)
{
	struct job *jobs = calloc(JOBS, sizeof(*jobs));

	assert_non_null(jobs);
	for (int i = 0; i < JOBS; i++) {
		jobs[i] = (struct job){ .store = store, .id = i, .finished = finished };
		assert_int_equal(arena_new(1 << 16, &jobs[i].arena), 0);
	}
	return jobs;
}

static void jobs_submit(struct job *jobs)
{
	for (int i = 0; i < JOBS; i++)
		assert_int_equal(
			db_submit(jobs[i].store->db, jobs[i].arena, job_fn, job_done, &jobs[i]), 0);
}

static void jobs_wait(struct job *jobs)
{
	for (int waited = 0; atomic_load(jobs->finished) < JOBS && waited < 20000; waited++)
		usleep(1000);
	assert_int_equal(atomic_load(jobs->finished), JOBS);
}

static void jobs_free(struct job *jobs)
{
	for (int i = 0; i < JOBS; i++)
		arena_free(jobs[i].arena);
	free(jobs);
}

static void test_a_failed_job_leaves_its_neighbours_alone(void **state)
{
	atomic_int finished = 0;
	struct job *jobs = jobs_new(*state, &finished);

	for (int i = 0; i < JOBS; i += 10) {
		jobs[i + 3].result = -EPERM;
		jobs[i + 5].result = 7;
		jobs[i + 9].id = i + 8;
	}
	jobs_submit(jobs);
	jobs_wait(jobs);
	for (int i = 0; i < JOBS; i++) {
		int expected = i % 10 == 9 ? SQL_E_CONFLICT : jobs[i].result;

		assert_int_equal(jobs[i].got, expected);
		assert_int_equal(jobs[i].hooks, expected == 0);
	}
	jobs_free(jobs);
	assert_int_equal(store_number(*state, "SELECT count(*) AS n FROM thing"), JOBS * 7 / 10);
}

/* What ends the whole transaction under a batch: those beside it are run again. */
static void test_a_lost_batch_is_run_again(void **state)
{
	struct store *store = *state;
	atomic_int finished = 0;
	struct job *jobs;

	if (store->kind == STORE_POSTGRES) {
		print_message("skipped: only SQLite gathers many callers in one transaction\n");
		skip();
	}
	jobs = jobs_new(store, &finished);
	for (int i = 7; i < JOBS; i += 50)
		jobs[i].before = "ROLLBACK";
	jobs_submit(jobs);
	jobs_wait(jobs);
	for (int i = 0; i < JOBS; i++) {
		assert_int_equal(jobs[i].got, jobs[i].before ? -EIO : 0);
		assert_int_equal(jobs[i].hooks, jobs[i].before == NULL);
	}
	jobs_free(jobs);
	assert_int_equal(store_number(store, "SELECT count(*) AS n FROM thing"), JOBS * 49 / 50);
}

static void test_a_failed_commit_fails_its_batch_and_no_other(void **state)
{
	struct store *store = *state;
	atomic_int finished = 0;
	struct job *jobs = jobs_new(store, &finished);
	int failed = 0;

	db_fault_at(store->db, DB_FAULT_COMMIT, 2, -EIO);
	jobs_submit(jobs);
	jobs_wait(jobs);
	for (int i = 0; i < JOBS; i++) {
		assert_int_equal(jobs[i].hooks, jobs[i].got == 0);
		failed += jobs[i].got == -EIO;
	}
	jobs_free(jobs);
	assert_in_range(failed, 1, 256);
	assert_int_equal(store_number(store, "SELECT count(*) AS n FROM thing"), JOBS - failed);
}

static void test_close_finishes_what_was_submitted(void **state)
{
	struct store *store = *state;
	atomic_int finished = 0;
	struct job *jobs = jobs_new(store, &finished);

	jobs_submit(jobs);
	db_close(store->db);
	store->db = NULL;
	assert_int_equal(atomic_load(&finished), JOBS);
	for (int i = 0; i < JOBS; i++)
		assert_int_equal(jobs[i].got, 0);
	jobs_free(jobs);
}

static atomic_bool gate;

static int gate_fn(struct tx *tx _unused_, void *arg _unused_)
{
	while (!atomic_load(&gate))
		usleep(1000);
	return 0;
}

static void count_done(void *arg, int result _unused_)
{
	atomic_fetch_add((atomic_int *)arg, 1);
}

static void test_a_full_queue_takes_nothing(void **state)
{
	struct store *store = *state;
	atomic_int finished = 0;
	int taken = 0, r;

	if (store->kind == STORE_POSTGRES) {
		print_message("skipped: only SQLite has a writer with a queue\n");
		skip();
	}
	atomic_store(&gate, false);
	while ((r = db_submit(store->db, store->arena, gate_fn, count_done, &finished)) == 0)
		taken++;
	assert_int_equal(r, -EAGAIN);
	assert_in_range(taken, 4096, 4096 + 256);
	atomic_store(&gate, true);
	db_close(store->db);
	store->db = NULL;
	assert_int_equal(atomic_load(&finished), taken);
}

static int nested_fn(struct tx *tx, void *arg)
{
	return db_run(arg, TX_READ, tx_arena(tx), gate_fn, NULL);
}

static void test_a_transaction_inside_another_aborts(void **state)
{
	struct store *store = *state;
	int status;
	pid_t pid;

	db_close(store->db);
	store->db = NULL;
	pid = fork();
	if (pid == 0) {
		signal(SIGABRT, SIG_DFL);
		fclose(stderr);
		if (db_open(store->url, 2, &store->db) == 0)
			_exit(db_run(store->db, TX_WRITE, store->arena, nested_fn, store->db));
		_exit(1);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
}

static int test_store(enum store_kind kind)
{
	struct store store = { .kind = kind };
#define TEST(f)                                \
	{                                      \
#f, f, setup, teardown, &store \
	}
	const struct CMUnitTest tests[] = {
		TEST(test_counter_loses_nothing),
		TEST(test_write_skew_is_refused),
		TEST(test_read_is_a_snapshot),
		TEST(test_a_failed_job_leaves_its_neighbours_alone),
		TEST(test_a_lost_batch_is_run_again),
		TEST(test_a_failed_commit_fails_its_batch_and_no_other),
		TEST(test_close_finishes_what_was_submitted),
		TEST(test_a_full_queue_takes_nothing),
		TEST(test_a_transaction_inside_another_aborts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

int main(void)
{
	return store_each(test_store) != 0;
}
