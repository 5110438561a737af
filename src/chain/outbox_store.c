#include "chain/outbox_store.h"

#include "io/store_values.h"

#define COLUMNS                                                                          \
	"id, name, kind, sender, contract, data, state, nonce, gas, sent_at, variants, " \
	"refused_at,"                                                                    \
	" hash, block, block_hash, detail, created_at, ended_at"

static struct sql_value sql_nonce(const struct outbox_row *row)
{
	return row->has_nonce ? sql_int(row->nonce) : sql_null();
}

int outbox_store_add(struct tx *tx, const struct outbox_row *row)
{
	int r = tx_exec(tx,
			"INSERT INTO chain_calls (" COLUMNS ") VALUES ($1, $2, $3, $4, $5, $6, 0,"
			" NULL, 0, 0, 0, 0, NULL, 0, NULL, '', $7, 0)",
			SQL_PARAMS(sql_blob(row->id.bytes, sizeof(row->id.bytes)),
				   sql_text(row->name), sql_text(row->kind),
				   sql_address(&row->sender), sql_address(&row->contract),
				   sql_blob(row->data, row->len), sql_int(row->created_ms)),
			NULL);

	return r == SQL_E_CONFLICT ? OUTBOX_E_KNOWN : r;
}

static int read_row(const struct sql_rows *rows, size_t i, void *ret_item)
{
	struct outbox_row *ret = ret_item;
	int r;

	*ret = (struct outbox_row){
		.name = rows_text(rows, i, "name"),
		.kind = rows_text(rows, i, "kind"),
		.state = (enum outbox_state)rows_int(rows, i, "state"),
		.has_nonce = !rows_null(rows, i, "nonce"),
		.nonce = rows_int(rows, i, "nonce"),
		.gas = rows_int(rows, i, "gas"),
		.variants = rows_int(rows, i, "variants"),
		.block = rows_int(rows, i, "block"),
		.detail = rows_text(rows, i, "detail"),
		.created_ms = rows_int(rows, i, "created_at"),
		.sent_ms = rows_int(rows, i, "sent_at"),
		.refused_ms = rows_int(rows, i, "refused_at"),
		.ended_ms = rows_int(rows, i, "ended_at"),
	};
	ret->data = rows_blob(rows, i, "data", &ret->len);
	r = rows_bytes(rows, i, "id", ret->id.bytes, sizeof(ret->id.bytes));
	if (r == 0)
		r = rows_bytes(rows, i, "sender", &ret->sender, sizeof(ret->sender));
	if (r == 0)
		r = rows_bytes(rows, i, "contract", &ret->contract, sizeof(ret->contract));
	if (r == 0)
		r = rows_bytes(rows, i, "hash", ret->hash, sizeof(ret->hash));
	if (r == 0)
		r = rows_bytes(rows, i, "block_hash", ret->block_hash, sizeof(ret->block_hash));
	return r;
}

static const struct row_reader row_reader = { sizeof(struct outbox_row), read_row };

static int read_one(struct tx *tx, const char *sql, struct sql_value key,
		    struct outbox_row *ret_row)
{
	struct sql_rows *rows;
	int r = tx_query(tx, sql, &key, 1, &rows);

	if (r != 0)
		return no_conflict(r);
	return rows_count(rows) ? read_row(rows, 0, ret_row) : OUTBOX_E_NOT_FOUND;
}

int outbox_store_get(struct tx *tx, struct outbox_id id, struct outbox_row *ret_row)
{
	return read_one(tx, "SELECT " COLUMNS " FROM chain_calls WHERE id = $1",
			sql_blob(id.bytes, sizeof(id.bytes)), ret_row);
}

int outbox_find(struct tx *tx, const char *name, struct outbox_row *ret_row)
{
	return read_one(tx, "SELECT " COLUMNS " FROM chain_calls WHERE name = $1", sql_text(name),
			ret_row);
}

int outbox_store_live(struct tx *tx, const struct address *sender, int64_t max,
		      struct outbox_row **ret_rows, size_t *ret_n)
{
	return tx_select(tx,
			 "SELECT " COLUMNS " FROM chain_calls WHERE sender = $1 AND state IN (1, 2)"
			 " ORDER BY nonce LIMIT $2",
			 SQL_PARAMS(sql_address(sender), sql_int(max)), &row_reader, ret_rows,
			 ret_n);
}

