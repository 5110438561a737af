#include "modules/checker/checker_store_licences.h"

#include "io/store_values.h"

#define COLUMNS                                                                                \
	"l.licence AS licence, l.owner AS owner, l.mint_id AS mint_id, l.unlocked_at AS "      \
	"unlocked_at, l.machine AS machine, l.accepted AS accepted, COALESCE((SELECT p.round " \
	"FROM checker_purchases p WHERE p.mint_id = l.mint_id), -1) AS round"

static int read_row(const struct sql_rows *rows, size_t i, void *ret_item)
{
	struct licence_row *row = ret_item;
	int r;

	*row = (struct licence_row){
		.licence = rows_int(rows, i, "licence"),
		.unlocked_at_ms = rows_int(rows, i, "unlocked_at"),
		.delegated = !rows_null(rows, i, "machine"),
		.accepted = rows_int(rows, i, "accepted") != 0,
		.round = rows_int(rows, i, "round"),
	};
	r = rows_bytes(rows, i, "owner", &row->owner, sizeof(row->owner));
	if (r == 0)
		r = rows_bytes(rows, i, "machine", &row->machine, sizeof(row->machine));
	return r == 0 ? rows_bytes(rows, i, "mint_id", row->mint_id, MINT_ID_SIZE) : r;
}

static const struct row_reader row_reader = { sizeof(struct licence_row), read_row };

int licence_store_get(struct tx *tx, int64_t licence, struct licence_row *ret_row)
{
	struct licence_row *rows;
	size_t n;
	int r = tx_select(tx, "SELECT " COLUMNS " FROM checker_licences l WHERE l.licence = $1",
			  SQL_PARAMS(sql_int(licence)), &row_reader, &rows, &n);

	if (r != 0)
		return r;
	if (n == 0)
		return ROUTE_E_NOT_FOUND;
	*ret_row = rows[0];
	return 0;
}

int licence_store_add(struct tx *tx, const struct licence_row *row)
{
	return changed_or(ROUTE_E_NOT_FOUND, tx,
			  "INSERT INTO checker_licences (licence, owner, mint_id, unlocked_at,"
			  " machine, accepted) VALUES ($1, $2, $3, $4, NULL, 0)"
			  " ON CONFLICT (licence) DO NOTHING",
			  SQL_PARAMS(sql_int(row->licence), sql_address(&row->owner),
				     sql_blob(row->mint_id, MINT_ID_SIZE),
				     sql_int(row->unlocked_at_ms)));
}

int licence_store_owner(struct tx *tx, int64_t licence, const struct address *owner)
{
	return changed_or(ROUTE_E_NOT_FOUND, tx,
			  "UPDATE checker_licences SET owner = $2 WHERE licence = $1",
			  SQL_PARAMS(sql_int(licence), sql_address(owner)));
}

int licence_store_delegate(struct tx *tx, int64_t licence, const struct address *machine,
			   bool accepted)
{
	return changed_or(ROUTE_E_NOT_FOUND, tx,
			  "UPDATE checker_licences SET machine = $2, accepted = $3"
			  " WHERE licence = $1",
			  SQL_PARAMS(sql_int(licence), machine ? sql_address(machine) : sql_null(),
				     sql_int(accepted)));
}

int licence_store_bought(struct tx *tx, const uint8_t mint_id[static MINT_ID_SIZE], int64_t round)
{
	return changed_or(ROUTE_E_NOT_FOUND, tx,
			  "INSERT INTO checker_purchases (mint_id, round) VALUES ($1, $2)"
			  " ON CONFLICT (mint_id) DO NOTHING",
			  SQL_PARAMS(sql_blob(mint_id, MINT_ID_SIZE), sql_int(round)));
}

int licence_store_counts(struct tx *tx, const struct licence_row *row, int64_t from_ms)
{
	return no_conflict(
		tx_exec(tx,
			"INSERT INTO checker_stakes (licence, from_ms, until_ms, machine, owner)"
			" VALUES ($1, $2, $3, $4, $5)",
			SQL_PARAMS(sql_int(row->licence), sql_int(from_ms), sql_int(INT64_MAX),
				   sql_address(&row->machine), sql_address(&row->owner)),
			NULL));
}

int licence_store_counted(struct tx *tx, int64_t licence, int64_t until_ms)
{
	int r = no_conflict(
		tx_exec(tx,
			"DELETE FROM checker_stakes WHERE licence = $1 AND until_ms = $3"
			" AND from_ms >= $2",
			SQL_PARAMS(sql_int(licence), sql_int(until_ms), sql_int(INT64_MAX)), NULL));

	if (r != 0)
		return r;
	return no_conflict(tx_exec(
		tx, "UPDATE checker_stakes SET until_ms = $2 WHERE licence = $1 AND until_ms = $3",
		SQL_PARAMS(sql_int(licence), sql_int(until_ms), sql_int(INT64_MAX)), NULL));
}

