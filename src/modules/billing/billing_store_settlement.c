#include "modules/billing/billing_store_settlement.h"

static struct sql_value sql_posting(const struct posting_id *posting)
{
	return sql_blob(posting->bytes, sizeof(posting->bytes));
}

int store_treasury(struct tx *tx, struct account_id *ret_treasury)
{
	struct sql_rows *rows;
	int r = tx_query(tx, "SELECT address FROM billing_treasury", SQL_NO_PARAMS, &rows);

	if (r != 0)
		return no_conflict(r);
	return rows_count(rows) ? rows_bytes(rows, 0, "address", ret_treasury, 20)
				: ROUTE_E_NOT_FOUND;
}

int store_treasury_add(struct tx *tx, struct account_id treasury)
{
	return no_conflict(tx_exec(tx,
				   "INSERT INTO billing_treasury (one, address) VALUES (1, $1) "
				   "ON CONFLICT (one) DO NOTHING",
				   SQL_PARAMS(sql_account(&treasury)), NULL));
}

/* ---- what is tallied ---- */

int store_tallied(struct tx *tx, struct posting_id *ret_posting)
{
	struct sql_rows *rows;
	int r = tx_query(tx, "SELECT posting FROM billing_tally", SQL_NO_PARAMS, &rows);

	if (r != 0)
		return no_conflict(r);
	*ret_posting = (struct posting_id){ 0 };
	return rows_count(rows) ? rows_bytes(rows, 0, "posting", ret_posting->bytes, 16) : 0;
}

int store_tallied_set(struct tx *tx, struct posting_id posting)
{
	return no_conflict(tx_exec(tx,
				   "INSERT INTO billing_tally (one, posting) VALUES (1, $1) "
				   "ON CONFLICT (one) DO UPDATE SET posting = excluded.posting",
				   SQL_PARAMS(sql_posting(&posting)), NULL));
}

int store_tally_end(struct tx *tx, struct posting_id after, struct posting_id before, size_t max,
		    struct posting_id *ret_last)
{
	struct sql_rows *rows;
	int r = tx_query(
		tx,
		"SELECT id FROM billing_postings WHERE id > $1 AND id < $2 "
		"AND kind IN ('charge', 'refund') ORDER BY id LIMIT $3",
		SQL_PARAMS(sql_posting(&after), sql_posting(&before), sql_int((int64_t)max)),
		&rows);

	if (r != 0)
		return no_conflict(r);
	return rows_count(rows) ? rows_bytes(rows, rows_count(rows) - 1, "id", ret_last->bytes, 16)
				: ROUTE_E_NOT_FOUND;
}

static int read_pair(const struct sql_rows *rows, size_t row, void *ret_item)
{
	struct pair_row *pair = ret_item;
	int r = rows_bytes(rows, row, "tenant", &pair->tenant, 20);

	pair->shares.charged = rows_int(rows, row, "charged");
	pair->shares.points = rows_int(rows, row, "points");
	pair->shares.refunded = rows_int(rows, row, "refunded");
	pair->shares.fee = rows_int(rows, row, "fee");
	return r == 0 ? rows_bytes(rows, row, "provider", &pair->provider, 20) : r;
}

static const struct row_reader pair_reader = { sizeof(struct pair_row), read_pair };

/* Entries are found by their owner: a charge's are the tenant's, the provider's and the network's. */
int store_tally(struct tx *tx, struct posting_id after, struct posting_id last,
		struct pair_row **ret_pairs, size_t *ret_n)
{
	static const struct address network;

