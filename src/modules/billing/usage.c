#include "api/settings.h"
#include "modules/billing/metering.h"
#include "modules/billing/record.h"
#include "security/secp.h"

/* An event that the batch owes a tenant. */
struct notice {
	const struct lease_row *lease;
	const char *type;
	struct metering_cover cover;
};

/* Records are judged and charged on rows in memory, each on what the one before left; then all is
 * written at once, in one order: balances, events, leases. */
struct batch {
	const struct context *context;
	struct tx *tx;
	int64_t now_ms;
	struct lease_row *leases; /* by id */
	bool *changed; /* of them */
	size_t n_leases;
	struct store_purse *purses; /* NULL until one is needed */
	size_t n_purses;
	struct ledger_posting *postings;
	size_t n_postings;
	struct notice *notices;
	size_t n_notices;
	const struct lease_row **exhausted;
	size_t n_exhausted;
};

/* ---- reading ---- */

static int batch_init(struct batch *batch, struct billing_record *const *records, size_t n)
{
	struct arena *arena = tx_arena(batch->tx);
	struct lease_id *ids = arena_array(arena, n, sizeof(*ids));

	batch->now_ms = clock_now_ms(batch->context->clock);
	batch->changed = arena_array(arena, n, sizeof(*batch->changed));
	batch->postings = arena_array(arena, n, sizeof(*batch->postings));
	batch->notices = arena_array(arena, 2 * n, sizeof(*batch->notices));
	batch->exhausted = arena_array(arena, n, sizeof(*batch->exhausted));
	if (!ids || !batch->changed || !batch->postings || !batch->notices || !batch->exhausted)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++)
		ids[i] = records[i]->usage.lease;
	return store_leases_among(batch->tx, ids, n, &batch->leases, &batch->n_leases);
}

static int compare_leases(const void *a, const void *b)
{
	const struct lease_row *x = a, *y = b;

	return memcmp(x->lease.bytes, y->lease.bytes, sizeof(x->lease.bytes));
}

static struct lease_row *lease_of(const struct batch *batch, struct lease_id id)
{
	const struct lease_row key = { .lease = id };

	return bsearch(&key, batch->leases, batch->n_leases, sizeof(key), compare_leases);
}

/* The purses of all tenants of the batch are read together. */
static int purse_of(struct batch *batch, struct account_id tenant, struct store_purse **ret_purse)
{
	struct arena *arena = tx_arena(batch->tx);
	int r = 0;

	if (!batch->purses) {
		batch->n_purses = batch->n_leases;
		batch->purses = arena_array(arena, batch->n_leases, sizeof(*batch->purses));
		if (!batch->purses)
			return -ENOMEM;
		for (size_t i = 0; i < batch->n_leases; i++)
			batch->purses[i].tenant = batch->leases[i].tenant;
		r = store_purses(batch->tx, batch->purses, &batch->n_purses);
	}
	if (r == 0)
		*ret_purse = store_purse_of(batch->purses, batch->n_purses, tenant);
	return r;
}

/* ---- judging ---- */

/* Whose record it is, and of which lease. */
static int check_signer(const struct context *context, const struct lease_row *lease,
			const struct billing_record *record)
{
	const struct usage_statement *usage = &record->usage;

	if (!address_equal(&usage->network, &context->settings->network) ||
	    !machine_equal(usage->machine, lease->machine) ||
	    !rental_id_equal(usage->rental, lease->rental))
		return BILLING_E_RECORD;
	return record->is_signed ? 0 : BILLING_E_SIGNATURE;
}

static bool is_repeat(const struct lease_row *lease, const struct usage_statement *usage)
{
	return lease->sequence > 0 && usage->sequence == (uint64_t)lease->sequence &&
	       usage->started_at_ms == lease->started_at_ms && usage->until_ms == lease->until_ms &&
	       usage->seconds == lease->seconds && usage->final == lease->final;
}

