#include "modules/billing/leaver.h"

#include "base/log.h"
#include "modules/billing/billing_store_escrow.h"
#include "modules/billing/settle.h"
#include "modules/billing/withdrawal.h"

static void unexpected(const char *place, const char *what)
{
	log_error("billing.escrow_unexpected", log_text("what", what), log_text("log", place));
}

static struct ledger_posting posting_of(const char *kind, const char *place)
{
	struct ledger_posting posting = { .kind = kind };

	snprintf(posting.key, sizeof(posting.key), "%s:%s", kind, place);
	snprintf(posting.memo, sizeof(posting.memo), "the contract's %s", kind);
	return posting;
}

int leaver_asked(const struct context *context, struct tx *tx, const char *place,
		 struct account_id tenant, int64_t exit_at_ms)
{
	const int64_t now_ms = clock_now_ms(context->clock);
	int r = store_leaving_add(tx, tenant, now_ms, exit_at_ms);

	if (r == SQL_E_CONFLICT) {
		unexpected(place, "who leaves asks to leave");
		return 0;
	}
	return r != 0 ? r : store_leaving_rentals_add(tx, tenant, now_ms);
}

/* What a request took off the balance, as long as requests did that. */
static int give_back(const struct context *context, struct tx *tx, const char *place,
		     struct account_id tenant, struct amount taken)
{
	struct ledger_posting posting = posting_of("exit-cancelled", place);

	if (taken.micro == 0)
		return 0;
	ledger_entry(&posting, tenant, LEDGER_AVAILABLE, taken);
	ledger_entry_network(&posting, LEDGER_ESCROW, (struct amount){ -taken.micro });
	return ledger_post_sure(context, tx, &posting, 1);
}

int leaver_cancelled(const struct context *context, struct tx *tx, const char *place,
		     struct account_id tenant)
{
	struct amount taken;
	int r = store_leaving_take(tx, tenant, &taken);

	if (r == 0)
		r = store_leaving_rentals_drop(tx, tenant);
	return r != 0 ? r : give_back(context, tx, place, tenant, taken);
}

/* ---- gone ---- */

/* What was spent, and the contract no longer has for it: tallied or not. */
struct lost {
	struct amount settled, tallied;
};

static int find_lost(struct tx *tx, struct account_id tenant, struct lost *ret_lost)
{
	struct amount untallied, before;
	int r = settle_leave(tx, tenant, &ret_lost->settled);

	if (r == 0)
		r = store_untallied(tx, tenant, &untallied);
	/* Of those some were lost by leaving before. */
	if (r == 0)
		r = store_escaped(tx, tenant, &before);
	if (r == 0)
		r = amount_sub(untallied, before, &ret_lost->tallied);
	return r == 0 ? store_escaped_put(tx, tenant, untallied) : r;
}

static int post_exited(const struct context *context, struct tx *tx, const char *place,
		       struct account_id tenant, struct amount coins, const struct lost *lost)
{
	struct ledger_posting posting = posting_of("exited", place);
	int64_t loss = lost->settled.micro + lost->tallied.micro;

	if (coins.micro == 0 && loss == 0)
		return 0;
	ledger_entry(&posting, tenant, LEDGER_AVAILABLE, (struct amount){ -coins.micro });
	ledger_entry_network(&posting, LEDGER_FEES, (struct amount){ -loss });
	ledger_entry_network(&posting, LEDGER_ESCROW, (struct amount){ coins.micro + loss });
	return ledger_post_sure(context, tx, &posting, 1);
}

int leaver_exited(const struct context *context, struct tx *tx, const char *place,
		  struct account_id tenant, struct amount given)
{
	struct ledger_balances balances;
	struct amount taken, coins, asked;
	struct lost lost = { 0 };
	int r = store_leaving_take(tx, tenant, &taken);

	if (r == 0)
		r = billing_holds_release(context, tx, tenant);
	if (r == 0)
		r = ledger_balances(tx, tenant, &balances);
	if (r == 0)
		r = withdrawal_overtaken(context, tx, tenant, &asked);
	if (r == 0)
		r = find_lost(tx, tenant, &lost);
	if (r != 0)
		return r;
	coins = ledger_coins(&balances);
	/* Deposits that were not credited are beyond it. */
	if (given.micro <
	    taken.micro + coins.micro + asked.micro + lost.settled.micro + lost.tallied.micro)
		unexpected(place, "less than the ledger knows left the contract");
	return post_exited(context, tx, place, tenant, coins, &lost);
}
