#include "modules/chain/chain_store.h"

#include "api/route.h"
#include "io/store_values.h"

static struct sql_value sql_word(const uint8_t word[32])
{
	return sql_blob(word, 32);
}

/* ---- as whom, and where ---- */

int chain_store_identity(struct tx *tx, struct identity_row *ret_row)
{
	struct identity_row row;
	struct sql_rows *rows;
	int r;

	r = tx_query(tx, "SELECT chain_id, anchor, publisher, sequence, head FROM chain_identity",
		     SQL_NO_PARAMS, &rows);
	if (r != 0)
		return no_conflict(r);
	if (rows_count(rows) == 0)
		return ROUTE_E_NOT_FOUND;
	row.chain_id = rows_int(rows, 0, "chain_id");
	row.begun = !rows_null(rows, 0, "sequence");
	row.sequence = rows_int(rows, 0, "sequence");
	r = rows_bytes(rows, 0, "anchor", &row.anchor, sizeof(row.anchor));
	if (r == 0)
		r = rows_bytes(rows, 0, "publisher", &row.publisher, sizeof(row.publisher));
	if (r == 0)
		r = rows_bytes(rows, 0, "head", row.head, sizeof(row.head));
	if (r == 0)
		*ret_row = row;
	return r;
}

int chain_store_identity_add(struct tx *tx, const struct identity_row *row)
{
	return no_conflict(tx_exec(tx,
				   "INSERT INTO chain_identity (id, chain_id, anchor, publisher)"
				   " VALUES (1, $1, $2, $3)",
				   SQL_PARAMS(sql_int(row->chain_id), sql_address(&row->anchor),
					      sql_address(&row->publisher)),
				   NULL));
}

int chain_store_begin(struct tx *tx, int64_t sequence, const uint8_t head[32])
{
	return changed_or(-ESTALE, tx,
			  "UPDATE chain_identity SET sequence = $1, head = $2"
			  " WHERE sequence IS NULL",
			  SQL_PARAMS(sql_int(sequence), sql_word(head)));
}

/* ---- machines on the registry ---- */

int chain_store_machine(struct tx *tx, const struct address *machine, struct machine_row *ret_row)
{
	struct machine_row row = { .machine = *machine };
	struct sql_rows *rows;
	int r;

	r = tx_query(tx,
		     "SELECT owner, kind, specification, block, chain_transaction"
		     " FROM chain_machines WHERE machine = $1",
		     SQL_PARAMS(sql_address(machine)), &rows);
	if (r != 0)
		return no_conflict(r);
	if (rows_count(rows) == 0)
		return ROUTE_E_NOT_FOUND;
	row.kind = (enum machine_kind)rows_int(rows, 0, "kind");
	row.block = rows_int(rows, 0, "block");
	r = rows_bytes(rows, 0, "owner", &row.owner, sizeof(row.owner));
	if (r == 0)
		r = rows_bytes(rows, 0, "specification", row.specification, 32);
	if (r == 0)
		r = rows_bytes(rows, 0, "chain_transaction", row.transaction, 32);
	if (r == 0)
		*ret_row = row;
	return r;
}

int chain_store_machine_put(struct tx *tx, const struct machine_row *row)
{
	return no_conflict(
		tx_exec(tx,
			"INSERT INTO chain_machines (machine, owner, kind, specification, block,"
			" chain_transaction) VALUES ($1, $2, $3, $4, $5, $6)"
			" ON CONFLICT (machine) DO UPDATE SET owner = excluded.owner,"
			" kind = excluded.kind, specification = excluded.specification,"
			" block = excluded.block, chain_transaction = excluded.chain_transaction",
			SQL_PARAMS(sql_address(&row->machine), sql_address(&row->owner),
				   sql_int(row->kind), sql_word(row->specification),
				   sql_int(row->block), sql_word(row->transaction)),
			NULL));
}

int chain_store_machine_specify(struct tx *tx, const struct address *machine,
				const uint8_t specification[static 32])
{
	return no_conflict(
		tx_exec(tx, "UPDATE chain_machines SET specification = $2 WHERE machine = $1",
			SQL_PARAMS(sql_address(machine), sql_word(specification)), NULL));
}

int chain_store_machine_remove(struct tx *tx, const struct address *machine)
{
	return no_conflict(tx_exec(tx, "DELETE FROM chain_machines WHERE machine = $1",
				   SQL_PARAMS(sql_address(machine)), NULL));
}

/* ---- leaves ---- */

static int read_leaf(const struct sql_rows *rows, size_t i, struct anchor_leaf *ret_leaf)
{
	int r = rows_bytes(rows, i, "id", ret_leaf->id, 32);

	return r == 0 ? rows_bytes(rows, i, "digest", ret_leaf->digest, 32) : r;
}

