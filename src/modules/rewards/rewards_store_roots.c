#include "modules/rewards/rewards_store_roots.h"

#include "io/store_values.h"

enum { CORRECTIONS_MAX = 1000 };

static const char *units(struct tx *tx, struct u256 value)
{
	char text[U256_TEXT_SIZE];
	size_t len = u256_text(value, text);

	return arena_text(tx_arena(tx), text, len);
}

static int read_units(const struct sql_rows *rows, size_t i, const char *column,
		      struct u256 *ret_value)
{
	const char *text = rows_text(rows, i, column);

	return text && u256_parse(text, strlen(text), ret_value) == 0 ? 0 : -EIO;
}

/* A query for one row: ROUTE_E_NOT_FOUND. */
static int query_one(struct tx *tx, const char *sql, const struct sql_value *params,
		     size_t n_params, struct sql_rows **ret_rows)
{
	int r = tx_query(tx, sql, params, n_params, ret_rows);

	if (r != 0)
		return no_conflict(r);
	return rows_count(*ret_rows) > 0 ? 0 : ROUTE_E_NOT_FOUND;
}

/* One sum; zero without a row. */
static int query_sum(struct tx *tx, const char *sql, const struct sql_value *params,
		     size_t n_params, struct u256 *ret_sum)
{
	struct sql_rows *rows;
	int r = query_one(tx, sql, params, n_params, &rows);

	*ret_sum = u256_from(0);
	if (r == ROUTE_E_NOT_FOUND)
		return 0;
	return r != 0 ? r : read_units(rows, 0, "cumulative", ret_sum);
}

/* ---- credits ---- */

int rewards_store_uncredited(struct tx *tx, struct epoch_row *ret_row, int64_t *ret_written)
{
	struct sql_rows *rows;
	int r = query_one(tx,
			  "SELECT epoch, credits FROM reward_epochs WHERE state = 5 AND credited = "
			  "0 ORDER BY epoch LIMIT 1",
			  SQL_NO_PARAMS, &rows);

	if (r != 0)
		return r;
	*ret_written = rows_int(rows, 0, "credits");
	r = rewards_store_get(tx, rows_int(rows, 0, "epoch"), ret_row);
	return r > 0 ? -EIO : r;
}

int rewards_store_sum(struct tx *tx, enum reward_kind kind, const struct address *account,
		      int64_t through, struct u256 *ret_sum)
{
	return query_sum(tx,
			 "SELECT cumulative FROM reward_credits WHERE kind = $1 AND account = $2"
			 " AND epoch <= $3 ORDER BY epoch DESC LIMIT 1",
			 SQL_PARAMS(sql_int(kind), sql_address(account), sql_int(through)),
			 ret_sum);
}

static int put_credit(struct tx *tx, int64_t epoch, const struct epoch_credit *credit)
{
	enum reward_kind kind = (enum reward_kind)credit->kind;
	const char *amount = units(tx, u256_from(credit->amount.units)), *cumulative = NULL;
	struct u256 sum;
	int r = rewards_store_sum(tx, kind, &credit->account, epoch - 1, &sum);

	if (r == 0)
		cumulative = units(tx, u256_add(sum, u256_from(credit->amount.units)));
	if (r == 0 && (!amount || !cumulative))
		r = -ENOMEM;
	return r != 0 ? r
		      : no_conflict(tx_exec(tx,
					    "INSERT INTO reward_credits (kind, account, epoch, "
					    "amount, cumulative) VALUES ($1, $2, $3, $4, $5)",
					    SQL_PARAMS(sql_int(kind), sql_address(&credit->account),
						       sql_int(epoch), sql_text(amount),
						       sql_text(cumulative)),
					    NULL));
}

