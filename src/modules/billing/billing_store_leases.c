#include "modules/billing/billing_store.h"

/* A signature that is not there yet is NULL. */
static struct sql_value sql_signature(const struct lease_row *lease,
				      const uint8_t signature[static SIGNATURE_SIZE])
{
	return lease->sequence > 0 ? sql_blob(signature, SIGNATURE_SIZE) : sql_null();
}

int store_lease_add(struct tx *tx, const struct lease_row *lease)
{
	return tx_exec(
		tx,
		"INSERT INTO billing_leases (lease, rental, tenant, machine, provider, "
		"rate_hour, fee_basis_points, placed_at_ms, terms_signature, held, "
		"sequence, started_at_ms, until_ms, seconds, final, charged, fee, "
		"exhausted, closed_at_ms, ended_at_ms, billed, place) VALUES "
		"($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, $11)",
		SQL_PARAMS(sql_blob(lease->lease.bytes, 16), sql_blob(lease->rental.bytes, 16),
			   sql_address(&lease->tenant.address),
			   sql_address(&lease->machine.address),
			   sql_address(&lease->provider.address), sql_int(lease->rate_hour.micro),
			   sql_int(lease->fee_basis_points), sql_int(lease->placed_at_ms),
			   sql_blob(lease->terms_signature, SIGNATURE_SIZE),
			   sql_int(lease->held.micro), sql_int(lease->placing)),
		NULL);
}

int store_leases_update(struct tx *tx, const struct lease_row *const *leases, size_t n)
{
	enum { COLUMNS = 16 };
	struct sql_value *values = arena_array(tx_arena(tx), n * COLUMNS + 1, sizeof(*values));
	struct sql_value *v = values;

	if (!values)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		const struct lease_row *lease = leases[i];

		*v++ = sql_blob(lease->lease.bytes, 16);
		*v++ = sql_int(lease->held.micro);
		*v++ = sql_int(lease->sequence);
		*v++ = sql_int(lease->started_at_ms);
		*v++ = sql_int(lease->until_ms);
		*v++ = sql_int(lease->seconds);
		*v++ = sql_int(lease->final);
		*v++ = sql_signature(lease, lease->usage_signature);
		*v++ = sql_signature(lease, lease->receipt_signature);
		*v++ = sql_int(lease->charged.micro);
		*v++ = sql_int(lease->fee.micro);
		*v++ = sql_int(lease->exhausted);
		*v++ = sql_int(lease->closed_at_ms);
		*v++ = sql_int(lease->ended_at_ms);
		*v++ = sql_int(lease->billed);
		*v++ = sql_int(lease->records);
	}
	return tx_exec_many(
		tx,
		"UPDATE billing_leases SET held = $2, sequence = $3, started_at_ms = $4, "
		"until_ms = $5, seconds = $6, final = $7, usage_signature = $8, "
		"receipt_signature = $9, charged = $10, fee = $11, exhausted = $12, "
		"closed_at_ms = $13, ended_at_ms = $14, billed = $15, records = $16 "
		"WHERE lease = $1",
		values, COLUMNS, n);
}

static int read_lease_bytes(const struct sql_rows *rows, size_t row, struct lease_row *lease)
{
	const struct {
		const char *column;
		void *to;
		size_t size;
	} columns[] = {
		{ "lease", lease->lease.bytes, 16 },
		{ "rental", lease->rental.bytes, 16 },
		{ "tenant", &lease->tenant, 20 },
		{ "machine", &lease->machine, 20 },
		{ "provider", &lease->provider, 20 },
		{ "terms_signature", lease->terms_signature, SIGNATURE_SIZE },
		{ "usage_signature", lease->usage_signature, SIGNATURE_SIZE },
		{ "receipt_signature", lease->receipt_signature, SIGNATURE_SIZE },
	};
	int r = 0;

	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(columns); i++)
		r = rows_bytes(rows, row, columns[i].column, columns[i].to, columns[i].size);
	return r;
}

static int read_lease(struct tx *tx, const struct sql_rows *rows, size_t row,
		      struct lease_row *ret_lease)
{
	int r;

	ret_lease->rate_hour.micro = rows_int(rows, row, "rate_hour");
	ret_lease->fee_basis_points = rows_int(rows, row, "fee_basis_points");
	ret_lease->placed_at_ms = rows_int(rows, row, "placed_at_ms");
	ret_lease->held.micro = rows_int(rows, row, "held");
	ret_lease->sequence = rows_int(rows, row, "sequence");
	ret_lease->started_at_ms = rows_int(rows, row, "started_at_ms");
	ret_lease->until_ms = rows_int(rows, row, "until_ms");
	ret_lease->seconds = rows_int(rows, row, "seconds");
	ret_lease->final = rows_int(rows, row, "final");
	ret_lease->charged.micro = rows_int(rows, row, "charged");
	ret_lease->fee.micro = rows_int(rows, row, "fee");
	ret_lease->exhausted = rows_int(rows, row, "exhausted");
	ret_lease->closed_at_ms = rows_int(rows, row, "closed_at_ms");
	ret_lease->ended_at_ms = rows_int(rows, row, "ended_at_ms");
	ret_lease->billed = rows_int(rows, row, "billed");
	ret_lease->records = rows_int(rows, row, "records");
	ret_lease->placing = rows_int(rows, row, "place");
	ret_lease->excuses = NULL;
	ret_lease->n_excuses = 0;
	r = read_lease_bytes(rows, row, ret_lease);
	if (r == 0 && rows_int(rows, row, "excuses") > 0)
		r = store_excuses(tx, ret_lease);
	return r;
}

