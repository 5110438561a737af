#include "modules/logging/audit_store.h"

#include "io/store_values.h"

#define ENTRY \
	"id, actor_kind, actor, action, subject, owner, via, peer, request, salt, detail, batch"

static struct sql_value sql_entry(const struct audit_id *id)
{
	return sql_blob(id->bytes, sizeof(id->bytes));
}

/* ---- entries ---- */

int audit_store_add(struct tx *tx, const struct audit_row *row)
{
	return no_conflict(tx_exec(
		tx,
		"INSERT INTO audit_entries (" ENTRY
		") VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, NULL)",
		SQL_PARAMS(sql_entry(&row->id), sql_int(row->by),
			   row->by == AUDIT_NETWORK ? sql_null() : sql_address(&row->actor),
			   sql_text(row->action), sql_text(row->subject),
			   row->owned ? sql_account(&row->owner) : sql_null(), sql_text(row->via),
			   sql_text(row->peer), sql_text(row->request),
			   row->has_origin ? sql_blob(row->salt, sizeof(row->salt)) : sql_null(),
			   sql_text(row->detail)),
		NULL));
}

static int read_entry(const struct sql_rows *rows, size_t i, void *ret_item)
{
	struct audit_row *row = ret_item;
	int64_t by = rows_int(rows, i, "actor_kind");
	int r;

	if (by < AUDIT_NETWORK || by > AUDIT_CHECKER)
		return -EIO;
	*row = (struct audit_row){
		.by = (enum audit_actor)by,
		.action = rows_text(rows, i, "action"),
		.subject = rows_text(rows, i, "subject"),
		.owned = !rows_null(rows, i, "owner"),
		.via = rows_text(rows, i, "via"),
		.peer = rows_text(rows, i, "peer"),
		.request = rows_text(rows, i, "request"),
		.has_origin = !rows_null(rows, i, "salt"),
		.detail = rows_text(rows, i, "detail"),
		.batch = rows_int(rows, i, "batch"),
	};
	r = rows_bytes(rows, i, "id", row->id.bytes, sizeof(row->id.bytes));
	if (r == 0)
		r = rows_bytes(rows, i, "actor", row->actor.bytes, sizeof(row->actor.bytes));
	if (r == 0)
		r = rows_bytes(rows, i, "owner", &row->owner, sizeof(row->owner));
	return r == 0 ? rows_bytes(rows, i, "salt", row->salt, sizeof(row->salt)) : r;
}

static const struct row_reader entry_reader = { sizeof(struct audit_row), read_entry };

int audit_store_entry(struct tx *tx, const struct audit_id *id, struct audit_row *ret_row)
{
	struct audit_row *rows;
	size_t n;
	int r;

	r = tx_select(tx, "SELECT " ENTRY " FROM audit_entries WHERE id = $1",
		      SQL_PARAMS(sql_entry(id)), &entry_reader, &rows, &n);
	if (r != 0 || n == 0)
		return r != 0 ? no_conflict(r) : ROUTE_E_NOT_FOUND;
	*ret_row = rows[0];
	return 0;
}

int audit_store_entries(struct tx *tx, const struct account_id *account,
			const struct audit_id *since, const struct audit_id *before, int64_t limit,
			struct audit_row **ret_rows, size_t *ret_n)
{
	if (!account)
		return no_conflict(
			tx_select(tx,
				  "SELECT " ENTRY " FROM audit_entries WHERE id >= $1 AND id < $2"
				  " ORDER BY id DESC LIMIT $3",
				  SQL_PARAMS(sql_entry(since), sql_entry(before), sql_int(limit)),
				  &entry_reader, ret_rows, ret_n));
	/* One range of each index, rather than a look at every entry. */
	return no_conflict(
		tx_select(tx,
			  "SELECT " ENTRY " FROM audit_entries WHERE id IN ("
			  "SELECT id FROM (SELECT id FROM audit_entries WHERE actor = $4"
			  " AND id >= $1 AND id < $2 ORDER BY id DESC LIMIT $3) AS did"
			  " UNION SELECT id FROM (SELECT id FROM audit_entries WHERE owner = $4"
			  " AND id >= $1 AND id < $2 ORDER BY id DESC LIMIT $3) AS owns"
			  ") ORDER BY id DESC LIMIT $3",
			  SQL_PARAMS(sql_entry(since), sql_entry(before), sql_int(limit),
				     sql_account(account)),
			  &entry_reader, ret_rows, ret_n));
}

int audit_store_of_batch(struct tx *tx, int64_t number, struct audit_row **ret_rows, size_t *ret_n)
{
	return no_conflict(
		tx_select(tx, "SELECT " ENTRY " FROM audit_entries WHERE batch = $1 ORDER BY id",
			  SQL_PARAMS(sql_int(number)), &entry_reader, ret_rows, ret_n));
}

