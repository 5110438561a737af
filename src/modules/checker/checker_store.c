#include "modules/checker/checker_store.h"

#include "io/store_values.h"

#define COLUMNS                                                                                   \
	"c.checker AS checker, c.account AS account, c.name AS name, c.licences AS "              \
	"licences, c.registered_at AS registered_at, c.seen_at AS seen_at, c.version AS "         \
	"version, c.banned_until AS banned_until, c.ban_reason AS ban_reason, (SELECT "           \
	"COUNT(*) FROM checker_marks m WHERE m.checker = c.checker AND (m.mark IN (1, 4) "        \
	"OR m.cleared = 1)) AS valid, (SELECT COUNT(*) FROM checker_marks m WHERE "               \
	"m.checker = c.checker AND m.mark = 2 AND m.cleared = 0) AS wrong, (SELECT "              \
	"COUNT(*) FROM checker_licences l WHERE l.machine = c.checker AND l.accepted = 0) "       \
	"AS proposed, (SELECT COUNT(*) FROM checker_deregistered d WHERE d.machine = c.checker) " \
	"AS deregistered"

static int read_row(const struct sql_rows *rows, size_t i, void *ret_item)
{
	struct checker_row *ret_row = ret_item;
	int r;

	*ret_row = (struct checker_row){
		.name = rows_text(rows, i, "name"),
		.licences = rows_int(rows, i, "licences"),
		.proposed = rows_int(rows, i, "proposed"),
		.deregistered = rows_int(rows, i, "deregistered") > 0,
		.registered_at_ms = rows_int(rows, i, "registered_at"),
		.seen_at_ms = rows_int(rows, i, "seen_at"),
		.version = rows_text(rows, i, "version"),
		.banned_until_ms = rows_int(rows, i, "banned_until"),
		.ban_reason = rows_text(rows, i, "ban_reason"),
		.valid = rows_int(rows, i, "valid"),
		.wrong = rows_int(rows, i, "wrong"),
	};
	r = rows_bytes(rows, i, "checker", &ret_row->checker, sizeof(ret_row->checker));
	if (r == 0)
		r = rows_bytes(rows, i, "account", &ret_row->account, sizeof(ret_row->account));
	return r;
}

static const struct row_reader row_reader = { sizeof(struct checker_row), read_row };

int checker_store_get(struct tx *tx, const struct address *checker, struct checker_row *ret_row)
{
	struct sql_rows *rows;
	int r;

	r = tx_query(tx, "SELECT " COLUMNS " FROM checkers c WHERE c.checker = $1",
		     SQL_PARAMS(sql_address(checker)), &rows);
	if (r != 0)
		return no_conflict(r);
	return rows_count(rows) == 0 ? ROUTE_E_NOT_FOUND : read_row(rows, 0, ret_row);
}

int checker_store_put(struct tx *tx, const struct checker_row *row)
{
	return no_conflict(tx_exec(
		tx,
		"INSERT INTO checkers (checker, account, name, licences, registered_at, version,"
		" banned_until, ban_reason) VALUES ($1, $2, $3, (SELECT COUNT(*) FROM"
		" checker_licences WHERE machine = $1 AND accepted = 1), $4, '', 0, '')"
		" ON CONFLICT (checker) DO UPDATE SET name = excluded.name",
		SQL_PARAMS(sql_address(&row->checker), sql_account(&row->account),
			   sql_text(row->name), sql_int(row->registered_at_ms)),
		NULL));
}

int checker_store_count(struct tx *tx, struct account_id account, int64_t *ret_n)
{
	struct sql_rows *rows;
	int r;

	r = tx_query(tx, "SELECT COUNT(*) AS n FROM checkers WHERE account = $1",
		     SQL_PARAMS(sql_account(&account)), &rows);
	if (r != 0)
		return no_conflict(r);
	*ret_n = rows_int(rows, 0, "n");
	return 0;
}

