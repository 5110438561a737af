#include "modules/rewards/pots.h"

#include "base/log.h"
#include "chain/contract_event.h"
#include "chain/indexer.h"
#include "modules/chain/chain.h"

enum { TAKE_AT_ONCE = 100 };

static const char consumer[] = "rewards";

/* Says what the contract could not have done. */
static int unexpected(const struct indexer_log *log, const char *what)
{
	log_error("rewards.pot_unexpected", log_text("what", what), log_int("block", log->block),
		  log_int("log", log->index));
	return 0;
}

/* ---- roots ---- */

static int take_proposed(struct tx *tx, const struct indexer_log *log,
			 const struct contract_event *event)
{
	enum reward_kind kind = (enum reward_kind)event->root_proposed.kind;
	int64_t round = (int64_t)event->root_proposed.epoch;
	struct root_row row;
	struct pot_row pot;
	int r = rewards_store_pot(tx, kind, &pot);

	if (r != 0)
		return r;
	pot.pending_round = round;
	memcpy(pot.pending_root, event->root_proposed.root, 32);
	r = rewards_store_pot_set(tx, kind, &pot);
	if (r == 0)
		r = rewards_store_root_find(tx, kind, round, event->root_proposed.root, &row);
	if (r != 0)
		return r == ROUTE_E_NOT_FOUND ? 0 : r; /* another's: roots.c says so */
	row.state = ROOT_PROPOSED;
	row.effective_s = (int64_t)event->root_proposed.effective_at_s;
	memcpy(row.transaction, log->transaction, 32);
	row.block = log->block;
	return rewards_store_root_set(tx, &row);
}

static int set_state(struct tx *tx, enum reward_kind kind, int64_t round, const uint8_t root[32],
		     enum root_state state)
{
	struct root_row row;
	int r = rewards_store_root_find(tx, kind, round, root, &row);

	if (r != 0)
		return r == ROUTE_E_NOT_FOUND ? 0 : r;
	row.state = state;
	return rewards_store_root_set(tx, &row);
}

static int take_withdrawn(struct tx *tx, const struct contract_event *event)
{
	enum reward_kind kind = (enum reward_kind)event->root_withdrawn.kind;
	struct pot_row pot;
	int r = rewards_store_pot(tx, kind, &pot);

	if (r != 0)
		return r;
	pot.pending_round = 0;
	memset(pot.pending_root, 0, sizeof(pot.pending_root));
	r = rewards_store_pot_set(tx, kind, &pot);
	return r != 0 ? r
		      : set_state(tx, kind, (int64_t)event->root_withdrawn.epoch,
				  event->root_withdrawn.root, ROOT_WITHDRAWN);
}

static int take_active(struct tx *tx, const struct contract_event *event)
{
	enum reward_kind kind = (enum reward_kind)event->root_active.kind;
	struct pot_row pot;
	int r = rewards_store_pot(tx, kind, &pot);

	if (r != 0)
		return r;
	pot.active_round = (int64_t)event->root_active.epoch;
	memcpy(pot.active_root, event->root_active.root, 32);
	pot.pending_round = 0;
	memset(pot.pending_root, 0, sizeof(pot.pending_root));
	r = rewards_store_pot_set(tx, kind, &pot);
	return r != 0 ? r
		      : set_state(tx, kind, pot.active_round, event->root_active.root, ROOT_ACTIVE);
}

/* ---- money ---- */

/* Tokens' supplies are far below 2^192: sums of them fit. */
static bool is_amount(struct u256 amount)
{
	return u256_bits(amount) <= 192;
}

static int take_funded(struct tx *tx, const struct indexer_log *log, uint64_t kind,
		       struct u256 amount, bool back)
{
	struct pot_row pot;
	int r = rewards_store_pot(tx, (enum reward_kind)kind, &pot);