static int check_open(const struct lease_row *lease, const struct usage_statement *usage,
		      int64_t now_ms)
{
	if (!lease->closed_at_ms)
		return 0;
	if (!lease->billed || now_ms - lease->closed_at_ms > METERING_LATE_MS ||
	    usage->until_ms > lease->ended_at_ms + METERING_SKEW_MS)
		return BILLING_E_CLOSED;
	return 0;
}

/* Could it have happened, given the lease, the clock, and the record before? */
static bool is_plausible(const struct lease_row *lease, const struct usage_statement *usage,
			 int64_t now_ms)
{
	if (usage->sequence > INT64_MAX || usage->sequence <= (uint64_t)lease->sequence ||
	    lease->final)
		return false;
	if (usage->started_at_ms < lease->placed_at_ms - METERING_SKEW_MS ||
	    usage->until_ms < usage->started_at_ms || usage->until_ms > now_ms + METERING_SKEW_MS)
		return false;
	if (usage->seconds < 0 ||
	    usage->seconds > (usage->until_ms - usage->started_at_ms) / 1000 + 1)
		return false;
	return lease->sequence == 0 ||
	       (usage->started_at_ms == lease->started_at_ms &&
		usage->until_ms >= lease->until_ms && usage->seconds >= lease->seconds);
}

/* ---- charging ---- */

static void note(struct batch *batch, const struct lease_row *lease, const char *type,
		 struct metering_cover cover)
{
	batch->notices[batch->n_notices++] = (struct notice){ lease, type, cover };
}

static void watch_exhausted(struct batch *batch, struct lease_row *lease, bool exhausted,
			    struct amount left)
{
	bool before = lease->exhausted;

	lease->exhausted = exhausted;
	if (!exhausted || lease->closed_at_ms)
		return;
	batch->exhausted[batch->n_exhausted++] = lease;
	if (!before)
		note(batch, lease, "balance.exhausted",
		     (struct metering_cover){ left, lease->rate_hour });
}

/* An excuse came between this record and the last. What goes to the purse is not counted for the other
 * records of the batch: they find it in the store. */
static int give_back(struct batch *batch, struct lease_row *lease)
{
	struct ledger_posting posting;
	char key[24];
	int r;

	snprintf(key, sizeof(key), "%" PRId64, lease->sequence);
	r = metering_correct(lease, key, "the machine was found unusable", &posting);
	if (r == 0 && posting.n_entries > 0)
		batch->postings[batch->n_postings++] = posting;
	return r;
}

static int charge(struct batch *batch, struct lease_row *lease)
{
	struct metering_cover before, after;
	struct ledger_posting posting;
	struct store_purse *purse;
	struct amount due;
	int r;

	r = metering_due(lease, &due);
	if (r < 0 || due.micro == 0)
		return r;
	if (due.micro < 0)
		return give_back(batch, lease);
	r = purse_of(batch, lease->tenant, &purse);
	if (r == 0)
		r = metering_cover_of(purse, &before);
	if (r == 0)
		r = metering_collect(lease, due, purse, &posting);
	if (r == 0)
		r = metering_cover_of(purse, &after);
	if (r == 0)
		r = metering_due(lease, &due);
	if (r != 0)
		return r;
	if (posting.n_entries > 0)
		batch->postings[batch->n_postings++] = posting;
	if (metering_falls_low(before, after))
		note(batch, lease, "balance.low", after);
	watch_exhausted(batch, lease, due.micro > 0, after.left);
	return 0;
}

static int take(struct batch *batch, struct lease_row *lease, const struct billing_record *record)
{
	const struct usage_statement *usage = &record->usage;
	int r;

	lease->sequence = (int64_t)usage->sequence;
	lease->started_at_ms = usage->started_at_ms;
	lease->until_ms = usage->until_ms;
	lease->seconds = usage->seconds;
	lease->final = usage->final;
	memcpy(lease->usage_signature, record->signature, SIGNATURE_SIZE);
	batch->changed[lease - batch->leases] = true;
	r = charge(batch, lease);
	return r != 0 ? r : metering_receipt(batch->context, lease);
}