static int read_leases(struct tx *tx, const struct sql_rows *rows, struct lease_row **ret_leases,
		       size_t *ret_n)
{
	size_t n = rows_count(rows);
	struct lease_row *leases = arena_array(tx_arena(tx), n + 1, sizeof(*leases));
	int r = 0;

	if (!leases)
		return -ENOMEM;
	for (size_t i = 0; r == 0 && i < n; i++)
		r = read_lease(tx, rows, i, &leases[i]);
	if (r == 0) {
		*ret_leases = leases;
		*ret_n = n;
	}
	return r;
}

#define SELECT_LEASES                                                                        \
	"SELECT lease, rental, tenant, machine, provider, rate_hour, fee_basis_points, "     \
	"placed_at_ms, terms_signature, held, sequence, started_at_ms, until_ms, seconds, "  \
	"final, usage_signature, receipt_signature, charged, fee, exhausted, closed_at_ms, " \
	"ended_at_ms, billed, records, place, excuses FROM billing_leases "

int store_lease(struct tx *tx, struct lease_id id, struct lease_row *ret_lease)
{
	struct sql_rows *rows;
	int r;

	r = tx_query(tx, SELECT_LEASES "WHERE lease = $1", SQL_PARAMS(sql_blob(id.bytes, 16)),
		     &rows);
	if (r != 0)
		return r;
	if (rows_count(rows) == 0)
		return BILLING_E_NO_LEASE;
	return read_lease(tx, rows, 0, ret_lease);
}

/* "HEAD ($1, $2, $3, $4) TAIL" over @keys; the last is repeated up to a power of two, so that there
 * are few texts to prepare. */
static int query_among(struct tx *tx, const char *head, const char *tail, struct sql_value *keys,
		       size_t n, struct sql_rows **ret_rows)
{
	size_t width = 1, size = strlen(head) + strlen(tail) + 3, at;
	char *sql;

	while (width < n)
		width *= 2;
	if (width > SQL_PARAMS_MAX)
		return -EINVAL;
	size += width * sizeof("$256, ");
	sql = arena_alloc(tx_arena(tx), size);
	if (!sql)
		return -ENOMEM;
	at = (size_t)snprintf(sql, size, "%s", head);
	for (size_t i = 0; i < width; i++)
		at += (size_t)snprintf(sql + at, size - at, "%s$%zu", i ? ", " : "(", i + 1);
	snprintf(sql + at, size - at, ")%s", tail);
	for (size_t i = n; i < width; i++)
		keys[i] = keys[n - 1];
	return tx_query(tx, sql, keys, width, ret_rows);
}

int store_leases_among(struct tx *tx, const struct lease_id *ids, size_t n,
		       struct lease_row **ret_leases, size_t *ret_n)
{
	struct sql_value keys[SQL_PARAMS_MAX];
	struct sql_rows *rows;
	int r;

	if (n == 0 || n > SQL_PARAMS_MAX)
		return -EINVAL;
	for (size_t i = 0; i < n; i++)
		keys[i] = sql_blob(ids[i].bytes, 16);
	r = query_among(tx, SELECT_LEASES "WHERE lease IN ", " ORDER BY lease", keys, n, &rows);
	return r != 0 ? r : read_leases(tx, rows, ret_leases, ret_n);
}

int store_leases_of_rental(struct tx *tx, struct rental_id rental, struct lease_row **ret_leases,
			   size_t *ret_n)
{
	struct sql_rows *rows;
	int r;

	r = tx_query(tx, SELECT_LEASES "WHERE rental = $1 ORDER BY lease",
		     SQL_PARAMS(sql_blob(rental.bytes, 16)), &rows);
	return r != 0 ? r : read_leases(tx, rows, ret_leases, ret_n);
}

int store_leases_held(struct tx *tx, struct account_id tenant, struct lease_row **ret_leases,
		      size_t *ret_n)
{
	struct sql_rows *rows;
	int r = tx_query(tx,
			 SELECT_LEASES "WHERE tenant = $1 AND closed_at_ms = 0 AND held > 0 "
				       "ORDER BY lease",
			 SQL_PARAMS(sql_address(&tenant.address)), &rows);

	return r != 0 ? r : read_leases(tx, rows, ret_leases, ret_n);
}

int store_leases_of_provider(struct tx *tx, struct account_id provider,
			     const struct lease_id *before, size_t limit,
			     struct lease_row **ret_leases, size_t *ret_n)
{
	struct sql_rows *rows;
	int r;