	return tx_select(
		tx,
		"SELECT l.tenant, l.provider, "
		"CAST(SUM(CASE WHEN p.kind = 'charge' AND e.account IN (1, 2) "
		"THEN -e.amount ELSE 0 END) AS BIGINT) AS charged, "
		"CAST(SUM(CASE WHEN p.kind = 'charge' AND e.account = 6 "
		"THEN -e.amount ELSE 0 END) AS BIGINT) AS points, "
		"CAST(SUM(CASE WHEN p.kind = 'refund' AND e.account IN (1, 2) "
		"THEN e.amount ELSE 0 END) AS BIGINT) AS refunded, "
		"CAST(SUM(CASE WHEN e.account = 4 THEN e.amount ELSE 0 END) AS BIGINT) AS fee "
		"FROM billing_postings p JOIN billing_leases l ON l.lease = p.lease "
		"JOIN billing_entries e ON e.posting = p.id "
		"AND e.owner IN (l.tenant, l.provider, $3) "
		"WHERE p.id > $1 AND p.id <= $2 AND p.kind IN ('charge', 'refund') "
		"GROUP BY l.tenant, l.provider ORDER BY l.tenant, l.provider",
		SQL_PARAMS(sql_posting(&after), sql_posting(&last), sql_address(&network)),
		&pair_reader, ret_pairs, ret_n);
}

int store_pair(struct tx *tx, struct account_id tenant, struct account_id provider,
	       struct shares *ret_shares)
{
	struct sql_rows *rows;
	int r = tx_query(tx, "SELECT * FROM billing_pairs WHERE tenant = $1 AND provider = $2",
			 SQL_PARAMS(sql_account(&tenant), sql_account(&provider)), &rows);

	if (r != 0)
		return no_conflict(r);
	*ret_shares = (struct shares){ 0 };
	if (rows_count(rows) > 0)
		*ret_shares = (struct shares){
			.charged = rows_int(rows, 0, "charged"),
			.points = rows_int(rows, 0, "points"),
			.refunded = rows_int(rows, 0, "refunded"),
			.fee = rows_int(rows, 0, "fee"),
			.from_tenant = rows_int(rows, 0, "from_tenant"),
			.tenant_fee = rows_int(rows, 0, "tenant_fee"),
			.to_treasury = rows_int(rows, 0, "to_treasury"),
			.from_network = rows_int(rows, 0, "from_network"),
			.network_pays = rows_int(rows, 0, "network_pays"),
		};
	return 0;
}

int store_pair_put(struct tx *tx, const struct pair_row *pair)
{
	const struct shares *s = &pair->shares;

	return no_conflict(tx_exec(
		tx,
		"INSERT INTO billing_pairs (tenant, provider, charged, points, refunded, fee, "
		"from_tenant, tenant_fee, to_treasury, from_network, network_pays) "
		"VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) "
		"ON CONFLICT (tenant, provider) DO UPDATE SET charged = excluded.charged, "
		"points = excluded.points, refunded = excluded.refunded, fee = excluded.fee, "
		"from_tenant = excluded.from_tenant, tenant_fee = excluded.tenant_fee, "
		"to_treasury = excluded.to_treasury, from_network = excluded.from_network, "
		"network_pays = excluded.network_pays",
		SQL_PARAMS(sql_account(&pair->tenant), sql_account(&pair->provider),
			   sql_int(s->charged), sql_int(s->points), sql_int(s->refunded),
			   sql_int(s->fee), sql_int(s->from_tenant), sql_int(s->tenant_fee),
			   sql_int(s->to_treasury), sql_int(s->from_network),
			   sql_int(s->network_pays)),
		NULL));
}

/* What @sql makes of @owner's entries ($1) in postings behind the tally ($2). */
static int sum_untallied(struct tx *tx, const char *sql, const struct address *owner,
			 struct amount *ret_sum)
{
	struct sql_rows *rows;
	struct posting_id tallied;
	int r = store_tallied(tx, &tallied);

	if (r == 0)
		r = tx_query(tx, sql, SQL_PARAMS(sql_address(owner), sql_posting(&tallied)), &rows);
	if (r == 0)
		ret_sum->micro = rows_int(rows, 0, "total");
	return no_conflict(r);
}

