#include "modules/vpn/vpn_store.h"

#include "io/store_values.h"

#define COLUMNS                                                                         \
	"m.machine AS machine, m.kind AS kind, m.address AS address, m.place AS place," \
	" m.added_at AS added_at, m.seen_at AS seen_at, m.revoked_at AS revoked_at,"    \
	" m.revoked_why AS revoked_why"

static int read_row(const struct sql_rows *rows, size_t i, void *ret_item)
{
	struct vpn_row *row = ret_item;

	*row = (struct vpn_row){
		.kind = (enum vpn_kind)rows_int(rows, i, "kind"),
		.address = (uint32_t)rows_int(rows, i, "address"),
		.place = rows_text(rows, i, "place"),
		.added_at_ms = rows_int(rows, i, "added_at"),
		.seen_at_ms = rows_int(rows, i, "seen_at"),
		.revoked_at_ms = rows_int(rows, i, "revoked_at"),
		.revoked_why = rows_text(rows, i, "revoked_why"),
	};
	return rows_bytes(rows, i, "machine", &row->machine, sizeof(row->machine));
}

static const struct row_reader row_reader = { sizeof(struct vpn_row), read_row };

int vpn_store_get(struct tx *tx, struct machine_id machine, struct vpn_row *ret_row)
{
	struct vpn_row *rows;
	size_t n;
	int r;

	r = tx_select(tx, "SELECT " COLUMNS " FROM vpn_machines m WHERE m.machine = $1",
		      SQL_PARAMS(sql_machine(&machine)), &row_reader, &rows, &n);
	if (r != 0)
		return no_conflict(r);
	if (n == 0)
		return ROUTE_E_NOT_FOUND;
	*ret_row = rows[0];
	return 0;
}

int vpn_store_add(struct tx *tx, const struct vpn_row *row)
{
	return no_conflict(tx_exec(
		tx,
		"INSERT INTO vpn_machines (machine, kind, address, place, added_at, revoked_why)"
		" VALUES ($1, $2, $3, $4, $5, '')",
		SQL_PARAMS(sql_machine(&row->machine), sql_int(row->kind), sql_int(row->address),
			   sql_text(row->place), sql_int(row->added_at_ms)),
		NULL));
}

int vpn_store_place(struct tx *tx, struct machine_id machine, const char *place)
{
	return changed_or(ROUTE_E_NOT_FOUND, tx,
			  "UPDATE vpn_machines SET place = $2 WHERE machine = $1",
			  SQL_PARAMS(sql_machine(&machine), sql_text(place)));
}

int vpn_store_seen(struct tx *tx, struct machine_id machine, int64_t at_ms)
{
	return changed_or(ROUTE_E_NOT_FOUND, tx,
			  "UPDATE vpn_machines SET seen_at = $2 WHERE machine = $1",
			  SQL_PARAMS(sql_machine(&machine), sql_int(at_ms)));
}

int vpn_store_move(struct tx *tx, struct machine_id machine, uint32_t address)
{
	return changed_or(ROUTE_E_NOT_FOUND, tx,
			  "UPDATE vpn_machines SET address = $2 WHERE machine = $1",
			  SQL_PARAMS(sql_machine(&machine), sql_int(address)));
}

static int read_listed(const struct sql_rows *rows, size_t i, void *ret_item)
{
	struct vpn_row *row = ret_item;
	int r = read_row(rows, i, row);

	row->ends_at_ms = rows_int(rows, i, "ends_at");
	return r == 0 ? rows_bytes(rows, i, "fingerprint", row->fingerprint,
				   sizeof(row->fingerprint))
		      : r;
}

static const struct row_reader listed_reader = { sizeof(struct vpn_row), read_listed };

int vpn_store_list(struct tx *tx, struct machine_id after, int64_t now_ms, size_t limit,
		   struct vpn_row **ret_rows, size_t *ret_n)
{
	return no_conflict(tx_select(
		tx,
		"SELECT " COLUMNS ", c.not_after AS ends_at, c.fingerprint AS fingerprint"
		" FROM vpn_machines m LEFT JOIN vpn_certificates c ON c.fingerprint ="
		" (SELECT l.fingerprint FROM vpn_certificates l WHERE l.machine = m.machine"
		" AND l.not_after > $2 AND l.revoked_at IS NULL"
		" ORDER BY l.not_after DESC, l.fingerprint LIMIT 1)"
		" WHERE m.machine > $1 ORDER BY m.machine LIMIT $3",
		SQL_PARAMS(sql_machine(&after), sql_int(now_ms), sql_int((int64_t)limit)),
		&listed_reader, ret_rows, ret_n));
}

