#include "modules/billing/owed.h"

#include "chain/contract_event.h"
#include "chain/contracts.h"
#include "chain/indexer.h"
#include "modules/billing/billing_store_settlement.h"
#include "modules/billing/escrow.h"
#include "modules/chain/chain.h"

enum { TAKE_AT_ONCE = 200 };

/* Of its own, and hence of all that the contract ever logged. */
static const char consumer[] = "billing-owed";

static int add(struct tx *tx, struct account_id account, struct u256 amount)
{
	struct u256 owed;
	int r = store_owed(tx, account, &owed);

	/* No two of what a token has pass 256 bits. */
	return r == 0 ? store_owed_put(tx, account, u256_add(owed, amount)) : r;
}

static int take_away(struct tx *tx, struct account_id account, struct u256 amount)
{
	struct u256 owed;
	int r = store_owed(tx, account, &owed);

	if (r == 0 && u256_compare(&amount, &owed) > 0)
		amount = owed;
	return r == 0 ? store_owed_put(tx, account, u256_subtract(owed, amount)) : r;
}

static int take_log(const struct context *context, struct tx *tx, const struct indexer_log *log)
{
	const struct address *stablecoin = escrow_stablecoin(context);
	struct contract_event event;
	int r = contract_event_read(EVENT_OWED, log->topics, log->n_topics, log->data, log->len,
				    &event);

	if (r == 0)
		return address_equal(&event.owed.token, stablecoin)
			       ? add(tx, (struct account_id){ event.owed.account },
				     event.owed.amount)
			       : 0;
	r = contract_event_read(EVENT_WITHDRAWN, log->topics, log->n_topics, log->data, log->len,
				&event);
	if (r != 0 || !address_equal(&event.withdrawn.token, stablecoin))
		return 0;
	return take_away(tx, (struct account_id){ event.withdrawn.account },
			 event.withdrawn.amount);
}

struct following {
	const struct context *context;
	bool more;
};

static int tx_look(struct tx *tx, void *arg)
{
	struct following *following = arg;
	struct indexer_log *logs;
	size_t n;
	int r = indexer_take(tx, consumer, &chain_contracts()->at[CONTRACT_ESCROW].address, NULL, 1,
			     &logs, &n);

	following->more = r == 0 && n > 0;
	return r;
}

static int tx_follow(struct tx *tx, void *arg)
{
	struct following *following = arg;
	struct indexer_log *logs;
	size_t n;
	int r = indexer_take(tx, consumer, &chain_contracts()->at[CONTRACT_ESCROW].address, NULL,
			     TAKE_AT_ONCE, &logs, &n);

	for (size_t i = 0; r == 0 && i < n; i++)
		r = take_log(following->context, tx, &logs[i]);
	if (r == 0 && n > 0)
		r = indexer_taken(tx, consumer, &logs[n - 1]);
	following->more = n == TAKE_AT_ONCE;
	return r;
}

int owed_follow(const struct context *context, struct arena *arena)
{
	struct following following = { .context = context };
	int r = db_run(context->db, TX_READ, arena, tx_look, &following);

	while (r == 0 && following.more) {
		arena_reset(arena);
		r = db_run(context->db, TX_WRITE, arena, tx_follow, &following);
	}
	arena_reset(arena);
	return r;
}

int owed_to(struct tx *tx, struct account_id account, struct amount *ret_owed)
{
	const struct u256 most = u256_from(INT64_MAX);
	struct u256 owed;
	int r = store_owed(tx, account, &owed);

	if (r == 0)
		ret_owed->micro = u256_compare(&owed, &most) > 0 ? INT64_MAX
								 : (int64_t)u256_low(owed);
	return r;
}
