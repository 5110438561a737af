/* Rates of small writes, for the figures in the documents: db_bench URL. It asserts nothing. */
#include <pthread.h>
#include <stdatomic.h>
#include <unistd.h>

#include "base/clock.h"
#include "io/db.h"

enum { SECONDS = 3, IN_FLIGHT = 512, MANY = 1000 };

static struct db *db;
static atomic_bool stop;
static atomic_long written, failed, next_id;

static int schema_fn(struct tx *tx, void *arg)
{
	return tx_exec(tx, arg, SQL_NO_PARAMS, NULL);
}

static int insert_fn(struct tx *tx, void *arg)
{
	return tx_exec(tx, "INSERT INTO bench (id, word) VALUES ($1, $2)",
		       SQL_PARAMS(sql_int(atomic_fetch_add(&next_id, 1)), sql_text(arg)), NULL);
}

static int two_steps_fn(struct tx *tx, void *arg _unused_)
{
	int64_t id = atomic_fetch_add(&next_id, 1);
	struct sql_rows *rows;
	int r;

	r = tx_query(tx, "SELECT word FROM bench WHERE id = $1", SQL_PARAMS(sql_int(id)), &rows);
	return r == 0 ? insert_fn(tx, (void *)"w") : r;
}

static int many_fn(struct tx *tx, void *arg _unused_)
{
	struct sql_value sets[MANY][2];

	for (int i = 0; i < MANY; i++) {
		sets[i][0] = sql_int(atomic_fetch_add(&next_id, 1));
		sets[i][1] = sql_text("many");
	}
	return tx_exec_many(tx, "INSERT INTO bench (id, word) VALUES ($1, $2)", sets[0], 2, MANY);
}

static void *run_main(void *fn)
{
	struct arena *arena;

	if (arena_new(4 << 20, &arena) < 0)
		abort();
	while (!atomic_load(&stop)) {
		atomic_fetch_add(db_run(db, TX_WRITE, arena, *(db_fn **)fn, NULL) == 0 ? &written
										       : &failed,
				 1);
		arena_reset(arena);
	}
	arena_free(arena);
	return NULL;
}

struct slot {
	struct arena *arena;
	atomic_bool busy;
};

static int slot_fn(struct tx *tx, void *arg _unused_)
{
	return insert_fn(tx, (void *)"w");
}

static void slot_done(void *arg, int result)
{
	struct slot *slot = arg;

	atomic_fetch_add(result == 0 ? &written : &failed, 1);
	arena_reset(slot->arena);
	atomic_store(&slot->busy, false);
}

static void *submit_main(void *arg _unused_)
{
	static _Thread_local struct slot slots[IN_FLIGHT];

	for (int i = 0; i < IN_FLIGHT; i++)
		if (arena_new(4096, &slots[i].arena) < 0)
			abort();
	for (size_t i = 0; !atomic_load(&stop); i++) {
		struct slot *slot = &slots[i % IN_FLIGHT];

		while (atomic_load(&slot->busy))
			usleep(50);
		atomic_store(&slot->busy, true);
		if (db_submit(db, slot->arena, slot_fn, slot_done, slot) < 0)
			atomic_store(&slot->busy, false);
	}
	for (int i = 0; i < IN_FLIGHT; i++) {
		while (atomic_load(&slots[i].busy))
			usleep(50);
		arena_free(slots[i].arena);
	}
	return NULL;
}

static void measure(const char *name, int n_threads, void *(*body)(void *), db_fn *fn, long each)
{
	pthread_t threads[64];
	int64_t started = clock_mono_ms(&clock_system);

	atomic_store(&stop, false);
	atomic_store(&written, 0);
	atomic_store(&failed, 0);
	for (int i = 0; i < n_threads; i++)
		if (pthread_create(&threads[i], NULL, body, &fn) != 0)
			abort();
	sleep(SECONDS);
	atomic_store(&stop, true);
	for (int i = 0; i < n_threads; i++)
		pthread_join(threads[i], NULL);
	printf("%-36s %3d threads %9ld a second, %ld failed\n", name, n_threads,
	       atomic_load(&written) * each * 1000 / (long)(clock_mono_ms(&clock_system) - started),
	       atomic_load(&failed));
}

int main(int argc, char **argv)
{
	const char *const schema[] = { "DROP TABLE IF EXISTS bench",
				       "CREATE TABLE bench (id BIGINT PRIMARY KEY, word TEXT)" };
	struct arena *arena;

	if (argc != 2 || db_open(argv[1], 32, &db) < 0 || arena_new(1 << 20, &arena) < 0)
		return 1;
	for (size_t i = 0; i < ARRAY_SIZE(schema); i++)
		if (db_run(db, TX_WRITE, arena, schema_fn, (void *)schema[i]) != 0)
			return 1;
	measure("db_run, one insert", 1, run_main, insert_fn, 1);
	measure("db_run, one insert", 8, run_main, insert_fn, 1);
	measure("db_run, one insert", 32, run_main, insert_fn, 1);
	measure("db_run, select and insert", 8, run_main, two_steps_fn, 1);
	measure("db_submit, one insert", 4, submit_main, NULL, 1);
	measure("tx_exec_many, rows", 1, run_main, many_fn, MANY);
	arena_free(arena);
	db_close(db);
	return 0;
}