int store_untallied(struct tx *tx, struct account_id tenant, struct amount *ret_coins)
{
	return sum_untallied(tx,
			     "SELECT CAST(COALESCE(SUM(CASE WHEN e.account = 6 THEN e.amount "
			     "ELSE -e.amount END), 0) AS BIGINT) AS total FROM billing_entries e "
			     "JOIN billing_postings p ON p.id = e.posting WHERE e.owner = $1 "
			     "AND e.posting > $2 AND e.account IN (1, 2, 6) AND p.kind = 'charge'",
			     &tenant.address, ret_coins);
}

int store_undue(struct tx *tx, struct amount *ret_sum)
{
	static const struct address network;

	return sum_untallied(tx,
			     "SELECT CAST(COALESCE(SUM(u.amount), 0) AS BIGINT) AS total FROM "
			     "(SELECT e.amount AS amount FROM billing_entries e "
			     "JOIN billing_postings p ON p.id = e.posting WHERE e.owner = $1 "
			     "AND e.posting > $2 AND e.account = 7 AND p.kind = 'charge' "
			     "UNION ALL SELECT amount FROM billing_escaped) u",
			     &network, ret_sum);
}

/* ---- what is to be settled ---- */

static int read_settlement(const struct sql_rows *rows, size_t row, void *ret_item)
{
	struct settlement_row *it = ret_item;
	int r = rows_bytes(rows, row, "payer", &it->payer, 20);

	it->charged = rows_int(rows, row, "charged");
	it->fee = rows_int(rows, row, "fee");
	it->settled = rows_int(rows, row, "settled");
	it->settled_fee = rows_int(rows, row, "settled_fee");
	it->reported = rows_int(rows, row, "reported");
	it->tried_ms = rows_int(rows, row, "tried_ms");
	it->unpaid = rows_int(rows, row, "unpaid");
	it->overpaid = rows_int(rows, row, "overpaid");
	return r == 0 ? rows_bytes(rows, row, "payee", &it->payee, 20) : r;
}

static const struct row_reader settlement_reader = { sizeof(struct settlement_row),
						     read_settlement };

int store_settlement(struct tx *tx, struct account_id payer, struct account_id payee,
		     struct settlement_row *ret_row)
{
	struct settlement_row *rows;
	size_t n;
	int r = tx_select(tx, "SELECT * FROM billing_settlements WHERE payer = $1 AND payee = $2",
			  SQL_PARAMS(sql_account(&payer), sql_account(&payee)), &settlement_reader,
			  &rows, &n);

	if (r == 0)
		*ret_row = n ? rows[0] : (struct settlement_row){ .payer = payer, .payee = payee };
	return no_conflict(r);
}

int store_settlement_put(struct tx *tx, const struct settlement_row *row)
{
	return no_conflict(tx_exec(
		tx,
		"INSERT INTO billing_settlements (payer, payee, charged, fee, settled, "
		"settled_fee, reported, tried_ms, unpaid, overpaid) "
		"VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) "
		"ON CONFLICT (payer, payee) DO UPDATE SET charged = excluded.charged, "
		"fee = excluded.fee, settled = excluded.settled, "
		"settled_fee = excluded.settled_fee, reported = excluded.reported, "
		"tried_ms = excluded.tried_ms, unpaid = excluded.unpaid, "
		"overpaid = excluded.overpaid",
		SQL_PARAMS(sql_account(&row->payer), sql_account(&row->payee),
			   sql_int(row->charged), sql_int(row->fee), sql_int(row->settled),
			   sql_int(row->settled_fee), sql_int(row->reported),
			   sql_int(row->tried_ms), sql_int(row->unpaid), sql_int(row->overpaid)),
		NULL));
}

