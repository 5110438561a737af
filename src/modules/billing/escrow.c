#include "modules/billing/escrow.h"

#include "api/settings.h"
#include "base/codec.h"
#include "base/log.h"
#include "chain/contracts.h"
#include "modules/billing/deposit.h"
#include "modules/billing/withdrawal.h"
#include "modules/chain/chain.h"

enum { TAKE_AT_ONCE = 100, PENDING_MAX = 256 };

static const char consumer[] = "billing";

const struct address *escrow_stablecoin(const struct context *context)
{
	const struct chain_settings *chain = context->settings->chain;

	return chain ? &chain->stablecoin : NULL;
}

/* Where it is not the ledger's: more than a balance can be. */
static bool to_micro(struct u256 amount, struct amount *ret_amount)
{
	const struct u256 most = u256_from(INT64_MAX);

	if (u256_compare(&amount, &most) > 0)
		return false;
	ret_amount->micro = (int64_t)u256_low(amount);
	return true;
}

static void log_place(const struct indexer_log *log, char ret_text[static 96])
{
	hex_encode(log->block_hash, 32, ret_text);
	snprintf(ret_text + 64, 32, ":%" PRId64, log->index);
}

/* Says what nobody could have asked for: the contract did something that the ledger knows nothing of. */
static int unexpected(const struct indexer_log *log, const char *what)
{
	char place[96];

	log_place(log, place);
	log_error("billing.escrow_unexpected", log_text("what", what), log_text("log", place));
	return 0;
}

/* ---- deposits ---- */

static struct deposit_row deposit_of(const struct indexer_log *log,
				     const struct contract_event *event)
{
	struct deposit_row deposit = {
		.tenant = { event->deposited.tenant },
		.payer = { event->deposited.payer },
		.token = event->deposited.token,
		.amount = event->deposited.amount,
		.block = log->block,
		.log = log->index,
		.detail = "",
	};

	memcpy(deposit.block_hash, log->block_hash, 32);
	memcpy(deposit.transaction, log->transaction, 32);
	return deposit;
}

int escrow_pending(struct tx *tx, struct account_id tenant, struct deposit_row **ret_deposits,
		   size_t *ret_n)
{
	struct deposit_row *list = NULL;
	struct indexer_log *logs;
	uint8_t topic[32];
	size_t n, kept = 0;
	int r;

	*ret_n = 0;
	if (!chain_enabled())
		return 0;
	contract_event_topic(EVENT_DEPOSITED, topic);
	r = indexer_pending(tx, consumer, &chain_contracts()->at[CONTRACT_ESCROW].address, topic,
			    PENDING_MAX, &logs, &n);
	if (r == 0 && !(list = arena_array(tx_arena(tx), n + 1, sizeof(*list))))
		r = -ENOMEM;
	for (size_t i = 0; r == 0 && i < n; i++) {
		struct contract_event event;

		r = contract_event_read(EVENT_DEPOSITED, logs[i].topics, logs[i].n_topics,
					logs[i].data, logs[i].len, &event);
		if (r == 0 && address_equal(&event.deposited.tenant, &tenant.address))
			list[kept++] = deposit_of(&logs[i], &event);
		r = r > 0 ? 0 : r;
	}
	if (r == 0) {
		*ret_deposits = list;
		*ret_n = kept;
	}
	return r;
}

/* ---- who leaves ---- */

/* So much less in the balance, and in the contract; above zero. @loss: the contract gave more than that. */
static int post_leaving(const struct context *context, struct tx *tx, const char *kind,
			const struct indexer_log *log, struct account_id tenant,
			struct amount amount, int64_t loss)
{
	struct ledger_posting posting = { .kind = kind };
	char place[96];

	if (amount.micro == 0 && loss == 0)
		return 0;
	log_place(log, place);
	snprintf(posting.key, sizeof(posting.key), "%s:%s", kind, place);
	snprintf(posting.memo, sizeof(posting.memo), "the contract's %s", kind);
	ledger_entry(&posting, tenant, LEDGER_AVAILABLE, (struct amount){ -amount.micro });
	ledger_entry_network(&posting, LEDGER_FEES, (struct amount){ -loss });
	ledger_entry_network(&posting, LEDGER_ESCROW, (struct amount){ amount.micro + loss });
	return ledger_post_sure(context, tx, &posting, 1);
}

static int coins_of(struct tx *tx, struct account_id tenant, struct amount *ret_coins)
{
	struct ledger_balances balances;
	int r = ledger_balances(tx, tenant, &balances);

	if (r == 0)
		*ret_coins = ledger_coins(&balances);
	return r;
}