int checker_store_list(struct tx *tx, const struct checker_page *page,
		       struct checker_row **ret_rows, size_t *ret_n)
{
	if (page->account)
		return tx_select(tx,
				 "SELECT " COLUMNS " FROM checkers c WHERE c.account = $1"
				 " AND c.checker > $2 ORDER BY c.checker LIMIT $3",
				 SQL_PARAMS(sql_account(page->account), sql_address(&page->after),
					    sql_int((int64_t)page->limit)),
				 &row_reader, ret_rows, ret_n);
	return tx_select(tx,
			 "SELECT " COLUMNS " FROM checkers c WHERE c.checker > $1"
			 " AND ($2 = 0 OR c.banned_until > $2) ORDER BY c.checker LIMIT $3",
			 SQL_PARAMS(sql_address(&page->after), sql_int(page->banned_at_ms),
				    sql_int((int64_t)page->limit)),
			 &row_reader, ret_rows, ret_n);
}

static int read_member(const struct sql_rows *rows, size_t i, void *ret_item)
{
	struct checker_member *member = ret_item;
	int r = rows_bytes(rows, i, "checker", &member->checker, sizeof(member->checker));

	member->licences = rows_int(rows, i, "licences");
	return r == 0 ? rows_bytes(rows, i, "account", &member->account, sizeof(member->account))
		      : r;
}

static const struct row_reader member_reader = { sizeof(struct checker_member), read_member };

int checker_store_eligible(struct tx *tx, int64_t now_ms, struct checker_member **ret_members,
			   size_t *ret_n)
{
	return tx_select(tx,
			 "SELECT checker, account, licences FROM checkers"
			 " WHERE licences > 0 AND banned_until <= $1 ORDER BY checker",
			 SQL_PARAMS(sql_int(now_ms)), &member_reader, ret_members, ret_n);
}

int checker_store_licences(struct tx *tx, const struct address *checker, int64_t licences)
{
	return changed_or(ROUTE_E_NOT_FOUND, tx,
			  "UPDATE checkers SET licences = $2 WHERE checker = $1",
			  SQL_PARAMS(sql_address(checker), sql_int(licences)));
}

int checker_store_seen(struct tx *tx, const struct address *checker, const char *version,
		       int64_t at_ms)
{
	return changed_or(ROUTE_E_NOT_FOUND, tx,
			  "UPDATE checkers SET seen_at = $3, version = $2 WHERE checker = $1",
			  SQL_PARAMS(sql_address(checker), sql_text(version), sql_int(at_ms)));
}

int checker_store_ban(struct tx *tx, const struct address *checker, int64_t until_ms,
		      const char *reason)
{
	return changed_or(ROUTE_E_NOT_FOUND, tx,
			  "UPDATE checkers SET banned_until = $2, ban_reason = $3"
			  " WHERE checker = $1",
			  SQL_PARAMS(sql_address(checker), sql_int(until_ms), sql_text(reason)));
}

int checker_store_remove(struct tx *tx, const struct address *checker)
{
	return changed_or(ROUTE_E_NOT_FOUND, tx,
			  "DELETE FROM checkers WHERE checker = $1 AND NOT EXISTS"
			  " (SELECT 1 FROM checker_marks WHERE checker = $1)",
			  SQL_PARAMS(sql_address(checker)));
}

/* ---- marks ---- */

int checker_store_mark(struct tx *tx, const struct address *checker,
		       const struct checker_mark_row *mark, bool *ret_new)
{
	int64_t changed;
	int r;

	r = tx_exec(tx,
		    "INSERT INTO checker_marks (checker, session, at, mark, planted, cleared)"
		    " VALUES ($1, $2, $3, $4, $5, 0) ON CONFLICT (checker, session) DO NOTHING",
		    SQL_PARAMS(sql_address(checker), sql_blob(mark->session, 16),
			       sql_int(mark->at_ms), sql_int(mark->mark), sql_int(mark->planted)),
		    &changed);
	if (r == 0)
		*ret_new = changed > 0;
	return no_conflict(r);
}