int store_settlements_due(struct tx *tx, int64_t least, int64_t again_ms, int64_t leaves_ms,
			  const struct account_id *but, size_t max,
			  struct settlement_row **ret_rows, size_t *ret_n)
{
	return no_conflict(tx_select(
		tx,
		"SELECT * FROM billing_settlements WHERE charged > settled "
		"AND (charged - settled >= $1 OR EXISTS (SELECT 1 FROM billing_leaving w "
		"WHERE w.tenant = payer)) AND (unpaid = 0 OR tried_ms <= $2) "
		"AND NOT EXISTS (SELECT 1 FROM billing_leaving v WHERE v.tenant = payer "
		"AND v.exit_at_ms < $3) AND ($5 = 0 OR payer <> $6) "
		"ORDER BY CASE WHEN EXISTS (SELECT 1 FROM billing_leaving l "
		"WHERE l.tenant = payer) THEN 0 ELSE 1 END, tried_ms, payer, payee LIMIT $4",
		SQL_PARAMS(sql_int(least), sql_int(again_ms), sql_int(leaves_ms),
			   sql_int((int64_t)max), sql_int(but != NULL),
			   but ? sql_account(but) : sql_null()),
		&settlement_reader, ret_rows, ret_n));
}

int store_settlements_unpaid(struct tx *tx)
{
	return no_conflict(tx_exec(tx,
				   "UPDATE billing_settlements SET unpaid = 1 "
				   "WHERE charged > settled AND reported > settled",
				   SQL_NO_PARAMS, NULL));
}

int store_settlements_unsaid(struct tx *tx)
{
	return no_conflict(tx_exec(tx,
				   "UPDATE billing_settlements SET reported = settled "
				   "WHERE charged > settled AND reported > settled",
				   SQL_NO_PARAMS, NULL));
}

int store_settlement_unpaid(struct tx *tx, struct account_id payer, struct account_id payee)
{
	return no_conflict(tx_exec(tx,
				   "UPDATE billing_settlements SET unpaid = 1 "
				   "WHERE payer = $1 AND payee = $2 AND charged > settled",
				   SQL_PARAMS(sql_account(&payer), sql_account(&payee)), NULL));
}

int store_settlements_of(struct tx *tx, struct account_id payer, struct settlement_row **ret_rows,
			 size_t *ret_n)
{
	return no_conflict(tx_select(tx,
				     "SELECT * FROM billing_settlements WHERE payer = $1 "
				     "AND charged > settled ORDER BY payee",
				     SQL_PARAMS(sql_account(&payer)), &settlement_reader, ret_rows,
				     ret_n));
}

int store_paid(struct tx *tx, struct account_id payee, struct amount *ret_paid)
{
	struct sql_rows *rows;
	int r = tx_query(tx,
			 "SELECT CAST(COALESCE(SUM(settled - settled_fee), 0) AS BIGINT) AS paid "
			 "FROM billing_settlements WHERE payee = $1",
			 SQL_PARAMS(sql_account(&payee)), &rows);

	if (r == 0)
		ret_paid->micro = rows_int(rows, 0, "paid");
	return no_conflict(r);
}

int store_settlement_sums(struct tx *tx, struct account_id treasury,
			  struct settlement_sums *ret_sums)
{
	struct sql_rows *rows;
	int r = tx_query(
		tx,
		"SELECT CAST(COALESCE(SUM(charged - settled), 0) AS BIGINT) AS due, "
		"CAST(COALESCE(SUM(unpaid * (charged - settled)), 0) AS BIGINT) AS unpaid, "
		"CAST(COALESCE(SUM(CASE WHEN payer = $1 THEN charged - settled ELSE 0 END), 0) "
		"AS BIGINT) AS network, CAST(COALESCE(SUM(unpaid), 0) AS BIGINT) AS pairs "
		"FROM billing_settlements WHERE charged > settled",
		SQL_PARAMS(sql_account(&treasury)), &rows);

	if (r != 0)
		return no_conflict(r);
	*ret_sums = (struct settlement_sums){
		.due = { rows_int(rows, 0, "due") },
		.unpaid = { rows_int(rows, 0, "unpaid") },
		.due_network = { rows_int(rows, 0, "network") },
		.pairs_unpaid = rows_int(rows, 0, "pairs"),
	};
	return 0;
}

