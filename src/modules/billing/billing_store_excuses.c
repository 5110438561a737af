/* The statements on excuses (billing_store.h). */
#include "modules/billing/billing_store.h"

int store_excuses(struct tx *tx, struct lease_row *lease)
{
	struct excuse_row *list;
	struct sql_rows *rows;
	int r;

	r = tx_query(tx,
		     "SELECT proof, hour, from_ms, until_ms, signature FROM billing_excuses"
		     " WHERE lease = $1 ORDER BY from_ms",
		     SQL_PARAMS(sql_blob(lease->lease.bytes, 16)), &rows);
	if (r != 0)
		return r;
	list = arena_array(tx_arena(tx), rows_count(rows) + 1, sizeof(*list));
	if (!list)
		return -ENOMEM;
	for (size_t i = 0; r == 0 && i < rows_count(rows); i++) {
		list[i].hour = rows_int(rows, i, "hour");
		list[i].from_ms = rows_int(rows, i, "from_ms");
		list[i].until_ms = rows_int(rows, i, "until_ms");
		r = rows_bytes(rows, i, "proof", list[i].proof, sizeof(list[i].proof));
		if (r == 0)
			r = rows_bytes(rows, i, "signature", list[i].signature, SIGNATURE_SIZE);
	}
	lease->excuses = list;
	lease->n_excuses = rows_count(rows);
	return r;
}

int store_excuse_put(struct tx *tx, struct lease_id lease, const struct excuse_row *excuse)
{
	int r;

	r = tx_exec(
		tx,
		"INSERT INTO billing_excuses (lease, proof, hour, from_ms, until_ms,"
		" signature) VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (lease, from_ms) DO UPDATE"
		" SET proof = excluded.proof, hour = excluded.hour,"
		" until_ms = excluded.until_ms, signature = excluded.signature",
		SQL_PARAMS(sql_blob(lease.bytes, 16), sql_blob(excuse->proof, 16),
			   sql_int(excuse->hour), sql_int(excuse->from_ms),
			   sql_int(excuse->until_ms), sql_blob(excuse->signature, SIGNATURE_SIZE)),
		NULL);
	if (r != 0)
		return r;
	return tx_exec(tx,
		       "UPDATE billing_leases SET excuses = (SELECT COUNT(*) FROM billing_excuses"
		       " WHERE lease = $1) WHERE lease = $1",
		       SQL_PARAMS(sql_blob(lease.bytes, 16)), NULL);
}

int store_tenancies(struct tx *tx, struct machine_id machine, int64_t from_ms, int64_t until_ms,
		    struct billing_tenancy **ret_tenancies, size_t *ret_n)
{
	struct billing_tenancy *list;
	struct sql_rows *rows;
	int r;

	r = tx_query(tx,
		     "SELECT lease, tenant FROM billing_leases WHERE machine = $1 AND rate_hour > 0"
		     " AND billed = 1 AND placed_at_ms < $3"
		     " AND (closed_at_ms = 0 OR ended_at_ms > $2) ORDER BY lease",
		     SQL_PARAMS(sql_address(&machine.address), sql_int(from_ms), sql_int(until_ms)),
		     &rows);
	if (r != 0)
		return r;
	list = arena_array(tx_arena(tx), rows_count(rows) + 1, sizeof(*list));
	if (!list)
		return -ENOMEM;
	for (size_t i = 0; r == 0 && i < rows_count(rows); i++) {
		r = rows_bytes(rows, i, "lease", &list[i].lease, sizeof(list[i].lease));
		if (r == 0)
			r = rows_bytes(rows, i, "tenant", &list[i].tenant, sizeof(list[i].tenant));
	}
	*ret_tenancies = list;
	*ret_n = rows_count(rows);
	return r;
}

int store_machine_leases(struct tx *tx, struct machine_id machine, int64_t from_ms,
			 int64_t until_ms, struct lease_id **ret_ids, size_t *ret_n)
{
	struct sql_rows *rows;
	struct lease_id *ids;
	int r;

	r = tx_query(tx,
		     "SELECT lease FROM billing_leases WHERE machine = $1 AND until_ms >= $2"
		     " AND until_ms < $3 AND rate_hour > 0 AND tenant <> provider ORDER BY lease",
		     SQL_PARAMS(sql_address(&machine.address), sql_int(from_ms), sql_int(until_ms)),
		     &rows);
	if (r != 0)
		return r;
	ids = arena_array(tx_arena(tx), rows_count(rows) + 1, sizeof(*ids));
	if (!ids)
		return -ENOMEM;
	for (size_t i = 0; r == 0 && i < rows_count(rows); i++)
		r = rows_bytes(rows, i, "lease", &ids[i], sizeof(ids[i]));
	*ret_ids = ids;
	*ret_n = rows_count(rows);
	return r;
}
