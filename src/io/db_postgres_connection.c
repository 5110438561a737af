#include <poll.h>

#include "base/clock.h"
#include "base/log.h"
#include "io/db_postgres.h"

/* ---- connecting ---- */

static void notice(void *arg _unused_, const char *message)
{
	log_debug("postgres_notice", log_text("message", message));
}

static void drop_statement(void *stmt, void *arg)
{
	struct pg_connection *connection = arg;

	/* Names are never used twice, so the server's copy does no harm but to take room. */
	connection->n_dropped++;
	free(stmt);
}

static int configure(struct pg_connection *connection)
{
	char sql[256];
	PGresult *result;
	bool ok;

	snprintf(sql, sizeof(sql),
		 "SET statement_timeout = %d; SET idle_in_transaction_session_timeout = %d; "
		 "SET client_min_messages = warning",
		 DB_STATEMENT_MS, 2 * DB_STATEMENT_MS);
	result = PQexec(connection->handle, sql);
	ok = PQresultStatus(result) == PGRES_COMMAND_OK;
	PQclear(result);
	return ok && PQsetnonblocking(connection->handle, 1) == 0 &&
			       PQenterPipelineMode(connection->handle)
		       ? 0
		       : -EIO;
}

int pg_connect(const char *url, struct pg_connection **ret_connection)
{
	/* What stands after dbname wins over the URL, what stands before gives way to it. */
	const char *const names[] = { "connect_timeout", "application_name", "tcp_user_timeout",
				      "dbname",          "client_encoding",  NULL };
	const char *const values[] = { "5", "kaisar", "40000", url, "UTF8", NULL };
	struct pg_connection *connection = calloc(1, sizeof(*connection));

	if (!connection)
		return -ENOMEM;
	db_cache_init(&connection->statements, drop_statement, connection);
	connection->handle = PQconnectdbParams(names, values, 1);
	PQsetNoticeProcessor(connection->handle, notice, NULL);
	if (PQstatus(connection->handle) != CONNECTION_OK || configure(connection) < 0) {
		log_error("postgres_connect",
			  log_text("message", PQerrorMessage(connection->handle)));
		pg_disconnect(connection);
		return -EIO;
	}
	*ret_connection = connection;
	return 0;
}

void pg_disconnect(struct pg_connection *connection)
{
	if (!connection)
		return;
	db_cache_clear(&connection->statements);
	PQfinish(connection->handle);
	free(connection->key);
	free(connection);
}

/* ---- queueing ---- */

static int lost(struct pg_connection *connection)
{
	log_warn("postgres_lost", log_text("message", PQerrorMessage(connection->handle)));
	connection->broken = true;
	connection->lost = true;
	return -EIO;
}

static int queued(struct pg_connection *connection, int sent, bool is_statement)
{
	if (!sent)
		return lost(connection);
	connection->answers_count[connection->n_queued++] = is_statement;
	return 0;
}

int pg_queue_command(struct pg_connection *connection, const char *sql)
{
	return queued(connection,
		      PQsendQueryParams(connection->handle, sql, 0, NULL, NULL, NULL, NULL, 1),
		      false);
}

/* A statement's key: a letter for each parameter's type, a NUL, the text. */
static int make_key(struct pg_connection *connection, const char *sql, size_t *ret_len)
{
	const struct pg_params *params = &connection->params;
	size_t n = (size_t)params->n, len = n + 1 + strlen(sql);

	if (len > connection->key_size) {
		char *key = realloc(connection->key, 2 * len);

		if (!key)
			return -ENOMEM;
		connection->key = key;
		connection->key_size = 2 * len;
	}
	for (size_t i = 0; i < n; i++)
		connection->key[i] = (char)('A' + params->types[i]);
	connection->key[n] = '\0';
	memcpy(connection->key + n + 1, sql, len - n - 1);
	*ret_len = len;
	return 0;
}

static int prepare(struct pg_connection *connection, const char *sql, size_t key_len,
		   const char **ret_name)
{
	const struct pg_params *params = &connection->params;
	char *name;
	int r;

	if (asprintf(&name, "s%u", connection->n_prepared) < 0)
		return -ENOMEM;
	r = db_cache_put(&connection->statements, connection->key, key_len, name);
	if (r < 0) {
		free(name);
		return r;
	}
	connection->n_prepared++;
	connection->n_new++;
	*ret_name = name;
	return queued(connection,
		      PQsendPrepare(connection->handle, name, sql, params->n, params->types),
		      false);
}

int pg_queue_statement(struct pg_connection *connection, const char *sql,
		       const struct sql_value *values, size_t n_values)
{
	struct pg_params *params = &connection->params;
	const char *name;
	size_t key_len = 0;
	int r;

	r = pg_params_set(params, values, n_values);
	if (r == 0)
		r = make_key(connection, sql, &key_len);
	if (r < 0)
		return r;
	name = db_cache_find(&connection->statements, connection->key, key_len);
	if (!name) {
		r = prepare(connection, sql, key_len, &name);
		if (r < 0)
			return r;
	}
	return queued(connection,
		      PQsendQueryPrepared(connection->handle, name, params->n, params->values,
					  params->lengths, params->formats, 1),
		      true);
}

/* ---- answers ---- */