int store_settlements_stuck(struct tx *tx, int64_t now_ms, struct amount *ret_due)
{
	struct sql_rows *rows;
	int r = tx_query(tx,
			 "SELECT CAST(COALESCE(SUM(s.charged - s.settled), 0) AS BIGINT) AS due "
			 "FROM billing_settlements s JOIN billing_leaving v ON v.tenant = s.payer "
			 "WHERE s.charged > s.settled AND v.exit_at_ms < $1",
			 SQL_PARAMS(sql_int(now_ms)), &rows);

	if (r == 0)
		ret_due->micro = rows_int(rows, 0, "due");
	return no_conflict(r);
}

int store_escaped(struct tx *tx, struct account_id tenant, struct amount *ret_amount)
{
	struct sql_rows *rows;
	int r = tx_query(tx, "SELECT amount FROM billing_escaped WHERE tenant = $1",
			 SQL_PARAMS(sql_account(&tenant)), &rows);

	if (r == 0)
		ret_amount->micro = rows_count(rows) ? rows_int(rows, 0, "amount") : 0;
	return no_conflict(r);
}

int store_escaped_put(struct tx *tx, struct account_id tenant, struct amount amount)
{
	return no_conflict(tx_exec(tx,
				   "INSERT INTO billing_escaped (tenant, amount) VALUES ($1, $2) "
				   "ON CONFLICT (tenant) DO UPDATE SET amount = excluded.amount",
				   SQL_PARAMS(sql_account(&tenant), sql_int(amount.micro)), NULL));
}

/* ---- calls ---- */

int store_calls(struct tx *tx, const char *series, struct calls_row *ret_row)
{
	struct sql_rows *rows;
	int r = tx_query(tx, "SELECT * FROM billing_calls WHERE series = $1",
			 SQL_PARAMS(sql_text(series)), &rows);

	if (r != 0)
		return no_conflict(r);
	*ret_row = (struct calls_row){ .series = series, .problem = "", .waits = "" };
	if (rows_count(rows) == 0)
		return 0;
	ret_row->number = rows_int(rows, 0, "number");
	ret_row->open = rows_int(rows, 0, "open");
	ret_row->made_ms = rows_int(rows, 0, "made_ms");
	ret_row->items = rows_int(rows, 0, "items");
	ret_row->problem = rows_text(rows, 0, "problem");
	ret_row->waits = rows_text(rows, 0, "waits");
	return 0;
}

int store_calls_put(struct tx *tx, const struct calls_row *row)
{
	return no_conflict(tx_exec(
		tx,
		"INSERT INTO billing_calls (series, number, open, made_ms, items, problem, waits) "
		"VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (series) DO UPDATE SET "
		"number = excluded.number, open = excluded.open, made_ms = excluded.made_ms, "
		"items = excluded.items, problem = excluded.problem, waits = excluded.waits",
		SQL_PARAMS(sql_text(row->series), sql_int(row->number), sql_int(row->open),
			   sql_int(row->made_ms), sql_int(row->items), sql_text(row->problem),
			   sql_text(row->waits)),
		NULL));
}

/* ---- amounts of tokens ---- */

static int rows_u256(const struct sql_rows *rows, size_t row, const char *column,
		     struct u256 *ret_value)
{
	const char *text = rows_text(rows, row, column);

	return text && u256_parse(text, strlen(text), ret_value) == 0 ? 0 : -EIO;
}

struct u256_words {
	char text[U256_TEXT_SIZE];
};

/* Lives as long as @words. */
static struct sql_value sql_u256(struct u256 value, struct u256_words *words)
{
	u256_text(value, words->text);
	return sql_text(words->text);
}

int store_owed(struct tx *tx, struct account_id account, struct u256 *ret_owed)
{
	struct sql_rows *rows;
	int r = tx_query(tx, "SELECT amount FROM billing_owed WHERE account = $1",
			 SQL_PARAMS(sql_account(&account)), &rows);

	*ret_owed = u256_from(0);
	if (r == 0 && rows_count(rows) > 0)
		r = rows_u256(rows, 0, "amount", ret_owed);
	return no_conflict(r);
}

