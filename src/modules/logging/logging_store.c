#include "modules/logging/logging_store.h"

int store_event_number(struct tx *tx, struct account_id account, int64_t *ret_seq)
{
	struct sql_rows *rows;
	int r;

	r = tx_query(tx,
		     "INSERT INTO event_heads (account, seq) VALUES ($1, 1)"
		     " ON CONFLICT (account) DO UPDATE SET seq = event_heads.seq + 1"
		     " RETURNING seq",
		     SQL_PARAMS(sql_blob(&account, sizeof(account))), &rows);
	if (r != 0)
		return r < 0 ? r : -EIO;
	*ret_seq = rows_int(rows, 0, "seq");
	return 0;
}

int store_event_add(struct tx *tx, struct account_id account, const struct event *event)
{
	int r = tx_exec(tx,
			"INSERT INTO events (account, seq, at_ms, type, subject, data)"
			" VALUES ($1, $2, $3, $4, $5, $6)",
			SQL_PARAMS(sql_blob(&account, sizeof(account)), sql_int(event->seq),
				   sql_int(event->at_ms), sql_text(event->type),
				   sql_text(event->subject), sql_text(event->data)),
			NULL);

	return r > 0 ? -EIO : r;
}

static int read_event(const struct sql_rows *rows, size_t i, void *ret_item)
{
	struct event *event = ret_item;

	*event = (struct event){
		.seq = rows_int(rows, i, "seq"),
		.at_ms = rows_int(rows, i, "at_ms"),
		.type = rows_text(rows, i, "type"),
		.subject = rows_text(rows, i, "subject"),
		.data = rows_text(rows, i, "data"),
	};
	return 0;
}

static const struct row_reader event_reader = { sizeof(struct event), read_event };

int store_events(struct tx *tx, struct account_id account, int64_t since, int64_t limit,
		 struct event **ret_events, size_t *ret_n)
{
	return tx_select(
		tx,
		"SELECT seq, at_ms, type, subject, data FROM events"
		" WHERE account = $1 AND seq > $2 ORDER BY seq LIMIT $3",
		SQL_PARAMS(sql_blob(&account, sizeof(account)), sql_int(since), sql_int(limit)),
		&event_reader, ret_events, ret_n);
}

int store_events_purge(struct tx *tx, int64_t before_ms, int64_t max, int64_t *ret_n)
{
	int r = tx_exec(tx,
			"DELETE FROM events WHERE (account, seq) IN"
			" (SELECT account, seq FROM events WHERE at_ms < $1 LIMIT $2)",
			SQL_PARAMS(sql_int(before_ms), sql_int(max)), ret_n);

	return r > 0 ? -EIO : r;
}
