#include "io/db.h"

#include <time.h>

#include "base/log.h"
#include "base/random.h"
#include "io/db_driver.h"

/* What this thread is doing: a transaction inside a transaction would wait for itself, and so would
 * one inside an on-commit hook. What db_submit calls at its end may submit more. */
enum { OUTSIDE, IN_TRANSACTION, IN_CALLBACK };
static _Thread_local int thread_place = OUTSIDE;
static _Thread_local const struct db_fence *thread_fence;

static void place_require(bool ok, const char *what)
{
	if (ok)
		return;
	fprintf(stderr, "bug: %s from inside a transaction or its callback\n", what);
	abort();
}

int db_open(const char *url, unsigned int connections, struct db **ret_db)
{
	if (connections == 0)
		return -EINVAL;
	if (strncmp(url, "sqlite:", 7) == 0 && url[7])
		return db_open_sqlite(url + 7, connections, ret_db);
	if (strncmp(url, "postgres://", 11) == 0 || strncmp(url, "postgresql://", 13) == 0)
		return db_open_postgres(url, connections, ret_db);
	log_error("db_url", log_text("remedy", "use sqlite:PATH or postgresql://..."));
	return -EINVAL;
}

void db_close(struct db *db)
{
	if (!db)
		return;
	atomic_store(&db->closing, true);
	pthread_mutex_destroy(&db->losers);
	db->driver->close(db);
}

static int run_again(struct db *db, enum tx_mode mode, struct arena *arena, db_fn *fn, void *arg,
		     unsigned int tries, struct arena_mark mark)
{
	int r = -EAGAIN;

	for (unsigned int n = 1; r == -EAGAIN && n <= tries; n++) {
		if (atomic_load(&db->closing))
			return -ESHUTDOWN;
		db_pause(n);
		/* What one try left must not starve the next. */
		arena_rewind(arena, mark);
		r = db->driver->run(db, mode, arena, fn, arg);
	}
	return r;
}

/* Whoever lost twice stands in line: a hot row is then fought over by one of them at a time. */
static int run_in_line(struct db *db, enum tx_mode mode, struct arena *arena, db_fn *fn, void *arg,
		       struct arena_mark mark)
{
	struct timespec until;
	int r;

	/* By the wall clock, since ThreadSanitizer does not know pthread_mutex_clocklock. */
	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += DB_WAIT_MS / 1000;
	if (pthread_mutex_timedlock(&db->losers, &until) != 0)
		return -EBUSY;
	r = run_again(db, mode, arena, fn, arg, DB_TRIES_MAX - 2, mark);
	pthread_mutex_unlock(&db->losers);
	return r == -EAGAIN ? -EBUSY : r;
}

static int run_until_serialised(struct db *db, enum tx_mode mode, struct arena *arena, db_fn *fn,
				void *arg)
{
	struct arena_mark mark = arena_mark(arena);
	int r = db->driver->run(db, mode, arena, fn, arg);

	if (r == -EAGAIN)
		r = run_again(db, mode, arena, fn, arg, 1, mark);
	if (r == -EAGAIN)
		r = run_in_line(db, mode, arena, fn, arg, mark);
	return r;
}

struct fenced {
	const struct db_fence *fence;
	db_fn *fn;
	void *arg;
};

static int run_fenced(struct tx *tx, void *arg)
{
	const struct fenced *fenced = arg;
	int r = fenced->fence->check(tx, fenced->fence->arg);

	return r == 0 ? fenced->fn(tx, fenced->arg) : r;
}

void db_fence(const struct db_fence *fence)
{
	thread_fence = fence;
}

int db_run(struct db *db, enum tx_mode mode, struct arena *arena, db_fn *fn, void *arg)
{
	struct fenced fenced = { thread_fence, fn, arg };

	place_require(thread_place == OUTSIDE, "db_run");
	if (mode != TX_READ && mode != TX_WRITE)
		return -EINVAL;
	if (atomic_load(&db->closing))
		return -ESHUTDOWN;
	if (mode == TX_WRITE && fenced.fence)
		return run_until_serialised(db, mode, arena, run_fenced, &fenced);
	return run_until_serialised(db, mode, arena, fn, arg);
}