int chain_store_leaf(struct tx *tx, enum anchor_kind kind, const uint8_t id[32],
		     struct anchor_leaf *ret_leaf, int64_t *ret_anchor)
{
	struct sql_rows *rows;
	int r;

	r = tx_query(tx, "SELECT id, digest, anchor FROM chain_leaves WHERE kind = $1 AND id = $2",
		     SQL_PARAMS(sql_int(kind), sql_word(id)), &rows);
	if (r != 0)
		return no_conflict(r);
	if (rows_count(rows) == 0)
		return ROUTE_E_NOT_FOUND;
	*ret_anchor = rows_int(rows, 0, "anchor");
	return read_leaf(rows, 0, ret_leaf);
}

int chain_store_leaf_add(struct tx *tx, enum anchor_kind kind, const struct anchor_leaf *leaf)
{
	struct anchor_leaf there;
	int64_t changed = 0, anchor;
	int r;

	r = tx_exec(tx,
		    "INSERT INTO chain_leaves (kind, id, digest) VALUES ($1, $2, $3)"
		    " ON CONFLICT (kind, id) DO NOTHING",
		    SQL_PARAMS(sql_int(kind), sql_word(leaf->id), sql_word(leaf->digest)),
		    &changed);
	if (r != 0 || changed > 0)
		return no_conflict(r);
	r = chain_store_leaf(tx, kind, leaf->id, &there, &anchor);
	if (r != 0)
		return r < 0 ? r : -EIO;
	return memcmp(there.digest, leaf->digest, 32) == 0 ? 0 : -EEXIST;
}

static int count(struct tx *tx, const char *sql, const struct sql_value *params, size_t n,
		 int64_t *ret_n)
{
	struct sql_rows *rows;
	int r = tx_query(tx, sql, params, n, &rows);

	if (r != 0)
		return no_conflict(r);
	*ret_n = rows_int(rows, 0, "n");
	return 0;
}

int chain_store_waiting(struct tx *tx, enum anchor_kind kind, int64_t max, int64_t *ret_n)
{
	return count(tx,
		     "SELECT count(*) AS n FROM (SELECT id FROM chain_leaves"
		     " WHERE kind = $1 AND anchor IS NULL LIMIT $2) AS waiting",
		     SQL_PARAMS(sql_int(kind), sql_int(max)), ret_n);
}

int chain_store_gather(struct tx *tx, enum anchor_kind kind, int64_t sequence, int64_t max,
		       int64_t *ret_n)
{
	return no_conflict(tx_exec(
		tx,
		"UPDATE chain_leaves SET anchor = $1 WHERE kind = $2 AND id IN"
		" (SELECT id FROM chain_leaves WHERE kind = $2 AND anchor IS NULL ORDER BY id"
		" LIMIT $3)",
		SQL_PARAMS(sql_int(sequence), sql_int(kind), sql_int(max)), ret_n));
}

int chain_store_leaves(struct tx *tx, int64_t sequence, enum anchor_kind *ret_kind,
		       struct anchor_leaf **ret_leaves, size_t *ret_n)
{
	struct anchor_leaf *leaves;
	struct sql_rows *rows;
	int r;

	r = tx_query(tx, "SELECT kind, id, digest FROM chain_leaves WHERE anchor = $1 ORDER BY id",
		     SQL_PARAMS(sql_int(sequence)), &rows);
	if (r != 0)
		return no_conflict(r);
	leaves = arena_array(tx_arena(tx), rows_count(rows) + 1, sizeof(*leaves));
	if (!leaves)
		return -ENOMEM;
	for (size_t i = 0; r == 0 && i < rows_count(rows); i++) {
		r = read_leaf(rows, i, &leaves[i]);
		/* Ids of two kinds may be the same: a root has one kind. */
		if (r == 0 && rows_int(rows, i, "kind") != rows_int(rows, 0, "kind"))
			r = -EIO;
	}
	if (r != 0)
		return r;
	*ret_kind = rows_count(rows) ? (enum anchor_kind)rows_int(rows, 0, "kind") : ANCHOR_KINDS_N;
	*ret_leaves = leaves;
	*ret_n = rows_count(rows);
	return 0;
}

int chain_store_count(struct tx *tx, int64_t sequence, int64_t *ret_n)
{
	return count(tx, "SELECT count(*) AS n FROM chain_leaves WHERE anchor = $1",
		     SQL_PARAMS(sql_int(sequence)), ret_n);
}

/* ---- roots ---- */

#define ANCHOR                                                                     \
	"sequence, kind, root, leaves, content, head, made_at, attempt, tried_at," \
	" transaction_hash, block"

int chain_store_anchor_add(struct tx *tx, const struct anchor_row *row)
{
	const struct anchor_root *root = &row->root;

	return tx_exec(tx,
		       "INSERT INTO chain_anchors (" ANCHOR ") VALUES ($1, $2, $3, $4, $5, $6, $7,"
		       " $8, $9, NULL, NULL)",
		       SQL_PARAMS(sql_int((int64_t)root->sequence), sql_int(root->kind),
				  sql_word(root->root), sql_int(root->leaves),
				  sql_word(root->content), sql_word(row->head),
				  sql_int(row->made_ms), sql_int(row->attempt),
				  sql_int(row->tried_ms)),
		       NULL);
}

