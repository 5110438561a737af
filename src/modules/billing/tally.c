#include "modules/billing/tally.h"

#include "api/settings.h"
#include "base/log.h"

enum { POSTINGS_AT_ONCE = 500 };

int tally_add(struct tx *tx, struct account_id payer, struct account_id payee, int64_t charged,
	      int64_t fee)
{
	struct settlement_row row;
	int64_t made_up;
	int r;

	if (charged == 0 && fee == 0)
		return 0;
	r = store_settlement(tx, payer, payee, &row);
	if (r != 0)
		return r;
	made_up = charged < row.overpaid ? charged : row.overpaid;
	row.overpaid -= made_up;
	row.charged += charged - made_up;
	row.fee += fee;
	return store_settlement_put(tx, &row);
}

/* What is to be paid more by this pair than before. */
struct more {
	int64_t from_tenant, tenant_fee, to_treasury, network_pays;
};

/* Of a tenant who left before it was tallied: the network pays the provider, and the rest is its loss. */
static int take_escaped(struct tx *tx, struct account_id tenant, struct more *more)
{
	struct amount escaped;
	int64_t all = more->from_tenant, gone, fee;
	int r = store_escaped(tx, tenant, &escaped);

	if (r != 0 || escaped.micro == 0)
		return r;
	gone = escaped.micro < all ? escaped.micro : all;
	if (gone > 0) {
		fee = (int64_t)((__int128)more->tenant_fee * gone / all);
		more->from_tenant -= gone;
		more->tenant_fee -= fee;
		more->network_pays += gone - fee;
		escaped.micro -= gone;
	}
	gone = escaped.micro < more->to_treasury ? escaped.micro : more->to_treasury;
	more->to_treasury -= gone;
	escaped.micro -= gone;
	return store_escaped_put(tx, tenant, escaped);
}

static int add_more(struct tx *tx, struct account_id treasury, const struct pair_row *pair,
		    const struct more *more)
{
	int r = tally_add(tx, pair->tenant, pair->provider, more->from_tenant, more->tenant_fee);

	if (r == 0)
		r = tally_add(tx, pair->tenant, treasury, more->to_treasury, 0);
	if (r == 0 && !account_equal(pair->provider, treasury))
		r = tally_add(tx, treasury, pair->provider, more->network_pays, 0);
	return r;
}

/* One pair's sums that cannot be are no reason to pay nobody. They are kept as they are: what is tallied later divides
 * them again, and pays what was left out. */
static int skip_pair(struct tx *tx, const struct pair_row *pair)
{
	char tenant[ADDRESS_TEXT_SIZE], provider[ADDRESS_TEXT_SIZE];

	address_text(&pair->tenant.address, tenant);
	address_text(&pair->provider.address, provider);
	log_error("billing.tally_skipped", log_text("tenant", tenant),
		  log_text("provider", provider), log_int("charged", pair->shares.charged),
		  log_int("points", pair->shares.points),
		  log_int("refunded", pair->shares.refunded), log_int("fee", pair->shares.fee));
	return store_pair_put(tx, pair);
}

static int tally_pair(struct tx *tx, struct account_id treasury, const struct pair_row *added)
{
	struct pair_row pair = *added;
	struct shares before;
	struct more more;
	int r = store_pair(tx, pair.tenant, pair.provider, &before);

	if (r != 0)
		return r;
	pair.shares = before;
	pair.shares.charged += added->shares.charged;
	pair.shares.points += added->shares.points;
	pair.shares.refunded += added->shares.refunded;
	pair.shares.fee += added->shares.fee;
	r = shares_divide(&pair.shares);
	if (r != 0)
		return r == -ERANGE ? skip_pair(tx, &pair) : r;
	more = (struct more){ pair.shares.from_tenant - before.from_tenant,
			      pair.shares.tenant_fee - before.tenant_fee,
			      pair.shares.to_treasury - before.to_treasury,
			      pair.shares.network_pays - before.network_pays };
	r = take_escaped(tx, pair.tenant, &more);
	if (r == 0)
		r = add_more(tx, treasury, &pair, &more);
	return r == 0 ? store_pair_put(tx, &pair) : r;
}

struct tallying {
	const struct context *context;
	struct account_id treasury;
	struct posting_id last;
};

/* Ids begin with 48 bits of milliseconds. */
static struct posting_id before_ms(int64_t ms)
{
	struct posting_id id = { 0 };

	for (size_t i = 0; i < 6 && ms > 0; i++)
		id.bytes[i] = (uint8_t)(ms >> (8 * (5 - i)));
	return id;
}

/* ROUTE_E_NOT_FOUND: nothing is due. */
static int look(struct tx *tx, struct tallying *tallying, struct posting_id *ret_after)
{
	const struct context *context = tallying->context;
	int64_t until_ms = clock_now_ms(context->clock) - context->settings->settle_after_ms;
	int r = store_treasury(tx, &tallying->treasury);

	if (r == 0)
		r = store_tallied(tx, ret_after);
	if (r == 0)
		r = store_tally_end(tx, *ret_after, before_ms(until_ms), POSTINGS_AT_ONCE,
				    &tallying->last);
	return r;
}

static int tx_look(struct tx *tx, void *arg)
{
	struct posting_id after;

	return look(tx, arg, &after);
}

static int tx_tally(struct tx *tx, void *arg)
{
	struct tallying *tallying = arg;
	struct posting_id after;
	struct pair_row *pairs;
	size_t n;
	int r = look(tx, tallying, &after);

	if (r == 0)
		r = store_tally(tx, after, tallying->last, &pairs, &n);
	for (size_t i = 0; r == 0 && i < n; i++)
		r = tally_pair(tx, tallying->treasury, &pairs[i]);
	return r == 0 ? store_tallied_set(tx, tallying->last) : r;
}

int tally_run(const struct context *context, struct arena *arena)
{
	struct tallying tallying = { .context = context };
	int r;

	do {
		r = db_run(context->db, TX_READ, arena, tx_look, &tallying);
		arena_reset(arena);
		if (r == 0)
			r = db_run(context->db, TX_WRITE, arena, tx_tally, &tallying);
		arena_reset(arena);
	} while (r == 0);
	return r == ROUTE_E_NOT_FOUND ? 0 : r;
}
