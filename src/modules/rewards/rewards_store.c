#include "modules/rewards/rewards_store.h"

#include "io/store_values.h"

/* ---- token amounts ---- */

static const char *units(struct tx *tx, struct tokens tokens)
{
	char text[TOKENS_TEXT_SIZE];
	size_t len = tokens_text(tokens, text);

	return arena_text(tx_arena(tx), text, len);
}

static int read_units(const struct sql_rows *rows, size_t i, const char *column,
		      struct tokens *ret_tokens)
{
	const char *text = rows_text(rows, i, column);

	return text && tokens_parse(text, strlen(text), ret_tokens) == 0 ? 0 : -EIO;
}

/* ---- epochs ---- */

#define EPOCH                                                                                 \
	"epoch, from_ms, until_ms, state, workers_tokens, checkers_tokens, ratio_bp,"         \
	" commission_bp, max_stake_tokens, reached, workers, checkers, records_pages,"        \
	" records_bytes, payouts_pages, payouts_bytes, records_hash, payouts_hash, capacity," \
	" capacity_left, delivery, delivery_left, checking, checking_left, closed_at"

int rewards_store_open(struct tx *tx, const struct epoch_row *row)
{
	return tx_exec(
		tx,
		"INSERT INTO reward_epochs (" EPOCH ") VALUES ($1, $2, $3, 1, $4, $5, $6, $7,"
		" $8, $9, 0, 0, 0, 0, 0, 0, NULL, NULL, '0', '0', '0', '0', '0', '0', NULL)",
		SQL_PARAMS(sql_int(row->number), sql_int(row->from_ms), sql_int(row->until_ms),
			   sql_int(row->workers_tokens), sql_int(row->checkers_tokens),
			   sql_int(row->ratio_bp), sql_int(row->commission_bp),
			   sql_int(row->max_stake_tokens), sql_address(&row->reached.address)),
		NULL);
}

static int read_pots(const struct sql_rows *rows, size_t i, struct epoch_row *row)
{
	const struct {
		const char *column;
		struct tokens *tokens;
	} columns[] = {
		{ "capacity", &row->capacity.allotted },
		{ "capacity_left", &row->capacity.unallotted },
		{ "delivery", &row->delivery.allotted },
		{ "delivery_left", &row->delivery.unallotted },
		{ "checking", &row->checking.allotted },
		{ "checking_left", &row->checking.unallotted },
	};
	int r = 0;

	for (size_t c = 0; r == 0 && c < ARRAY_SIZE(columns); c++)
		r = read_units(rows, i, columns[c].column, columns[c].tokens);
	return r;
}

static int read_epoch(const struct sql_rows *rows, size_t i, void *ret_item)
{
	struct epoch_row *ret = ret_item;
	int r;

	*ret = (struct epoch_row){
		.number = rows_int(rows, i, "epoch"),
		.from_ms = rows_int(rows, i, "from_ms"),
		.until_ms = rows_int(rows, i, "until_ms"),
		.state = (enum epoch_state)rows_int(rows, i, "state"),
		.workers_tokens = rows_int(rows, i, "workers_tokens"),
		.checkers_tokens = rows_int(rows, i, "checkers_tokens"),
		.ratio_bp = rows_int(rows, i, "ratio_bp"),
		.commission_bp = rows_int(rows, i, "commission_bp"),
		.max_stake_tokens = rows_int(rows, i, "max_stake_tokens"),
		.n_workers = rows_int(rows, i, "workers"),
		.n_checkers = rows_int(rows, i, "checkers"),
		.records = { rows_int(rows, i, "records_pages"),
			     rows_int(rows, i, "records_bytes") },
		.payouts = { rows_int(rows, i, "payouts_pages"),
			     rows_int(rows, i, "payouts_bytes") },
		.closed_at_ms = rows_int(rows, i, "closed_at"),
	};
	r = rows_bytes(rows, i, "reached", &ret->reached, sizeof(ret->reached));
	if (r == 0)
		r = rows_bytes(rows, i, "records_hash", ret->records.hash, 32);
	if (r == 0)
		r = rows_bytes(rows, i, "payouts_hash", ret->payouts.hash, 32);
	return r != 0 ? r : read_pots(rows, i, ret);
}

