#include "modules/billing/billing_store.h"

/* ---- ledger ---- */

enum { INSERT_COLUMNS_MAX = 7, INSERT_ROWS_MAX = SQL_PARAMS_MAX / INSERT_COLUMNS_MAX };

/* "INTO ($1, $2), ($3, $4) REST" */
static const char *insert_text(struct arena *arena, const char *into, const char *rest,
			       size_t n_columns, size_t n_rows)
{
	size_t size = strlen(into) + strlen(rest) + n_rows * (n_columns * sizeof("$255, ") + 4) + 2;
	char *text = arena_alloc(arena, size);
	int n;

	if (!text)
		return NULL;
	n = snprintf(text, size, "%s", into);
	for (size_t i = 0; i < n_rows * n_columns; i++)
		n += snprintf(text + n, size - (size_t)n, "%s$%zu%s",
			      i % n_columns ? ", "
			      : i           ? ", ("
					    : " (",
			      i + 1, (i + 1) % n_columns ? "" : ")");
	snprintf(text + n, size - (size_t)n, "%s", rest);
	return text;
}

/* Many rows with each statement: most of what a small row costs is the statement around it. */
static int insert(struct tx *tx, const char *into, const char *rest, const struct sql_value *values,
		  size_t n_columns, size_t n_rows)
{
	size_t each = n_rows < INSERT_ROWS_MAX ? n_rows : INSERT_ROWS_MAX;
	size_t n_sets = n_rows / each, left = n_rows % each;
	const char *sql = insert_text(tx_arena(tx), into, rest, n_columns, each);
	int r;

	r = sql ? tx_exec_many(tx, sql, values, n_columns * each, n_sets) : -ENOMEM;
	if (r != 0 || left == 0)
		return r;
	return insert(tx, into, rest, values + n_columns * each * n_sets, n_columns, left);
}

int store_postings_add(struct tx *tx, const struct store_posting *postings, size_t n)
{
	enum { COLUMNS = 7 };
	struct sql_value *values = arena_array(tx_arena(tx), n * COLUMNS, sizeof(*values));
	struct sql_value *v = values;

	if (!values)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		const struct ledger_posting *p = postings[i].posting;

		*v++ = sql_blob(postings[i].id.bytes, sizeof(postings[i].id.bytes));
		*v++ = sql_int(postings[i].at_ms);
		*v++ = sql_text(p->kind);
		*v++ = sql_text(p->key);
		*v++ = sql_text(p->memo);
		*v++ = p->rental ? sql_blob(p->rental->bytes, sizeof(p->rental->bytes))
				 : sql_null();
		*v++ = p->lease ? sql_blob(p->lease->bytes, sizeof(p->lease->bytes)) : sql_null();
	}
	return insert(tx,
		      "INSERT INTO billing_postings (id, at_ms, kind, key, memo, rental, lease) "
		      "VALUES",
		      "", values, COLUMNS, n);
}

int store_entries_add(struct tx *tx, const struct store_posting *postings, size_t n)
{
	enum { COLUMNS = 4 };
	size_t n_entries = 0;
	struct sql_value *values, *v;

	for (size_t i = 0; i < n; i++)
		n_entries += postings[i].posting->n_entries;
	v = values = arena_array(tx_arena(tx), n_entries * COLUMNS, sizeof(*values));
	if (!values)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		for (size_t j = 0; j < postings[i].posting->n_entries; j++) {
			const struct ledger_entry *e = &postings[i].posting->entries[j];

			*v++ = sql_address(&e->owner.address);
			*v++ = sql_blob(postings[i].id.bytes, sizeof(postings[i].id.bytes));
			*v++ = sql_int(e->account);
			*v++ = sql_int(e->amount.micro);
		}
	}
	return insert(tx, "INSERT INTO billing_entries (owner, posting, account, amount) VALUES",
		      "", values, COLUMNS, n_entries);
}

/* Two statements, because the CHECK must judge the sum: an INSERT ... ON CONFLICT DO UPDATE would
 * have its negative first value refused before the conflict is looked at. */