/* The record's outcome, or a fault. */
static int judge(struct batch *batch, struct billing_record *record)
{
	const struct usage_statement *usage = &record->usage;
	struct lease_row *lease = lease_of(batch, usage->lease);
	int r;

	if (!lease)
		return BILLING_E_NO_LEASE;
	r = check_signer(batch->context, lease, record);
	if (r == 0 && !is_repeat(lease, usage)) {
		r = check_open(lease, usage, batch->now_ms);
		if (r == 0 && !is_plausible(lease, usage, batch->now_ms))
			r = BILLING_E_RECORD;
		if (r == 0)
			r = take(batch, lease, record);
	}
	if (r != 0)
		return r;
	record->charged = lease->charged;
	memcpy(record->receipt, lease->receipt_signature, SIGNATURE_SIZE);
	return 0;
}

/* ---- writing ---- */

static void wake_rentals(void *context)
{
	job_wake(context, "rentals");
}

static int list_exhausted(const struct batch *batch)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < batch->n_exhausted; i++)
		r = store_exhausted_add(batch->tx, batch->exhausted[i]->rental, batch->now_ms);
	if (r == 0 && batch->n_exhausted > 0)
		r = tx_on_commit(batch->tx, wake_rentals, (void *)batch->context);
	return r;
}

static int tell_all(const struct batch *batch)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < batch->n_notices; i++) {
		const struct notice *notice = &batch->notices[i];

		r = metering_tell(batch->context, batch->tx, notice->lease, notice->type,
				  notice->cover);
	}
	return r;
}

static int update_leases(const struct batch *batch)
{
	const struct lease_row **rows;
	size_t n = 0;
	int r = 0;

	rows = arena_array(tx_arena(batch->tx), batch->n_leases + 1, sizeof(*rows));
	if (!rows)
		return -ENOMEM;
	for (size_t i = 0; r == 0 && i < batch->n_leases; i++)
		if (batch->changed[i]) {
			r = lease_record(batch->context, batch->tx, &batch->leases[i]);
			rows[n++] = &batch->leases[i];
		}
	return r != 0 || n == 0 ? r : store_leases_update(batch->tx, rows, n);
}

static int write_batch(const struct batch *batch)
{
	int r = ledger_post_sure(batch->context, batch->tx, batch->postings, batch->n_postings);

	if (r == 0)
		r = list_exhausted(batch);
	if (r == 0)
		r = tell_all(batch);
	return r != 0 ? r : update_leases(batch);
}

/* ---- records ---- */

int billing_record_check(struct billing_record *record)
{
	uint8_t digest[SIGN_DIGEST_SIZE];
	struct address signer;
	int r;

	usage_digest(&record->usage, digest);
	r = secp_recover(digest, record->signature, &signer);
	if (r < 0)
		return r;
	record->is_signed = r == 0 && address_equal(&signer, &record->usage.machine.address);
	return 0;
}

int billing_usage_many(const struct context *context, struct tx *tx,
		       struct billing_record *const *records, size_t n)
{
	struct batch batch = { .context = context, .tx = tx };
	int r;

	if (n == 0)
		return 0;
	if (n > BILLING_RECORDS_MAX)
		return -EINVAL;
	r = batch_init(&batch, records, n);
	for (size_t i = 0; r == 0 && i < n; i++) {
		records[i]->outcome = judge(&batch, records[i]);
		if (records[i]->outcome < 0)
			r = records[i]->outcome;
	}
	return r != 0 ? r : write_batch(&batch);
}

int billing_usage(const struct context *context, struct tx *tx, const struct usage_statement *usage,
		  const uint8_t signature[static SIGNATURE_SIZE], struct amount *ret_charged,
		  uint8_t ret_receipt[static SIGNATURE_SIZE])
{
	struct billing_record record = { .usage = *usage };
	int r;

	memcpy(record.signature, signature, SIGNATURE_SIZE);
	r = billing_record_check(&record);
	if (r == 0)
		r = billing_usage_many(context, tx, (struct billing_record *[]){ &record }, 1);
	if (r != 0)
		return r;
	if (record.outcome == 0) {
		*ret_charged = record.charged;
		memcpy(ret_receipt, record.receipt, SIGNATURE_SIZE);
	}
	return record.outcome;
}