int outbox_store_queued(struct tx *tx, const struct address *sender, const struct outbox_id *after,
			const char *but, int64_t max, struct outbox_row **ret_rows, size_t *ret_n)
{
	/* Every id is above no bytes. */
	struct sql_value from = after ? sql_blob(after->bytes, sizeof(after->bytes))
				      : sql_blob("", 0);

	return tx_select(tx,
			 "SELECT " COLUMNS " FROM chain_calls WHERE sender = $1 AND state = 0"
			 " AND id > $2 AND replace($3, ' ' || kind || ' ', '') = $3"
			 " ORDER BY id LIMIT $4",
			 SQL_PARAMS(sql_address(sender), from, sql_text(but), sql_int(max)),
			 &row_reader, ret_rows, ret_n);
}

static int read_number(struct tx *tx, const char *sql, const struct address *sender,
		       int64_t *ret_number)
{
	struct sql_rows *rows;
	int r = tx_query(tx, sql, SQL_PARAMS(sql_address(sender)), &rows);

	if (r != 0)
		return no_conflict(r);
	*ret_number = rows_int(rows, 0, "n");
	return 0;
}

int outbox_store_count_queued(struct tx *tx, const struct address *sender, int64_t *ret_n)
{
	return read_number(tx,
			   "SELECT count(*) AS n FROM chain_calls WHERE sender = $1 AND state = 0",
			   sender, ret_n);
}

int outbox_store_next_nonce(struct tx *tx, const struct address *sender, int64_t *ret_nonce)
{
	return read_number(
		tx, "SELECT coalesce(max(nonce) + 1, 0) AS n FROM chain_calls WHERE sender = $1",
		sender, ret_nonce);
}

static bool is_set(const uint8_t hash[static 32])
{
	static const uint8_t none[32];

	return memcmp(hash, none, sizeof(none)) != 0;
}

int outbox_store_set(struct tx *tx, const struct outbox_row *row)
{
	int64_t changed = 0;
	int r = tx_exec(
		tx,
		"UPDATE chain_calls SET state = $2, nonce = $3, gas = $4, sent_at = $5, variants = "
		"$6,"
		" refused_at = $7, hash = $8, block = $9, block_hash = $10, detail = $11,"
		" ended_at = $12 WHERE id = $1",
		SQL_PARAMS(sql_blob(row->id.bytes, sizeof(row->id.bytes)), sql_int(row->state),
			   sql_nonce(row), sql_int(row->gas), sql_int(row->sent_ms),
			   sql_int(row->variants), sql_int(row->refused_ms),
			   is_set(row->hash) ? sql_blob(row->hash, 32) : sql_null(),
			   sql_int(row->block),
			   is_set(row->block_hash) ? sql_blob(row->block_hash, 32) : sql_null(),
			   sql_text(row->detail), sql_int(row->ended_ms)),
		&changed);

	if (r != 0)
		return no_conflict(r);
	return changed == 1 ? 0 : OUTBOX_E_NOT_FOUND;
}

static int read_variant(const struct sql_rows *rows, size_t i, void *ret_item)
{
	struct variant_row *variant = ret_item;

	*variant = (struct variant_row){ .max_fee = rows_int(rows, i, "max_fee"),
					 .priority_fee = rows_int(rows, i, "priority_fee"),
					 .signed_ms = rows_int(rows, i, "signed_at") };
	variant->bytes = rows_blob(rows, i, "bytes", &variant->len);
	return rows_bytes(rows, i, "hash", variant->hash, sizeof(variant->hash));
}

static const struct row_reader variant_reader = { sizeof(struct variant_row), read_variant };

int outbox_store_variants(struct tx *tx, struct outbox_id id, struct variant_row **ret_variants,
			  size_t *ret_n)
{
	return tx_select(tx,
			 "SELECT hash, bytes, max_fee, priority_fee, signed_at FROM chain_variants"
			 " WHERE call = $1 ORDER BY number DESC",
			 SQL_PARAMS(sql_blob(id.bytes, sizeof(id.bytes))), &variant_reader,
			 ret_variants, ret_n);
}

int outbox_store_variant_add(struct tx *tx, struct outbox_id id, int64_t number,
			     const struct variant_row *variant)
{
	return no_conflict(tx_exec(
		tx,
		"INSERT INTO chain_variants (call, number, hash, bytes, max_fee, priority_fee,"
		" signed_at) VALUES ($1, $2, $3, $4, $5, $6, $7)",
		SQL_PARAMS(sql_blob(id.bytes, sizeof(id.bytes)), sql_int(number),
			   sql_blob(variant->hash, 32), sql_blob(variant->bytes, variant->len),
			   sql_int(variant->max_fee), sql_int(variant->priority_fee),
			   sql_int(variant->signed_ms)),
		NULL));
}
