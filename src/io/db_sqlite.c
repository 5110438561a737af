#include "io/db_sqlite.h"

#include <fcntl.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"

struct sqlite_db {
	struct db db;
	char *path;
	struct sqlite_writer *writer;
	bool in_memory;

	struct db_pool readers;
};

/* ---- connections ---- */

static int failure(struct sqlite_connection *connection, const char *sql, int code)
{
	db_log_failure("sqlite_failed", sql, sqlite3_errmsg(connection->handle));
	switch (code & 0xff) {
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
		return -EAGAIN;
	case SQLITE_NOMEM:
		return -ENOMEM;
	default:
		return -EIO;
	}
}

static int past_deadline(void *arg)
{
	struct sqlite_connection *connection = arg;

	return clock_mono_ms(&clock_system) > connection->deadline_ms;
}

static void drop_statement(void *stmt, void *arg _unused_)
{
	sqlite3_finalize(stmt);
}

static int configure(struct sqlite_connection *connection)
{
	static const char *const pragmas[] = {
		"PRAGMA journal_mode = WAL",
		"PRAGMA synchronous = FULL",
		"PRAGMA foreign_keys = ON",
		"PRAGMA cache_size = -16000",
		"PRAGMA temp_store = MEMORY",
		"PRAGMA journal_size_limit = 67108864",
		"PRAGMA trusted_schema = OFF",
		/* 32 MB of log: a page that many transactions touch goes to the file once. */
		"PRAGMA wal_autocheckpoint = 8000",
	};

	for (size_t i = 0; i < ARRAY_SIZE(pragmas); i++) {
		int code = sqlite3_exec(connection->handle, pragmas[i], NULL, NULL, NULL);

		if (code != SQLITE_OK)
			return failure(connection, pragmas[i], code) == -ENOMEM ? -ENOMEM : -EIO;
	}
	return 0;
}

int sqlite_connect(const char *path, struct sqlite_connection **ret_connection)
{
	struct sqlite_connection *connection = calloc(1, sizeof(*connection));
	int r;

	if (!connection)
		return -ENOMEM;
	db_cache_init(&connection->statements, drop_statement, NULL);
	if (sqlite3_open_v2(path, &connection->handle,
			    SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX,
			    NULL) != SQLITE_OK) {
		log_error("sqlite_open", log_text("path", path),
			  log_text("message", connection->handle
						      ? sqlite3_errmsg(connection->handle)
						      : "out of memory"));
		sqlite_disconnect(connection);
		return -EIO;
	}
	sqlite3_busy_timeout(connection->handle, 5000);
	r = configure(connection);
	if (r < 0) {
		sqlite_disconnect(connection);
		return r;
	}
	sqlite3_progress_handler(connection->handle, 20000, past_deadline, connection);
	connection->deadline_ms = INT64_MAX;
	*ret_connection = connection;
	return 0;
}

void sqlite_disconnect(struct sqlite_connection *connection)
{
	if (!connection)
		return;
	db_cache_clear(&connection->statements);
	sqlite3_close(connection->handle);
	free(connection);
}

/* ---- statements ---- */

static int prepare(struct sqlite_connection *connection, const char *sql, sqlite3_stmt **ret_stmt)
{
	sqlite3_stmt *stmt = db_cache_find(&connection->statements, sql, strlen(sql));
	const char *rest;
	int r;

	if (stmt) {
		*ret_stmt = stmt;
		return 0;
	}
	r = sqlite3_prepare_v3(connection->handle, sql, -1, SQLITE_PREPARE_PERSISTENT, &stmt,
			       &rest);
	if (r != SQLITE_OK)
		return failure(connection, sql, r);
	if (!stmt || rest[strspn(rest, "; \t\n")]) {
		db_log_failure("sqlite_failed", sql, "not exactly one statement");
		sqlite3_finalize(stmt);
		return -EIO;
	}
	r = db_cache_put(&connection->statements, sql, strlen(sql), stmt);
	if (r < 0) {
		sqlite3_finalize(stmt);
		return r;
	}
	*ret_stmt = stmt;
	return 0;
}

