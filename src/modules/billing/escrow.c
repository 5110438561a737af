#include "modules/billing/escrow.h"

#include "api/settings.h"
#include "base/codec.h"
#include "base/log.h"
#include "chain/contracts.h"
#include "modules/billing/conversion.h"
#include "modules/billing/deposit.h"
#include "modules/billing/leaver.h"
#include "modules/billing/settle.h"
#include "modules/billing/withdrawal.h"
#include "modules/chain/chain.h"

enum { TAKE_AT_ONCE = 100, PENDING_MAX = 256 };

static const char consumer[] = "billing";

const struct address *escrow_stablecoin(const struct context *context)
{
	const struct chain_settings *chain = context->settings->chain;

	return chain ? &chain->stablecoin : NULL;
}

static bool is_kai(const struct address *token)
{
	return address_equal(token, &chain_contracts()->at[CONTRACT_TOKEN].address);
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

/* The network takes its own deposit back. From then on it may pay of a new one. */
static int take_fund_exited(const struct context *context, struct tx *tx,
			    const struct indexer_log *log, struct account_id treasury,
			    struct u256 gone)
{
	struct ledger_posting posting = { .kind = "exited" };
	struct amount given, taken;
	char place[96];
	int r = store_leaving_take(tx, treasury, &taken);

	if (r != 0 || !to_micro(gone, &given) || given.micro == 0)
		return no_conflict(r);
	log_place(log, place);
	snprintf(posting.key, sizeof(posting.key), "exited:%.88s", place);
	snprintf(posting.memo, sizeof(posting.memo), "the contract's exited");
	ledger_entry_network(&posting, LEDGER_FUND, (struct amount){ -given.micro });
	ledger_entry_network(&posting, LEDGER_ESCROW, given);
	return ledger_post_sure(context, tx, &posting, 1);
}

static int take_exit_requested(const struct context *context, struct tx *tx,
			       const struct indexer_log *log, const struct contract_event *event)
{
	const uint64_t at_s = event->exit_requested.at_s;
	const int64_t at_ms = at_s < INT64_MAX / 1000 ? (int64_t)at_s * 1000 : INT64_MAX;
	char place[96];

	if (!address_equal(&event->exit_requested.token, escrow_stablecoin(context)))
		return 0;
	log_place(log, place);
	return leaver_asked(context, tx, place, (struct account_id){ event->exit_requested.tenant },
			    at_ms);
}

static int take_exit_cancelled(const struct context *context, struct tx *tx,
			       const struct indexer_log *log, const struct contract_event *event)
{
	char place[96];

	if (!address_equal(&event->exit_cancelled.token, escrow_stablecoin(context)))
		return 0;
	log_place(log, place);
	return leaver_cancelled(context, tx, place,
				(struct account_id){ event->exit_cancelled.tenant });
}

static int take_exited(const struct context *context, struct tx *tx, const struct indexer_log *log,
		       struct account_id tenant, struct u256 gone)
{
	struct amount given;
	char place[96];

	if (!to_micro(gone, &given))
		return unexpected(log, "more than there is left the contract");
	log_place(log, place);
	return leaver_exited(context, tx, place, tenant, given);
}

/* ---- events ---- */

static int take_returned(const struct context *context, struct tx *tx,
			 const struct indexer_log *log, const struct contract_event *event)
{
	struct withdrawal_event returned = { .tenant = { event->returned.tenant },
					     .transaction = log->transaction };
	int r;

	if (!to_micro(event->returned.amount, &returned.amount) ||
	    !to_micro(event->returned.total, &returned.total))
		return unexpected(log, "gave back more than there is");
	r = withdrawal_returned(context, tx, &returned);
	if (r != ROUTE_E_NOT_FOUND)
		return r;
	r = unexpected(log, "gave back what nobody asked for");
	return r == 0 ? withdrawal_unasked(context, tx, &returned) : r;
}

static int take_charged(const struct context *context, struct tx *tx, const struct indexer_log *log,
			const struct contract_event *event)
{
	struct settle_paid paid = { .payer = { event->charged.tenant },
				    .payee = { event->charged.provider } };
	char place[96];

	if (is_kai(&event->charged.token))
		return conversion_take(context, tx, paid.payer, event->charged.total);
	if (!address_equal(&event->charged.token, escrow_stablecoin(context)))
		return 0;
	if (!to_micro(event->charged.amount, &paid.amount) ||
	    !to_micro(event->charged.fee, &paid.fee) ||
	    !to_micro(event->charged.total, &paid.total))
		return unexpected(log, "paid more than there is");
	log_place(log, place);
	return settle_take(context, tx, &paid, place);
}

static int take_unpaid(const struct context *context, struct tx *tx,
		       const struct contract_event *event)
{
	if (!address_equal(&event->unpaid.token, escrow_stablecoin(context)))
		return 0;
	return store_settlement_unpaid(tx, (struct account_id){ event->unpaid.tenant },
				       (struct account_id){ event->unpaid.provider });
}

static int take_any_exited(const struct context *context, struct tx *tx,
			   const struct indexer_log *log, const struct contract_event *event)
{
	const struct account_id tenant = { event->exited.tenant };
	struct account_id treasury;
	int r;

	if (!address_equal(&event->exited.token, escrow_stablecoin(context)))
		return is_kai(&event->exited.token) ? conversion_leave(context, tx, tenant) : 0;
	r = store_treasury(tx, &treasury);
	if (r == 0 && account_equal(tenant, treasury))
		return take_fund_exited(context, tx, log, treasury, event->exited.amount);
	return r == 0 ? take_exited(context, tx, log, tenant, event->exited.amount) : r;
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
		if (is_kai(&event->exit_requested.token))
			return conversion_leaving(
				tx, (struct account_id){ event->exit_requested.tenant }, true);
		return take_exit_requested(context, tx, log, event);
	case EVENT_EXIT_CANCELLED:
		if (is_kai(&event->exit_cancelled.token))
			return conversion_leaving(
				tx, (struct account_id){ event->exit_cancelled.tenant }, false);
		return take_exit_cancelled(context, tx, log, event);
	case EVENT_EXITED:
		return take_any_exited(context, tx, log, event);
	case EVENT_CHARGED:
		return take_charged(context, tx, log, event);
	case EVENT_UNPAID:
		return take_unpaid(context, tx, event);
	default:
		return 0;
	}
}

