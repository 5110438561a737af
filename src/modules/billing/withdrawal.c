#include "modules/billing/withdrawal.h"

#include "api/settings.h"
#include "chain/contracts.h"
#include "chain/outbox.h"
#include "modules/billing/escrow.h"
#include "modules/chain/chain.h"
#include "modules/logging/logging.h"

static const int64_t day_ms = 24 * 60 * 60 * 1000;

enum { CALL_NAME_SIZE = ID_TEXT_SIZE + 16, LOOK_AT_ONCE = 100 };

static void call_name(const struct withdrawal_row *withdrawal, char ret_name[static CALL_NAME_SIZE])
{
	char id[ID_TEXT_SIZE];

	withdrawal_id_text(&withdrawal->id, id);
	snprintf(ret_name, CALL_NAME_SIZE, "return/%s", id);
}

/* @amount more in the tenant's balance, or less, and so much less in the contract. */
static int post(const struct context *context, struct tx *tx,
		const struct withdrawal_row *withdrawal, const char *kind, struct amount amount)
{
	struct ledger_posting posting = { .kind = kind };
	char id[ID_TEXT_SIZE];

	withdrawal_id_text(&withdrawal->id, id);
	snprintf(posting.key, sizeof(posting.key), "%s:%s", kind, id);
	snprintf(posting.memo, sizeof(posting.memo), "%s", id);
	ledger_entry(&posting, withdrawal->tenant, LEDGER_AVAILABLE, amount);
	ledger_entry_network(&posting, LEDGER_ESCROW, (struct amount){ -amount.micro });
	return ledger_post_sure(context, tx, &posting, 1);
}

static int tell(const struct context *context, struct tx *tx,
		const struct withdrawal_row *withdrawal, const char *type)
{
	char id[ID_TEXT_SIZE], amount[AMOUNT_TEXT_SIZE];
	json_t *data;

	withdrawal_id_text(&withdrawal->id, id);
	amount_text(withdrawal->amount, amount);
	data = json_pack("{s:s, s:s}", "amount", amount, "detail", withdrawal->detail);
	return data ? logging_event(context, tx, withdrawal->tenant, type, id, data) : -ENOMEM;
}

/* ---- asked ---- */

static int call(const struct context *context, struct tx *tx,
		const struct withdrawal_row *withdrawal)
{
	const struct contract_place *escrow = &chain_contracts()->at[CONTRACT_ESCROW];
	char name[CALL_NAME_SIZE];
	struct call_data data;
	int r;

	call_name(withdrawal, name);
	r = call_give_back(escrow_stablecoin(context), &withdrawal->tenant.address,
			   u256_from((unsigned __int128)withdrawal->total.micro), tx_arena(tx),
			   &data);
	if (r == 0)
		r = chain_call(context, tx, name, "return", &escrow->address, data.bytes, data.len);
	return r > 0 ? -EIO : r;
}

/* Whether the account may have another call made for @amount, when it has @coins. */
static int check_worth(const struct context *context, struct tx *tx, struct account_id tenant,
		       struct amount amount, struct amount coins)
{
	const struct settings *settings = context->settings;
	int64_t n;
	int r;

	if (amount_compare(coins, amount) < 0)
		return BILLING_E_TOO_MUCH;
	if (amount.micro < settings->withdrawal_least_micro && amount_compare(coins, amount) > 0)
		return BILLING_E_TOO_LITTLE;
	r = store_withdrawals_since(tx, tenant, clock_now_ms(context->clock) - day_ms, &n);
	return r == 0 && n >= settings->withdrawals_a_day ? BILLING_E_TOO_OFTEN : r;
}

int withdrawal_ask(const struct context *context, struct tx *tx, struct account_id tenant,
		   struct amount amount, struct withdrawal_row *ret_withdrawal)
{
	struct withdrawal_row withdrawal = { .tenant = tenant, .amount = amount, .detail = "" };
	struct ledger_balances balances;
	struct amount before;
	int64_t exit_at_ms;
	int r;