/* Until libpq has a whole answer, writing what the socket did not take yet. */
static int wait_for_answer(struct pg_connection *connection, int64_t deadline_ms)
{
	while (PQisBusy(connection->handle)) {
		int left_ms = (int)(deadline_ms - clock_mono_ms(&clock_system));
		int unsent = PQflush(connection->handle);
		struct pollfd pollfd = { .fd = PQsocket(connection->handle),
					 .events = (short)(POLLIN | (unsent ? POLLOUT : 0)) };

		if (unsent < 0)
			return lost(connection);
		if (left_ms <= 0) {
			log_error("postgres_silent", log_int("waited_ms", PG_ANSWER_MS));
			connection->broken = true;
			return -EIO;
		}
		if (poll(&pollfd, 1, left_ms) < 0 && errno != EINTR)
			return lost(connection);
		if (pollfd.revents & ~POLLOUT && !PQconsumeInput(connection->handle))
			return lost(connection);
	}
	return 0;
}

static int next_answer(struct pg_connection *connection, int64_t deadline_ms, PGresult **ret_result)
{
	int r = wait_for_answer(connection, deadline_ms);

	if (r < 0)
		return r;
	*ret_result = PQgetResult(connection->handle);
	return 0;
}

static int refused(struct pg_connection *connection, const char *sql, const PGresult *result)
{
	const char *state = PQresultErrorField(result, PG_DIAG_SQLSTATE);
	const char *message = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);

	if (!state)
		return lost(connection);
	if (strncmp(state, "40", 2) == 0)
		return -EAGAIN;
	/* A table or its type has been created meanwhile, despite IF NOT EXISTS. */
	if (strncmp(state, "23", 2) == 0 || strcmp(state, "42P07") == 0 ||
	    strcmp(state, "42710") == 0)
		return SQL_E_CONFLICT;
	/* A statement was prepared before its table changed. */
	if (strcmp(state, "0A000") == 0 && connection->n_new == 0) {
		db_cache_clear(&connection->statements);
		return -EAGAIN;
	}
	db_log_failure("postgres_failed", sql, message ? message : state);
	if (strncmp(state, "57P", 3) == 0)
		connection->broken = connection->lost = true;
	return strcmp(state, "25006") == 0 ? -EPERM : strcmp(state, "53200") == 0 ? -ENOMEM : -EIO;
}

static int64_t changed_rows(PGresult *result)
{
	const char *tag = PQcmdStatus(result);

	return strncmp(tag, "SELECT", 6) == 0 ? 0 : strtoll(PQcmdTuples(result), NULL, 10);
}

/* One answer to one queued command; 0 also for those that a failure before made the server skip. */
static int read_answer(struct pg_connection *connection, struct arena *arena, const char *sql,
		       const PGresult *result, bool is_statement, struct sql_rows **rows,
		       int64_t *changed)
{
	switch (PQresultStatus(result)) {
	case PGRES_TUPLES_OK:
	case PGRES_COMMAND_OK:
		snprintf(connection->tag, sizeof(connection->tag), "%s",
			 PQcmdStatus((PGresult *)result));
		if (!is_statement)
			return 0;
		*changed += changed_rows((PGresult *)result);
		return rows ? pg_read_rows(arena, result, rows) : 0;
	case PGRES_PIPELINE_ABORTED:
		return 0;
	default:
		return refused(connection, sql, result);
	}
}

static int read_answers(struct pg_connection *connection, struct arena *arena, const char *sql,
			struct sql_rows **rows, int64_t *changed)
{
	int64_t deadline_ms = clock_mono_ms(&clock_system) + PG_ANSWER_MS;
	int outcome = 0, r;

	for (size_t i = 0; i < connection->n_queued; i++) {
		PGresult *result;

		/* Each command has one answer and a NULL behind it. */
		while ((r = next_answer(connection, deadline_ms, &result)) == 0 && result) {
			r = outcome == 0 ? read_answer(connection, arena, sql, result,
						       connection->answers_count[i], rows, changed)
					 : 0;
			PQclear(result);
			if (outcome == 0)
				outcome = r;
			if (connection->broken)
				return outcome;
		}
		if (r < 0)
			return r;
	}
	return outcome;
}

static int read_sync(struct pg_connection *connection)
{
	PGresult *result;
	bool synced;
	int r;

	r = next_answer(connection, clock_mono_ms(&clock_system) + PG_ANSWER_MS, &result);
	if (r < 0)
		return r;
	synced = PQresultStatus(result) == PGRES_PIPELINE_SYNC;
	PQclear(result);
	return synced ? 0 : lost(connection);
}

int pg_round_trip(struct pg_connection *connection, struct arena *arena, const char *sql,
		  struct sql_rows **rows, int64_t *changed)
{
	int64_t unwanted = 0;
	int outcome, r;

	if (!PQpipelineSync(connection->handle))
		return lost(connection);
	outcome = read_answers(connection, arena, sql, rows, changed ? changed : &unwanted);
	if (connection->broken)
		return outcome < 0 ? outcome : -EIO;
	r = read_sync(connection);
	/* Some of the new ones were perhaps not reached. */
	if (outcome != 0 && connection->n_new > 0)
		db_cache_clear(&connection->statements);
	connection->n_queued = 0;
	connection->n_new = 0;
	return r < 0 ? r : outcome;
}