int store_balances_move(struct tx *tx, const struct ledger_entry *moves, size_t n)
{
	struct sql_value *keys = arena_array(tx_arena(tx), n * 3, sizeof(*keys));
	struct sql_value *values = arena_array(tx_arena(tx), n * 3, sizeof(*values));
	int r;

	if (!keys || !values)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		keys[i * 3] = values[i * 3] = sql_address(&moves[i].owner.address);
		keys[i * 3 + 1] = values[i * 3 + 1] = sql_int(moves[i].account);
		keys[i * 3 + 2] = sql_int(0);
		values[i * 3 + 2] = sql_int(moves[i].amount.micro);
	}
	r = insert(tx, "INSERT INTO billing_balances (owner, account, amount) VALUES",
		   " ON CONFLICT (owner, account) DO NOTHING", keys, 3, n);
	if (r != 0)
		return r;
	return tx_exec_many(tx,
			    "UPDATE billing_balances SET amount = amount + $3 "
			    "WHERE owner = $1 AND account = $2",
			    values, 3, n);
}

int store_balances(struct tx *tx, struct account_id owner, struct ledger_balances *ret_balances)
{
	struct ledger_balances balances = { 0 };
	struct sql_rows *rows;
	int r;

	r = tx_query(tx, "SELECT account, amount FROM billing_balances WHERE owner = $1",
		     SQL_PARAMS(sql_address(&owner.address)), &rows);
	if (r != 0)
		return r;
	for (size_t i = 0; i < rows_count(rows); i++) {
		struct amount amount = { rows_int(rows, i, "amount") };

		switch (rows_int(rows, i, "account")) {
		case LEDGER_AVAILABLE:
			balances.available = amount;
			break;
		case LEDGER_HELD:
			balances.held = amount;
			break;
		case LEDGER_EARNED:
			balances.earned = amount;
			break;
		case LEDGER_POINTS:
			balances.points = amount;
			break;
		default:
			return -EIO;
		}
	}
	*ret_balances = balances;
	return 0;
}

int store_posting_given(struct tx *tx, const char *key, struct account_id owner, bool *ret_known,
			struct amount *ret_given)
{
	struct sql_rows *rows;
	int r;

	r = tx_query(
		tx,
		"SELECT COALESCE(e.amount, 0) AS amount FROM billing_postings p "
		"LEFT JOIN billing_entries e ON e.owner = $2 AND e.posting = p.id "
		"AND e.account = $3 WHERE p.key = $1",
		SQL_PARAMS(sql_text(key), sql_address(&owner.address), sql_int(LEDGER_AVAILABLE)),
		&rows);
	if (r != 0)
		return r;
	*ret_known = rows_count(rows) > 0;
	ret_given->micro = *ret_known ? rows_int(rows, 0, "amount") : 0;
	return 0;
}

int store_network_sum(struct tx *tx, enum ledger_account account, struct amount *ret_sum)
{
	static const struct address network;
	struct sql_rows *rows;
	int r;

	r = tx_query(tx,
		     "SELECT CAST(COALESCE(SUM(amount), 0) AS BIGINT) AS total "
		     "FROM billing_entries WHERE owner = $1 AND account = $2",
		     SQL_PARAMS(sql_address(&network), sql_int(account)), &rows);
	if (r == 0)
		ret_sum->micro = rows_int(rows, 0, "total");
	return r;
}