	if (!chain_enabled())
		return BILLING_E_NO_CHAIN;
	/* He takes it all out himself, or nothing. */
	r = store_leaving(tx, tenant, &exit_at_ms);
	if (r != ROUTE_E_NOT_FOUND)
		return r == 0 ? BILLING_E_LEAVING : r;
	r = ledger_balances(tx, tenant, &balances);
	if (r == 0)
		r = check_worth(context, tx, tenant, amount, ledger_coins(&balances));
	if (r == 0)
		r = store_withdrawn(tx, tenant, &before);
	if (r == 0)
		r = amount_add(before, amount, &withdrawal.total);
	withdrawal.asked_at_ms = clock_now_ms(context->clock);
	if (r == 0)
		r = withdrawal_id_make(context->clock, context->random, &withdrawal.id);
	if (r == 0)
		r = store_withdrawal_add(tx, &withdrawal);
	if (r != 0)
		return r == SQL_E_CONFLICT ? BILLING_E_WITHDRAWING : r;
	r = post(context, tx, &withdrawal, "withdrawal", (struct amount){ -amount.micro });
	if (r == 0)
		r = call(context, tx, &withdrawal);
	if (r == 0)
		*ret_withdrawal = withdrawal;
	return r;
}

/* ---- ended ---- */

static void ended_by(const struct context *context, struct withdrawal_row *withdrawal,
		     const struct withdrawal_event *event)
{
	withdrawal->state = WITHDRAWAL_RETURNED;
	withdrawal->ended_at_ms = clock_now_ms(context->clock);
	withdrawal->has_transaction = true;
	memcpy(withdrawal->transaction, event->transaction, 32);
}

int withdrawal_returned(const struct context *context, struct tx *tx,
			const struct withdrawal_event *event)
{
	struct withdrawal_row withdrawal;
	struct amount rest;
	int r = store_withdrawal_asked(tx, event->tenant, &withdrawal);

	if (r != 0)
		return r;
	if (amount_compare(withdrawal.total, event->total) != 0)
		return ROUTE_E_NOT_FOUND;
	/* The less, where a part of the total was given back before, unasked. */
	rest.micro = withdrawal.amount.micro - event->amount.micro;
	if (rest.micro > 0) {
		r = post(context, tx, &withdrawal, "withdrawal-back", rest);
		withdrawal.amount = event->amount;
	}
	ended_by(context, &withdrawal, event);
	if (r == 0)
		r = store_withdrawal_update(tx, &withdrawal);
	return r != 0 ? r : tell(context, tx, &withdrawal, "withdrawal.returned");
}

/* What the balance no longer has was spent or is held: the network's loss. */
static int post_unasked(const struct context *context, struct tx *tx,
			const struct withdrawal_row *withdrawal)
{
	struct ledger_posting posting = { .kind = "withdrawal-unasked" };
	struct ledger_balances balances;
	struct amount coins;
	char id[ID_TEXT_SIZE];
	int r = ledger_balances(tx, withdrawal->tenant, &balances);

	if (r != 0)
		return r;
	coins = ledger_coins(&balances);
	if (amount_compare(coins, withdrawal->amount) > 0)
		coins = withdrawal->amount;
	withdrawal_id_text(&withdrawal->id, id);
	snprintf(posting.key, sizeof(posting.key), "withdrawal-unasked:%s", id);
	snprintf(posting.memo, sizeof(posting.memo), "%s", id);
	ledger_entry(&posting, withdrawal->tenant, LEDGER_AVAILABLE,
		     (struct amount){ -coins.micro });
	ledger_entry_network(&posting, LEDGER_FEES,
			     (struct amount){ coins.micro - withdrawal->amount.micro });
	ledger_entry_network(&posting, LEDGER_ESCROW, withdrawal->amount);
	return ledger_post_sure(context, tx, &posting, 1);
}