static const struct row_reader epoch_reader = { sizeof(struct epoch_row), read_epoch };

static int find(struct tx *tx, const char *sql, const struct sql_value *params, size_t n_params,
		struct epoch_row *ret_row)
{
	struct sql_rows *rows;
	int r = tx_query(tx, sql, params, n_params, &rows);

	if (r != 0)
		return no_conflict(r);
	return rows_count(rows) ? read_epoch(rows, 0, ret_row) : ROUTE_E_NOT_FOUND;
}

int rewards_store_get(struct tx *tx, int64_t number, struct epoch_row *ret_row)
{
	return find(tx, "SELECT " EPOCH " FROM reward_epochs WHERE epoch = $1",
		    SQL_PARAMS(sql_int(number)), ret_row);
}

int rewards_store_last(struct tx *tx, struct epoch_row *ret_row)
{
	return find(tx, "SELECT " EPOCH " FROM reward_epochs ORDER BY epoch DESC LIMIT 1",
		    SQL_NO_PARAMS, ret_row);
}

int rewards_store_unclosed(struct tx *tx, struct epoch_row *ret_row)
{
	return find(tx,
		    "SELECT " EPOCH " FROM reward_epochs WHERE state < 5 ORDER BY epoch LIMIT 1",
		    SQL_NO_PARAMS, ret_row);
}

int rewards_store_list(struct tx *tx, int64_t before, size_t max, struct epoch_row **ret_rows,
		       size_t *ret_n)
{
	return tx_select(tx,
			 "SELECT " EPOCH " FROM reward_epochs WHERE epoch < $1"
			 " ORDER BY epoch DESC LIMIT $2",
			 SQL_PARAMS(sql_int(before), sql_int((int64_t)max)), &epoch_reader,
			 ret_rows, ret_n);
}

/* Pages count up with every step but the last, so that they and the state tell where an epoch stands. */
static unsigned __int128 given_out(const struct pot *pot)
{
	return pot->allotted.units - pot->unallotted.units;
}

static int read_given(const struct sql_rows *rows, size_t i, void *ret_item)
{
	struct reward_given *ret = ret_item;
	struct epoch_row row;
	int r = read_pots(rows, i, &row);

	if (r != 0)
		return r;
	*ret = (struct reward_given){
		.epoch = rows_int(rows, i, "epoch"),
		.machines = { given_out(&row.capacity) + given_out(&row.delivery) },
		.checkers = { given_out(&row.checking) },
	};
	return 0;
}

static const struct row_reader given_reader = { sizeof(struct reward_given), read_given };

int rewards_store_given(struct tx *tx, int64_t after, int64_t through, size_t max,
			struct reward_given **ret_items, size_t *ret_n)
{
	return tx_select(tx,
			 "SELECT epoch, capacity, capacity_left, delivery, delivery_left, checking,"
			 " checking_left FROM reward_epochs WHERE epoch > $1 AND epoch <= $2 AND "
			 "credited = 1 ORDER BY epoch LIMIT $3",
			 SQL_PARAMS(sql_int(after), sql_int(through), sql_int((int64_t)max)),
			 &given_reader, ret_items, ret_n);
}

