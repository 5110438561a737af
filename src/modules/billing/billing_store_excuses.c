/* The statements on excuses (billing_store.h). */
#include "modules/billing/billing_store.h"

static int read_excuse(const struct sql_rows *rows, size_t i, void *ret_item)
{
	struct excuse_row *excuse = ret_item;
	int r = rows_bytes(rows, i, "proof", excuse->proof, sizeof(excuse->proof));

	excuse->hour = rows_int(rows, i, "hour");
	excuse->from_ms = rows_int(rows, i, "from_ms");
	excuse->until_ms = rows_int(rows, i, "until_ms");
	return r == 0 ? rows_bytes(rows, i, "signature", excuse->signature, SIGNATURE_SIZE) : r;
}

static const struct row_reader excuse_reader = { sizeof(struct excuse_row), read_excuse };

int store_excuses(struct tx *tx, struct lease_row *lease)
{
	return tx_select(tx,
			 "SELECT proof, hour, from_ms, until_ms, signature FROM billing_excuses"
			 " WHERE lease = $1 ORDER BY from_ms",
			 SQL_PARAMS(sql_blob(lease->lease.bytes, 16)), &excuse_reader,
			 &lease->excuses, &lease->n_excuses);
}

static int count_excuses(struct tx *tx, struct lease_id lease)
{
	return tx_exec(tx,
		       "UPDATE billing_leases SET excuses = (SELECT COUNT(*) FROM billing_excuses"
		       " WHERE lease = $1) WHERE lease = $1",
		       SQL_PARAMS(sql_blob(lease.bytes, 16)), NULL);
}

int store_excuse_remove(struct tx *tx, struct lease_id lease, int64_t from_ms)
{
	int r = tx_exec(tx, "DELETE FROM billing_excuses WHERE lease = $1 AND from_ms = $2",
			SQL_PARAMS(sql_blob(lease.bytes, 16), sql_int(from_ms)), NULL);

	return r == 0 ? count_excuses(tx, lease) : r;
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
	return r == 0 ? count_excuses(tx, lease) : r;
}

static int read_tenancy(const struct sql_rows *rows, size_t i, void *ret_item)
{
	struct billing_tenancy *tenancy = ret_item;
	int r = rows_bytes(rows, i, "lease", &tenancy->lease, sizeof(tenancy->lease));

	return r == 0 ? rows_bytes(rows, i, "tenant", &tenancy->tenant, sizeof(tenancy->tenant))
		      : r;
}

static const struct row_reader tenancy_reader = { sizeof(struct billing_tenancy), read_tenancy };

int store_tenancies(struct tx *tx, struct machine_id machine, int64_t from_ms, int64_t until_ms,
		    struct billing_tenancy **ret_tenancies, size_t *ret_n)
{
	return tx_select(
		tx,
		"SELECT lease, tenant FROM billing_leases WHERE machine = $1 AND rate_hour > 0"
		" AND billed = 1 AND placed_at_ms < $3"
		" AND (closed_at_ms = 0 OR ended_at_ms > $2) ORDER BY lease",
		SQL_PARAMS(sql_address(&machine.address), sql_int(from_ms), sql_int(until_ms)),
		&tenancy_reader, ret_tenancies, ret_n);
}

static int read_lease(const struct sql_rows *rows, size_t i, void *ret_item)
{
	struct lease_id *lease = ret_item;

	return rows_bytes(rows, i, "lease", lease, sizeof(*lease));
}

static const struct row_reader lease_reader = { sizeof(struct lease_id), read_lease };

int store_machine_leases(struct tx *tx, struct machine_id machine, struct account_id provider,
			 int64_t from_ms, struct lease_id **ret_ids, size_t *ret_n)
{
	return tx_select(
		tx,
		"SELECT lease FROM billing_leases WHERE machine = $1 AND provider = $2"
		" AND until_ms >= $3 AND rate_hour > 0 AND tenant <> provider ORDER BY lease",
		SQL_PARAMS(sql_address(&machine.address), sql_address(&provider.address),
			   sql_int(from_ms)),
		&lease_reader, ret_ids, ret_n);
}
