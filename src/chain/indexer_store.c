#include "chain/indexer_store.h"

#include "io/store_values.h"

/* ---- the trunk ---- */

int indexer_store_trunk(struct tx *tx, struct trunk_row *ret_row)
{
	struct sql_rows *rows;
	int r = tx_query(tx,
			 "SELECT root, root_hash, block, block_hash, span, seen FROM chain_trunk"
			 " WHERE id = 1",
			 SQL_NO_PARAMS, &rows);

	if (r != 0)
		return no_conflict(r);
	if (rows_count(rows) == 0)
		return STORE_E_NOT_FOUND;
	ret_row->root.number = (uint64_t)rows_int(rows, 0, "root");
	ret_row->tip.number = (uint64_t)rows_int(rows, 0, "block");
	ret_row->span = rows_int(rows, 0, "span");
	r = rows_bytes(rows, 0, "root_hash", ret_row->root.hash, 32);
	if (r == 0)
		r = rows_bytes(rows, 0, "block_hash", ret_row->tip.hash, 32);
	if (r == 0)
		r = rows_bytes(rows, 0, "seen", ret_row->seen, 32);
	return r;
}

int indexer_store_plant(struct tx *tx, const struct block_id *root)
{
	return changed_or(STORE_E_OVERTAKEN, tx,
			  "INSERT INTO chain_trunk (id, root, root_hash, block, block_hash, span)"
			  " VALUES (1, $1, $2, $1, $2, $3) ON CONFLICT (id) DO NOTHING",
			  SQL_PARAMS(sql_int((int64_t)root->number), sql_blob(root->hash, 32),
				     sql_int(INDEXER_SPAN_MAX)));
}

int indexer_store_grow(struct tx *tx, const struct block_id *tip)
{
	return no_conflict(
		tx_exec(tx,
			"UPDATE chain_trunk SET block = $1, block_hash = $2"
			" WHERE id = 1 AND block < $1",
			SQL_PARAMS(sql_int((int64_t)tip->number), sql_blob(tip->hash, 32)), NULL));
}

int indexer_store_span(struct tx *tx, int64_t span)
{
	return no_conflict(tx_exec(tx, "UPDATE chain_trunk SET span = $1 WHERE id = 1",
				   SQL_PARAMS(sql_int(span)), NULL));
}

/* ---- the contracts ---- */

int indexer_store_next(struct tx *tx, const struct indexer_contract *contract, uint64_t *ret_next)
{
	struct sql_rows *rows;
	int r = tx_query(tx, "SELECT next FROM chain_followed WHERE address = $1",
			 SQL_PARAMS(sql_address(&contract->address)), &rows);

	if (r != 0)
		return no_conflict(r);
	*ret_next = rows_count(rows) > 0 ? (uint64_t)rows_int(rows, 0, "next") : contract->block;
	return 0;
}

int indexer_store_advance(struct tx *tx, const struct address *address, uint64_t before,
			  uint64_t next)
{
	return changed_or(
		STORE_E_OVERTAKEN, tx,
		"INSERT INTO chain_followed (address, next) VALUES ($1, $3)"
		" ON CONFLICT (address) DO UPDATE SET next = excluded.next"
		" WHERE chain_followed.next = $2",
		SQL_PARAMS(sql_address(address), sql_int((int64_t)before), sql_int((int64_t)next)));
}

/* ---- logs ---- */

#define COLUMNS "address, block, log_index, block_hash, transaction_hash, topic, topics, data"

enum { N_COLUMNS = 8 };

static struct sql_value sql_topic(const struct indexer_log *log)
{
	return sql_blob(log->topics[0], log->n_topics > 0 ? 32 : 0);
}

static struct sql_value sql_topics(const struct indexer_log *log)
{
	return sql_blob(log->topics[1], log->n_topics > 1 ? 32 * (log->n_topics - 1) : 0);
}