int rewards_store_move(struct tx *tx, const struct epoch_row *was, const struct epoch_row *now)
{
	bool closed = now->state == EPOCH_CLOSED;
	const char *texts[] = {
		units(tx, now->capacity.allotted), units(tx, now->capacity.unallotted),
		units(tx, now->delivery.allotted), units(tx, now->delivery.unallotted),
		units(tx, now->checking.allotted), units(tx, now->checking.unallotted),
	};
	int64_t changed = 0;
	int r;

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
		if (!texts[i])
			return -ENOMEM;
	r = tx_exec(
		tx,
		"UPDATE reward_epochs SET state = $5, reached = $6, workers = $7, checkers = $8,"
		" records_pages = $9, records_bytes = $10, payouts_pages = $11, payouts_bytes = "
		"$12,"
		" records_hash = $13, payouts_hash = $14, capacity = $15, capacity_left = $16,"
		" delivery = $17, delivery_left = $18, checking = $19, checking_left = $20,"
		" closed_at = $21 WHERE epoch = $1 AND state = $2 AND records_pages = $3"
		" AND payouts_pages = $4",
		SQL_PARAMS(sql_int(was->number), sql_int(was->state), sql_int(was->records.pages),
			   sql_int(was->payouts.pages), sql_int(now->state),
			   sql_address(&now->reached.address), sql_int(now->n_workers),
			   sql_int(now->n_checkers), sql_int(now->records.pages),
			   sql_int(now->records.bytes), sql_int(now->payouts.pages),
			   sql_int(now->payouts.bytes),
			   closed ? sql_blob(now->records.hash, 32) : sql_null(),
			   closed ? sql_blob(now->payouts.hash, 32) : sql_null(),
			   sql_text(texts[0]), sql_text(texts[1]), sql_text(texts[2]),
			   sql_text(texts[3]), sql_text(texts[4]), sql_text(texts[5]),
			   closed ? sql_int(now->closed_at_ms) : sql_null()),
		&changed);
	return r != 0 ? no_conflict(r) : changed == 0 ? -ESTALE : 0;
}

/* ---- texts ---- */

int rewards_store_page(struct tx *tx, int64_t epoch, enum epoch_text_kind kind, const char *bytes,
		       size_t len, struct epoch_text *text)
{
	const char *copy = arena_text(tx_arena(tx), bytes, len);
	int r;

	if (!copy)
		return -ENOMEM;
	r = tx_exec(tx,
		    "INSERT INTO reward_pages (epoch, kind, page, text) VALUES ($1, $2, $3, $4)",
		    SQL_PARAMS(sql_int(epoch), sql_int(kind), sql_int(text->pages), sql_text(copy)),
		    NULL);
	if (r != 0)
		return r == SQL_E_CONFLICT ? -ESTALE : r;
	text->pages++;
	text->bytes += (int64_t)len;
	return 0;
}

int rewards_store_text(struct tx *tx, int64_t epoch, enum epoch_text_kind kind,
		       const struct epoch_text *text, char *ret_text)
{
	int64_t used = 0;

	for (int64_t page = 0; page < text->pages; page++) {
		struct arena_mark mark = arena_mark(tx_arena(tx));
		const char *bytes = NULL;
		struct sql_rows *rows;
		int64_t len;
		int r;

		r = tx_query(tx,
			     "SELECT text FROM reward_pages WHERE epoch = $1 AND kind = $2"
			     " AND page = $3",
			     SQL_PARAMS(sql_int(epoch), sql_int(kind), sql_int(page)), &rows);
		if (r != 0)
			return no_conflict(r);
		if (rows_count(rows) == 1)
			bytes = rows_text(rows, 0, "text");
		len = bytes ? (int64_t)strlen(bytes) : 0;
		if (!bytes || len > text->bytes - used)
			return -EIO;
		memcpy(ret_text + used, bytes, (size_t)len);
		used += len;
		arena_rewind(tx_arena(tx), mark);
	}
	return used == text->bytes ? 0 : -EIO;
}

/* ---- what was counted ---- */

int rewards_store_jobtime(struct tx *tx, struct reward_jobtime *jobtime)
{
	struct sql_rows *rows;
	int r;

	r = tx_query(
		tx,
		"SELECT seconds, from_ms FROM reward_jobtimes WHERE machine = $1 AND owner = $2",
		SQL_PARAMS(sql_address(&jobtime->machine.address),
			   sql_address(&jobtime->owner.address)),
		&rows);
	if (r != 0)
		return no_conflict(r);
	jobtime->seconds = rows_count(rows) ? rows_int(rows, 0, "seconds") : 0;
	jobtime->from_ms = rows_count(rows) ? rows_int(rows, 0, "from_ms") : 0;
	return 0;
}

