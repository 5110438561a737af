#include "modules/billing/billing.h"

#include "api/settings.h"
#include "modules/billing/billing_store_escrow.h"
#include "modules/billing/ledger.h"
#include "modules/billing/metering.h"
#include "modules/billing/record.h"
#include "security/secp.h"

/* ---- credits and balances ---- */

static bool is_within(struct amount amount, int64_t least_micro)
{
	return amount.micro >= least_micro && amount.micro <= BILLING_CREDIT_MAX_MICRO;
}

int billing_credit(const struct context *context, struct tx *tx, struct account_id account,
		   struct amount amount, const char *key, const char *memo)
{
	struct ledger_posting posting = { .kind = "credit" };
	struct amount given, sum, available;
	size_t key_len = strlen(key);
	bool known;
	int r;

	memo = memo ? memo : "";
	if (!is_within(amount, 1) || key_len < 1 || key_len > BILLING_KEY_MAX ||
	    strlen(memo) > BILLING_MEMO_MAX)
		return BILLING_E_LIMIT;
	snprintf(posting.key, sizeof(posting.key), "credit:%s", key);
	snprintf(posting.memo, sizeof(posting.memo), "%s", memo);
	r = store_posting_given(tx, posting.key, account, &known, &given);
	if (r != 0)
		return r;
	if (known)
		return amount_compare(given, amount) == 0 ? 0 : BILLING_E_KEY;
	r = billing_available(tx, account, &available);
	if (r != 0)
		return r;
	if (amount_add(available, amount, &sum) < 0)
		return BILLING_E_LIMIT;
	ledger_entry(&posting, account, LEDGER_AVAILABLE, amount);
	ledger_entry_network(&posting, LEDGER_ISSUE, (struct amount){ -amount.micro });
	ledger_entry_points(&posting, account, amount);
	return ledger_post_sure(context, tx, &posting, 1);
}

int billing_available(struct tx *tx, struct account_id account, struct amount *ret_available)
{
	struct ledger_balances balances;
	int r;

	r = ledger_balances(tx, account, &balances);
	if (r == 0)
		*ret_available = balances.available;
	return r;
}

/* ---- leases ---- */

static int sign_terms(const struct context *context, struct lease_row *lease)
{
	uint8_t digest[SIGN_DIGEST_SIZE];

	lease_terms_digest(context, lease, digest);
	return secp_sign(context->settings->network_key, digest, lease->terms_signature);
}

/* A posting between the tenant's own two accounts. */
static struct ledger_posting own_move(const struct lease_row *lease, const char *kind,
				      const char *memo, struct amount to_held)
{
	struct ledger_posting posting = { .kind = kind,
					  .rental = &lease->rental,
					  .lease = &lease->lease };
	struct amount to_available = { -to_held.micro };
	char lease_text[ID_TEXT_SIZE], text[AMOUNT_TEXT_SIZE];

	lease_id_text(&lease->lease, lease_text);
	amount_text((struct amount){ llabs(to_held.micro) }, text);
	snprintf(posting.key, sizeof(posting.key), "%s:%s", kind, lease_text);
	snprintf(posting.memo, sizeof(posting.memo), "%s %s", text, memo);
	ledger_entry(&posting, lease->tenant, LEDGER_AVAILABLE, to_available);
	ledger_entry(&posting, lease->tenant, LEDGER_HELD, to_held);
	return posting;
}

static int add_lease(const struct context *context, struct tx *tx, struct lease_row *lease)
{
	struct ledger_posting hold;
	int r;

	r = sign_terms(context, lease);
	if (r == 0)
		r = store_lease_add(tx, lease);
	if (r == 0)
		r = lease_record_placing(context, tx, lease);
	if (r != 0)
		return r == SQL_E_CONFLICT ? -EEXIST : r;
	hold = own_move(lease, "hold", "set aside", lease->held);
	return hold.n_entries == 0 ? 0 : ledger_post_sure(context, tx, &hold, 1);
}