int store_owed_put(struct tx *tx, struct account_id account, struct u256 owed)
{
	struct u256_words words;

	return no_conflict(tx_exec(tx,
				   "INSERT INTO billing_owed (account, amount) VALUES ($1, $2) "
				   "ON CONFLICT (account) DO UPDATE SET amount = excluded.amount",
				   SQL_PARAMS(sql_account(&account), sql_u256(owed, &words)),
				   NULL));
}

/* ---- deposits in KAI ---- */

int store_conversion_add(struct tx *tx, const struct conversion_row *it)
{
	struct u256_words used, rest, total;

	return no_conflict(tx_exec(
		tx,
		"INSERT INTO billing_conversions (deposit, tenant, used, rest, total, price, "
		"credit, state) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
		SQL_PARAMS(sql_blob(it->deposit.bytes, 16), sql_account(&it->tenant),
			   sql_u256(it->used, &used), sql_u256(it->rest, &rest),
			   sql_u256(it->total, &total), sql_int(it->price.micro),
			   sql_int(it->credit.micro), sql_int(it->state)),
		NULL));
}

int store_conversion_end(struct tx *tx, const struct conversion_row *it, int64_t now_ms)
{
	return changed_or(
		-EIO, tx,
		"UPDATE billing_conversions SET state = $2, ended_ms = $3 WHERE deposit = $1",
		SQL_PARAMS(sql_blob(it->deposit.bytes, 16), sql_int(it->state), sql_int(now_ms)));
}

int store_deposit_credit(struct tx *tx, struct deposit_id deposit, struct amount credited,
			 const char *detail)
{
	return changed_or(
		-EIO, tx, "UPDATE billing_deposits SET credited = $2, detail = $3 WHERE id = $1",
		SQL_PARAMS(sql_blob(deposit.bytes, 16), sql_int(credited.micro), sql_text(detail)));
}

static int read_conversion(const struct sql_rows *rows, size_t row, void *ret_item)
{
	struct conversion_row *it = ret_item;
	int r = rows_bytes(rows, row, "deposit", it->deposit.bytes, 16);

	it->price.micro = rows_int(rows, row, "price");
	it->credit.micro = rows_int(rows, row, "credit");
	it->state = (enum conversion_state)rows_int(rows, row, "state");
	if (r == 0)
		r = rows_bytes(rows, row, "tenant", &it->tenant, 20);
	if (r == 0)
		r = rows_u256(rows, row, "used", &it->used);
	if (r == 0)
		r = rows_u256(rows, row, "rest", &it->rest);
	return r == 0 ? rows_u256(rows, row, "total", &it->total) : r;
}

static const struct row_reader conversion_reader = { sizeof(struct conversion_row),
						     read_conversion };

int store_conversions_since(struct tx *tx, int64_t since_ms, struct amount *ret_sum)
{
	struct sql_rows *rows;
	int r = tx_query(tx,
			 "SELECT CAST(COALESCE(SUM(credit), 0) AS BIGINT) AS credit "
			 "FROM billing_conversions WHERE state = 1 AND ended_ms >= $1",
			 SQL_PARAMS(sql_int(since_ms)), &rows);

	if (r == 0)
		ret_sum->micro = rows_int(rows, 0, "credit");
	return no_conflict(r);
}

int store_conversions_of(struct tx *tx, struct account_id tenant,
			 struct conversion_row **ret_conversions, size_t *ret_n)
{
	return no_conflict(tx_select(tx,
				     "SELECT * FROM billing_conversions WHERE tenant = $1 "
				     "AND state = 0 ORDER BY LENGTH(total), total",
				     SQL_PARAMS(sql_account(&tenant)), &conversion_reader,
				     ret_conversions, ret_n));
}

