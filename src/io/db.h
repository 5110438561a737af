/* db.h - SQLite and PostgreSQL behind one face, with one SQL text.
 *
 * SQL: parameters are $1, $2, ... in order; columns are read by name; only BIGINT, TEXT and BYTEA
 * (integers, UTF-8, bytes; each may be NULL); ON CONFLICT and RETURNING work on both. What is
 * written here runs SERIALIZABLE on both: a function given to db_run or db_submit may be run again
 * after a serialisation failure, so it must not have effects outside its transaction; what should
 * happen after the commit goes through tx_on_commit.
 *
 * SQLite: one writer thread gathers the writes of many callers into one transaction, a savepoint
 * each, and lets them go after one COMMIT at synchronous=FULL (group commit); readers have their
 * own connections. PostgreSQL: a pool of connections. */
#pragma once

#include "base/arena.h"
#include "base/base.h"

struct db;
struct tx;

/* @url: "sqlite:PATH", "sqlite::memory:" (tests) or "postgres://..." / "postgresql://...".
 * @connections: how many threads may read (and, on PostgreSQL, write) at once. */
_must_check_ int db_open(const char *url, unsigned int connections, struct db **ret_db);

/* After every db_run has returned; finishes what was submitted. What that submits in turn is
 * refused with -ESHUTDOWN. */
void db_close(struct db *db);

enum tx_mode { TX_NONE, TX_READ, TX_WRITE };

/* 0: commit. Anything else: roll back, and db_run returns it. @arena is tx_arena(tx). */
typedef int db_fn(struct tx *tx, void *arg);

/* Runs @fn in a transaction, again after a serialisation failure (a bounded number of times, with
 * growing pauses), and returns what it returned once the outcome is durable. @arena holds query
 * results; what a try that is run again allocated there is given back first. Faults besides @fn's: -EIO (the store), -EBUSY (retries exhausted), -ESHUTDOWN. */
_must_check_ int db_run(struct db *db, enum tx_mode mode, struct arena *arena, db_fn *fn,
			void *arg);

/* Asked at the beginning of each TX_WRITE that db_run runs for this thread from now on, in that transaction; anything but
 * 0 rolls back, and is db_run's result. Borrowed; NULL: nothing is asked. */
struct db_fence {
	db_fn *check;
	void *arg;
};
void db_fence(const struct db_fence *fence);

/* The same for a write without waiting: @done(@arg, result) is called after the commit, on a
 * thread of the database; it must not wait. -EAGAIN when the queue is full: nothing was taken. On
 * PostgreSQL the calling thread does the work and calls @done before returning. */
_must_check_ int db_submit(struct db *db, struct arena *arena, db_fn *fn,
			   void (*done)(void *arg, int result), void *arg);

/* ---- inside a transaction ---- */

enum sql_type { SQL_NULL, SQL_INT, SQL_TEXT, SQL_BLOB };

struct sql_value {
	enum sql_type type;
	int64_t number;
	const void *bytes;
	size_t len;
};

static inline struct sql_value sql_int(int64_t number)
{
	return (struct sql_value){ .type = SQL_INT, .number = number };
}

/* NULL becomes NULL. */
static inline struct sql_value sql_text(const char *text)
{
	return (struct sql_value){ .type = text ? SQL_TEXT : SQL_NULL,
				   .bytes = text,
				   .len = text ? strlen(text) : 0 };
}

static inline struct sql_value sql_blob(const void *bytes, size_t len)
{
	return (struct sql_value){ .type = SQL_BLOB, .bytes = bytes, .len = len };
}

static inline struct sql_value sql_null(void)
{
	return (struct sql_value){ .type = SQL_NULL };
}

/* The parameters of a statement: SQL_PARAMS(sql_int(1), sql_text("x")). */
#define SQL_PARAMS(...)                              \
	((const struct sql_value[]){ __VA_ARGS__ }), \
		sizeof((const struct sql_value[]){ __VA_ARGS__ }) / sizeof(struct sql_value)
#define SQL_NO_PARAMS NULL, 0

enum { SQL_PARAMS_MAX = 256 }; /* of one statement */

struct sql_rows;

enum { SQL_ROWS_MAX = 100000 };

/* Runs one statement; the rows (of SELECT or RETURNING) live in the transaction's arena.
 * Outcome SQL_E_CONFLICT: a UNIQUE, CHECK, NOT NULL or foreign key rule refused it (the statement
 * had no effect; the transaction goes on). PostgreSQL runs the function again, with savepoints, to
 * see to that: where a conflict is common, ON CONFLICT is cheaper. Faults: -EIO, -ENOMEM, -E2BIG
 * (more than SQL_ROWS_MAX rows), -EAGAIN (to be passed up: db_run runs the function again); after
 * a fault nothing more is run, and nothing is committed. sum() of BIGINT is an integer on both. */
enum sql_outcome { SQL_E_CONFLICT = 1 };
_must_check_ int tx_query(struct tx *tx, const char *sql, const struct sql_value *params,
			  size_t n_params, struct sql_rows **ret_rows);

/* The same where rows do not matter; @ret_changed (may be NULL) is how many rows were changed. */
_must_check_ int tx_exec(struct tx *tx, const char *sql, const struct sql_value *params,
			 size_t n_params, int64_t *ret_changed);

/* The same statement for @n_sets sets of @n_params parameters, all of them or (SQL_E_CONFLICT)
 * none: one round trip on PostgreSQL. */
_must_check_ int tx_exec_many(struct tx *tx, const char *sql, const struct sql_value *params,
			      size_t n_params, size_t n_sets);

/* Calls @fn(@arg) once after the commit, on the committing thread; not after a roll-back. Hints
 * only: it is lost if the process dies in between. @fn must not wait nor use the store. @arg must
 * live in the transaction's arena or longer. -ENOMEM. */
_must_check_ int tx_on_commit(struct tx *tx, void (*fn)(void *arg), void *arg);

struct arena *tx_arena(struct tx *tx);

size_t rows_count(const struct sql_rows *rows);

/* By column name; a name that the statement does not return is a bug and aborts. NULL reads as 0,
 * NULL, or zeros. */
int64_t rows_int(const struct sql_rows *rows, size_t row, const char *column);
const char *rows_text(const struct sql_rows *rows, size_t row, const char *column);
const void *rows_blob(const struct sql_rows *rows, size_t row, const char *column, size_t *ret_len);
bool rows_null(const struct sql_rows *rows, size_t row, const char *column);

/* Copies a blob of exactly @size bytes; zeros for NULL. -EIO if it has another length. */
_must_check_ int rows_bytes(const struct sql_rows *rows, size_t row, const char *column,
			    void *ret_bytes, size_t size);

/* How a row becomes an item of @size bytes, which is zeroed before. */
struct row_reader {
	size_t size;
	int (*read)(const struct sql_rows *rows, size_t row, void *ret_item);
};

/* All rows of a SELECT, read by @reader until it refuses one (its result is then this one's). The array, in the
 * transaction's arena and never NULL, goes to *@ret_items: a pointer to a pointer to @reader's items. */
_must_check_ int tx_select(struct tx *tx, const char *sql, const struct sql_value *params,
			   size_t n_params, const struct row_reader *reader, void *ret_items,
			   size_t *ret_n);