static int read_anchor(const struct sql_rows *rows, size_t i, struct anchor_row *ret)
{
	int r;

	*ret = (struct anchor_row){
		.root = { .sequence = (uint64_t)rows_int(rows, i, "sequence"),
			  .kind = (enum anchor_kind)rows_int(rows, i, "kind"),
			  .leaves = (uint32_t)rows_int(rows, i, "leaves") },
		.made_ms = rows_int(rows, i, "made_at"),
		.attempt = rows_int(rows, i, "attempt"),
		.tried_ms = rows_int(rows, i, "tried_at"),
		.final = !rows_null(rows, i, "block"),
		.block = rows_int(rows, i, "block"),
	};
	r = rows_bytes(rows, i, "root", ret->root.root, 32);
	if (r == 0)
		r = rows_bytes(rows, i, "content", ret->root.content, 32);
	if (r == 0)
		r = rows_bytes(rows, i, "head", ret->head, 32);
	return r == 0 ? rows_bytes(rows, i, "transaction_hash", ret->transaction, 32) : r;
}

static int read_anchors(struct tx *tx, const char *sql, const struct sql_value *params, size_t n,
			struct anchor_row **ret_rows, size_t *ret_n)
{
	struct anchor_row *list;
	struct sql_rows *rows;
	int r = tx_query(tx, sql, params, n, &rows);

	if (r != 0)
		return no_conflict(r);
	list = arena_array(tx_arena(tx), rows_count(rows) + 1, sizeof(*list));
	if (!list)
		return -ENOMEM;
	for (size_t i = 0; r == 0 && i < rows_count(rows); i++)
		r = read_anchor(rows, i, &list[i]);
	if (r != 0)
		return r;
	*ret_rows = list;
	*ret_n = rows_count(rows);
	return 0;
}

int chain_store_anchor(struct tx *tx, int64_t sequence, struct anchor_row *ret_row)
{
	struct anchor_row *rows;
	size_t n;
	int r;

	r = read_anchors(tx, "SELECT " ANCHOR " FROM chain_anchors WHERE sequence = $1",
			 SQL_PARAMS(sql_int(sequence)), &rows, &n);
	if (r != 0 || n == 0)
		return r != 0 ? r : ROUTE_E_NOT_FOUND;
	*ret_row = rows[0];
	return 0;
}

int chain_store_anchor_last(struct tx *tx, enum anchor_kind kind, struct anchor_row *ret_row)
{
	struct anchor_row *rows;
	size_t n;
	int r;

	r = chain_store_anchors(tx, kind, INT64_MAX, 1, &rows, &n);
	if (r != 0 || n == 0)
		return r != 0 ? r : ROUTE_E_NOT_FOUND;
	*ret_row = rows[0];
	return 0;
}

int chain_store_anchors_open(struct tx *tx, int64_t max, struct anchor_row **ret_rows,
			     size_t *ret_n)
{
	return read_anchors(tx,
			    "SELECT " ANCHOR " FROM chain_anchors WHERE block IS NULL"
			    " ORDER BY sequence LIMIT $1",
			    SQL_PARAMS(sql_int(max)), ret_rows, ret_n);
}

int chain_store_anchors(struct tx *tx, enum anchor_kind kind, int64_t before, int64_t max,
			struct anchor_row **ret_rows, size_t *ret_n)
{
	if (kind == ANCHOR_KINDS_N)
		return read_anchors(tx,
				    "SELECT " ANCHOR " FROM chain_anchors WHERE sequence < $1"
				    " ORDER BY sequence DESC LIMIT $2",
				    SQL_PARAMS(sql_int(before), sql_int(max)), ret_rows, ret_n);
	return read_anchors(tx,
			    "SELECT " ANCHOR " FROM chain_anchors WHERE kind = $3"
			    " AND sequence < $1 ORDER BY sequence DESC LIMIT $2",
			    SQL_PARAMS(sql_int(before), sql_int(max), sql_int(kind)), ret_rows,
			    ret_n);
}

int chain_store_anchor_set(struct tx *tx, const struct anchor_row *row)
{
	return changed_or(-EIO, tx,
			  "UPDATE chain_anchors SET attempt = $2, tried_at = $3,"
			  " transaction_hash = $4, block = $5 WHERE sequence = $1",
			  SQL_PARAMS(sql_int((int64_t)row->root.sequence), sql_int(row->attempt),
				     sql_int(row->tried_ms),
				     row->final ? sql_word(row->transaction) : sql_null(),
				     row->final ? sql_int(row->block) : sql_null()));
}