int rewards_store_credit(struct tx *tx, int64_t epoch, int64_t written,
			 const struct epoch_credit *credits, size_t n, bool done)
{
	int r = changed_or(-ESTALE, tx,
			   "UPDATE reward_epochs SET credits = $3, credited = $4"
			   " WHERE epoch = $1 AND credits = $2 AND credited = 0 AND state = 5",
			   SQL_PARAMS(sql_int(epoch), sql_int(written),
				      sql_int(written + (int64_t)n), sql_int(done)));

	for (size_t i = 0; r == 0 && i < n; i++)
		r = put_credit(tx, epoch, &credits[i]);
	return r;
}

int rewards_store_credited(struct tx *tx, int64_t *ret_epoch)
{
	struct sql_rows *rows;
	int r = query_one(tx,
			  "SELECT epoch FROM reward_epochs WHERE credited = 1"
			  " ORDER BY epoch DESC LIMIT 1",
			  SQL_NO_PARAMS, &rows);

	if (r == 0)
		*ret_epoch = rows_int(rows, 0, "epoch");
	return r;
}

int rewards_store_grew(struct tx *tx, enum reward_kind kind, int64_t after, int64_t through,
		       bool *ret_grew)
{
	struct sql_rows *rows;
	int r = query_one(tx,
			  "SELECT epoch FROM reward_credits WHERE kind = $1 AND epoch > $2 AND "
			  "epoch <= $3 LIMIT 1",
			  SQL_PARAMS(sql_int(kind), sql_int(after), sql_int(through)), &rows);

	if (r < 0)
		return r;
	*ret_grew = r == 0;
	return 0;
}

static int read_leaf(const struct sql_rows *rows, size_t i, void *ret_item)
{
	struct reward_leaf *ret = ret_item;
	int r = rows_bytes(rows, i, "account", &ret->account, sizeof(ret->account));

	return r == 0 ? read_units(rows, i, "cumulative", &ret->cumulative) : r;
}

static const struct row_reader leaf_reader = { sizeof(struct reward_leaf), read_leaf };

int rewards_store_leaves(struct tx *tx, enum reward_kind kind, int64_t through,
			 const struct address *after, size_t max, struct reward_leaf **ret_leaves,
			 size_t *ret_n)
{
	return tx_select(tx,
			 "SELECT c.account AS account, c.cumulative AS cumulative FROM "
			 "reward_credits c WHERE c.kind = $1 AND c.epoch <= $2 AND c.account > $3"
			 " AND c.cumulative <> '0' AND NOT EXISTS (SELECT 1 FROM reward_credits d"
			 " WHERE d.kind = c.kind AND d.account = c.account AND d.epoch > c.epoch"
			 " AND d.epoch <= $2) ORDER BY c.account LIMIT $4",
			 SQL_PARAMS(sql_int(kind), sql_int(through),
				    after ? sql_address(after) : sql_blob("", 0),
				    sql_int((int64_t)max)),
			 &leaf_reader, ret_leaves, ret_n);
}

static int read_earned(const struct sql_rows *rows, size_t i, void *ret_item)
{
	struct reward_earned *ret = ret_item;

	ret->kind = (enum reward_kind)rows_int(rows, i, "kind");
	ret->epoch = rows_int(rows, i, "epoch");
	return read_units(rows, i, "amount", &ret->amount);
}

static const struct row_reader earned_reader = { sizeof(struct reward_earned), read_earned };

int rewards_store_earned(struct tx *tx, const struct address *account, int64_t before, int64_t kind,
			 size_t max, struct reward_earned **ret_items, size_t *ret_n)
{
	return tx_select(tx,
			 "SELECT kind, epoch, amount FROM reward_credits WHERE kind IN (0, 1) AND "
			 "account = $1 AND (epoch < $2 OR (epoch = $2 AND kind > $3))"
			 " ORDER BY epoch DESC, kind LIMIT $4",
			 SQL_PARAMS(sql_address(account), sql_int(before), sql_int(kind),
				    sql_int((int64_t)max)),
			 &earned_reader, ret_items, ret_n);
}

/* ---- roots ---- */

#define ROOT                                                                              \
	"kind, round, attempt, through, root, total, leaves, state, made_at, proposals, " \
	"activations, called_at, effective_at, chain_transaction, block"