int db_submit(struct db *db, struct arena *arena, db_fn *fn, void (*done)(void *arg, int result),
	      void *arg)
{
	place_require(thread_place != IN_TRANSACTION, "db_submit");
	if (atomic_load(&db->closing))
		return -ESHUTDOWN;
	if (db->driver->submit)
		return db->driver->submit(db, arena, fn, done, arg);
	tx_call_done(done, arg, run_until_serialised(db, TX_WRITE, arena, fn, arg));
	return 0;
}

void db_pause(unsigned int n)
{
	uint64_t most = 2000000ull << (n < 8 ? n - 1 : 7), ns = most / 2;
	struct timespec pause;

	/* Without randomness the pause is merely less well spread. */
	if (random_below(&random_system, most, &ns) < 0)
		ns = most / 2;
	pause = (struct timespec){ .tv_nsec = (long)ns };
	nanosleep(&pause, NULL);
}

void db_log_failure(const char *event, const char *sql, const char *message)
{
	log_error(event, log_text("sql", sql), log_text("message", message));
}

void db_fault_at(struct db *db, enum db_fault_place place, unsigned int n, int fault)
{
	atomic_store(&db->faults[place].fault, fault);
	atomic_store(&db->faults[place].countdown, n);
}

int db_fault_due(struct db *db, enum db_fault_place place)
{
	struct db_fault *f = &db->faults[place];
	unsigned int left = atomic_load(&f->countdown);

	while (left > 0)
		if (atomic_compare_exchange_weak(&f->countdown, &left, left - 1))
			return left == 1 ? atomic_load(&f->fault) : 0;
	return 0;
}

/* ---- transactions ---- */

void tx_init(struct tx *tx, struct db *db, enum tx_mode mode, struct arena *arena, void *connection)
{
	*tx = (struct tx){ .db = db, .mode = mode, .arena = arena, .connection = connection };
}

int tx_call(struct tx *tx, db_fn *fn, void *arg)
{
	int place = thread_place, r;

	thread_place = IN_TRANSACTION;
	r = fn(tx, arg);
	thread_place = place;
	return tx->fault < 0 ? tx->fault : r;
}

void tx_committed(struct tx *tx)
{
	int place = thread_place;

	thread_place = IN_TRANSACTION;
	for (struct tx_hook *hook = tx->hooks; hook; hook = hook->next)
		hook->fn(hook->arg);
	thread_place = place;
}

void tx_call_done(void (*done)(void *arg, int result), void *arg, int result)
{
	int place = thread_place;

	thread_place = IN_CALLBACK;
	done(arg, result);
	thread_place = place;
}

static int tx_statement(struct tx *tx, const struct sql_call *call, struct sql_rows **ret_rows,
			int64_t *ret_changed)
{
	int64_t changed = 0;
	int r;

	if (tx->fault < 0)
		return tx->fault;
	if (call->n_params > SQL_PARAMS_MAX)
		return -EINVAL;
	r = db_fault_due(tx->db, DB_FAULT_STATEMENT);
	if (r == 0)
		r = tx->db->driver->statement(tx, call, ret_rows, &changed);
	if (r < 0)
		tx->fault = r;
	if (r == 0 && ret_changed)
		*ret_changed = changed;
	return r;
}

int tx_query(struct tx *tx, const char *sql, const struct sql_value *params, size_t n_params,
	     struct sql_rows **ret_rows)
{
	struct sql_call call = { sql, params, n_params, 1 };

	return tx_statement(tx, &call, ret_rows, NULL);
}

int tx_exec(struct tx *tx, const char *sql, const struct sql_value *params, size_t n_params,
	    int64_t *ret_changed)
{
	struct sql_call call = { sql, params, n_params, 1 };

	return tx_statement(tx, &call, NULL, ret_changed);
}

int tx_exec_many(struct tx *tx, const char *sql, const struct sql_value *params, size_t n_params,
		 size_t n_sets)
{
	struct sql_call call = { sql, params, n_params, n_sets };

	return n_sets > 0 ? tx_statement(tx, &call, NULL, NULL) : 0;
}

int tx_on_commit(struct tx *tx, void (*fn)(void *arg), void *arg)
{
	struct tx_hook *hook = arena_alloc(tx->arena, sizeof(*hook));

	if (!hook)
		return -ENOMEM;
	hook->fn = fn;
	hook->arg = arg;
	if (tx->last_hook)
		tx->last_hook->next = hook;
	else
		tx->hooks = hook;
	tx->last_hook = hook;
	return 0;
}

struct arena *tx_arena(struct tx *tx)
{
	return tx->arena;
}