static int bind_value(sqlite3_stmt *stmt, int index, const struct sql_value *value)
{
	switch (value->type) {
	case SQL_INT:
		return sqlite3_bind_int64(stmt, index, value->number);
	case SQL_TEXT:
		return sqlite3_bind_text64(stmt, index, value->bytes, value->len, SQLITE_STATIC,
					   SQLITE_UTF8);
	case SQL_BLOB:
		/* A null pointer would bind NULL. */
		return sqlite3_bind_blob64(stmt, index, value->len > 0 ? value->bytes : "",
					   value->len, SQLITE_STATIC);
	case SQL_NULL:
		break;
	}
	return sqlite3_bind_null(stmt, index);
}

/* SQLite numbers parameters as they appear in the text, PostgreSQL by their names: the names
 * decide. */
static int bind(struct sqlite_connection *connection, sqlite3_stmt *stmt,
		const struct sql_call *call, const struct sql_value *params)
{
	int n = sqlite3_bind_parameter_count(stmt);

	for (int i = 1; i <= n; i++) {
		const char *name = sqlite3_bind_parameter_name(stmt, i);
		char *end = NULL;
		unsigned long number = name && name[0] == '$' ? strtoul(name + 1, &end, 10) : 0;
		int code;

		if (number < 1 || number > call->n_params || *end) {
			db_log_failure("sql_parameter", call->sql, name ? name : "without a name");
			return -EINVAL;
		}
		code = bind_value(stmt, i, &params[number - 1]);
		if (code != SQLITE_OK)
			return failure(connection, call->sql, code);
	}
	return 0;
}

static int read_cell(struct arena *arena, sqlite3_stmt *stmt, int column, struct sql_value *cell)
{
	const void *bytes;

	switch (sqlite3_column_type(stmt, column)) {
	case SQLITE_INTEGER:
		*cell = sql_int(sqlite3_column_int64(stmt, column));
		return 0;
	case SQLITE_TEXT:
		bytes = sqlite3_column_text(stmt, column);
		return rows_set(arena, cell, SQL_TEXT, bytes,
				(size_t)sqlite3_column_bytes(stmt, column));
	case SQLITE_BLOB:
		bytes = sqlite3_column_blob(stmt, column);
		return rows_set(arena, cell, SQL_BLOB, bytes,
				(size_t)sqlite3_column_bytes(stmt, column));
	case SQLITE_NULL:
		return 0;
	default:
		db_log_failure("sql_type", sqlite3_sql(stmt), "a number that is not an integer");
		return -EIO;
	}
}

static int read_row(struct arena *arena, sqlite3_stmt *stmt, struct sql_rows *rows)
{
	int n = sqlite3_column_count(stmt);
	struct sql_value *cells;
	int r;

	r = rows_add(arena, rows, &cells);
	for (int column = 0; r == 0 && column < n; column++)
		r = read_cell(arena, stmt, column, &cells[column]);
	return r;
}

/* Steps to the end, so that a later failure cannot leave half of a RETURNING undone. */
static int step(struct sqlite_connection *connection, struct arena *arena, sqlite3_stmt *stmt,
		struct sql_rows *rows)
{
	int code, r;

	connection->deadline_ms = clock_mono_ms(&clock_system) + DB_STATEMENT_MS;
	while ((code = sqlite3_step(stmt)) == SQLITE_ROW) {
		r = rows ? read_row(arena, stmt, rows) : 0;
		if (r < 0)
			return r;
	}
	if (code == SQLITE_DONE)
		return 0;
	if ((code & 0xff) == SQLITE_CONSTRAINT)
		return SQL_E_CONFLICT;
	return failure(connection, sqlite3_sql(stmt), code);
}

static void release_statement(sqlite3_stmt *stmt)
{
	sqlite3_reset(stmt);
	/* What was bound belongs to the caller. */
	sqlite3_clear_bindings(stmt);
}