int rewards_store_root_add(struct tx *tx, const struct root_row *row)
{
	const char *total = units(tx, row->total);
	int r;

	if (!total)
		return -ENOMEM;
	r = tx_exec(tx,
		    "INSERT INTO reward_roots (" ROOT ") VALUES ($1, $2, $3, $4, $5, $6, $7, $8,"
		    " $9, 0, 0, 0, NULL, NULL, NULL)",
		    SQL_PARAMS(sql_int(row->kind), sql_int(row->round), sql_int(row->attempt),
			       sql_int(row->through), sql_blob(row->root, 32), sql_text(total),
			       sql_int(row->leaves), sql_int(row->state), sql_int(row->made_ms)),
		    NULL);
	return r == SQL_E_CONFLICT ? -ESTALE : r;
}

int rewards_store_root_set(struct tx *tx, const struct root_row *row)
{
	bool proposed = row->effective_s != 0;

	return changed_or(
		-EIO, tx,
		"UPDATE reward_roots SET state = $4, proposals = $5, activations = $6, called_at ="
		" $7, effective_at = $8, chain_transaction = $9, block = $10 WHERE kind = $1 AND"
		" round = $2 AND attempt = $3",
		SQL_PARAMS(sql_int(row->kind), sql_int(row->round), sql_int(row->attempt),
			   sql_int(row->state), sql_int(row->proposals), sql_int(row->activations),
			   sql_int(row->called_ms),
			   proposed ? sql_int(row->effective_s) : sql_null(),
			   proposed ? sql_blob(row->transaction, 32) : sql_null(),
			   proposed ? sql_int(row->block) : sql_null()));
}

static int read_root(const struct sql_rows *rows, size_t i, void *ret_item)
{
	struct root_row *ret = ret_item;
	int r;

	*ret = (struct root_row){
		.kind = (enum reward_kind)rows_int(rows, i, "kind"),
		.round = rows_int(rows, i, "round"),
		.attempt = rows_int(rows, i, "attempt"),
		.through = rows_int(rows, i, "through"),
		.leaves = rows_int(rows, i, "leaves"),
		.state = (enum root_state)rows_int(rows, i, "state"),
		.made_ms = rows_int(rows, i, "made_at"),
		.proposals = rows_int(rows, i, "proposals"),
		.activations = rows_int(rows, i, "activations"),
		.called_ms = rows_int(rows, i, "called_at"),
		.effective_s = rows_int(rows, i, "effective_at"),
		.block = rows_int(rows, i, "block"),
	};
	r = rows_bytes(rows, i, "root", ret->root, 32);
	if (r == 0)
		r = rows_bytes(rows, i, "chain_transaction", ret->transaction, 32);
	return r == 0 ? read_units(rows, i, "total", &ret->total) : r;
}

static const struct row_reader root_reader = { sizeof(struct root_row), read_root };

static int find_root(struct tx *tx, const char *sql, const struct sql_value *params,
		     size_t n_params, struct root_row *ret_row)
{
	struct sql_rows *rows;
	int r = query_one(tx, sql, params, n_params, &rows);

	return r == 0 ? read_root(rows, 0, ret_row) : r;
}

int rewards_store_root_last(struct tx *tx, enum reward_kind kind, struct root_row *ret_row)
{
	return find_root(tx,
			 "SELECT " ROOT " FROM reward_roots WHERE kind = $1"
			 " ORDER BY round DESC, attempt DESC LIMIT 1",
			 SQL_PARAMS(sql_int(kind)), ret_row);
}

int rewards_store_root(struct tx *tx, enum reward_kind kind, int64_t round,
		       struct root_row *ret_row)
{
	return find_root(tx,
			 "SELECT " ROOT " FROM reward_roots WHERE kind = $1 AND round = $2"
			 " ORDER BY attempt DESC LIMIT 1",
			 SQL_PARAMS(sql_int(kind), sql_int(round)), ret_row);
}