int vpn_store_lighthouses(struct tx *tx, struct vpn_row **ret_rows, size_t *ret_n)
{
	return no_conflict(
		tx_select(tx,
			  "SELECT " COLUMNS " FROM vpn_machines m WHERE m.kind = $1"
			  " AND m.revoked_at IS NULL ORDER BY m.address LIMIT $2",
			  SQL_PARAMS(sql_int(VPN_LIGHTHOUSE), sql_int(VPN_LIGHTHOUSES_MAX)),
			  &row_reader, ret_rows, ret_n));
}

int vpn_store_holders(struct tx *tx, int64_t now_ms, struct vpn_row **ret_rows, size_t *ret_n)
{
	return no_conflict(
		tx_select(tx,
			  "SELECT " COLUMNS " FROM vpn_machines m WHERE m.kind IN ($1, $2) AND"
			  " EXISTS (SELECT 1 FROM vpn_certificates c WHERE c.machine = m.machine"
			  " AND c.not_after > $3 AND c.revoked_at IS NULL) ORDER BY m.machine",
			  SQL_PARAMS(sql_int(VPN_WORKER), sql_int(VPN_CHECKER), sql_int(now_ms)),
			  &row_reader, ret_rows, ret_n));
}

/* ---- addresses ---- */

int vpn_store_free_address(struct tx *tx, uint32_t first, uint32_t last, uint32_t *ret_address)
{
	struct sql_rows *rows;
	int64_t next;
	int r;

	r = tx_query(tx,
		     "SELECT MAX(address) AS top FROM vpn_machines WHERE address BETWEEN $1 AND $2",
		     SQL_PARAMS(sql_int(first), sql_int(last)), &rows);
	if (r != 0)
		return no_conflict(r);
	next = rows_null(rows, 0, "top") ? first : rows_int(rows, 0, "top") + 1;
	if (next > last)
		return ROUTE_E_NOT_FOUND;
	*ret_address = (uint32_t)next;
	return 0;
}

static int forget(struct tx *tx, struct machine_id machine)
{
	int r = tx_exec(tx, "DELETE FROM vpn_certificates WHERE machine = $1",
			SQL_PARAMS(sql_machine(&machine)), NULL);

	if (r != 0)
		return no_conflict(r);
	return changed_or(-EIO, tx, "DELETE FROM vpn_machines WHERE machine = $1",
			  SQL_PARAMS(sql_machine(&machine)));
}

int vpn_store_reclaim(struct tx *tx, uint32_t first, uint32_t last, int64_t now_ms,
		      uint32_t *ret_address)
{
	struct vpn_row *rows;
	size_t n;
	int r;

	r = tx_select(tx,
		      "SELECT " COLUMNS " FROM vpn_machines m WHERE m.kind IN ($1, $2)"
		      " AND m.address BETWEEN $3 AND $4 AND m.revoked_at IS NULL"
		      " AND NOT EXISTS (SELECT 1 FROM vpn_certificates c"
		      " WHERE c.machine = m.machine AND c.not_after > $5)"
		      " ORDER BY m.seen_at, m.machine LIMIT 1",
		      SQL_PARAMS(sql_int(VPN_WORKER), sql_int(VPN_CHECKER), sql_int(first),
				 sql_int(last), sql_int(now_ms)),
		      &row_reader, &rows, &n);
	if (r != 0)
		return no_conflict(r);
	if (n == 0)
		return ROUTE_E_NOT_FOUND;
	r = forget(tx, rows[0].machine);
	if (r == 0)
		*ret_address = rows[0].address;
	return r;
}

/* ---- certificates ---- */

