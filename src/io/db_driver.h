/* db_driver.h - what db.c and the two drivers share; nobody else includes it. */
#pragma once

#include <pthread.h>
#include <stdatomic.h>

#include "io/db.h"
#include "io/db_fault.h"

struct sql_call {
	const char *sql;
	const struct sql_value *params;
	size_t n_params;
	size_t n_sets; /* how many times @n_params values lie in @params */
};

struct db_driver {
	/* One try of one transaction. -EAGAIN: it may be tried again. */
	int (*run)(struct db *db, enum tx_mode mode, struct arena *arena, db_fn *fn, void *arg);
	/* NULL: the caller's thread does the work. */
	int (*submit)(struct db *db, struct arena *arena, db_fn *fn,
		      void (*done)(void *arg, int result), void *arg);
	/* @ret_rows may be NULL. */
	int (*statement)(struct tx *tx, const struct sql_call *call, struct sql_rows **ret_rows,
			 int64_t *ret_changed);
	void (*close)(struct db *db);
};

struct db_fault {
	atomic_uint countdown;
	atomic_int fault;
};

struct db {
	const struct db_driver *driver;
	atomic_bool closing;
	pthread_mutex_t losers;
	struct db_fault faults[DB_FAULT_PLACES];
};

struct tx_hook {
	struct tx_hook *next;
	void (*fn)(void *arg);
	void *arg;
};

struct tx {
	struct db *db;
	struct arena *arena;
	enum tx_mode mode;
	void *connection; /* the driver's */
	int fault; /* the first; a transaction that met one does not commit */
	struct tx_hook *hooks, *last_hook;
};

int db_open_sqlite(const char *path, unsigned int connections, struct db **ret_db);
int db_open_postgres(const char *url, unsigned int connections, struct db **ret_db);

void tx_init(struct tx *tx, struct db *db, enum tx_mode mode, struct arena *arena,
	     void *connection);

/* Runs @fn on @tx: 0 only if it returned 0 and no statement met a fault. */
int tx_call(struct tx *tx, db_fn *fn, void *arg);

/* Runs the on-commit hooks, in order. */
void tx_committed(struct tx *tx);

/* Calls a callback of db_submit. */
void tx_call_done(void (*done)(void *arg, int result), void *arg, int result);

/* The fault that a test asked for at this point, or 0. */
int db_fault_due(struct db *db, enum db_fault_place place);

enum { DB_TRIES_MAX = 32, DB_STATEMENT_MS = 30000, DB_WAIT_MS = 15000 };

/* Sleeps before rerun @n (1, 2, ...): up to 2, 4, 8 ... 256 ms, at random. */
void db_pause(unsigned int n);

/* A failed statement, with the database's words. */
void db_log_failure(const char *event, const char *sql, const char *message);

/* ---- results (db_rows.c) ---- */

_must_check_ int rows_new(struct arena *arena, size_t n_columns, struct sql_rows **ret_rows);
_must_check_ int rows_name(struct arena *arena, struct sql_rows *rows, size_t column,
			   const char *name);

/* Adds a row and returns its cells to fill, SQL_NULL each; -E2BIG past SQL_ROWS_MAX. */
_must_check_ int rows_add(struct arena *arena, struct sql_rows *rows, struct sql_value **ret_cells);

/* Copies text or bytes into a cell. */
_must_check_ int rows_set(struct arena *arena, struct sql_value *cell, enum sql_type type,
			  const void *bytes, size_t len);

/* After the last row. */
_must_check_ int rows_finish(struct arena *arena, struct sql_rows *rows);
