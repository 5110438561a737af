#include "modules/proof/proof_store.h"

#include "io/store_values.h"

#define OF_APPEAL(side, column) \
	"(SELECT a." column " FROM proof_appeals a WHERE a.proof = proofs.id AND a.side = " side ")"
#define APPEAL(side)                                            \
	OF_APPEAL(side, "state")                                \
	" AS state" side ", " OF_APPEAL(side, "session") " AS " \
							 "session" side
#define COLUMNS                                                                                    \
	"id, machine, owner, device, uuid, model, kind, attempt, planted, parent, lease, slot, "   \
	"beacon, chain, wanted, candidates, session, live, reason, phase, detail, outcome, "       \
	"verdict, own_bits, disagreement, started_at, ended_at, cohort, " APPEAL("1") ", " APPEAL( \
		"2") ", " APPEAL("3")

static struct sql_value id_value(const struct proof_id *id)
{
	return sql_blob(id->bytes, sizeof(id->bytes));
}

static bool is_id(const struct proof_id *id)
{
	static const struct proof_id none;

	return !proof_id_equal(*id, none);
}

/* A rule of the tables that our own statements break is a bug: a fault. */
static int fault_of(int r)
{
	return r > 0 ? -EIO : r;
}

/* ---- reading ---- */

static int read_ids(const struct sql_rows *rows, size_t i, struct proof_row *row)
{
	int r = rows_bytes(rows, i, "id", row->id.bytes, sizeof(row->id.bytes));

	if (r == 0)
		r = rows_bytes(rows, i, "machine", row->machine.address.bytes, 20);
	if (r == 0)
		r = rows_bytes(rows, i, "owner", row->owner.address.bytes, 20);
	if (r == 0)
		r = rows_bytes(rows, i, "parent", row->parent.bytes, sizeof(row->parent.bytes));
	if (r == 0)
		r = rows_bytes(rows, i, "lease", row->lease.bytes, sizeof(row->lease.bytes));
	if (r == 0)
		r = rows_bytes(rows, i, "beacon", row->beacon.bytes, HASH_SIZE);
	if (r == 0)
		r = rows_bytes(rows, i, "session", row->session, SESSION_SIZE);
	return r;
}

static int read_appeals(const struct sql_rows *rows, size_t i, struct proof_row *row)
{
	static const struct {
		const char *state, *session;
	} columns[APPEAL_SIDES_END] = { [APPEAL_OWNER] = { "state1", "session1" },
					[APPEAL_CHECKERS] = { "state2", "session2" },
					[APPEAL_NETWORK] = { "state3", "session3" } };
	int r = 0;

	for (int side = APPEAL_OWNER; r == 0 && side < APPEAL_SIDES_END; side++) {
		struct proof_appeal *appeal = &row->appeals[side];

		if (rows_null(rows, i, columns[side].state))
			continue;
		r = appeal_state_of(rows_text(rows, i, columns[side].state), &appeal->state);
		if (r == 0)
			r = rows_bytes(rows, i, columns[side].session, appeal->session.bytes,
				       sizeof(appeal->session.bytes));
	}
	return r;
}

static int read_row(const struct sql_rows *rows, size_t i, struct proof_row *ret_row)
{
	struct proof_row row = {
		.device = rows_int(rows, i, "device"),
		.kind = rows_int(rows, i, "kind"),
		.attempt = rows_int(rows, i, "attempt"),
		.uuid = rows_text(rows, i, "uuid"),
		.model = rows_text(rows, i, "model"),
		.planted = rows_int(rows, i, "planted") != 0,
		.cohort = rows_int(rows, i, "cohort") != 0,
		.rented = !rows_null(rows, i, "lease"),
		.slot = rows_int(rows, i, "slot"),
		.chain = rows_int(rows, i, "chain"),
		.wanted = rows_int(rows, i, "wanted"),
		.live = rows_int(rows, i, "live") != 0,
		.reason = rows_text(rows, i, "reason"),
		.phase = rows_text(rows, i, "phase"),
		.detail = rows_text(rows, i, "detail"),
		.outcome = rows_text(rows, i, "outcome"),
		.verdict = rows_text(rows, i, "verdict"),
		.own_bits = rows_int(rows, i, "own_bits"),
		.disagreement = rows_int(rows, i, "disagreement") != 0,
		.started_ms = rows_int(rows, i, "started_at"),
		.ended_ms = rows_int(rows, i, "ended_at"),
	};
	int r;

	row.candidates = rows_blob(rows, i, "candidates", &row.candidates_len);
	r = read_ids(rows, i, &row);
	if (r == 0)
		r = read_appeals(rows, i, &row);
	if (r == 0)
		*ret_row = row;
	return r;
}

