#include "io/migrate.h"

#include "base/clock.h"
#include "base/keccak.h"
#include "base/log.h"

enum { MIGRATE_ARENA_BYTES = 16 << 20 };

/* ---- what is applied ---- */

static int create_table(struct tx *tx, void *arg _unused_)
{
	int r = tx_exec(tx,
			"CREATE TABLE IF NOT EXISTS schema_migrations ("
			"number BIGINT PRIMARY KEY, name TEXT NOT NULL, "
			"checksum BYTEA NOT NULL, applied_at BIGINT NOT NULL)",
			SQL_NO_PARAMS, NULL);

	/* PostgreSQL refuses the second of two that create it at once. */
	return r > 0 ? -EAGAIN : r;
}

static int refuse(const char *name, const char *problem)
{
	log_error("migration_refused", log_text("migration", name), log_text("problem", problem),
		  log_text("remedy", "run the version of kaisar that this store was made with, or "
				     "a newer one"));
	return -EINVAL;
}

/* Row @row of what is applied against the embedded migration at the same place. */
static int compare(const struct sql_rows *rows, size_t row, const struct migration *migration)
{
	const char *name = rows_text(rows, row, "name");
	uint8_t applied[32], embedded[32];
	int r;

	if (migration->number == 0)
		return refuse(name, "applied, but unknown to this program");
	if (rows_int(rows, row, "number") != migration->number ||
	    strcmp(name, migration->name) != 0)
		return refuse(migration->name, "another one was applied in its place");
	r = rows_bytes(rows, row, "checksum", applied, sizeof(applied));
	if (r < 0)
		return r;
	keccak256(migration->sql, strlen(migration->sql), embedded);
	if (memcmp(applied, embedded, sizeof(applied)) != 0)
		return refuse(name, "its text was changed after it was applied");
	return 0;
}

struct check {
	const struct migration *list;
	size_t applied;
};

static int check(struct tx *tx, void *arg)
{
	struct check *check = arg;
	struct sql_rows *rows;
	int r;

	r = tx_query(tx, "SELECT number, name, checksum FROM schema_migrations ORDER BY number",
		     SQL_NO_PARAMS, &rows);
	for (size_t i = 0; r == 0 && i < rows_count(rows); i++)
		r = compare(rows, i, &check->list[i]);
	if (r == 0)
		check->applied = rows_count(rows);
	return r;
}

/* ---- applying one ---- */

/* The length of the statement at the start of @sql: up to a ";" that ends a line, comments aside;
 * 0 if none is left. */
static size_t statement_length(const char *sql)
{
	for (const char *line = sql, *end; *line; line = *end ? end + 1 : end) {
		const char *code;

		end = strchrnul(line, '\n');
		code = memmem(line, (size_t)(end - line), "--", 2);
		code = code ? code : end;
		while (code > line && (code[-1] == ' ' || code[-1] == '\t'))
			code--;
		if (code > line && code[-1] == ';')
			return (size_t)(code - sql);
	}
	return 0;
}

static int run_statements(struct tx *tx, const struct migration *migration)
{
	const char *sql = migration->sql;
	size_t len;

	for (; (len = statement_length(sql)) > 0; sql += len) {
		char *statement = arena_text(tx_arena(tx), sql, len);
		int r = statement ? tx_exec(tx, statement, SQL_NO_PARAMS, NULL) : -ENOMEM;

		if (r != 0)
			return r > 0 ? refuse(migration->name, "the store refused a statement: a "
							       "rule is broken, or a name is taken")
				     : r;
	}
	if (sql[strspn(sql, " \t\n")])
		return refuse(migration->name, "text after the last \";\" at a line's end");
	return 0;
}

struct apply {
	const struct migration *migration;
	bool already;
};

static int apply(struct tx *tx, void *arg)
{
	struct apply *apply = arg;
	const struct migration *migration = apply->migration;
	uint8_t checksum[32];
	struct sql_rows *rows;
	int r;

	r = tx_query(tx, "SELECT number FROM schema_migrations WHERE number = $1",
		     SQL_PARAMS(sql_int(migration->number)), &rows);
	if (r < 0)
		return r;
	apply->already = rows_count(rows) > 0;
	if (apply->already)
		return 0;
	keccak256(migration->sql, strlen(migration->sql), checksum);
	/* First, so that a second process waits here and then finds it done. */
	r = tx_exec(tx,
		    "INSERT INTO schema_migrations (number, name, checksum, applied_at) "
		    "VALUES ($1, $2, $3, $4)",
		    SQL_PARAMS(sql_int(migration->number), sql_text(migration->name),
			       sql_blob(checksum, sizeof(checksum)),
			       sql_int(clock_now_ms(&clock_system))),
		    NULL);
	if (r != 0)
		return r > 0 ? -EAGAIN : r;
	return run_statements(tx, migration);
}

/* One step in a transaction of its own. */
static int step(struct db *db, enum tx_mode mode, struct arena *arena, db_fn *fn, void *arg,
		const char *name)
{
	int r = db_run(db, mode, arena, fn, arg);

	if (r < 0)
		log_error("migration_failed", log_text("step", name), log_fault(r));
	return r;
}

static int apply_missing(struct db *db, const struct migration *list, struct arena *arena,
			 int *ret_applied)
{
	struct check checked = { .list = list };
	int applied = 0;
	int r;

	r = step(db, TX_WRITE, arena, create_table, NULL, "create schema_migrations");
	if (r == 0)
		r = step(db, TX_READ, arena, check, &checked, "compare");
	for (size_t i = checked.applied; r == 0 && list[i].number != 0; i++) {
		struct apply one = { .migration = &list[i] };

		r = step(db, TX_WRITE, arena, apply, &one, list[i].name);
		if (r == 0 && !one.already) {
			applied++;
			log_info("migration_applied", log_text("migration", list[i].name));
		}
	}
	/* Another process may be a newer one. */
	if (r == 0)
		r = step(db, TX_READ, arena, check, &checked, "compare");
	if (r == 0)
		*ret_applied = applied;
	return r;
}

int migrate(struct db *db, const struct migration *list, int *ret_applied)
{
	_cleanup_(arena_freep) struct arena *arena = NULL;
	int applied = 0;
	int r;

	r = arena_new(MIGRATE_ARENA_BYTES, &arena);
	if (r == 0)
		r = apply_missing(db, list, arena, &applied);
	if (r == 0 && ret_applied)
		*ret_applied = applied;
	return r;
}
