#include "modules/billing/deposit.h"

#include "base/codec.h"
#include "modules/billing/escrow.h"
#include "modules/logging/logging.h"

int deposit_add(const struct context *context, struct tx *tx, struct account_id tenant,
		struct amount amount, const char *key, const char *memo)
{
	struct ledger_posting posting = { .kind = "deposit" };
	struct amount given;
	bool known;
	int r;

	if (amount.micro <= 0)
		return -EINVAL;
	snprintf(posting.key, sizeof(posting.key), "deposit:%s", key);
	snprintf(posting.memo, sizeof(posting.memo), "%s", memo);
	r = store_posting_given(tx, posting.key, tenant, &known, &given);
	if (r != 0 || known)
		return r;
	ledger_entry(&posting, tenant, LEDGER_AVAILABLE, amount);
	ledger_entry_network(&posting, LEDGER_ESCROW, (struct amount){ -amount.micro });
	return ledger_post_sure(context, tx, &posting, 1);
}

/* What it is in the ledger; zero and why not. */
static int value(const struct context *context, struct tx *tx, struct deposit_row *deposit)
{
	const struct u256 most = u256_from(DEPOSIT_MAX_MICRO);
	struct amount available, sum;
	int r;

	deposit->credited = AMOUNT_ZERO;
	deposit->detail = "";
	if (!address_equal(&deposit->token, escrow_stablecoin(context))) {
		deposit->detail =
			"only the network's stablecoin is credited: it stays in the contract, "
			"which gives it back to who asks to leave (requestExit)";
		return 0;
	}
	r = billing_available(tx, deposit->tenant, &available);
	if (r != 0)
		return r;
	if (u256_compare(&deposit->amount, &most) <= 0)
		deposit->credited.micro = (int64_t)u256_low(deposit->amount);
	if (deposit->credited.micro == 0 || amount_add(available, deposit->credited, &sum) < 0) {
		deposit->credited = AMOUNT_ZERO;
		deposit->detail = "more than a balance can hold: it stays in the contract, which "
				  "gives it back to who asks to leave (requestExit)";
	}
	return 0;
}

static int tell(const struct context *context, struct tx *tx, const struct deposit_row *deposit)
{
	char id[ID_TEXT_SIZE], amount[AMOUNT_TEXT_SIZE];
	json_t *data;

	deposit_id_text(&deposit->id, id);
	amount_text(deposit->credited, amount);
	data = json_pack("{s:s, s:s}", "credited", amount, "detail", deposit->detail);
	return data ? logging_event(context, tx, deposit->tenant, "deposit.taken", id, data)
		    : -ENOMEM;
}

int deposit_take(const struct context *context, struct tx *tx, struct deposit_row *deposit)
{
	char key[LEDGER_KEY_MAX + 1], id[ID_TEXT_SIZE];
	int r;

	deposit->at_ms = clock_now_ms(context->clock);
	r = deposit_id_make(context->clock, context->random, &deposit->id);
	if (r == 0)
		r = value(context, tx, deposit);
	if (r == 0)
		r = no_conflict(store_deposit_add(tx, deposit));
	if (r == 0 && deposit->credited.micro > 0) {
		deposit_id_text(&deposit->id, id);
		hex_encode(deposit->block_hash, 32, key);
		snprintf(key + 64, sizeof(key) - 64, ":%" PRId64, deposit->log);
		r = deposit_add(context, tx, deposit->tenant, deposit->credited, key, id);
	}
	return r != 0 ? r : tell(context, tx, deposit);
}
