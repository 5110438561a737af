#include "modules/billing/deposit.h"

#include "base/codec.h"
#include "chain/contracts.h"
#include "modules/billing/conversion.h"
#include "modules/billing/escrow.h"
#include "modules/chain/chain.h"
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
		deposit->detail = "only the network's stablecoin and KAI are credited: it stays in "
				  "the contract, "
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

int deposit_tell(const struct context *context, struct tx *tx, const struct deposit_row *deposit)
{
	char id[ID_TEXT_SIZE], amount[AMOUNT_TEXT_SIZE];
	json_t *data;

	deposit_id_text(&deposit->id, id);
	amount_text(deposit->credited, amount);
	data = json_pack("{s:s, s:s}", "credited", amount, "detail", deposit->detail);
	return data ? logging_event(context, tx, deposit->tenant, "deposit.taken", id, data)
		    : -ENOMEM;
}

/* The network's own deposit, from which points are paid: nobody's balance. */
static int take_fund(const struct context *context, struct tx *tx, struct deposit_row *deposit)
{
	struct ledger_posting posting = { .kind = "fund" };
	struct amount amount = AMOUNT_ZERO;
	char key[65];
	int r;

	if (u256_bits(deposit->amount) < 63)
		amount.micro = (int64_t)u256_low(deposit->amount);
	deposit->detail = amount.micro ? "the network's own: points are paid from it"
				       : "more than the ledger can hold";
	r = no_conflict(store_deposit_add(tx, deposit));
	if (r != 0 || amount.micro == 0)
		return r;
	hex_encode(deposit->block_hash, 32, key);
	snprintf(posting.key, sizeof(posting.key), "fund:%s:%" PRId64, key, deposit->log);
	ledger_entry_network(&posting, LEDGER_FUND, amount);
	ledger_entry_network(&posting, LEDGER_ESCROW, (struct amount){ -amount.micro });
	return ledger_post_sure(context, tx, &posting, 1);
}

static int take_credit(const struct context *context, struct tx *tx, struct deposit_row *deposit)
{
	char key[LEDGER_KEY_MAX + 1], id[ID_TEXT_SIZE];
	int r = value(context, tx, deposit);

	if (r == 0)
		r = no_conflict(store_deposit_add(tx, deposit));
	if (r == 0 && deposit->credited.micro > 0) {
		deposit_id_text(&deposit->id, id);
		hex_encode(deposit->block_hash, 32, key);
		snprintf(key + 64, sizeof(key) - 64, ":%" PRId64, deposit->log);
		r = deposit_add(context, tx, deposit->tenant, deposit->credited, key, id);
	}
	return r != 0 ? r : deposit_tell(context, tx, deposit);
}

int deposit_take(const struct context *context, struct tx *tx, struct deposit_row *deposit)
{
	const struct address *kai = &chain_contracts()->at[CONTRACT_TOKEN].address;
	struct account_id treasury;
	int r;

	deposit->at_ms = clock_now_ms(context->clock);
	r = deposit_id_make(context->clock, context->random, &deposit->id);
	if (r == 0)
		r = store_treasury(tx, &treasury);
	if (r != 0)
		return r > 0 ? -EIO : r;
	if (address_equal(&deposit->token, kai))
		return conversion_deposit(context, tx, deposit);
	if (account_equal(deposit->tenant, treasury) &&
	    address_equal(&deposit->token, escrow_stablecoin(context)))
		return take_fund(context, tx, deposit);
	return take_credit(context, tx, deposit);
}