static int read_certificate(const struct sql_rows *rows, size_t i, void *ret_item)
{
	struct vpn_certificate_row *row = ret_item;
	const void *bytes = rows_blob(rows, i, "certificate", &row->certificate.len);
	int r;

	if (!bytes || row->certificate.len > sizeof(row->certificate.bytes))
		return -EIO;
	memcpy(row->certificate.bytes, bytes, row->certificate.len);
	row->not_after_ms = rows_int(rows, i, "not_after");
	r = rows_bytes(rows, i, "fingerprint", row->fingerprint, sizeof(row->fingerprint));
	return r == 0 ? rows_bytes(rows, i, "public_key", row->public_key, sizeof(row->public_key))
		      : r;
}

static const struct row_reader certificate_reader = { sizeof(struct vpn_certificate_row),
						      read_certificate };

int vpn_store_certificates(struct tx *tx, struct machine_id machine, int64_t now_ms,
			   struct vpn_certificate_row **ret_rows, size_t *ret_n)
{
	return no_conflict(tx_select(tx,
				     "SELECT fingerprint, public_key, certificate, not_after"
				     " FROM vpn_certificates WHERE machine = $1 AND not_after > $2"
				     " AND revoked_at IS NULL ORDER BY not_after DESC, fingerprint",
				     SQL_PARAMS(sql_machine(&machine), sql_int(now_ms)),
				     &certificate_reader, ret_rows, ret_n));
}

int vpn_store_issue(struct tx *tx, struct machine_id machine, const struct vpn_certificate_row *row)
{
	return no_conflict(
		tx_exec(tx,
			"INSERT INTO vpn_certificates (fingerprint, machine, public_key,"
			" certificate, not_after, revoked_why) VALUES ($1, $2, $3, $4, $5, '')"
			" ON CONFLICT (fingerprint) DO NOTHING",
			SQL_PARAMS(sql_blob(row->fingerprint, sizeof(row->fingerprint)),
				   sql_machine(&machine),
				   sql_blob(row->public_key, sizeof(row->public_key)),
				   sql_blob(row->certificate.bytes, row->certificate.len),
				   sql_int(row->not_after_ms)),
			NULL));
}

int vpn_store_revoke(struct tx *tx, struct machine_id machine, bool barred, const char *why,
		     int64_t now_ms)
{
	int r = 0;

	if (barred)
		r = changed_or(ROUTE_E_NOT_FOUND, tx,
			       "UPDATE vpn_machines SET revoked_at = $2, revoked_why = $3"
			       " WHERE machine = $1",
			       SQL_PARAMS(sql_machine(&machine), sql_int(now_ms), sql_text(why)));
	if (r != 0)
		return r;
	return no_conflict(
		tx_exec(tx,
			"UPDATE vpn_certificates SET revoked_at = $2, revoked_why = $3"
			" WHERE machine = $1 AND revoked_at IS NULL AND not_after > $2",
			SQL_PARAMS(sql_machine(&machine), sql_int(now_ms), sql_text(why)), NULL));
}

int vpn_store_restore(struct tx *tx, struct machine_id machine)
{
	return changed_or(ROUTE_E_NOT_FOUND, tx,
			  "UPDATE vpn_machines SET revoked_at = NULL, revoked_why = ''"
			  " WHERE machine = $1 AND revoked_at IS NOT NULL",
			  SQL_PARAMS(sql_machine(&machine)));
}

static int read_fingerprint(const struct sql_rows *rows, size_t i, void *ret_item)
{
	struct vpn_fingerprint *fingerprint = ret_item;

	return rows_bytes(rows, i, "fingerprint", fingerprint->bytes, sizeof(fingerprint->bytes));
}

static const struct row_reader fingerprint_reader = { sizeof(struct vpn_fingerprint),
						      read_fingerprint };

int vpn_store_blocked(struct tx *tx, int64_t at_ms, struct vpn_fingerprint **ret_rows,
		      size_t *ret_n)
{
	return no_conflict(
		tx_select(tx,
			  "SELECT fingerprint FROM vpn_certificates WHERE revoked_at IS NOT NULL"
			  " AND not_after > $1 ORDER BY fingerprint LIMIT $2",
			  SQL_PARAMS(sql_int(at_ms), sql_int(VPN_BLOCKED_MAX)), &fingerprint_reader,
			  ret_rows, ret_n));
}

int vpn_store_prune(struct tx *tx, int64_t before_ms)
{
	return no_conflict(tx_exec(tx, "DELETE FROM vpn_certificates WHERE not_after < $1",
				   SQL_PARAMS(sql_int(before_ms)), NULL));
}