int rewards_store_root_find(struct tx *tx, enum reward_kind kind, int64_t round,
			    const uint8_t root[static 32], struct root_row *ret_row)
{
	return find_root(tx,
			 "SELECT " ROOT " FROM reward_roots WHERE kind = $1 AND round = $2 AND "
			 "root = $3 ORDER BY attempt DESC LIMIT 1",
			 SQL_PARAMS(sql_int(kind), sql_int(round), sql_blob(root, 32)), ret_row);
}

int rewards_store_roots(struct tx *tx, enum reward_kind kind, int64_t round, int64_t attempt,
			size_t max, struct root_row **ret_rows, size_t *ret_n)
{
	return tx_select(
		tx,
		"SELECT " ROOT " FROM reward_roots WHERE kind = $1 AND (round < $2 OR"
		" (round = $2 AND attempt < $3)) ORDER BY round DESC, attempt DESC LIMIT $4",
		SQL_PARAMS(sql_int(kind), sql_int(round), sql_int(attempt), sql_int((int64_t)max)),
		&root_reader, ret_rows, ret_n);
}

/* ---- what the contract says ---- */

int rewards_store_pot(struct tx *tx, enum reward_kind kind, struct pot_row *ret_row)
{
	struct pot_row row = { 0 };
	struct sql_rows *rows;
	int r = query_one(tx,
			  "SELECT funded, claimed, active_round, active_root, pending_round, "
			  "pending_root FROM reward_pots WHERE kind = $1",
			  SQL_PARAMS(sql_int(kind)), &rows);

	if (r == 0) {
		row.active_round = rows_int(rows, 0, "active_round");
		row.pending_round = rows_int(rows, 0, "pending_round");
		r = read_units(rows, 0, "funded", &row.funded);
	}
	if (r == 0)
		r = read_units(rows, 0, "claimed", &row.claimed);
	if (r == 0)
		r = rows_bytes(rows, 0, "active_root", row.active_root, 32);
	if (r == 0)
		r = rows_bytes(rows, 0, "pending_root", row.pending_root, 32);
	if (r < 0)
		return r;
	*ret_row = row;
	return 0;
}

int rewards_store_pot_set(struct tx *tx, enum reward_kind kind, const struct pot_row *row)
{
	const char *funded = units(tx, row->funded), *claimed = units(tx, row->claimed);

	if (!funded || !claimed)
		return -ENOMEM;
	return no_conflict(tx_exec(
		tx,
		"INSERT INTO reward_pots (kind, funded, claimed, active_round, active_root, "
		"pending_round, pending_root) VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT "
		"(kind) DO UPDATE SET funded = excluded.funded, claimed = excluded.claimed, "
		"active_round = excluded.active_round, active_root = excluded.active_root, "
		"pending_round = excluded.pending_round, pending_root = excluded.pending_root",
		SQL_PARAMS(sql_int(kind), sql_text(funded), sql_text(claimed),
			   sql_int(row->active_round), sql_blob(row->active_root, 32),
			   sql_int(row->pending_round), sql_blob(row->pending_root, 32)),
		NULL));
}

int rewards_store_claimed(struct tx *tx, enum reward_kind kind, const struct address *account,
			  struct u256 *ret_sum)
{
	return query_sum(tx,
			 "SELECT cumulative FROM reward_claims WHERE kind = $1 AND account = $2",
			 SQL_PARAMS(sql_int(kind), sql_address(account)), ret_sum);
}

int rewards_store_claimed_set(struct tx *tx, enum reward_kind kind, const struct address *account,
			      struct u256 sum)
{
	const char *text = units(tx, sum);

	if (!text)
		return -ENOMEM;
	return no_conflict(tx_exec(
		tx,
		"INSERT INTO reward_claims (kind, account, cumulative) VALUES ($1, $2, $3) ON "
		"CONFLICT (kind, account) DO UPDATE SET cumulative = excluded.cumulative",
		SQL_PARAMS(sql_int(kind), sql_address(account), sql_text(text)), NULL));
}

