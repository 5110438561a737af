/* db_postgres.h - what the files of the PostgreSQL driver share; nobody else includes it.
 *
 * db_postgres.c: the pool and transactions. db_postgres_connection.c: one connection, always in
 * libpq's pipeline mode: commands are queued, then one round trip carries them all.
 * db_postgres_values.c: parameters and results in binary. */
#pragma once

#include <libpq-fe.h>

#include "io/db_cache.h"
#include "io/db_driver.h"
#include "io/db_pool.h"

enum {
	PG_SETS_MAX = 4096, /* sets of one round trip */
	PG_DROPPED_MAX = 64, /* statements that fell out of the cache but live on in the server */
	PG_ANSWER_MS = DB_STATEMENT_MS + 5000, /* the server's own limit comes first */
};

/* One statement's parameters as libpq wants them. */
struct pg_params {
	int n;
	const char *values[SQL_PARAMS_MAX];
	int lengths[SQL_PARAMS_MAX], formats[SQL_PARAMS_MAX];
	Oid types[SQL_PARAMS_MAX];
	uint64_t numbers[SQL_PARAMS_MAX]; /* big endian */
};

_must_check_ int pg_params_set(struct pg_params *params, const struct sql_value *values, size_t n);

/* Reads a result into new rows. */
_must_check_ int pg_read_rows(struct arena *arena, const PGresult *result,
			      struct sql_rows **ret_rows);

struct pg_connection {
	PGconn *handle;
	struct db_cache statements; /* by the parameters' types and the text */
	unsigned int n_prepared, n_dropped;
	struct pg_params params;
	char *key;
	size_t key_size;

	bool broken; /* to be closed, not used again */
	bool lost; /* the server went away; what was not committed is not done */

	/* The round trip under way. */
	bool answers_count[2 * PG_SETS_MAX + 8]; /* in order: is it a statement's answer */
	size_t n_queued;
	unsigned int n_new; /* statements prepared in it */
	char tag[16]; /* the last command's, "COMMIT" */

	/* The transaction under way. */
	bool begun;
	bool careful; /* a savepoint around every statement, see db_postgres.c */
	bool conflicted;
	bool committing;
};

int pg_connect(const char *url, struct pg_connection **ret_connection);
void pg_disconnect(struct pg_connection *connection);

_must_check_ int pg_queue_command(struct pg_connection *connection, const char *sql);
_must_check_ int pg_queue_statement(struct pg_connection *connection, const char *sql,
				    const struct sql_value *params, size_t n_params);

/* Sends what was queued and waits for all answers. @rows (NULL: not wanted) and @changed come
 * from the statements. SQL_E_CONFLICT, -EAGAIN and faults as in db.h; @sql is for the log. */
_must_check_ int pg_round_trip(struct pg_connection *connection, struct arena *arena,
			       const char *sql, struct sql_rows **rows, int64_t *changed);