static int add_logs(struct tx *tx, const char *sql, const struct log_list *list)
{
	struct sql_value *params = arena_array(tx_arena(tx), list->n * N_COLUMNS, sizeof(*params));

	if (list->n == 0)
		return 0;
	if (!params)
		return -ENOMEM;
	for (size_t i = 0; i < list->n; i++) {
		const struct indexer_log *log = &list->logs[i];
		const struct sql_value row[N_COLUMNS] = {
			sql_address(&log->address),
			sql_int(log->block),
			sql_int(log->index),
			sql_blob(log->block_hash, 32),
			sql_blob(log->transaction, 32),
			sql_topic(log),
			sql_topics(log),
			sql_blob(log->data, log->len),
		};

		memcpy(&params[i * N_COLUMNS], row, sizeof(row));
	}
	return tx_exec_many(tx, sql, params, N_COLUMNS, list->n);
}

int indexer_store_add(struct tx *tx, const struct log_list *list)
{
	int r = add_logs(
		tx, "INSERT INTO chain_logs (" COLUMNS ") VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
		list);

	return r == SQL_E_CONFLICT ? STORE_E_KNOWN : r;
}

int indexer_store_see(struct tx *tx, const struct log_list *list, const uint8_t digest[static 32])
{
	int r = tx_exec(tx, "DELETE FROM chain_seen", SQL_NO_PARAMS, NULL);

	if (r == 0)
		r = add_logs(tx,
			     "INSERT INTO chain_seen (" COLUMNS
			     ") VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
			     list);
	if (r == 0)
		r = tx_exec(tx, "UPDATE chain_trunk SET seen = $1 WHERE id = 1",
			    SQL_PARAMS(sql_blob(digest, 32)), NULL);
	return no_conflict(r);
}

static int read_log(const struct sql_rows *rows, size_t i, struct indexer_log *log)
{
	size_t first, others;
	const uint8_t *topic = rows_blob(rows, i, "topic", &first);
	const uint8_t *topics = rows_blob(rows, i, "topics", &others);
	int r;

	if (first + others > sizeof(log->topics) || first % 32 || others % 32)
		return -EIO;
	if (first > 0)
		memcpy(log->topics, topic, first);
	if (others > 0)
		memcpy((uint8_t *)log->topics + first, topics, others);
	log->n_topics = (first + others) / 32;
	log->block = rows_int(rows, i, "block");
	log->index = rows_int(rows, i, "log_index");
	log->data = rows_blob(rows, i, "data", &log->len);
	r = rows_bytes(rows, i, "address", log->address.bytes, 20);
	if (r == 0)
		r = rows_bytes(rows, i, "block_hash", log->block_hash, 32);
	if (r == 0)
		r = rows_bytes(rows, i, "transaction_hash", log->transaction, 32);
	return r;
}

/* Appends up to @max of them to @list, which has room. */
static int read_logs(struct tx *tx, const char *sql, const struct sql_value *params, size_t n,
		     bool final, struct log_list *list)
{
	struct sql_rows *rows;
	int r = tx_query(tx, sql, params, n, &rows);

	for (size_t i = 0; r == 0 && i < rows_count(rows); i++) {
		list->logs[list->n].final = final;
		r = read_log(rows, i, &list->logs[list->n++]);
	}
	return no_conflict(r);
}

/* ---- consumers ---- */

struct place {
	int64_t block, index;
};

static int place_of(struct tx *tx, const char *consumer, const struct address *address,
		    struct place *ret_place)
{
	struct sql_rows *rows;
	int r = tx_query(tx,
			 "SELECT block, log_index FROM chain_cursors"
			 " WHERE consumer = $1 AND address = $2",
			 SQL_PARAMS(sql_text(consumer), sql_address(address)), &rows);

	if (r != 0)
		return no_conflict(r);
	*ret_place = (struct place){ -1, -1 };
	if (rows_count(rows) > 0)
		*ret_place = (struct place){ rows_int(rows, 0, "block"),
					     rows_int(rows, 0, "log_index") };
	return 0;
}