int withdrawal_unasked(const struct context *context, struct tx *tx,
		       const struct withdrawal_event *event)
{
	struct withdrawal_row withdrawal = {
		.tenant = event->tenant,
		.amount = event->amount,
		.total = event->total,
		.asked_at_ms = clock_now_ms(context->clock),
		.detail = "asked for before you left the contract, and given back after",
	};
	int r = withdrawal_id_make(context->clock, context->random, &withdrawal.id);

	ended_by(context, &withdrawal, event);
	if (r == 0)
		r = no_conflict(store_withdrawal_add(tx, &withdrawal));
	if (r == 0)
		r = post_unasked(context, tx, &withdrawal);
	return r != 0 ? r : tell(context, tx, &withdrawal, "withdrawal.returned");
}

static int fail(const struct context *context, struct tx *tx, struct withdrawal_row *withdrawal,
		const char *detail)
{
	int r;

	withdrawal->state = WITHDRAWAL_FAILED;
	withdrawal->ended_at_ms = clock_now_ms(context->clock);
	withdrawal->detail = detail;
	r = store_withdrawal_update(tx, withdrawal);
	return r != 0 ? r : tell(context, tx, withdrawal, "withdrawal.failed");
}

int withdrawal_overtaken(const struct context *context, struct tx *tx, struct account_id tenant,
			 struct amount *ret_amount)
{
	struct withdrawal_row withdrawal;
	int r = store_withdrawal_asked(tx, tenant, &withdrawal);

	*ret_amount = AMOUNT_ZERO;
	if (r == ROUTE_E_NOT_FOUND)
		return 0;
	if (r == 0)
		r = fail(context, tx, &withdrawal, "you left the contract with it");
	if (r == 0)
		*ret_amount = withdrawal.amount;
	return r;
}

struct look {
	const struct context *context;
	struct withdrawal_id after;
	bool more;
};

static int look_at(const struct look *look, struct tx *tx, struct withdrawal_row *withdrawal)
{
	const char *detail = "the contract had given back as much before";
	char name[CALL_NAME_SIZE];
	struct outbox_row row;
	bool over;
	int r;

	call_name(withdrawal, name);
	r = outbox_find(tx, name, &row);
	if (r != 0)
		return r > 0 ? -EIO : r;
	over = row.state == OUTBOX_REVERTED || row.state == OUTBOX_REFUSED;
	if (over)
		detail = row.detail;
	/* One that had its effect is ended by the contract's event. */
	if (row.state == OUTBOX_FINAL)
		r = escrow_has_taken(tx, row.block, &over);
	if (r != 0 || !over)
		return r;
	r = post(look->context, tx, withdrawal, "withdrawal-back", withdrawal->amount);
	return r != 0 ? r : fail(look->context, tx, withdrawal, detail);
}

static int tx_look(struct tx *tx, void *arg)
{
	struct look *look = arg;
	struct withdrawal_row *list;
	size_t n;
	int r = store_withdrawals_asked(tx, look->after, LOOK_AT_ONCE, &list, &n);

	for (size_t i = 0; r == 0 && i < n; i++)
		r = look_at(look, tx, &list[i]);
	look->more = r == 0 && n == LOOK_AT_ONCE;
	if (r == 0 && n > 0)
		look->after = list[n - 1].id;
	return r;
}

/* Whether anybody waits for one: nothing is written while nobody does. */
static int tx_waits(struct tx *tx, void *arg)
{
	struct look *look = arg;
	struct withdrawal_row *list;
	size_t n;
	int r = store_withdrawals_asked(tx, look->after, 1, &list, &n);

	look->more = r == 0 && n > 0;
	return r;
}

int withdrawals_look(const struct context *context, struct arena *arena)
{
	struct look look = { .context = context };
	int r = db_run(context->db, TX_READ, arena, tx_waits, &look);

	while (r == 0 && look.more) {
		arena_reset(arena);
		r = db_run(context->db, TX_WRITE, arena, tx_look, &look);
	}
	arena_reset(arena);
	return r;
}
