/* db_sqlite.h - what db_sqlite.c and db_sqlite_writer.c share; nobody else includes it.
 *
 * db_sqlite.c: connections, statements, the pool of readers. db_sqlite_writer.c: the one thread
 * that writes. In memory there is a single connection, and the writer runs the reads too. */
#pragma once

#include <pthread.h>
#include <sqlite3.h>

#include "io/db_cache.h"
#include "io/db_driver.h"
#include "io/db_pool.h"

struct sqlite_connection {
	sqlite3 *handle;
	struct db_cache statements;
	int64_t deadline_ms; /* of the statement that runs, by the monotonic clock */
};

int sqlite_connect(const char *path, struct sqlite_connection **ret_connection);
void sqlite_disconnect(struct sqlite_connection *connection);

/* A statement without parameters and rows. */
int sqlite_command(struct sqlite_connection *connection, const char *sql);

/* The driver's statement function. */
int sqlite_statement(struct tx *tx, const struct sql_call *call, struct sql_rows **ret_rows,
		     int64_t *ret_changed);

/* ---- the writer ---- */

struct sqlite_writer;

enum { SQLITE_QUEUE_MAX = 4096, SQLITE_BATCH_MAX = 256, SQLITE_BATCH_MS = 2 };

/* Takes @connection over, on success. */
int sqlite_writer_new(struct db *db, struct sqlite_connection *connection,
		      struct sqlite_writer **ret_writer);

/* Finishes what is queued. */
void sqlite_writer_free(struct sqlite_writer *writer);

int sqlite_writer_run(struct sqlite_writer *writer, enum tx_mode mode, struct arena *arena,
		      db_fn *fn, void *arg);
int sqlite_writer_submit(struct sqlite_writer *writer, struct arena *arena, db_fn *fn,
			 void (*done)(void *arg, int result), void *arg);
