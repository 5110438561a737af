/* The statements on appeals (proof_store.h). */
#include "modules/proof/proof_store.h"

#include "io/store_values.h"

static const char *const state_words[APPEAL_STATES_END] = {
	[APPEAL_NONE] = "none",
	[APPEAL_QUEUED] = "queued",
	[APPEAL_LIVE] = "live",
	[APPEAL_UPHELD] = "upheld",
	[APPEAL_OVERTURNED] = "overturned",
	[APPEAL_UNDECIDED] = "undecided",
	[APPEAL_EXPIRED] = "expired",
};

const char *appeal_state_word(enum appeal_state state)
{
	return state_words[state];
}

int appeal_state_of(const char *word, enum appeal_state *ret_state)
{
	for (int state = APPEAL_QUEUED; state < APPEAL_STATES_END; state++)
		if (strcmp(word, state_words[state]) == 0) {
			*ret_state = (enum appeal_state)state;
			return 0;
		}
	return -EIO;
}

static struct sql_value id_value(const struct proof_id *id)
{
	return sql_blob(id->bytes, sizeof(id->bytes));
}

static struct sql_value id_or_null(const struct proof_id *id)
{
	static const struct proof_id none;

	return proof_id_equal(*id, none) ? sql_null() : id_value(id);
}

int appeal_store_add(struct tx *tx, const struct appeal_row *row)
{
	static const struct account_id network;

	return no_conflict(tx_exec(
		tx,
		"INSERT INTO proof_appeals (proof, side, state, asked_by, asked_at, due_at, "
		"sessions) VALUES ($1, $2, $3, $4, $5, $6, 0)",
		SQL_PARAMS(id_value(&row->proof), sql_int(row->side),
			   sql_text(state_words[row->state]),
			   account_equal(row->by, network) ? sql_null() : sql_account(&row->by),
			   sql_int(row->asked_ms), sql_int(row->due_ms)),
		NULL));
}

int appeal_store_set(struct tx *tx, const struct appeal_row *row)
{
	return changed_or(ROUTE_E_NOT_FOUND, tx,
			  "UPDATE proof_appeals SET state = $1, due_at = $2, decided_at = $3, "
			  "session = $4, sessions = $5 WHERE proof = $6 AND side = $7",
			  SQL_PARAMS(sql_text(state_words[row->state]), sql_int(row->due_ms),
				     row->decided_ms ? sql_int(row->decided_ms) : sql_null(),
				     id_or_null(&row->session), sql_int(row->sessions),
				     id_value(&row->proof), sql_int(row->side)));
}

/* ---- reading ---- */

#define APPEALS                                                                                  \
	"SELECT a.proof AS proof, a.side AS side, a.state AS state, a.asked_by AS asked_by, "    \
	"a.asked_at AS asked_at, a.due_at AS due_at, a.decided_at AS decided_at, "               \
	"a.session AS session, a.sessions AS sessions, p.machine AS machine, p.owner AS owner, " \
	"p.device AS device, p.uuid AS uuid FROM proof_appeals a JOIN proofs p ON p.id = a.proof "

static int read_row(const struct sql_rows *rows, size_t i, void *ret_item)
{
	struct appeal_row row = {
		.side = (enum appeal_side)rows_int(rows, i, "side"),
		.asked_ms = rows_int(rows, i, "asked_at"),
		.due_ms = rows_int(rows, i, "due_at"),
		.decided_ms = rows_int(rows, i, "decided_at"),
		.sessions = rows_int(rows, i, "sessions"),
		.device = rows_int(rows, i, "device"),
		.uuid = rows_text(rows, i, "uuid"),
	};
	int r = appeal_state_of(rows_text(rows, i, "state"), &row.state);

	if (r == 0)
		r = rows_bytes(rows, i, "proof", row.proof.bytes, sizeof(row.proof.bytes));
	if (r == 0)
		r = rows_bytes(rows, i, "session", row.session.bytes, sizeof(row.session.bytes));
	if (r == 0)
		r = rows_bytes(rows, i, "asked_by", row.by.address.bytes, 20);
	if (r == 0)
		r = rows_bytes(rows, i, "machine", row.machine.address.bytes, 20);
	if (r == 0)
		r = rows_bytes(rows, i, "owner", row.owner.address.bytes, 20);
	if (r == 0)
		*(struct appeal_row *)ret_item = row;
	return r;
}

int appeal_store_get(struct tx *tx, struct proof_id proof, enum appeal_side side,
		     struct appeal_row *ret_row)
{
	struct sql_rows *rows;
	int r = tx_query(tx, APPEALS "WHERE a.proof = $1 AND a.side = $2",
			 SQL_PARAMS(id_value(&proof), sql_int(side)), &rows);

	if (r != 0)
		return no_conflict(r);
	return rows_count(rows) == 0 ? ROUTE_E_NOT_FOUND : read_row(rows, 0, ret_row);
}

int appeal_store_queued(struct tx *tx, bool of_checkers, int64_t now_ms, struct proof_id after,
			size_t max, struct appeal_row **ret_rows, size_t *ret_n)
{
	static const struct row_reader reader = { sizeof(struct appeal_row), read_row };

	return no_conflict(tx_select(tx,
				     APPEALS "WHERE a.state = 'queued' AND a.due_at <= $1 "
					     "AND CASE a.side WHEN 2 THEN 1 ELSE 0 END = $2 "
					     "ORDER BY a.proof <= $3, a.proof LIMIT $4",
				     SQL_PARAMS(sql_int(now_ms), sql_int(of_checkers),
						id_value(&after), sql_int((int64_t)max)),
				     &reader, ret_rows, ret_n));
}
