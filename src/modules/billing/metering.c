#include "modules/billing/metering.h"

#include "api/settings.h"
#include "modules/logging/logging.h"
#include "security/secp.h"

int64_t metering_seconds(const struct lease_row *lease)
{
	int64_t room;

	if (!lease->billed)
		return 0;
	if (!lease->closed_at_ms || lease->sequence == 0)
		return lease->seconds;
	if (lease->ended_at_ms < lease->started_at_ms)
		return 0;
	room = (lease->ended_at_ms - lease->started_at_ms) / 1000 + 1;
	return lease->seconds < room ? lease->seconds : room;
}

int metering_cost(const struct lease_row *lease, struct amount *ret_cost)
{
	return amount_for_seconds(lease->rate_hour, metering_seconds(lease), ret_cost);
}

int metering_receipt(const struct context *context, struct lease_row *lease)
{
	const struct usage_statement usage = {
		.network = context->settings->network,
		.machine = lease->machine,
		.lease = lease->lease,
		.rental = lease->rental,
		.sequence = (uint64_t)lease->sequence,
		.started_at_ms = lease->started_at_ms,
		.until_ms = lease->until_ms,
		.seconds = lease->seconds,
		.final = lease->final,
	};
	struct receipt_statement receipt = { .charged = lease->charged };
	uint8_t digest[SIGN_DIGEST_SIZE];

	usage_digest(&usage, receipt.usage_digest);
	receipt_digest(&receipt, digest);
	return secp_sign(context->settings->network_key, digest, lease->receipt_signature);
}

/* ---- warnings ---- */

struct cover {
	struct amount left; /* available and held */
	struct amount rate_hour; /* of all open leases */
};

static int is_low(struct cover cover, bool *ret_low)
{
	struct amount need;
	int r;

	r = amount_for_seconds(cover.rate_hour, METERING_LOW_SECONDS, &need);
	if (r == 0)
		*ret_low = amount_compare(cover.left, need) < 0;
	return r;
}

static int tell(const struct context *context, struct tx *tx, const struct lease_row *lease,
		const char *type, struct cover cover)
{
	char left[AMOUNT_TEXT_SIZE], rate[AMOUNT_TEXT_SIZE], subject[ID_TEXT_SIZE];
	json_t *data;

	amount_text(cover.left, left);
	amount_text(cover.rate_hour, rate);
	rental_id_text(&lease->rental, subject);
	data = json_pack("{s:s, s:s}", "left", left, "rate_hour", rate);
	if (!data)
		return -ENOMEM;
	return logging_event(context, tx, lease->tenant, type, subject, data);
}

int metering_watch(const struct context *context, struct tx *tx, const struct lease_row *lease,
		   struct amount left_before, struct amount left_after, struct amount rate_added)
{
	struct cover before = { .left = left_before }, after = { .left = left_after };
	bool was_low, low;
	int r;

	r = store_tenant_rate(tx, lease->tenant, &after.rate_hour);
	if (r == 0)
		r = amount_sub(after.rate_hour, rate_added, &before.rate_hour);
	if (r == 0)
		r = is_low(before, &was_low);
	if (r == 0)
		r = is_low(after, &low);
	if (r == 0 && low && !was_low)
		r = tell(context, tx, lease, "balance.low", after);
	return r;
}

static void wake_rentals(void *context)
{
	job_wake(context, "rentals");
}

static int watch_exhausted(const struct context *context, struct tx *tx, struct lease_row *lease,
			   bool exhausted, struct amount left)
{
	struct cover cover = { left, lease->rate_hour };
	bool before = lease->exhausted;
	int r;

	lease->exhausted = exhausted;
	if (!exhausted || lease->closed_at_ms)
		return 0;
	r = store_exhausted_add(tx, lease->rental, clock_now_ms(context->clock));
	if (r == 0)
		r = tx_on_commit(tx, wake_rentals, (void *)context);
	if (r == 0 && !before)
		r = tell(context, tx, lease, "balance.exhausted", cover);
	return r;
}