int rewards_store_jobtimes_put(struct tx *tx, const struct reward_jobtime *times, size_t n)
{
	enum { COLUMNS = 4 };
	struct sql_value *params = arena_array(tx_arena(tx), COLUMNS * n + 1, sizeof(*params));

	if (!params)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		params[COLUMNS * i] = sql_address(&times[i].machine.address);
		params[COLUMNS * i + 1] = sql_address(&times[i].owner.address);
		params[COLUMNS * i + 2] = sql_int(times[i].seconds);
		params[COLUMNS * i + 3] = sql_int(times[i].from_ms);
	}
	return n == 0 ? 0
		      : no_conflict(tx_exec_many(
				tx,
				"INSERT INTO reward_jobtimes (machine, owner, seconds, from_ms)"
				" VALUES ($1, $2, $3, $4) ON CONFLICT (machine, owner) DO UPDATE"
				" SET seconds = excluded.seconds, from_ms = excluded.from_ms",
				params, COLUMNS, n));
}

/* ---- payees ---- */

enum { PAYEE_COLUMNS = 7 };

int rewards_store_payees_put(struct tx *tx, const struct reward_payee *payees, size_t n)
{
	struct sql_value *params = arena_array(tx_arena(tx), PAYEE_COLUMNS * n + 1,
					       sizeof(*params));

	if (!params)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		const struct sql_value row[PAYEE_COLUMNS] = {
			sql_address(&payees[i].account),
			sql_int(payees[i].epoch),
			sql_int(payees[i].kind),
			sql_address(&payees[i].id),
			sql_text(units(tx, payees[i].first)),
			sql_text(units(tx, payees[i].second)),
			sql_text(units(tx, payees[i].for_owner)),
		};

		memcpy(params + PAYEE_COLUMNS * i, row, sizeof(row));
	}
	return n == 0 ? 0
		      : no_conflict(tx_exec_many(
				tx,
				"INSERT INTO reward_payees (account, epoch, kind, id, first_part,"
				" second_part, for_owner) VALUES ($1, $2, $3, $4, $5, $6, $7)",
				params, PAYEE_COLUMNS, n));
}

static int read_payee(const struct sql_rows *rows, size_t i, void *ret_item)
{
	struct reward_payee *ret = ret_item;
	int r;

	ret->epoch = rows_int(rows, i, "epoch");
	ret->kind = (enum payee_kind)rows_int(rows, i, "kind");
	r = rows_bytes(rows, i, "account", &ret->account, sizeof(ret->account));
	if (r == 0)
		r = rows_bytes(rows, i, "id", &ret->id, sizeof(ret->id));
	if (r == 0)
		r = read_units(rows, i, "first_part", &ret->first);
	if (r == 0)
		r = read_units(rows, i, "second_part", &ret->second);
	return r != 0 ? r : read_units(rows, i, "for_owner", &ret->for_owner);
}

static const struct row_reader payee_reader = { sizeof(struct reward_payee), read_payee };

int rewards_store_payees(struct tx *tx, struct account_id account, int64_t least,
			 const struct reward_payee *after, size_t max,
			 struct reward_payee **ret_payees, size_t *ret_n)
{
	return tx_select(
		tx,
		"SELECT p.account AS account, p.epoch AS epoch, p.kind AS kind, p.id AS id,"
		" p.first_part AS first_part, p.second_part AS second_part,"
		" p.for_owner AS for_owner FROM reward_payees p JOIN reward_epochs e"
		" ON e.epoch = p.epoch WHERE p.account = $1 AND e.state = 5 AND p.epoch >= $6 "
		"AND (p.epoch < $2"
		" OR (p.epoch = $2 AND (p.kind > $3 OR (p.kind = $3 AND p.id > $4))))"
		" ORDER BY p.epoch DESC, p.kind, p.id LIMIT $5",
		SQL_PARAMS(sql_address(&account.address), sql_int(after->epoch),
			   sql_int(after->kind), sql_address(&after->id), sql_int((int64_t)max),
			   sql_int(least)),
		&payee_reader, ret_payees, ret_n);
}
