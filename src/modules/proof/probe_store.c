#include "modules/proof/probe_store.h"

#include "io/store_values.h"

#define COLUMNS "id, machine, owner, rental, gpus, asked, outcome, detail, started_at, ended_at"

static struct sql_value id_value(const struct probe_id *id)
{
	return sql_blob(id->bytes, sizeof(id->bytes));
}

/* A rule of the tables that our own statements break is a bug: a fault. */
static int fault_of(int r)
{
	return r > 0 ? -EIO : r;
}

/* ---- reading ---- */

static int read_row(const struct sql_rows *rows, size_t i, void *ret_item)
{
	struct probe_row *ret_row = ret_item;
	struct probe_row row = {
		.gpus = rows_int(rows, i, "gpus"),
		.asked = rows_int(rows, i, "asked") != 0,
		.outcome = rows_text(rows, i, "outcome"),
		.detail = rows_text(rows, i, "detail"),
		.started_ms = rows_int(rows, i, "started_at"),
		.ended_ms = rows_int(rows, i, "ended_at"),
	};
	int r = rows_bytes(rows, i, "id", row.id.bytes, sizeof(row.id.bytes));

	if (r == 0)
		r = rows_bytes(rows, i, "machine", row.machine.address.bytes, 20);
	if (r == 0)
		r = rows_bytes(rows, i, "owner", row.owner.address.bytes, 20);
	if (r == 0)
		r = rows_bytes(rows, i, "rental", row.rental.bytes, sizeof(row.rental.bytes));
	if (r == 0)
		*ret_row = row;
	return r;
}

static const struct row_reader row_reader = { sizeof(struct probe_row), read_row };

int probe_store_live(struct tx *tx, struct probe_row **ret_rows, size_t *ret_n)
{
	return tx_select(tx, "SELECT " COLUMNS " FROM probes WHERE outcome = '' ORDER BY id",
			 SQL_NO_PARAMS, &row_reader, ret_rows, ret_n);
}

int probe_store_list(struct tx *tx, const struct machine_id *machine, const char *outcome,
		     struct probe_id before, int64_t limit, struct probe_row **ret_rows,
		     size_t *ret_n)
{
	static const struct probe_id none;
	static const struct machine_id any;
	if (probe_id_equal(before, none))
		memset(before.bytes, 0xff, sizeof(before.bytes));

	return tx_select(tx,
			 "SELECT " COLUMNS " FROM probes WHERE id < $1 AND outcome <> ''"
			 " AND ($2 = 0 OR machine = $3) AND ($5 = '' OR outcome = $5)"
			 " ORDER BY id DESC LIMIT $4",
			 SQL_PARAMS(id_value(&before), sql_int(machine != NULL),
				    sql_address(machine ? &machine->address : &any.address),
				    sql_int(limit), sql_text(outcome)),
			 &row_reader, ret_rows, ret_n);
}

static int read_answer(const struct sql_rows *rows, size_t i, void *ret_item)
{
	struct probe_answer *answer = ret_item;

	answer->passed = rows_int(rows, i, "passed");
	answer->gpus = rows_int(rows, i, "gpus");
	answer->answer_ms = rows_int(rows, i, "answer_ms");
	answer->detail = rows_text(rows, i, "detail");
	return rows_bytes(rows, i, "checker", answer->checker.bytes, 20);
}

static const struct row_reader answer_reader = { sizeof(struct probe_answer), read_answer };

int probe_store_answers(struct tx *tx, struct probe_id id, struct probe_answer **ret_answers,
			size_t *ret_n)
{
	return tx_select(tx,
			 "SELECT checker, passed, gpus, answer_ms, detail FROM probe_answers"
			 " WHERE probe = $1 ORDER BY checker",
			 SQL_PARAMS(id_value(&id)), &answer_reader, ret_answers, ret_n);
}

int probe_store_count(struct tx *tx, struct machine_id machine, int64_t *ret_n)
{
	struct sql_rows *rows;
	int r = tx_query(tx, "SELECT count(*) AS n FROM probes WHERE machine = $1",
			 SQL_PARAMS(sql_address(&machine.address)), &rows);

	if (r == 0)
		*ret_n = rows_int(rows, 0, "n");
	return fault_of(r);
}