static int take_log(const struct context *context, struct tx *tx, const struct indexer_log *log)
{
	static const enum contract_event_kind heard[] = {
		EVENT_DEPOSITED, EVENT_RETURNED, EVENT_EXIT_REQUESTED, EVENT_EXIT_CANCELLED,
		EVENT_EXITED,    EVENT_CHARGED,  EVENT_UNPAID
	};
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
	struct account_id treasury;
	struct indexer_log *logs;
	size_t n;
	int r = store_treasury(tx, &treasury);

	/* Until it is known whose deposits are the network's own (settle.h). */
	if (r == ROUTE_E_NOT_FOUND) {
		following->more = false;
		return 0;
	}
	if (r == 0)
		r = indexer_take(tx, consumer, &chain_contracts()->at[CONTRACT_ESCROW].address,
				 NULL, TAKE_AT_ONCE, &logs, &n);
	for (size_t i = 0; r == 0 && i < n; i++)
		r = take_log(following->context, tx, &logs[i]);
	if (r == 0 && n > 0)
		r = indexer_taken(tx, consumer, &logs[n - 1]);
	following->more = n == TAKE_AT_ONCE;
	return r;
}

int escrow_has_taken(struct tx *tx, int64_t block, bool *ret_taken)
{
	const struct address *escrow = &chain_contracts()->at[CONTRACT_ESCROW].address;
	struct indexer_log *logs;
	int64_t reached;
	size_t n;
	int r = indexer_reached(tx, escrow, &reached);

	*ret_taken = false;
	if (r != 0 || reached < block)
		return r;
	r = indexer_take(tx, consumer, escrow, NULL, 1, &logs, &n);
	if (r == 0)
		*ret_taken = n == 0 || logs[0].block > block;
	return r;
}

/* Whether there is anything to follow: mostly there is nothing, and who writes keeps others from it. */
static int tx_waits(struct tx *tx, void *arg)
{
	struct following *following = arg;
	struct indexer_log *logs;
	size_t n;
	int r = indexer_take(tx, consumer, &chain_contracts()->at[CONTRACT_ESCROW].address, NULL, 1,
			     &logs, &n);

	following->more = r == 0 && n > 0;
	return r;
}

int escrow_follow(const struct context *context, struct arena *arena)
{
	struct following following = { .context = context };
	int r = db_run(context->db, TX_READ, arena, tx_waits, &following);

	while (r == 0 && following.more) {
		arena_reset(arena);
		r = db_run(context->db, TX_WRITE, arena, tx_follow, &following);
	}
	arena_reset(arena);
	return r;
}