/* Final ones behind the consumer's place. */
static int take(struct tx *tx, const char *consumer, const struct address *address,
		const uint8_t *topic0, size_t max, struct log_list *list)
{
	struct place place;
	int r = place_of(tx, consumer, address, &place);

	if (r != 0)
		return r;
	if (topic0)
		return read_logs(tx,
				 "SELECT " COLUMNS " FROM chain_logs WHERE address = $1"
				 " AND topic = $5 AND (block, log_index) > ($2, $3)"
				 " ORDER BY block, log_index LIMIT $4",
				 SQL_PARAMS(sql_address(address), sql_int(place.block),
					    sql_int(place.index), sql_int((int64_t)max),
					    sql_blob(topic0, 32)),
				 true, list);
	return read_logs(tx,
			 "SELECT " COLUMNS " FROM chain_logs WHERE address = $1"
			 " AND (block, log_index) > ($2, $3) ORDER BY block, log_index LIMIT $4",
			 SQL_PARAMS(sql_address(address), sql_int(place.block),
				    sql_int(place.index), sql_int((int64_t)max)),
			 true, list);
}

/* What became final since it was seen is recorded, and told once. */
static int see(struct tx *tx, const struct address *address, const uint8_t *topic0, size_t max,
	       struct log_list *list)
{
	return read_logs(
		tx,
		"SELECT " COLUMNS " FROM chain_seen WHERE address = $1"
		" AND ($3 = 0 OR topic = $4) AND block >= coalesce((SELECT next FROM"
		" chain_followed WHERE address = $1), 0) ORDER BY block, log_index LIMIT $2",
		SQL_PARAMS(sql_address(address), sql_int((int64_t)max), sql_int(topic0 != NULL),
			   topic0 ? sql_blob(topic0, 32) : sql_null()),
		false, list);
}

/* Room for @max. */
static int list_new(struct tx *tx, size_t max, struct log_list *ret_list)
{
	*ret_list = (struct log_list){ .logs = arena_array(tx_arena(tx), max,
							   sizeof(struct indexer_log)) };
	return ret_list->logs ? 0 : -ENOMEM;
}

int indexer_take(struct tx *tx, const char *consumer, const struct address *address,
		 const uint8_t *topic0, size_t max, struct indexer_log **ret_logs, size_t *ret_n)
{
	struct log_list list;
	int r = max > 0 && max <= INDEXER_TAKE_MAX ? list_new(tx, max, &list) : -EINVAL;

	if (r == 0)
		r = take(tx, consumer, address, topic0, max, &list);
	if (r != 0)
		return r;
	*ret_logs = list.logs;
	*ret_n = list.n;
	return 0;
}

int indexer_pending(struct tx *tx, const char *consumer, const struct address *address,
		    const uint8_t *topic0, size_t max, struct indexer_log **ret_logs, size_t *ret_n)
{
	struct log_list list;
	int r = max > 0 && max <= INDEXER_TAKE_MAX ? list_new(tx, max, &list) : -EINVAL;

	if (r == 0)
		r = take(tx, consumer, address, topic0, max, &list);
	if (r == 0 && list.n < max)
		r = see(tx, address, topic0, max - list.n, &list);
	if (r != 0)
		return r;
	*ret_logs = list.logs;
	*ret_n = list.n;
	return 0;
}

int indexer_reached(struct tx *tx, const struct address *address, int64_t *ret_block)
{
	struct sql_rows *rows;
	int r = tx_query(tx, "SELECT next FROM chain_followed WHERE address = $1",
			 SQL_PARAMS(sql_address(address)), &rows);

	if (r == 0)
		*ret_block = rows_count(rows) > 0 ? rows_int(rows, 0, "next") - 1 : -1;
	return no_conflict(r);
}

int indexer_taken(struct tx *tx, const char *consumer, const struct indexer_log *last)
{
	size_t len = strnlen(consumer, INDEXER_CONSUMER_MAX + 1);

	if (len == 0 || len > INDEXER_CONSUMER_MAX)
		return -EINVAL;
	return changed_or(-EINVAL, tx,
			  "INSERT INTO chain_cursors (consumer, address, block, log_index)"
			  " SELECT $1, address, block, log_index FROM chain_logs"
			  " WHERE address = $2 AND block = $3 AND log_index = $4"
			  " ON CONFLICT (consumer, address) DO UPDATE"
			  " SET block = excluded.block, log_index = excluded.log_index"
			  " WHERE (chain_cursors.block, chain_cursors.log_index)"
			  " < (excluded.block, excluded.log_index)",
			  SQL_PARAMS(sql_text(consumer), sql_address(&last->address),
				     sql_int(last->block), sql_int(last->index)));
}