int probe_store_failed(struct tx *tx, struct machine_id machine, bool *ret_failed)
{
	struct sql_rows *rows;
	int r = tx_query(tx,
			 "SELECT outcome FROM probes WHERE machine = $1"
			 " AND outcome IN ('passed', 'failed') ORDER BY id DESC LIMIT 1",
			 SQL_PARAMS(sql_address(&machine.address)), &rows);

	if (r == 0)
		*ret_failed = rows_count(rows) > 0 &&
			      strcmp(rows_text(rows, 0, "outcome"), "failed") == 0;
	return fault_of(r);
}

static int read_machine(const struct sql_rows *rows, size_t i, void *ret_item)
{
	struct machine_id *machine = ret_item;

	return rows_bytes(rows, i, "machine", machine->address.bytes, 20);
}

static const struct row_reader machine_reader = { sizeof(struct machine_id), read_machine };

int probe_store_again(struct tx *tx, int64_t until_ms, size_t max, struct machine_id **ret_machines,
		      size_t *ret_n)
{
	return tx_select(tx,
			 "SELECT p.machine AS machine FROM probes p WHERE p.outcome = 'failed'"
			 " AND p.ended_at <= $1 AND NOT EXISTS (SELECT 1 FROM probes q"
			 " WHERE q.machine = p.machine AND q.id > p.id"
			 " AND (q.outcome IN ('', 'passed', 'failed') OR q.ended_at > $1))"
			 " ORDER BY p.ended_at LIMIT $2",
			 SQL_PARAMS(sql_int(until_ms), sql_int((int64_t)max)), &machine_reader,
			 ret_machines, ret_n);
}

/* ---- writing ---- */

int probe_store_add(struct tx *tx, const struct probe_row *row, const struct address *checkers,
		    size_t n)
{
	int r = tx_exec(tx,
			"INSERT INTO probes (id, machine, owner, rental, gpus, asked, outcome, "
			"detail, started_at) VALUES ($1, $2, $3, $4, $5, 0, '', '', $6)",
			SQL_PARAMS(id_value(&row->id), sql_address(&row->machine.address),
				   sql_address(&row->owner.address),
				   sql_blob(row->rental.bytes, sizeof(row->rental.bytes)),
				   sql_int(row->gpus), sql_int(row->started_ms)),
			NULL);

	for (size_t i = 0; r == 0 && i < n; i++)
		r = tx_exec(tx,
			    "INSERT INTO probe_answers (probe, checker, passed, gpus, answer_ms, "
			    "detail) VALUES ($1, $2, -1, 0, 0, '')",
			    SQL_PARAMS(id_value(&row->id), sql_address(&checkers[i])), NULL);
	return fault_of(r);
}

int probe_store_asked(struct tx *tx, struct probe_id id)
{
	return fault_of(tx_exec(tx, "UPDATE probes SET asked = 1 WHERE id = $1",
				SQL_PARAMS(id_value(&id)), NULL));
}

int probe_store_answer(struct tx *tx, struct probe_id id, const struct probe_answer *answer)
{
	return fault_of(tx_exec(
		tx,
		"UPDATE probe_answers SET passed = $1, gpus = $2, answer_ms = $3, detail = $4"
		" WHERE probe = $5 AND checker = $6 AND passed = -1"
		" AND EXISTS (SELECT 1 FROM probes WHERE id = $5 AND outcome = '' AND asked = 1)",
		SQL_PARAMS(sql_int(answer->passed), sql_int(answer->gpus),
			   sql_int(answer->answer_ms), sql_text(answer->detail), id_value(&id),
			   sql_address(&answer->checker)),
		NULL));
}

int probe_store_end(struct tx *tx, const struct probe_row *row)
{
	return fault_of(tx_exec(tx,
				"UPDATE probes SET outcome = $1, detail = $2, ended_at = $3"
				" WHERE id = $4",
				SQL_PARAMS(sql_text(row->outcome), sql_text(row->detail),
					   sql_int(row->ended_ms), id_value(&row->id)),
				NULL));
}

int probe_store_purge(struct tx *tx, int64_t before_ms)
{
	int r = tx_exec(tx,
			"DELETE FROM probe_answers WHERE probe IN"
			" (SELECT id FROM probes WHERE ended_at < $1)",
			SQL_PARAMS(sql_int(before_ms)), NULL);

	if (r == 0)
		r = tx_exec(tx, "DELETE FROM probes WHERE ended_at < $1",
			    SQL_PARAMS(sql_int(before_ms)), NULL);
	return fault_of(r);
}