static int read_rows(struct tx *tx, const struct sql_rows *rows, struct proof_row **ret_rows,
		     size_t *ret_n)
{
	struct proof_row *list = arena_array(tx_arena(tx), rows_count(rows) + 1, sizeof(*list));
	int r = list ? 0 : -ENOMEM;

	for (size_t i = 0; r == 0 && i < rows_count(rows); i++)
		r = read_row(rows, i, &list[i]);
	if (r != 0)
		return r;
	*ret_rows = list;
	*ret_n = rows_count(rows);
	return 0;
}

/* The first that the statement finds. */
static int find_row(struct tx *tx, const char *sql, const struct sql_value *params, size_t n,
		    struct proof_row *ret_row)
{
	struct sql_rows *rows;
	int r = tx_query(tx, sql, params, n, &rows);

	if (r != 0)
		return r;
	return rows_count(rows) == 0 ? ROUTE_E_NOT_FOUND : read_row(rows, 0, ret_row);
}

int proof_store_get(struct tx *tx, struct proof_id id, struct proof_row *ret_row)
{
	return find_row(tx, "SELECT " COLUMNS " FROM proofs WHERE id = $1",
			SQL_PARAMS(id_value(&id)), ret_row);
}

int proof_store_list(struct tx *tx, const struct proof_page *page, struct proof_row **ret_rows,
		     size_t *ret_n)
{
	static const struct machine_id any;
	struct proof_id before = page->before;
	const char *outcome = page->outcome ? page->outcome : "";
	struct sql_rows *rows;
	int r;

	if (!is_id(&before))
		memset(before.bytes, 0xff, sizeof(before.bytes));
	r = tx_query(tx,
		     "SELECT " COLUMNS " FROM proofs WHERE id < $1 AND ($2 = 0 OR machine = $3) "
		     "AND ($4 = '' OR outcome = $4 OR reason = $4 OR ($4 = 'live' AND live = 1)) "
		     "AND ($5 = 1 OR planted = 0 OR live = 1) AND ($6 = 0 OR disagreement = 1) "
		     "AND ($7 = 0 OR (planted = 1 AND live = 0)) ORDER BY id DESC LIMIT $8",
		     SQL_PARAMS(id_value(&before), sql_int(page->machine != NULL),
				sql_address(page->machine ? &page->machine->address : &any.address),
				sql_text(outcome), sql_int(page->all), sql_int(page->disagreements),
				sql_int(page->planted), sql_int(page->limit)),
		     &rows);
	return r != 0 ? r : read_rows(tx, rows, ret_rows, ret_n);
}

int proof_store_members(struct tx *tx, struct proof_id id, struct proof_member **ret_members,
			size_t *ret_n)
{
	struct proof_member *list;
	struct sql_rows *rows;
	int r = tx_query(tx,
			 "SELECT checker, account, licences, mark FROM proof_members "
			 "WHERE proof = $1 ORDER BY member",
			 SQL_PARAMS(id_value(&id)), &rows);

	if (r != 0)
		return r;
	list = arena_array(tx_arena(tx), rows_count(rows) + 1, sizeof(*list));
	if (!list)
		return -ENOMEM;
	for (size_t i = 0; r == 0 && i < rows_count(rows); i++) {
		list[i].licences = rows_int(rows, i, "licences");
		list[i].mark = rows_int(rows, i, "mark");
		r = rows_bytes(rows, i, "checker", list[i].checker.bytes, 20);
		if (r == 0)
			r = rows_bytes(rows, i, "account", list[i].account.address.bytes, 20);
	}
	if (r != 0)
		return r;
	*ret_members = list;
	*ret_n = rows_count(rows);
	return 0;
}

int proof_store_record(struct tx *tx, struct proof_id id, const void **ret_bytes, size_t *ret_len)
{
	struct sql_rows *rows;
	int r = tx_query(tx, "SELECT record FROM proof_records WHERE proof = $1",
			 SQL_PARAMS(id_value(&id)), &rows);

	if (r != 0)
		return r;
	if (rows_count(rows) == 0)
		return ROUTE_E_NOT_FOUND;
	*ret_bytes = rows_blob(rows, 0, "record", ret_len);
	return 0;
}

int proof_store_judged_last(struct tx *tx, struct machine_id machine, int64_t device,
			    const char *uuid, struct proof_row *ret_row)
{
	return find_row(tx,
			"SELECT " COLUMNS " FROM proofs WHERE machine = $1 AND device = $2"
			" AND uuid = $3 AND outcome IN ('passed', 'lower', 'failed')"
			" AND disagreement = 0 AND planted = 0 ORDER BY id DESC LIMIT 1",
			SQL_PARAMS(sql_address(&machine.address), sql_int(device), sql_text(uuid)),
			ret_row);
}

int proof_store_attempts(struct tx *tx, struct machine_id machine, int64_t device, const char *uuid,
			 int64_t *ret_n)
{
	struct sql_rows *rows;
	int r = tx_query(tx,
			 "SELECT count(*) AS n FROM proofs "
			 "WHERE machine = $1 AND device = $2 AND uuid = $3",
			 SQL_PARAMS(sql_address(&machine.address), sql_int(device), sql_text(uuid)),
			 &rows);

	if (r == 0)
		*ret_n = rows_int(rows, 0, "n");
	return r;
}