int checker_store_clear(struct tx *tx, const struct address *checker,
			const uint8_t session[static 16], bool *ret_changed)
{
	int64_t changed;
	int r;

	r = tx_exec(tx,
		    "UPDATE checker_marks SET cleared = 1"
		    " WHERE checker = $1 AND session = $2 AND mark = 2 AND cleared = 0",
		    SQL_PARAMS(sql_address(checker), sql_blob(session, 16)), &changed);
	if (r == 0)
		*ret_changed = changed > 0;
	return no_conflict(r);
}

static int read_mark(const struct sql_rows *rows, size_t i, void *ret_item)
{
	struct checker_mark_row *mark = ret_item;

	*mark = (struct checker_mark_row){
		.at_ms = rows_int(rows, i, "at"),
		.mark = (enum checker_mark)rows_int(rows, i, "mark"),
		.planted = rows_int(rows, i, "planted") != 0,
		.cleared = rows_int(rows, i, "cleared") != 0,
	};
	return rows_bytes(rows, i, "session", mark->session, sizeof(mark->session));
}

static const struct row_reader mark_reader = { sizeof(struct checker_mark_row), read_mark };

int checker_store_marks(struct tx *tx, const struct address *checker, int64_t before_ms,
			size_t limit, struct checker_mark_row **ret_rows, size_t *ret_n)
{
	return tx_select(
		tx,
		"SELECT session, at, mark, planted, cleared FROM checker_marks"
		" WHERE checker = $1 AND at < $2 ORDER BY at DESC, session LIMIT $3",
		SQL_PARAMS(sql_address(checker), sql_int(before_ms), sql_int((int64_t)limit)),
		&mark_reader, ret_rows, ret_n);
}

static int read_time(const struct sql_rows *rows, size_t i, void *ret_item)
{
	int64_t *at_ms = ret_item;

	*at_ms = rows_int(rows, i, "at");
	return 0;
}

static const struct row_reader time_reader = { sizeof(int64_t), read_time };

int checker_store_wrongs(struct tx *tx, const struct address *checker, int64_t from_ms,
			 int64_t **ret_at_ms, size_t *ret_n)
{
	return tx_select(tx,
			 "SELECT at FROM checker_marks WHERE checker = $1 AND mark = 2"
			 " AND cleared = 0 AND at >= $2 ORDER BY at",
			 SQL_PARAMS(sql_address(checker), sql_int(from_ms)), &time_reader,
			 ret_at_ms, ret_n);
}

static int read_work(const struct sql_rows *rows, size_t i, void *ret_item)
{
	struct checker_work *work = ret_item;
	int r = rows_bytes(rows, i, "checker", &work->checker, sizeof(work->checker));

	work->valid = rows_int(rows, i, "valid");
	work->wrong = rows_int(rows, i, "wrong");
	work->licences_milli = 1000 * rows_int(rows, i, "licences");
	work->banned = rows_int(rows, i, "banned") != 0;
	return r == 0 ? rows_bytes(rows, i, "account", &work->account, sizeof(work->account)) : r;
}

static const struct row_reader work_reader = { sizeof(struct checker_work), read_work };

int checker_store_worked(struct tx *tx, int64_t from_ms, int64_t until_ms,
			 struct checker_work **ret_rows, size_t *ret_n)
{
	return tx_select(
		tx,
		"SELECT c.checker AS checker, c.account AS account, c.licences AS licences,"
		" CASE WHEN c.banned_until > $2 THEN 1 ELSE 0 END AS banned,"
		" sum(CASE WHEN m.mark IN (1, 4) OR m.cleared = 1 THEN 1 ELSE 0 END) AS valid,"
		" sum(CASE WHEN m.mark = 2 AND m.cleared = 0 THEN 1 ELSE 0 END) AS wrong"
		" FROM checkers c JOIN checker_marks m ON m.checker = c.checker"
		" WHERE m.at >= $1 AND m.at < $2 GROUP BY c.checker, c.account, c.licences,"
		" c.banned_until ORDER BY c.checker",
		SQL_PARAMS(sql_int(from_ms), sql_int(until_ms)), &work_reader, ret_rows, ret_n);
}