static int first(int r, const struct conversion_row *conversions, size_t n,
		 struct conversion_row *ret_conversion)
{
	if (r != 0)
		return no_conflict(r);
	if (n == 0)
		return ROUTE_E_NOT_FOUND;
	*ret_conversion = conversions[0];
	return 0;
}

int store_conversion_last(struct tx *tx, struct account_id tenant,
			  struct conversion_row *ret_conversion)
{
	struct conversion_row *conversions;
	size_t n;
	int r = tx_select(tx,
			  "SELECT * FROM billing_conversions WHERE tenant = $1 AND state < 2 "
			  "ORDER BY LENGTH(total) DESC, total DESC LIMIT 1",
			  SQL_PARAMS(sql_account(&tenant)), &conversion_reader, &conversions, &n);

	return first(r, conversions, n, ret_conversion);
}

int store_conversion(struct tx *tx, struct deposit_id deposit,
		     struct conversion_row *ret_conversion)
{
	struct conversion_row *conversions;
	size_t n;
	int r = tx_select(tx, "SELECT * FROM billing_conversions WHERE deposit = $1",
			  SQL_PARAMS(sql_blob(deposit.bytes, 16)), &conversion_reader, &conversions,
			  &n);

	return first(r, conversions, n, ret_conversion);
}

/* ---- who deposits it ---- */

static int read_converter(const struct sql_rows *rows, size_t row, void *ret_item)
{
	struct converter_row *it = ret_item;
	int r = rows_bytes(rows, row, "tenant", &it->tenant, 20);

	it->tried_ms = rows_int(rows, row, "tried_ms");
	it->leaves = rows_int(rows, row, "leaves");
	return r == 0 ? rows_u256(rows, row, "total", &it->total) : r;
}

static const struct row_reader converter_reader = { sizeof(struct converter_row), read_converter };

int store_converter(struct tx *tx, struct account_id tenant, struct converter_row *ret_converter)
{
	struct converter_row *rows;
	size_t n;
	int r = tx_select(tx, "SELECT * FROM billing_converters WHERE tenant = $1",
			  SQL_PARAMS(sql_account(&tenant)), &converter_reader, &rows, &n);

	if (r == 0)
		*ret_converter = n ? rows[0] : (struct converter_row){ .tenant = tenant };
	return no_conflict(r);
}

int store_converter_put(struct tx *tx, const struct converter_row *it)
{
	struct u256_words total;

	return no_conflict(tx_exec(
		tx,
		"INSERT INTO billing_converters (tenant, total, tried_ms, leaves) "
		"VALUES ($1, $2, $3, $4) ON CONFLICT (tenant) DO UPDATE SET "
		"total = excluded.total, tried_ms = excluded.tried_ms, leaves = excluded.leaves",
		SQL_PARAMS(sql_account(&it->tenant), sql_u256(it->total, &total),
			   sql_int(it->tried_ms), sql_int(it->leaves)),
		NULL));
}

/* Who was never tried has no row yet. */
int store_converters_waiting(struct tx *tx, size_t max, struct converter_row **ret_converters,
			     size_t *ret_n)
{
	return no_conflict(tx_select(
		tx,
		"SELECT c.tenant AS tenant, COALESCE(v.total, '0') AS total, "
		"COALESCE(v.tried_ms, 0) AS tried_ms, COALESCE(v.leaves, 0) AS leaves "
		"FROM billing_conversions c "
		"LEFT JOIN billing_converters v ON v.tenant = c.tenant "
		"WHERE c.state = 0 AND COALESCE(v.leaves, 0) = 0 AND NOT EXISTS "
		"(SELECT 1 FROM billing_conversions o WHERE o.tenant = c.tenant "
		"AND o.state = 0 AND o.deposit < c.deposit) "
		"ORDER BY tried_ms, c.deposit LIMIT $1",
		SQL_PARAMS(sql_int((int64_t)max)), &converter_reader, ret_converters, ret_n));
}