int audit_store_open(struct tx *tx, int64_t max, struct audit_row **ret_rows, size_t *ret_n)
{
	return no_conflict(tx_select(
		tx, "SELECT " ENTRY " FROM audit_entries WHERE batch IS NULL ORDER BY id LIMIT $1",
		SQL_PARAMS(sql_int(max)), &entry_reader, ret_rows, ret_n));
}

int audit_store_seal(struct tx *tx, int64_t number, const struct audit_id *last, int64_t *ret_n)
{
	return no_conflict(
		tx_exec(tx, "UPDATE audit_entries SET batch = $1 WHERE batch IS NULL AND id <= $2",
			SQL_PARAMS(sql_int(number), sql_entry(last)), ret_n));
}

/* ---- batches ---- */

#define BATCH "number, before, entries, root, sealed_at, digest"

int audit_store_batch_add(struct tx *tx, const struct audit_batch_row *row)
{
	const struct audit_batch *batch = &row->batch;

	return no_conflict(tx_exec(
		tx,
		"INSERT INTO audit_batches (" BATCH ", taken) VALUES ($1, $2, $3, $4, $5, $6, 0)",
		SQL_PARAMS(sql_int(batch->number), sql_blob(batch->before, sizeof(batch->before)),
			   sql_int(batch->entries), sql_blob(batch->root, sizeof(batch->root)),
			   sql_int(batch->sealed_ms), sql_blob(row->digest, sizeof(row->digest))),
		NULL));
}

static int read_batch(const struct sql_rows *rows, size_t i, void *ret_item)
{
	struct audit_batch_row *row = ret_item;
	struct audit_batch *batch = &row->batch;
	int r;

	batch->number = rows_int(rows, i, "number");
	batch->entries = rows_int(rows, i, "entries");
	batch->sealed_ms = rows_int(rows, i, "sealed_at");
	r = rows_bytes(rows, i, "before", batch->before, sizeof(batch->before));
	if (r == 0)
		r = rows_bytes(rows, i, "root", batch->root, sizeof(batch->root));
	return r == 0 ? rows_bytes(rows, i, "digest", row->digest, sizeof(row->digest)) : r;
}

static const struct row_reader batch_reader = { sizeof(struct audit_batch_row), read_batch };

static int one_batch(struct tx *tx, const char *sql, const struct sql_value *params, size_t n,
		     struct audit_batch_row *ret_row)
{
	struct audit_batch_row *rows;
	size_t found;
	int r = tx_select(tx, sql, params, n, &batch_reader, &rows, &found);

	if (r != 0 || found == 0)
		return r != 0 ? no_conflict(r) : ROUTE_E_NOT_FOUND;
	*ret_row = rows[0];
	return 0;
}

int audit_store_batch(struct tx *tx, int64_t number, struct audit_batch_row *ret_row)
{
	return one_batch(tx, "SELECT " BATCH " FROM audit_batches WHERE number = $1",
			 SQL_PARAMS(sql_int(number)), ret_row);
}

int audit_store_batch_last(struct tx *tx, struct audit_batch_row *ret_row)
{
	return one_batch(tx, "SELECT " BATCH " FROM audit_batches ORDER BY number DESC LIMIT 1",
			 SQL_NO_PARAMS, ret_row);
}

int audit_store_batches(struct tx *tx, int64_t after, int64_t limit,
			struct audit_batch_row **ret_rows, size_t *ret_n)
{
	return no_conflict(tx_select(tx,
				     "SELECT " BATCH " FROM audit_batches WHERE number > $1"
				     " ORDER BY number LIMIT $2",
				     SQL_PARAMS(sql_int(after), sql_int(limit)), &batch_reader,
				     ret_rows, ret_n));
}

/* ---- for the chain ---- */

static int read_sealed(const struct sql_rows *rows, size_t i, void *ret_item)
{
	struct audit_sealed *sealed = ret_item;

	sealed->number = rows_int(rows, i, "number");
	return rows_bytes(rows, i, "digest", sealed->digest, sizeof(sealed->digest));
}

static const struct row_reader sealed_reader = { sizeof(struct audit_sealed), read_sealed };

int audit_sealed(struct tx *tx, int64_t max, struct audit_sealed **ret_batches, size_t *ret_n)
{
	return no_conflict(tx_select(tx,
				     "SELECT number, digest FROM audit_batches WHERE taken = 0"
				     " ORDER BY number LIMIT $1",
				     SQL_PARAMS(sql_int(max)), &sealed_reader, ret_batches, ret_n));
}

int audit_taken(struct tx *tx, int64_t through)
{
	return no_conflict(
		tx_exec(tx, "UPDATE audit_batches SET taken = 1 WHERE taken = 0 AND number <= $1",
			SQL_PARAMS(sql_int(through)), NULL));
}
