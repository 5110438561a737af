#include "io/db.h"

#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "io/db_fixture.h"

/* A child writes rows and says which of them were acknowledged, until it is killed. */
enum { THREADS = 4, ENOUGH = 400, IDS_MAX = 100000 };

struct child {
	struct db *db;
	int pipe;
	atomic_long next_id;
};

static int insert_fn(struct tx *tx, void *arg)
{
	return tx_exec(tx, "INSERT INTO thing (id) VALUES ($1)", SQL_PARAMS(sql_int(*(long *)arg)),
		       NULL);
}

static void *child_thread(void *arg)
{
	struct child *child = arg;
	struct arena *arena;

	if (arena_new(1 << 20, &arena) < 0)
		_exit(1);
	for (;;) {
		long id = atomic_fetch_add(&child->next_id, 1);

		if (db_run(child->db, TX_WRITE, arena, insert_fn, &id) == 0 &&
		    write(child->pipe, &id, sizeof(id)) != sizeof(id))
			_exit(1);
		arena_reset(arena);
	}
}

static _Noreturn void child_main(const char *url, int pipe)
{
	struct child child = { .pipe = pipe };
	pthread_t thread;

	if (db_open(url, THREADS, &child.db) < 0)
		_exit(1);
	for (int i = 0; i < THREADS; i++)
		if (pthread_create(&thread, NULL, child_thread, &child) != 0)
			_exit(1);
	for (;;)
		pause();
}

static int find_fn(struct tx *tx, void *arg)
{
	bool *found = arg;
	struct sql_rows *rows;
	int r = tx_query(tx, "SELECT id FROM thing", SQL_NO_PARAMS, &rows);

	for (size_t i = 0; r == 0 && i < rows_count(rows); i++)
		found[rows_int(rows, i, "id")] = true;
	return r;
}

static size_t read_acknowledged(int pipe, pid_t child, long *ret_ids)
{
	size_t n = 0;

	while (n < IDS_MAX && read(pipe, &ret_ids[n], sizeof(long)) == sizeof(long))
		if (++n == ENOUGH)
			kill(child, SIGKILL);
	return n;
}

static void test_acknowledged_writes_survive_a_kill(void **state)
{
	static long ids[IDS_MAX];
	static bool found[2 * IDS_MAX];
	struct store *store = *state;
	int pipes[2], status;
	size_t n;
	pid_t pid;

	if (store->kind == STORE_MEMORY) {
		print_message("skipped: a store in memory ends with its process\n");
		skip();
	}
	store_open(store, store->kind);
	store_exec(store, "CREATE TABLE thing (id BIGINT PRIMARY KEY)");
	db_close(store->db);
	assert_int_equal(pipe(pipes), 0);
	pid = fork();
	if (pid == 0)
		child_main(store->url, pipes[1]);
	close(pipes[1]);
	n = read_acknowledged(pipes[0], pid, ids);
	close(pipes[0]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);

	assert_in_range(n, ENOUGH, IDS_MAX - 1);
	assert_int_equal(db_open(store->url, 8, &store->db), 0);
	memset(found, 0, sizeof(found));
	assert_int_equal(store_run(store, TX_READ, find_fn, found), 0);
	for (size_t i = 0; i < n; i++)
		assert_true(found[ids[i]]);
	store_close(store);
}

static int pragmas_fn(struct tx *tx, void *arg _unused_)
{
	struct sql_rows *rows;
	int r = tx_query(tx,
			 "SELECT synchronous, foreign_keys, journal_mode "
			 "FROM pragma_synchronous, pragma_foreign_keys, pragma_journal_mode",
			 SQL_NO_PARAMS, &rows);

	if (r < 0)
		return r;
	assert_int_equal(rows_int(rows, 0, "synchronous"), 2);
	assert_int_equal(rows_int(rows, 0, "foreign_keys"), 1);
	assert_string_equal(rows_text(rows, 0, "journal_mode"), "wal");
	return 0;
}

static void test_sqlite_syncs_each_commit(void **state)
{
	struct store *store = *state;

	if (store->kind != STORE_FILE) {
		print_message("skipped: these settings are of SQLite in a file\n");
		skip();
	}
	store_open(store, store->kind);
	assert_int_equal(store_run(store, TX_WRITE, pragmas_fn, NULL), 0);
	assert_int_equal(store_run(store, TX_READ, pragmas_fn, NULL), 0);
	store_close(store);
}

static int test_store(enum store_kind kind)
{
	struct store store = { .kind = kind };
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_prestate(test_acknowledged_writes_survive_a_kill, &store),
		cmocka_unit_test_prestate(test_sqlite_syncs_each_commit, &store),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

int main(void)
{
	return store_each(test_store) != 0;
}