	if (r != 0)
		return r;
	if (!is_amount(amount) || (back && u256_compare(&pot.funded, &amount) < 0))
		return unexpected(log, "moved more than there is");
	pot.funded = back ? u256_subtract(pot.funded, amount) : u256_add(pot.funded, amount);
	return rewards_store_pot_set(tx, (enum reward_kind)kind, &pot);
}

static int take_claimed(struct tx *tx, const struct indexer_log *log,
			const struct contract_event *event)
{
	enum reward_kind kind = (enum reward_kind)event->claimed.kind;
	struct pot_row pot;
	int r = rewards_store_pot(tx, kind, &pot);

	if (r != 0)
		return r;
	if (!is_amount(event->claimed.amount))
		return unexpected(log, "paid more than there is");
	pot.claimed = u256_add(pot.claimed, event->claimed.amount);
	r = rewards_store_pot_set(tx, kind, &pot);
	return r != 0 ? r
		      : rewards_store_claimed_set(tx, kind, &event->claimed.account,
						  event->claimed.cumulative);
}

/* ---- following ---- */

static int take_event(struct tx *tx, const struct indexer_log *log,
		      const struct contract_event *event)
{
	switch (event->kind) {
	case EVENT_FUNDED:
		return take_funded(tx, log, event->funded.kind, event->funded.amount, false);
	case EVENT_DEFUNDED:
		return take_funded(tx, log, event->defunded.kind, event->defunded.amount, true);
	case EVENT_ROOT_PROPOSED:
		return take_proposed(tx, log, event);
	case EVENT_ROOT_WITHDRAWN:
		return take_withdrawn(tx, event);
	case EVENT_ROOT_ACTIVE:
		return take_active(tx, event);
	case EVENT_CLAIMED:
		return take_claimed(tx, log, event);
	default:
		return 0;
	}
}

static int take_log(struct tx *tx, const struct indexer_log *log)
{
	static const enum contract_event_kind heard[] = {
		EVENT_FUNDED,         EVENT_DEFUNDED,    EVENT_ROOT_PROPOSED,
		EVENT_ROOT_WITHDRAWN, EVENT_ROOT_ACTIVE, EVENT_CLAIMED,
	};
	struct contract_event event;

	for (size_t i = 0; i < ARRAY_SIZE(heard); i++) {
		int r = contract_event_read(heard[i], log->topics, log->n_topics, log->data,
					    log->len, &event);

		if (r == 0)
			return take_event(tx, log, &event);
		if (r == CONTRACT_EVENT_E_MALFORMED)
			return unexpected(log, "an event that is not as the contract writes it");
	}
	return 0;
}

/* Mostly there is nothing, and who writes keeps others from it. */
static int tx_look(struct tx *tx, void *arg)
{
	bool *more = arg;
	struct indexer_log *logs;
	size_t n;
	int r = indexer_take(tx, consumer, &chain_contracts()->at[CONTRACT_DISTRIBUTOR].address,
			     NULL, 1, &logs, &n);

	*more = r == 0 && n > 0;
	return r;
}

static int tx_follow(struct tx *tx, void *arg)
{
	bool *more = arg;
	struct indexer_log *logs;
	size_t n;
	int r = indexer_take(tx, consumer, &chain_contracts()->at[CONTRACT_DISTRIBUTOR].address,
			     NULL, TAKE_AT_ONCE, &logs, &n);

	for (size_t i = 0; r == 0 && i < n; i++)
		r = take_log(tx, &logs[i]);
	if (r == 0 && n > 0)
		r = indexer_taken(tx, consumer, &logs[n - 1]);
	*more = n == TAKE_AT_ONCE;
	return r;
}

int pots_follow(const struct context *context, struct arena *arena)
{
	bool more;
	int r = db_run(context->db, TX_READ, arena, tx_look, &more);

	while (r == 0 && more) {
		arena_reset(arena);
		r = db_run(context->db, TX_WRITE, arena, tx_follow, &more);
	}
	arena_reset(arena);
	return r;
}