static int begin_rows(struct arena *arena, sqlite3_stmt *stmt, struct sql_rows **ret_rows)
{
	int n = sqlite3_column_count(stmt);
	int r;

	r = rows_new(arena, (size_t)n, ret_rows);
	for (int column = 0; r == 0 && column < n; column++)
		r = rows_name(arena, *ret_rows, (size_t)column, sqlite3_column_name(stmt, column));
	return r;
}

static int run_sets(struct tx *tx, sqlite3_stmt *stmt, const struct sql_call *call,
		    struct sql_rows *rows)
{
	struct sqlite_connection *connection = tx->connection;
	int r = 0;

	for (size_t set = 0; r == 0 && set < call->n_sets; set++) {
		r = bind(connection, stmt, call, call->params + set * call->n_params);
		if (r == 0)
			r = step(connection, tx->arena, stmt, rows);
		release_statement(stmt);
	}
	return r;
}

/* Many sets take effect together or not at all. */
static int run_many(struct tx *tx, sqlite3_stmt *stmt, const struct sql_call *call)
{
	struct sqlite_connection *connection = tx->connection;
	int outcome, r;

	r = sqlite_command(connection, "SAVEPOINT many");
	if (r < 0)
		return r;
	outcome = run_sets(tx, stmt, call, NULL);
	if (outcome < 0)
		return outcome;
	if (outcome > 0) {
		r = sqlite_command(connection, "ROLLBACK TO many");
		if (r < 0)
			return r;
	}
	r = sqlite_command(connection, "RELEASE many");
	return r < 0 ? r : outcome;
}

int sqlite_statement(struct tx *tx, const struct sql_call *call, struct sql_rows **ret_rows,
		     int64_t *ret_changed)
{
	struct sqlite_connection *connection = tx->connection;
	struct sql_rows *rows = NULL;
	sqlite3_stmt *stmt;
	int64_t before;
	int r;

	r = prepare(connection, call->sql, &stmt);
	if (r < 0)
		return r;
	if (tx->mode == TX_READ && !sqlite3_stmt_readonly(stmt)) {
		db_log_failure("sql_write_in_read", call->sql, "a read transaction cannot write");
		return -EPERM;
	}
	if (ret_rows) {
		r = begin_rows(tx->arena, stmt, &rows);
		if (r < 0)
			return r;
	}
	before = sqlite3_total_changes64(connection->handle);
	r = call->n_sets > 1 ? run_many(tx, stmt, call) : run_sets(tx, stmt, call, rows);
	if (r == 0 && sqlite3_get_autocommit(connection->handle)) {
		db_log_failure("sql_ended", call->sql, "a statement must not end its transaction");
		return -EIO;
	}
	if (r != 0)
		return r;
	if (sqlite3_total_changes64(connection->handle) != before)
		*ret_changed = sqlite3_changes64(connection->handle);
	if (!rows)
		return 0;
	r = rows_finish(tx->arena, rows);
	if (r == 0)
		*ret_rows = rows;
	return r;
}

int sqlite_command(struct sqlite_connection *connection, const char *sql)
{
	sqlite3_stmt *stmt;
	int r;

	r = prepare(connection, sql, &stmt);
	if (r < 0)
		return r;
	r = step(connection, NULL, stmt, NULL);
	sqlite3_reset(stmt);
	/* A rule that is checked only at COMMIT is not portable; nothing declares one. */
	return r > 0 ? failure(connection, sql, SQLITE_CONSTRAINT) : r;
}

/* ---- readers ---- */

static int read_on(struct sqlite_db *sqlite, struct sqlite_connection *reader, struct arena *arena,
		   db_fn *fn, void *arg)
{
	struct tx tx;
	int r;

	r = sqlite_command(reader, "BEGIN");
	if (r < 0)
		return r;
	tx_init(&tx, &sqlite->db, TX_READ, arena, reader);
	r = tx_call(&tx, fn, arg);
	/* There is nothing to lose in a read; an automatic roll-back may have been first. */
	if (!sqlite3_get_autocommit(reader->handle)) {
		int ended = sqlite_command(reader, "ROLLBACK");

		if (ended < 0)
			return ended;
	}
	if (r == 0)
		tx_committed(&tx);
	return r;
}