/* ---- writing ---- */

static int add_members(struct tx *tx, struct proof_id id, const struct proof_member *members,
		       size_t n)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < n; i++)
		r = tx_exec(tx,
			    "INSERT INTO proof_members (proof, member, checker, account, licences, "
			    "mark) VALUES ($1, $2, $3, $4, $5, 0)",
			    SQL_PARAMS(id_value(&id), sql_int((int64_t)i),
				       sql_address(&members[i].checker),
				       sql_address(&members[i].account.address),
				       sql_int(members[i].licences)),
			    NULL);
	return fault_of(r);
}

int proof_store_add(struct tx *tx, const struct proof_row *row, const struct proof_member *members,
		    size_t n)
{
	int r = tx_exec(
		tx,
		"INSERT INTO proofs (id, machine, owner, device, uuid, model, kind, attempt, "
		"planted, parent, lease, slot, beacon, chain, wanted, candidates, session, live, "
		"reason, phase, detail, outcome, verdict, own_bits, disagreement, started_at, "
		"cohort) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, "
		"$13, $14, $15, $16, $17, 1, '', '', '', '', '', 0, 0, $18, $19)",
		SQL_PARAMS(id_value(&row->id), sql_address(&row->machine.address),
			   sql_address(&row->owner.address), sql_int(row->device),
			   sql_text(row->uuid), sql_text(row->model), sql_int(row->kind),
			   sql_int(row->attempt), sql_int(row->planted),
			   is_id(&row->parent) ? id_value(&row->parent) : sql_null(),
			   row->rented ? sql_blob(row->lease.bytes, sizeof(row->lease.bytes))
				       : sql_null(),
			   sql_int(row->slot), sql_blob(row->beacon.bytes, HASH_SIZE),
			   sql_int(row->chain), sql_int(row->wanted),
			   sql_blob(row->candidates, row->candidates_len),
			   sql_blob(row->session, SESSION_SIZE), sql_int(row->started_ms),
			   sql_int(row->cohort)),
		NULL);

	return r != 0 ? fault_of(r) : add_members(tx, row->id, members, n);
}

int proof_store_end(struct tx *tx, const struct proof_row *row)
{
	int64_t changed;
	int r = tx_exec(
		tx,
		"UPDATE proofs SET live = 0, reason = $1, phase = $2, detail = $3, "
		"outcome = $4, verdict = $5, own_bits = $6, disagreement = $7, "
		"ended_at = $8 WHERE id = $9 AND live = 1",
		SQL_PARAMS(sql_text(row->reason), sql_text(row->phase), sql_text(row->detail),
			   sql_text(row->outcome), sql_text(row->verdict), sql_int(row->own_bits),
			   sql_int(row->disagreement), sql_int(row->ended_ms), id_value(&row->id)),
		&changed);

	if (r != 0)
		return fault_of(r);
	return changed == 1 ? 0 : ROUTE_E_NOT_FOUND;
}

int proof_store_record_add(struct tx *tx, struct proof_id id, const void *bytes, size_t len)
{
	return fault_of(tx_exec(tx, "INSERT INTO proof_records (proof, record) VALUES ($1, $2)",
				SQL_PARAMS(id_value(&id), sql_blob(bytes, len)), NULL));
}

int proof_store_mark(struct tx *tx, struct proof_id id, size_t member, int64_t mark)
{
	return tx_exec(tx, "UPDATE proof_members SET mark = $1 WHERE proof = $2 AND member = $3",
		       SQL_PARAMS(sql_int(mark), id_value(&id), sql_int((int64_t)member)), NULL);
}

int proof_store_phase(struct tx *tx, struct proof_id id, const char *phase)
{
	return fault_of(tx_exec(tx, "UPDATE proofs SET phase = $1 WHERE id = $2 AND live = 1",
				SQL_PARAMS(sql_text(phase), id_value(&id)), NULL));
}

/* An appeal that the restart cut short is still owed, at once. */
static int requeue_appeals(struct tx *tx)
{
	return tx_exec(tx,
		       "UPDATE proof_appeals SET state = 'queued', due_at = 0 WHERE state = 'live' "
		       "AND session IN (SELECT id FROM proofs WHERE live = 1 AND kind = $1)",
		       SQL_PARAMS(sql_int(SESSION_APPEAL)), NULL);
}

/* Each begins with its members' commitments. */
int proof_store_interrupt(struct tx *tx, int64_t now_ms)
{
	int r = requeue_appeals(tx);

	if (r != 0)
		return r;
	return tx_exec(tx,
		       "UPDATE proofs SET live = 0, reason = $1, ended_at = $2, detail = "
		       "'the control plane was restarted', "
		       "phase = CASE phase WHEN '' THEN 'commit' ELSE phase END WHERE live = 1",
		       SQL_PARAMS(sql_text(proof_end_word(END_INTERRUPTED)), sql_int(now_ms)),
		       NULL);
}