/* ---- charging ---- */

struct payment {
	struct amount held, available; /* where it comes from */
	struct amount share, fee; /* where it goes */
};

static struct amount least(struct amount a, struct amount b)
{
	return amount_compare(a, b) < 0 ? a : b;
}

/* Moves the lease's sums to @charged and says how much went to whom: below zero when it falls. */
static int move_sums(struct lease_row *lease, struct amount charged, struct payment *payment)
{
	struct amount moved, fee;
	int r;

	r = amount_share(charged, lease->fee_basis_points, &fee);
	if (r == 0)
		r = amount_sub(fee, lease->fee, &payment->fee);
	if (r == 0)
		r = amount_sub(charged, lease->charged, &moved);
	if (r == 0)
		r = amount_sub(moved, payment->fee, &payment->share);
	if (r == 0) {
		lease->charged = charged;
		lease->fee = fee;
	}
	return r;
}

/* @due > 0: what of it can be paid now, from the hold first. */
static int pay(struct lease_row *lease, struct amount due, struct amount available,
	       struct payment *payment)
{
	struct amount rest, charged;
	int r;

	payment->held = least(due, lease->held);
	r = amount_sub(due, payment->held, &rest);
	if (r < 0)
		return r;
	payment->available = least(rest, available);
	r = amount_sub(lease->held, payment->held, &lease->held);
	if (r == 0)
		r = amount_add(lease->charged, payment->held, &charged);
	if (r == 0)
		r = amount_add(charged, payment->available, &charged);
	return r < 0 ? r : move_sums(lease, charged, payment);
}

static struct amount negative(struct amount amount)
{
	return (struct amount){ -amount.micro };
}

static int post_charge(const struct context *context, struct tx *tx, const struct lease_row *lease,
		       const struct payment *payment)
{
	struct ledger_posting posting = { .kind = "charge",
					  .rental = &lease->rental,
					  .lease = &lease->lease };
	char lease_text[ID_TEXT_SIZE], rate[AMOUNT_TEXT_SIZE];

	lease_id_text(&lease->lease, lease_text);
	amount_text(lease->rate_hour, rate);
	snprintf(posting.key, sizeof(posting.key), "charge:%s:%" PRId64, lease_text,
		 lease->sequence);
	snprintf(posting.memo, sizeof(posting.memo), "up to second %" PRId64 " at %s an hour",
		 metering_seconds(lease), rate);
	ledger_entry(&posting, lease->tenant, LEDGER_HELD, negative(payment->held));
	ledger_entry(&posting, lease->tenant, LEDGER_AVAILABLE, negative(payment->available));
	ledger_entry(&posting, lease->provider, LEDGER_EARNED, payment->share);
	ledger_entry_network(&posting, LEDGER_FEES, payment->fee);
	return ledger_post_sure(context, tx, &posting, 1);
}

int metering_collect(const struct context *context, struct tx *tx, struct lease_row *lease)
{
	struct ledger_balances balances;
	struct payment payment = { 0 };
	struct amount cost, due, before, after;
	int r;

	r = metering_cost(lease, &cost);
	if (r == 0)
		r = amount_sub(cost, lease->charged, &due);
	if (r < 0 || due.micro <= 0)
		return r;
	r = ledger_balances(tx, lease->tenant, &balances);
	if (r == 0)
		r = amount_add(balances.available, balances.held, &before);
	if (r == 0)
		r = pay(lease, due, balances.available, &payment);
	if (r < 0)
		return r;
	if (payment.held.micro + payment.available.micro > 0)
		r = post_charge(context, tx, lease, &payment);
	after.micro = before.micro - payment.held.micro - payment.available.micro;
	if (r == 0)
		r = metering_watch(context, tx, lease, before, after, AMOUNT_ZERO);
	if (r == 0)
		r = watch_exhausted(context, tx, lease, lease->charged.micro < cost.micro, after);
	return r;
}