int store_check(struct tx *tx, const char **ret_problem)
{
	/* Each returns a row where its rule is broken. */
	static const struct {
		const char *problem, *sql;
	} rules[] = {
		{ "a posting's entries do not sum to zero",
		  "SELECT posting FROM billing_entries "
		  "GROUP BY posting HAVING SUM(amount) <> 0 LIMIT 1" },
		{ "an entry has no posting",
		  "SELECT e.posting FROM billing_entries e LEFT JOIN billing_postings p "
		  "ON p.id = e.posting WHERE p.id IS NULL LIMIT 1" },
		{ "a posting has fewer than two entries",
		  "SELECT p.id FROM billing_postings p LEFT JOIN billing_entries e "
		  "ON e.posting = p.id GROUP BY p.id HAVING COUNT(e.posting) < 2 LIMIT 1" },
		{ "a balance is below zero",
		  "SELECT owner FROM billing_balances WHERE amount < 0 LIMIT 1" },
		{ "a balance is not the sum of its entries",
		  "SELECT b.owner FROM billing_balances b LEFT JOIN "
		  "(SELECT owner, account, SUM(amount) AS total FROM billing_entries "
		  "GROUP BY owner, account) s ON s.owner = b.owner AND s.account = b.account "
		  "WHERE b.amount <> COALESCE(s.total, 0) LIMIT 1" },
		{ "a person's entries have no balance",
		  "SELECT e.owner FROM billing_entries e LEFT JOIN billing_balances b "
		  "ON b.owner = e.owner AND b.account = e.account "
		  "WHERE e.account IN (1, 2, 3, 6) AND b.owner IS NULL LIMIT 1" },
		{ "somebody has more points than balance",
		  "SELECT owner FROM (SELECT owner, SUM(CASE WHEN account = 6 THEN -amount "
		  "ELSE amount END) AS coins FROM billing_balances WHERE account <> 3 "
		  "GROUP BY owner) c WHERE coins < 0 LIMIT 1" },
		{ "the holds of a tenant's leases are not what the tenant's account holds",
		  "SELECT h.owner FROM (SELECT owner, SUM(amount) AS total FROM "
		  "(SELECT tenant AS owner, held AS amount FROM billing_leases UNION ALL "
		  "SELECT owner, -amount FROM billing_balances WHERE account = 2) u "
		  "GROUP BY owner) h WHERE h.total <> 0 LIMIT 1" },
		{ "a lease's charge or fee is not what was posted for it",
		  "SELECT l.lease FROM billing_leases l LEFT JOIN (SELECT p.lease, "
		  "SUM(e.amount) AS charged, "
		  "SUM(CASE WHEN e.account = 4 THEN e.amount ELSE 0 END) AS fee "
		  "FROM billing_postings p JOIN billing_entries e ON e.posting = p.id "
		  "WHERE e.account IN (3, 4) GROUP BY p.lease) s ON s.lease = l.lease "
		  "WHERE l.charged <> COALESCE(s.charged, 0) OR l.fee <> COALESCE(s.fee, 0) "
		  "LIMIT 1" },
		{ "what was tallied for a provider is not what it earned until then",
		  "SELECT u.provider FROM (SELECT provider, charged - refunded - fee AS amount "
		  "FROM billing_pairs UNION ALL SELECT e.owner, -e.amount FROM billing_entries e "
		  "JOIN billing_tally t ON e.posting <= t.posting WHERE e.account = 3) u "
		  "GROUP BY u.provider HAVING SUM(u.amount) <> 0 LIMIT 1" },
		{ "what the escrow paid is not what was posted for it",
		  "SELECT u.n FROM (SELECT 1 AS n, settled AS amount FROM billing_settlements "
		  "WHERE payer NOT IN (SELECT address FROM billing_treasury) UNION ALL "
		  "SELECT 1, amount FROM billing_entries WHERE account = 9) u "
		  "GROUP BY u.n HAVING SUM(u.amount) <> 0" },
	};
	struct sql_rows *rows;
	int r;

	for (size_t i = 0; i < ARRAY_SIZE(rules); i++) {
		r = tx_query(tx, rules[i].sql, SQL_NO_PARAMS, &rows);
		if (r != 0)
			return r;
		if (rows_count(rows) > 0) {
			*ret_problem = rules[i].problem;
			return 0;
		}
	}
	*ret_problem = NULL;
	return 0;
}

const uint8_t store_newest[16] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
				   0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff };

static int read_statement_item(const struct sql_rows *rows, size_t row, void *ret_item)
{
	struct statement_item *item = ret_item;
	int r;

	item->at_ms = rows_int(rows, row, "at_ms");
	item->kind = rows_text(rows, row, "kind");
	item->memo = rows_text(rows, row, "memo");
	item->amount.micro = rows_int(rows, row, "amount");
	item->has_rental = !rows_null(rows, row, "rental");
	item->has_lease = !rows_null(rows, row, "lease");
	r = rows_bytes(rows, row, "posting", item->posting.bytes, 16);
	if (r == 0)
		r = rows_bytes(rows, row, "rental", item->rental.bytes, 16);
	if (r == 0)
		r = rows_bytes(rows, row, "lease", item->lease.bytes, 16);
	return r;
}

static const struct row_reader item_reader = { sizeof(struct statement_item), read_statement_item };

int store_statement(struct tx *tx, struct account_id owner, const struct posting_id *before,
		    size_t limit, struct statement_item **ret_items, size_t *ret_n)
{
	return tx_select(
		tx,
		"SELECT e.posting, p.at_ms, p.kind, p.memo, p.rental, p.lease, "
		"CAST(SUM(e.amount) AS BIGINT) AS amount "
		"FROM billing_entries e JOIN billing_postings p ON p.id = e.posting "
		"WHERE e.owner = $1 AND e.posting < $2 AND e.account <> 6 "
		"GROUP BY e.posting, p.at_ms, p.kind, p.memo, p.rental, p.lease "
		"ORDER BY e.posting DESC LIMIT $3",
		SQL_PARAMS(sql_address(&owner.address),
			   sql_blob(before ? before->bytes : store_newest, sizeof(store_newest)),
			   sql_int((int64_t)limit)),
		&item_reader, ret_items, ret_n);
}