	r = tx_query(
		tx,
		SELECT_LEASES "WHERE provider = $1 AND lease < $2 AND rate_hour > 0 "
			      "ORDER BY lease DESC LIMIT $3",
		SQL_PARAMS(sql_address(&provider.address),
			   sql_blob(before ? before->bytes : store_newest, sizeof(store_newest)),
			   sql_int((int64_t)limit)),
		&rows);
	return r != 0 ? r : read_leases(tx, rows, ret_leases, ret_n);
}

static int compare_purses(const void *a, const void *b)
{
	const struct store_purse *x = a, *y = b;

	return memcmp(&x->tenant, &y->tenant, sizeof(x->tenant));
}

struct store_purse *store_purse_of(struct store_purse *purses, size_t n, struct account_id tenant)
{
	const struct store_purse key = { .tenant = tenant };

	return bsearch(&key, purses, n, sizeof(*purses), compare_purses);
}

static int read_purse(const struct sql_rows *rows, size_t row, struct store_purse *purses, size_t n,
		      struct store_purse **ret_purse)
{
	struct account_id tenant;
	int r = rows_bytes(rows, row, "tenant", &tenant, sizeof(tenant));

	if (r < 0)
		return r;
	*ret_purse = store_purse_of(purses, n, tenant);
	return *ret_purse ? 0 : -EIO;
}

static int read_balances(struct tx *tx, struct sql_value *keys, struct store_purse *purses,
			 size_t n)
{
	struct store_purse *purse;
	struct sql_rows *rows;
	int r;

	r = query_among(tx,
			"SELECT owner AS tenant, account, amount FROM billing_balances "
			"WHERE account IN (1, 2, 6) AND owner IN ",
			"", keys, n, &rows);
	for (size_t i = 0; r == 0 && i < rows_count(rows); i++) {
		struct amount amount = { rows_int(rows, i, "amount") };

		r = read_purse(rows, i, purses, n, &purse);
		if (r != 0)
			break;
		switch (rows_int(rows, i, "account")) {
		case LEDGER_AVAILABLE:
			purse->available = amount;
			break;
		case LEDGER_HELD:
			purse->held = amount;
			break;
		default:
			purse->points = amount;
		}
	}
	return r;
}

static int read_rates(struct tx *tx, struct sql_value *keys, struct store_purse *purses, size_t n)
{
	struct store_purse *purse;
	struct sql_rows *rows;
	int r;

	r = query_among(tx,
			"SELECT tenant, CAST(SUM(rate_hour) AS BIGINT) AS total "
			"FROM billing_leases WHERE closed_at_ms = 0 AND tenant IN ",
			" GROUP BY tenant", keys, n, &rows);
	for (size_t i = 0; r == 0 && i < rows_count(rows); i++) {
		r = read_purse(rows, i, purses, n, &purse);
		if (r == 0)
			purse->rate_hour.micro = rows_int(rows, i, "total");
	}
	return r;
}

int store_purses(struct tx *tx, struct store_purse *purses, size_t *n)
{
	struct sql_value keys[SQL_PARAMS_MAX];
	size_t kept = 0;
	int r;

	if (*n == 0 || *n > SQL_PARAMS_MAX)
		return -EINVAL;
	qsort(purses, *n, sizeof(*purses), compare_purses);
	for (size_t i = 0; i < *n; i++)
		if (kept == 0 || compare_purses(&purses[kept - 1], &purses[i]) != 0)
			purses[kept++] = (struct store_purse){ .tenant = purses[i].tenant };
	*n = kept;
	for (size_t i = 0; i < kept; i++)
		keys[i] = sql_address(&purses[i].tenant.address);
	r = read_balances(tx, keys, purses, kept);
	return r != 0 ? r : read_rates(tx, keys, purses, kept);
}

int store_exhausted_add(struct tx *tx, struct rental_id rental, int64_t at_ms)
{
	return tx_exec(tx,
		       "INSERT INTO billing_exhausted (rental, at_ms) VALUES ($1, $2) "
		       "ON CONFLICT (rental) DO NOTHING",
		       SQL_PARAMS(sql_blob(rental.bytes, 16), sql_int(at_ms)), NULL);
}

int store_exhausted_take(struct tx *tx, size_t max, struct rental_id *ret_rentals, size_t *ret_n)
{
	struct sql_rows *rows;
	size_t n;
	int r;

	r = tx_query(tx, "SELECT rental FROM billing_exhausted ORDER BY at_ms, rental LIMIT $1",
		     SQL_PARAMS(sql_int((int64_t)max)), &rows);
	if (r != 0)
		return r;
	n = rows_count(rows);
	for (size_t i = 0; r == 0 && i < n; i++) {
		r = rows_bytes(rows, i, "rental", ret_rentals[i].bytes, 16);
		if (r == 0)
			r = tx_exec(tx, "DELETE FROM billing_exhausted WHERE rental = $1",
				    SQL_PARAMS(sql_blob(ret_rentals[i].bytes, 16)), NULL);
	}
	if (r == 0)
		*ret_n = n;
	return r;
}