/* ---- corrections ---- */

struct sum_row {
	int64_t epoch;
	struct u256 cumulative;
};

static int read_sum(const struct sql_rows *rows, size_t i, void *ret_item)
{
	struct sum_row *ret = ret_item;

	ret->epoch = rows_int(rows, i, "epoch");
	return read_units(rows, i, "cumulative", &ret->cumulative);
}

static const struct row_reader sum_reader = { sizeof(struct sum_row), read_sum };

/* The last credit through @through and those behind it: sums from there on are less. */
static int lower_sums(struct tx *tx, const struct correction_row *row, int64_t through)
{
	const struct sql_value kind = sql_int(row->kind), account = sql_address(&row->account);
	struct sum_row *sums;
	size_t n;
	int r = tx_select(tx,
			  "SELECT epoch, cumulative FROM reward_credits WHERE kind = $1 AND account"
			  " = $2 AND epoch >= (SELECT MAX(epoch) FROM reward_credits WHERE kind = "
			  "$1 AND account = $2 AND epoch <= $3)",
			  SQL_PARAMS(kind, account, sql_int(through)), &sum_reader, &sums, &n);

	for (size_t i = 0; r == 0 && i < n; i++) {
		const char *lower = NULL;

		if (u256_compare(&sums[i].cumulative, &row->amount) < 0)
			return -EIO;
		lower = units(tx, u256_subtract(sums[i].cumulative, row->amount));
		r = !lower ? -ENOMEM
			   : changed_or(-EIO, tx,
					"UPDATE reward_credits SET cumulative = $4 WHERE kind = $1"
					" AND account = $2 AND epoch = $3",
					SQL_PARAMS(kind, account, sql_int(sums[i].epoch),
						   sql_text(lower)));
	}
	return r;
}

int rewards_store_correct(struct tx *tx, const struct correction_row *row, int64_t through)
{
	const char *amount = units(tx, row->amount);
	int r;

	if (!amount)
		return -ENOMEM;
	r = tx_exec(tx,
		    "INSERT INTO reward_corrections (kind, round, attempt, account, amount, reason,"
		    " made_by, at_ms) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
		    SQL_PARAMS(sql_int(row->kind), sql_int(row->round), sql_int(row->attempt),
			       sql_address(&row->account), sql_text(amount), sql_text(row->reason),
			       sql_account(&row->by), sql_int(row->at_ms)),
		    NULL);
	return r != 0 ? r : lower_sums(tx, row, through);
}

static int read_correction(const struct sql_rows *rows, size_t i, void *ret_item)
{
	struct correction_row *ret = ret_item;
	int r;

	ret->kind = (enum reward_kind)rows_int(rows, i, "kind");
	ret->round = rows_int(rows, i, "round");
	ret->attempt = rows_int(rows, i, "attempt");
	ret->at_ms = rows_int(rows, i, "at_ms");
	ret->reason = rows_text(rows, i, "reason");
	r = rows_bytes(rows, i, "account", &ret->account, sizeof(ret->account));
	if (r == 0)
		r = rows_bytes(rows, i, "made_by", &ret->by, sizeof(ret->by));
	return r == 0 ? read_units(rows, i, "amount", &ret->amount) : r;
}

static const struct row_reader correction_reader = { sizeof(struct correction_row),
						     read_correction };

int rewards_store_corrections(struct tx *tx, enum reward_kind kind, int64_t round,
			      struct correction_row **ret_rows, size_t *ret_n)
{
	return tx_select(tx,
			 "SELECT kind, round, attempt, account, amount, reason, made_by, at_ms FROM"
			 " reward_corrections WHERE kind = $1 AND round = $2"
			 " ORDER BY attempt, account LIMIT $3",
			 SQL_PARAMS(sql_int(kind), sql_int(round), sql_int(CORRECTIONS_MAX)),
			 &correction_reader, ret_rows, ret_n);
}