/* ---- the driver ---- */

static int sqlite_read(struct sqlite_db *sqlite, struct arena *arena, db_fn *fn, void *arg)
{
	struct sqlite_connection *reader;
	void *taken;
	int r;

	r = db_pool_take(&sqlite->readers, &taken);
	if (r < 0)
		return r;
	reader = taken;
	r = reader ? 0 : sqlite_connect(sqlite->path, &reader);
	if (r == 0)
		r = read_on(sqlite, reader, arena, fn, arg);
	db_pool_give(&sqlite->readers, reader);
	return r;
}

static int sqlite_run(struct db *db, enum tx_mode mode, struct arena *arena, db_fn *fn, void *arg)
{
	struct sqlite_db *sqlite = (struct sqlite_db *)db;

	if (mode == TX_WRITE || sqlite->in_memory)
		return sqlite_writer_run(sqlite->writer, mode, arena, fn, arg);
	return sqlite_read(sqlite, arena, fn, arg);
}

static int sqlite_submit(struct db *db, struct arena *arena, db_fn *fn,
			 void (*done)(void *arg, int result), void *arg)
{
	return sqlite_writer_submit(((struct sqlite_db *)db)->writer, arena, fn, done, arg);
}

static void sqlite_free(struct sqlite_db *sqlite)
{
	if (sqlite->writer)
		sqlite_writer_free(sqlite->writer);
	for (void *reader; (reader = db_pool_drain(&sqlite->readers));)
		sqlite_disconnect(reader);
	db_pool_done(&sqlite->readers);
	free(sqlite->path);
	free(sqlite);
}

static void sqlite_close(struct db *db)
{
	sqlite_free((struct sqlite_db *)db);
}

static const struct db_driver sqlite_driver = {
	.run = sqlite_run,
	.submit = sqlite_submit,
	.statement = sqlite_statement,
	.close = sqlite_close,
};

/* The store holds sessions and keys: its file is its owner's alone. An existing file is not
 * opened here, since closing it would drop the locks of another connection of this process. */
static int make_file(const char *path)
{
	int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

	if (fd >= 0)
		close(fd);
	else if (errno != EEXIST) {
		int fault = -errno;

		log_error("sqlite_open", log_text("path", path), log_fault(fault));
		return fault;
	}
	return 0;
}

static int start_writer(struct sqlite_db *sqlite)
{
	struct sqlite_connection *connection;
	int r;

	r = sqlite->in_memory ? 0 : make_file(sqlite->path);
	if (r < 0)
		return r;
	r = sqlite_connect(sqlite->path, &connection);
	if (r < 0)
		return r;
	/* The one writer touches indexes at random: pages that it holds need not be read again. */
	r = sqlite_command(connection, "PRAGMA cache_size = -65536");
	if (r == 0)
		r = sqlite_writer_new(&sqlite->db, connection, &sqlite->writer);
	if (r < 0)
		sqlite_disconnect(connection);
	return r;
}

int db_open_sqlite(const char *path, unsigned int connections, struct db **ret_db)
{
	struct sqlite_db *sqlite = calloc(1, sizeof(*sqlite));
	int r;

	if (!sqlite)
		return -ENOMEM;
	r = db_pool_init(&sqlite->readers, connections);
	if (r < 0) {
		free(sqlite);
		return r;
	}
	sqlite->db.driver = &sqlite_driver;
	pthread_mutex_init(&sqlite->db.losers, NULL);
	sqlite->in_memory = strcmp(path, ":memory:") == 0;
	sqlite->path = strdup(path);
	r = sqlite->path ? start_writer(sqlite) : -ENOMEM;
	if (r < 0) {
		sqlite_free(sqlite);
		return r;
	}
	*ret_db = &sqlite->db;
	return 0;
}