int metering_correct(struct lease_row *lease, struct ledger_posting *ret_posting)
{
	struct ledger_posting posting = { .kind = "refund",
					  .rental = &lease->rental,
					  .lease = &lease->lease };
	char lease_text[ID_TEXT_SIZE];
	struct payment back = { 0 };
	struct amount cost;
	int r;

	r = metering_cost(lease, &cost);
	if (r < 0)
		return r;
	if (amount_compare(cost, lease->charged) < 0) {
		back.available.micro = lease->charged.micro - cost.micro;
		r = move_sums(lease, cost, &back);
		if (r < 0)
			return r;
	}
	lease_id_text(&lease->lease, lease_text);
	snprintf(posting.key, sizeof(posting.key), "refund:%s", lease_text);
	snprintf(posting.memo, sizeof(posting.memo), "%s",
		 lease->billed ? "charged past the lease's end" : "not billed");
	ledger_entry(&posting, lease->tenant, LEDGER_AVAILABLE, back.available);
	ledger_entry(&posting, lease->provider, LEDGER_EARNED, back.share);
	ledger_entry_network(&posting, LEDGER_FEES, back.fee);
	*ret_posting = posting;
	return 0;
}

/* ---- records ---- */

/* Whose record it is, and of which lease. */
static int check_signer(const struct context *context, const struct lease_row *lease,
			const struct usage_statement *usage,
			const uint8_t signature[static SIGNATURE_SIZE])
{
	uint8_t digest[SIGN_DIGEST_SIZE];
	struct address signer;
	int r;

	if (!address_equal(&usage->network, &context->settings->network) ||
	    !machine_equal(usage->machine, lease->machine) ||
	    !rental_id_equal(usage->rental, lease->rental))
		return BILLING_E_RECORD;
	usage_digest(usage, digest);
	r = secp_recover(digest, signature, &signer);
	if (r < 0)
		return r;
	if (r == SECP_E_BAD || !address_equal(&signer, &lease->machine.address))
		return BILLING_E_SIGNATURE;
	return 0;
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

static int take(const struct context *context, struct tx *tx, struct lease_row *lease,
		const struct usage_statement *usage, const uint8_t signature[static SIGNATURE_SIZE])
{
	int r;

	lease->sequence = (int64_t)usage->sequence;
	lease->started_at_ms = usage->started_at_ms;
	lease->until_ms = usage->until_ms;
	lease->seconds = usage->seconds;
	lease->final = usage->final;
	memcpy(lease->usage_signature, signature, SIGNATURE_SIZE);
	r = metering_collect(context, tx, lease);
	if (r == 0)
		r = metering_receipt(context, lease);
	return r != 0 ? r : store_lease_update(tx, lease);
}

int billing_usage(const struct context *context, struct tx *tx, const struct usage_statement *usage,
		  const uint8_t signature[static SIGNATURE_SIZE], struct amount *ret_charged,
		  uint8_t ret_receipt[static SIGNATURE_SIZE])
{
	int64_t now_ms = clock_now_ms(context->clock);
	struct lease_row lease;
	int r;

	r = store_lease(tx, usage->lease, &lease);
	if (r == 0)
		r = check_signer(context, &lease, usage, signature);
	if (r != 0)
		return r;
	if (!is_repeat(&lease, usage)) {
		r = check_open(&lease, usage, now_ms);
		if (r == 0 && !is_plausible(&lease, usage, now_ms))
			r = BILLING_E_RECORD;
		if (r == 0)
			r = take(context, tx, &lease, usage, signature);
		if (r != 0)
			return r;
	}
	*ret_charged = lease.charged;
	memcpy(ret_receipt, lease.receipt_signature, SIGNATURE_SIZE);
	return 0;
}
