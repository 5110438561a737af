#include "modules/billing/metering.h"

#include "api/settings.h"
#include "modules/billing/record.h"
#include "modules/logging/logging.h"
#include "security/secp.h"

int64_t metering_seconds(const struct lease_row *lease)
{
	int64_t seconds = lease->seconds, room, excused;

	if (!lease->billed)
		return 0;
	if (lease->closed_at_ms && lease->sequence > 0) {
		if (lease->ended_at_ms < lease->started_at_ms)
			return 0;
		room = (lease->ended_at_ms - lease->started_at_ms) / 1000 + 1;
		if (room < seconds)
			seconds = room;
	}
	excused = metering_excused(lease);
	return seconds > excused ? seconds - excused : 0;
}

int metering_cost(const struct lease_row *lease, struct amount *ret_cost)
{
	return amount_for_seconds(lease->rate_hour, metering_seconds(lease), ret_cost);
}

int metering_receipt(const struct context *context, struct lease_row *lease)
{
	struct receipt_statement receipt = { .charged = lease->charged };
	uint8_t digest[SIGN_DIGEST_SIZE];

	lease_usage_digest(context, lease, receipt.usage_digest);
	receipt_digest(&receipt, digest);
	return secp_sign(context->settings->network_key, digest, lease->receipt_signature);
}

/* ---- warnings ---- */

int metering_cover_of(const struct store_purse *purse, struct metering_cover *ret_cover)
{
	ret_cover->rate_hour = purse->rate_hour;
	return amount_add(purse->available, purse->held, &ret_cover->left);
}

/* A need past all amounts is not covered. */
static bool is_low(struct metering_cover cover)
{
	struct amount need;

	return amount_for_seconds(cover.rate_hour, METERING_LOW_SECONDS, &need) < 0 ||
	       amount_compare(cover.left, need) < 0;
}

bool metering_falls_low(struct metering_cover before, struct metering_cover after)
{
	return is_low(after) && !is_low(before);
}

int metering_tell(const struct context *context, struct tx *tx, const struct lease_row *lease,
		  const char *type, struct metering_cover cover)
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

/* ---- charging ---- */

struct payment {
	struct amount held, available; /* where it comes from */
	struct amount points; /* of which are points */
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

static struct ledger_posting charge_of(const struct lease_row *lease, const struct payment *payment)
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
	ledger_entry_points(&posting, lease->tenant, negative(payment->points));
	return posting;
}

int metering_due(const struct lease_row *lease, struct amount *ret_due)
{
	struct amount cost;
	int r = metering_cost(lease, &cost);

	return r < 0 ? r : amount_sub(cost, lease->charged, ret_due);
}

int metering_collect(struct lease_row *lease, struct amount due, struct store_purse *purse,
		     struct ledger_posting *ret_posting)
{
	struct payment payment = { 0 };
	int r = pay(lease, due, purse->available, &payment);

	if (r == 0)
		r = amount_add(payment.held, payment.available, &payment.points);
	if (r == 0) {
		payment.points = least(payment.points, purse->points);
		r = amount_sub(purse->points, payment.points, &purse->points);
	}
	if (r == 0)
		r = amount_sub(purse->available, payment.available, &purse->available);
	if (r == 0)
		r = amount_sub(purse->held, payment.held, &purse->held);
	if (r == 0)
		*ret_posting = charge_of(lease, &payment);
	return r;
}

int metering_correct(struct lease_row *lease, const char *key, const char *memo,
		     struct ledger_posting *ret_posting)
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
	snprintf(posting.key, sizeof(posting.key), "refund:%s:%s", lease_text, key);
	snprintf(posting.memo, sizeof(posting.memo), "%s", memo);
	ledger_entry(&posting, lease->tenant, LEDGER_AVAILABLE, back.available);
	ledger_entry(&posting, lease->provider, LEDGER_EARNED, back.share);
	ledger_entry_network(&posting, LEDGER_FEES, back.fee);
	ledger_entry_points(&posting, lease->tenant, back.available);
	*ret_posting = posting;
	return 0;
}