int licence_store_deregister(struct tx *tx, const struct address *machine, int64_t at_ms)
{
	int r = changed_or(ROUTE_E_NOT_FOUND, tx,
			   "INSERT INTO checker_deregistered (machine) VALUES ($1)"
			   " ON CONFLICT (machine) DO NOTHING",
			   SQL_PARAMS(sql_address(machine)));

	if (r == 0)
		r = no_conflict(tx_exec(
			tx,
			"DELETE FROM checker_stakes WHERE machine = $1"
			" AND until_ms = $3 AND from_ms >= $2",
			SQL_PARAMS(sql_address(machine), sql_int(at_ms), sql_int(INT64_MAX)),
			NULL));
	if (r != 0)
		return r;
	return no_conflict(tx_exec(
		tx,
		"UPDATE checker_stakes SET until_ms = $2 WHERE machine = $1"
		" AND until_ms = $3",
		SQL_PARAMS(sql_address(machine), sql_int(at_ms), sql_int(INT64_MAX)), NULL));
}

int licence_store_register(struct tx *tx, const struct address *machine, int64_t at_ms)
{
	int r = changed_or(ROUTE_E_NOT_FOUND, tx,
			   "DELETE FROM checker_deregistered WHERE machine = $1",
			   SQL_PARAMS(sql_address(machine)));

	if (r != 0)
		return r;
	return no_conflict(tx_exec(
		tx,
		"INSERT INTO checker_stakes (licence, from_ms, until_ms, machine, owner)"
		" SELECT licence, CAST($2 AS BIGINT), CAST($3 AS BIGINT), machine, owner"
		" FROM checker_licences WHERE machine = $1 AND accepted = 1",
		SQL_PARAMS(sql_address(machine), sql_int(at_ms), sql_int(INT64_MAX)), NULL));
}

int licence_store_deregistered(struct tx *tx, const struct address *machine, bool *ret_out)
{
	struct sql_rows *rows;
	int r = tx_query(tx, "SELECT 1 AS n FROM checker_deregistered WHERE machine = $1",
			 SQL_PARAMS(sql_address(machine)), &rows);

	if (r == 0)
		*ret_out = rows_count(rows) > 0;
	return r;
}

int licence_store_recount(struct tx *tx, const struct address *checker)
{
#define RECOUNT                                                                   \
	"UPDATE checkers SET licences = (SELECT COUNT(*) FROM checker_licences"   \
	" l WHERE l.machine = checkers.checker AND l.accepted = 1 AND NOT EXISTS" \
	" (SELECT 1 FROM checker_deregistered d WHERE d.machine = l.machine))"
	if (!checker)
		return no_conflict(tx_exec(tx, RECOUNT, NULL, 0, NULL));
	return no_conflict(
		tx_exec(tx, RECOUNT " WHERE checker = $1", SQL_PARAMS(sql_address(checker)), NULL));
#undef RECOUNT
}

int licence_store_owned(struct tx *tx, const struct licence_page *page,
			struct licence_row **ret_rows, size_t *ret_n)
{
	return tx_select(tx,
			 "SELECT " COLUMNS " FROM checker_licences l WHERE l.owner = $1"
			 " AND l.licence > $2 ORDER BY l.licence LIMIT $3",
			 SQL_PARAMS(sql_address(&page->of), sql_int(page->after),
				    sql_int((int64_t)page->limit)),
			 &row_reader, ret_rows, ret_n);
}

int licence_store_delegated(struct tx *tx, const struct licence_page *page,
			    struct licence_row **ret_rows, size_t *ret_n)
{
	return tx_select(tx,
			 "SELECT " COLUMNS " FROM checker_licences l"
			 " JOIN checkers c ON c.checker = l.machine WHERE c.account = $1"
			 " AND l.licence > $2 ORDER BY l.licence LIMIT $3",
			 SQL_PARAMS(sql_address(&page->of), sql_int(page->after),
				    sql_int((int64_t)page->limit)),
			 &row_reader, ret_rows, ret_n);
}

static int read_stake(const struct sql_rows *rows, size_t i, void *ret_item)
{
	struct checker_stake *stake = ret_item;
	int r = rows_bytes(rows, i, "machine", &stake->checker, sizeof(stake->checker));

	stake->licence_ms = rows_int(rows, i, "ms");
	return r == 0 ? rows_bytes(rows, i, "owner", &stake->owner, sizeof(stake->owner)) : r;
}

static const struct row_reader stake_reader = { sizeof(struct checker_stake), read_stake };

int licence_store_stakes(struct tx *tx, int64_t from_ms, int64_t until_ms,
			 struct checker_stake **ret_rows, size_t *ret_n)
{
	return tx_select(tx,
			 "SELECT machine, owner, sum((CASE WHEN until_ms < $2 THEN until_ms"
			 " ELSE $2 END) - (CASE WHEN from_ms > $1 THEN from_ms ELSE $1 END)) AS ms"
			 " FROM checker_stakes WHERE from_ms < $2 AND until_ms > $1"
			 " GROUP BY machine, owner ORDER BY machine, owner",
			 SQL_PARAMS(sql_int(from_ms), sql_int(until_ms)), &stake_reader, ret_rows,
			 ret_n);
}