static int take_exit_requested(const struct context *context, struct tx *tx,
			       const struct indexer_log *log, struct account_id tenant)
{
	struct amount coins;
	int r = coins_of(tx, tenant, &coins);

	if (r == 0)
		r = store_leaving_add(tx, tenant, coins, clock_now_ms(context->clock));
	if (r == SQL_E_CONFLICT)
		return unexpected(log, "who leaves asks to leave");
	return r != 0 ? r : post_leaving(context, tx, "exit-requested", log, tenant, coins, 0);
}

static int take_exit_cancelled(const struct context *context, struct tx *tx,
			       const struct indexer_log *log, struct account_id tenant)
{
	struct amount taken;
	int r = store_leaving_take(tx, tenant, &taken);

	return r != 0 ? r
		      : post_leaving(context, tx, "exit-cancelled", log, tenant,
				     (struct amount){ -taken.micro }, 0);
}

static int take_exited(const struct context *context, struct tx *tx, const struct indexer_log *log,
		       struct account_id tenant, struct u256 gone)
{
	struct amount taken, coins, asked, given;
	int r;

	if (!to_micro(gone, &given))
		return unexpected(log, "more than there is left the contract");
	r = store_leaving_take(tx, tenant, &taken);
	if (r == 0)
		r = coins_of(tx, tenant, &coins);
	if (r == 0)
		r = withdrawal_overtaken(context, tx, tenant, &asked);
	return r != 0 ? r
		      : post_leaving(context, tx, "exited", log, tenant, coins,
				     given.micro - taken.micro - coins.micro - asked.micro);
}

/* ---- events ---- */

static int take_returned(const struct context *context, struct tx *tx,
			 const struct indexer_log *log, const struct contract_event *event)
{
	struct amount total;
	int r = ROUTE_E_NOT_FOUND;

	if (to_micro(event->returned.total, &total))
		r = withdrawal_returned(context, tx, (struct account_id){ event->returned.tenant },
					total, log->transaction);
	return r == ROUTE_E_NOT_FOUND ? unexpected(log, "gave back what nobody asked for") : r;
}

int escrow_take(const struct context *context, struct tx *tx, const struct indexer_log *log,
		const struct contract_event *event)
{
	const struct address *stablecoin = escrow_stablecoin(context);
	struct deposit_row deposit;

	switch (event->kind) {
	case EVENT_DEPOSITED:
		deposit = deposit_of(log, event);
		return deposit_take(context, tx, &deposit);
	case EVENT_RETURNED:
		if (!address_equal(&event->returned.token, stablecoin))
			return 0;
		return take_returned(context, tx, log, event);
	case EVENT_EXIT_REQUESTED:
		if (!address_equal(&event->exit_requested.token, stablecoin))
			return 0;
		return take_exit_requested(context, tx, log,
					   (struct account_id){ event->exit_requested.tenant });
	case EVENT_EXIT_CANCELLED:
		if (!address_equal(&event->exit_cancelled.token, stablecoin))
			return 0;
		return take_exit_cancelled(context, tx, log,
					   (struct account_id){ event->exit_cancelled.tenant });
	case EVENT_EXITED:
		if (!address_equal(&event->exited.token, stablecoin))
			return 0;
		return take_exited(context, tx, log, (struct account_id){ event->exited.tenant },
				   event->exited.amount);
	default:
		return 0;
	}
}

static int take_log(const struct context *context, struct tx *tx, const struct indexer_log *log)
{
	static const enum contract_event_kind heard[] = { EVENT_DEPOSITED, EVENT_RETURNED,
							  EVENT_EXIT_REQUESTED,
							  EVENT_EXIT_CANCELLED, EVENT_EXITED };
	struct contract_event event;

	for (size_t i = 0; i < ARRAY_SIZE(heard); i++) {
		int r = contract_event_read(heard[i], log->topics, log->n_topics, log->data,
					    log->len, &event);

		if (r == 0)
			return escrow_take(context, tx, log, &event);
		if (r == CONTRACT_EVENT_E_MALFORMED)
			return unexpected(log, "an event that is not as the contract writes it");
	}
	return 0;
}

/* ---- following ---- */

struct following {
	const struct context *context;
	bool more;
};

static int tx_follow(struct tx *tx, void *arg)
{
	struct following *following = arg;
	struct indexer_log *logs;
	size_t n;
	int r;

	r = indexer_take(tx, consumer, &chain_contracts()->at[CONTRACT_ESCROW].address, NULL,
			 TAKE_AT_ONCE, &logs, &n);
	for (size_t i = 0; r == 0 && i < n; i++)
		r = take_log(following->context, tx, &logs[i]);
	if (r == 0 && n > 0)
		r = indexer_taken(tx, consumer, &logs[n - 1]);
	following->more = n == TAKE_AT_ONCE;
	return r;
}

int escrow_follow(const struct context *context, struct arena *arena)
{
	struct following following = { .context = context };
	int r;

	do {
		r = db_run(context->db, TX_WRITE, arena, tx_follow, &following);
		arena_reset(arena);
	} while (r == 0 && following.more);
	return r;
}
