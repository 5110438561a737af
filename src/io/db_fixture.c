#include "io/db_fixture.h"

#include <unistd.h>

static _Noreturn void fail(const char *what)
{
	fprintf(stderr, "test store: %s failed\n", what);
	abort();
}

int store_each(int (*run)(enum store_kind kind))
{
	static const char *const names[] = { "file", "memory", "postgres" };
	int sum = 0;

	for (int kind = STORE_FILE; kind <= STORE_POSTGRES; kind++) {
		if (kind == STORE_POSTGRES && !getenv("KAISAR_TEST_POSTGRES"))
			continue;
		printf("store: %s\n", names[kind]);
		sum += run(kind);
	}
	return sum;
}

static int exec_fn(struct tx *tx, void *arg)
{
	return tx_exec(tx, arg, SQL_NO_PARAMS, NULL);
}

/* On the server, outside the store that is open. */
static void exec_on(const char *url, const char *sql)
{
	struct arena *arena;
	struct db *db;

	if (db_open(url, 1, &db) < 0 || arena_new(1 << 16, &arena) < 0)
		fail("opening PostgreSQL");
	if (db_run(db, TX_WRITE, arena, exec_fn, (void *)sql) != 0)
		fail(sql);
	arena_free(arena);
	db_close(db);
}

static void schema_drop(void)
{
	char sql[64];

	snprintf(sql, sizeof(sql), "DROP SCHEMA IF EXISTS test_%d CASCADE", (int)getpid());
	exec_on(getenv("KAISAR_TEST_POSTGRES"), sql);
}

static void schema_make(struct store *store)
{
	const char *url = getenv("KAISAR_TEST_POSTGRES");
	char sql[64];

	schema_drop();
	snprintf(sql, sizeof(sql), "CREATE SCHEMA test_%d", (int)getpid());
	exec_on(url, sql);
	snprintf(store->url, sizeof(store->url),
		 "%s%capplication_name=test_%d&options=-csearch_path%%3Dtest_%d", url,
		 strchr(url, '?') ? '&' : '?', (int)getpid(), (int)getpid());
}

void store_open(struct store *store, enum store_kind kind)
{
	*store = (struct store){ .kind = kind, .folder = "/tmp/kaisar-store-XXXXXX" };
	switch (kind) {
	case STORE_FILE:
		if (!mkdtemp(store->folder))
			fail("mkdtemp");
		snprintf(store->url, sizeof(store->url), "sqlite:%s/store", store->folder);
		break;
	case STORE_MEMORY:
		snprintf(store->url, sizeof(store->url), "sqlite::memory:");
		break;
	case STORE_POSTGRES:
		schema_make(store);
		break;
	}
	if (db_open(store->url, 8, &store->db) < 0 || arena_new(64 << 20, &store->arena) < 0)
		fail("opening");
}

void store_close(struct store *store)
{
	static const char *const files[] = { "store", "store-wal", "store-shm" };
	char path[64];

	db_close(store->db);
	arena_free(store->arena);
	if (store->kind == STORE_POSTGRES)
		schema_drop();
	if (store->kind != STORE_FILE)
		return;
	for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
		snprintf(path, sizeof(path), "%s/%s", store->folder, files[i]);
		unlink(path);
	}
	rmdir(store->folder);
}

int store_run(struct store *store, enum tx_mode mode, db_fn *fn, void *arg)
{
	int r = db_run(store->db, mode, store->arena, fn, arg);

	arena_reset(store->arena);
	return r;
}

void store_exec(struct store *store, const char *sql)
{
	if (store_run(store, TX_WRITE, exec_fn, (void *)sql) != 0)
		fail(sql);
}

struct number {
	const char *sql;
	int64_t n;
};

static int number_fn(struct tx *tx, void *arg)
{
	struct number *number = arg;
	struct sql_rows *rows;
	int r = tx_query(tx, number->sql, SQL_NO_PARAMS, &rows);

	if (r == 0 && rows_count(rows) == 0)
		return -ENOENT;
	if (r == 0)
		number->n = rows_int(rows, 0, "n");
	return r;
}

int64_t store_number(struct store *store, const char *sql)
{
	struct number number = { .sql = sql };

	if (store_run(store, TX_READ, number_fn, &number) != 0)
		fail(sql);
	return number.n;
}