int billing_lease_open(const struct context *context, struct tx *tx,
		       const struct billing_lease *lease)
{
	struct lease_row row = {
		.lease = lease->lease,
		.rental = lease->rental,
		.placing = lease->placing,
		.tenant = lease->tenant,
		.provider = lease->provider,
		.machine = lease->machine,
		.rate_hour = lease->rate_hour,
		.fee_basis_points = context->settings->fee_basis_points,
		.placed_at_ms = clock_now_ms(context->clock),
		.held = lease->hold,
		.billed = true,
	};
	struct store_purse purse = { .tenant = lease->tenant };
	struct metering_cover before, after;
	int64_t exit_at_ms;
	size_t n = 1;
	int r;

	if (!is_within(lease->rate_hour, 0) || !is_within(lease->hold, 0))
		return BILLING_E_LIMIT;
	r = store_leaving(tx, lease->tenant, &exit_at_ms);
	if (r != ROUTE_E_NOT_FOUND)
		return r == 0 ? BILLING_E_LEAVING : r;
	r = store_purses(tx, &purse, &n);
	if (r == 0)
		r = metering_cover_of(&purse, &before);
	if (r != 0)
		return r;
	if (amount_compare(purse.available, lease->hold) < 0)
		return BILLING_E_INSUFFICIENT;
	after = before;
	r = amount_add(before.rate_hour, lease->rate_hour, &after.rate_hour);
	if (r == 0)
		r = add_lease(context, tx, &row);
	if (r == 0 && metering_falls_low(before, after))
		r = metering_tell(context, tx, &row, "balance.low", after);
	return r;
}

/* Gives back what is left of the hold and what was charged too much. */
static int settle(const struct context *context, struct tx *tx, struct lease_row *lease)
{
	struct ledger_posting postings[2], correction;
	size_t n = 0;
	int r;

	if (lease->held.micro > 0) {
		postings[n++] = own_move(lease, "release", "given back",
					 (struct amount){ -lease->held.micro });
		lease->held = AMOUNT_ZERO;
	}
	r = metering_end_excuse(context, tx, lease, lease->ended_at_ms);
	if (r == 0)
		r = metering_correct(lease, "close",
				     lease->billed ? "charged past the lease's end" : "not billed",
				     &correction);
	if (r < 0)
		return r;
	if (correction.n_entries > 0) {
		postings[n++] = correction;
		if (lease->sequence > 0)
			r = metering_receipt(context, lease);
	}
	return r < 0 ? r : ledger_post_sure(context, tx, postings, n);
}

static int release(const struct context *context, struct tx *tx, struct lease_row *lease)
{
	const struct ledger_posting posting = own_move(lease, "release", "given back",
						       (struct amount){ -lease->held.micro });
	int r = ledger_post_sure(context, tx, &posting, 1);

	lease->held = AMOUNT_ZERO;
	return r != 0 ? r : store_leases_update(tx, (const struct lease_row *[]){ lease }, 1);
}

int billing_holds_release(const struct context *context, struct tx *tx, struct account_id tenant)
{
	struct lease_row *leases;
	size_t n;
	int r = store_leases_held(tx, tenant, &leases, &n);

	for (size_t i = 0; r == 0 && i < n; i++)
		r = release(context, tx, &leases[i]);
	return r;
}

int billing_lease_close(const struct context *context, struct tx *tx, struct lease_id id,
			int64_t ended_at_ms, bool billed)
{
	struct lease_row lease;
	int r;

	r = store_lease(tx, id, &lease);
	if (r != 0 || lease.closed_at_ms)
		return r;
	lease.closed_at_ms = clock_now_ms(context->clock);
	lease.ended_at_ms = ended_at_ms;
	lease.billed = billed;
	r = settle(context, tx, &lease);
	if (r == 0)
		r = lease_record(context, tx, &lease);
	return r != 0 ? r : store_leases_update(tx, (const struct lease_row *[]){ &lease }, 1);
}

int billing_rental_end(const struct context *context, struct tx *tx, struct rental_id rental,
		       struct account_id tenant, int64_t placings)
{
	const struct rental_statement statement = {
		.network = context->settings->network,
		.rental = rental,
		.tenant = tenant,
		.placings = placings,
	};

	return placings > 0 ? rental_record(context, tx, &statement) : 0;
}

int billing_lease_sums(struct tx *tx, struct lease_id id, struct billing_lease_sums *ret_sums)
{
	struct lease_row lease;
	int r;

	r = store_lease(tx, id, &lease);
	if (r == 0)
		*ret_sums = (struct billing_lease_sums){
			.seconds = metering_seconds(&lease),
			.charged = lease.charged,
			.rate_hour = lease.rate_hour,
		};
	return r;
}

int billing_exhausted_take(struct tx *tx, size_t max, struct rental_id *ret_rentals, size_t *ret_n)
{
	return store_exhausted_take(tx, max, ret_rentals, ret_n);
}

int billing_leaving_take(struct tx *tx, size_t max, struct rental_id *ret_rentals, size_t *ret_n)
{
	return store_leaving_rentals_take(tx, max, ret_rentals, ret_n);
}

int billing_check(struct tx *tx, const char **ret_problem)
{
	return store_check(tx, ret_problem);
}
