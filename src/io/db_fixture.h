/* db_fixture.h - for tests: an empty store of each kind. In a file, in memory, and on PostgreSQL
 * where KAISAR_TEST_POSTGRES holds a URL (tools/with-postgres); there each process has a schema of
 * its own, so that tests may run at once. */
#pragma once

#include "io/db.h"

enum store_kind { STORE_FILE, STORE_MEMORY, STORE_POSTGRES };

struct store {
	enum store_kind kind;
	char url[512]; /* to open it again */
	struct db *db; /* eight connections */
	struct arena *arena; /* 64 MiB */
	char folder[32];
};

/* Calls @run for each kind that this machine has and returns the sum of what it returned. */
int store_each(int (*run)(enum store_kind kind));

/* Aborts where it cannot. */
void store_open(struct store *store, enum store_kind kind);

/* Closes and deletes; @store->db may be NULL if the test closed it. */
void store_close(struct store *store);

/* db_run with the store's arena, which is emptied afterwards. */
int store_run(struct store *store, enum tx_mode mode, db_fn *fn, void *arg);

/* Runs one statement; aborts unless it succeeds. */
void store_exec(struct store *store, const char *sql);

/* The column "n" of the first row. */
int64_t store_number(struct store *store, const char *sql);
