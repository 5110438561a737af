#include "modules/billing/settle.h"

#include "api/settings.h"
#include "base/keccak.h"
#include "base/log.h"
#include "chain/contracts.h"
#include "chain/outbox.h"
#include "modules/billing/conversion.h"
#include "modules/billing/escrow.h"
#include "modules/billing/tally.h"
#include "modules/chain/chain.h"

enum {
	GAS_FOR_ONE = 120000, /* with new storage, and what the outbox adds */
	AGAIN_CALLS = 6, /* what was said in vain is said again with the sixth call */
	LEAVES_MS = 3600 *
		    1000, /* who may leave so soon is not named: a call could come too late */
	CALL_NAME_SIZE = 48,
};

/* ---- what became of it ---- */

static int post_paid(const struct context *context, struct tx *tx, const struct settle_paid *paid,
		     bool by_network, const char *place)
{
	struct ledger_posting posting = { .kind = "settled" };

	snprintf(posting.key, sizeof(posting.key), "settled:%s", place);
	snprintf(posting.memo, sizeof(posting.memo), "paid in the contract");
	ledger_entry_network(&posting, by_network ? LEDGER_FUND : LEDGER_SETTLED,
			     (struct amount){ -paid->amount.micro });
	ledger_entry_network(&posting, LEDGER_ESCROW, paid->amount);
	return ledger_post_sure(context, tx, &posting, 1);
}

int settle_take(const struct context *context, struct tx *tx, const struct settle_paid *paid,
		const char *place)
{
	struct account_id treasury;
	struct settlement_row row;
	int r = store_treasury(tx, &treasury);

	if (r == 0)
		r = store_settlement(tx, paid->payer, paid->payee, &row);
	if (r != 0)
		return r > 0 ? -EIO : r;
	/* The contract's word counts: somebody used the settler's key for something else. */
	if (row.settled + paid->amount.micro != paid->total.micro ||
	    paid->total.micro > row.charged)
		log_error("billing.escrow_unexpected", log_text("what", "paid what is not due"),
			  log_text("log", place));
	row.settled = paid->total.micro;
	row.settled_fee += paid->fee.micro;
	row.unpaid = false;
	if (row.charged < row.settled)
		row.charged = row.settled;
	if (row.fee < row.settled_fee)
		row.fee = row.settled_fee;
	r = store_settlement_put(tx, &row);
	return r == 0 ? post_paid(context, tx, paid, account_equal(paid->payer, treasury), place)
		      : r;
}

int settle_leave(struct tx *tx, struct account_id payer, struct amount *ret_lost)
{
	struct settlement_row *rows;
	struct account_id treasury;
	struct amount lost = AMOUNT_ZERO;
	size_t n;
	int r = store_treasury(tx, &treasury);

	if (r == 0)
		r = store_settlements_of(tx, payer, &rows, &n);
	if (r != 0)
		return r > 0 ? -EIO : r;
	*ret_lost = lost;
	if (account_equal(payer, treasury))
		return 0;
	for (size_t i = 0; r == 0 && i < n; i++) {
		int64_t rest = rows[i].charged - rows[i].settled;
		int64_t fee = rows[i].fee - rows[i].settled_fee;

		lost.micro += rest;
		rows[i].charged = rows[i].settled;
		rows[i].fee = rows[i].settled_fee;
		rows[i].unpaid = false;
		r = store_settlement_put(tx, &rows[i]);
		if (r == 0 && !account_equal(rows[i].payee, treasury))
			r = tally_add(tx, treasury, rows[i].payee, rest - fee, 0);
	}
	if (r == 0)
		*ret_lost = lost;
	return r;
}

/* ---- calls ---- */

struct turn {
	const struct context *context;
	const char *series;
	/* What the next call of the series says, @max pairs at most; as many as that in *@ret_n. In @tx, which is
	 * TX_WRITE if @writes: then what was said is marked. */
	int (*gather)(struct turn *turn, struct tx *tx, size_t max, struct settlement **ret_items,
		      size_t *ret_n);
	int (*ended)(struct tx *tx); /* of the call that went on; may be NULL */
	struct address token;
	struct account_id treasury;
	int64_t now_ms;
	bool writes;
	bool acts; /* there is something to write */
};

static void call_name(const struct calls_row *calls, char ret_name[static CALL_NAME_SIZE])
{
	snprintf(ret_name, CALL_NAME_SIZE, "%s/%" PRId64, calls->series, calls->number);
}

static int most_items(const struct turn *turn, const struct calls_row *calls)
{
	int64_t most = turn->context->settings->chain_max_gas / GAS_FOR_ONE;

	if (most > CONTRACTS_SETTLEMENTS_MAX)
		most = CONTRACTS_SETTLEMENTS_MAX;
	if (calls->items > 0 && calls->items < most)
		most = calls->items;
	return most > 1 ? (int)most : 1;
}

/* Its events are taken when all logs up to its block are. */
static int is_taken(struct tx *tx, const struct outbox_row *call, bool *ret_taken)
{
	const struct address *escrow = &chain_contracts()->at[CONTRACT_ESCROW].address;
	int64_t reached;
	int r = indexer_reached(tx, escrow, &reached);

	*ret_taken = false;
	if (r != 0 || reached < call->block)
		return r;
	return escrow_has_taken(tx, call->block, ret_taken);
}

static int close_call(struct turn *turn, struct tx *tx, struct calls_row *calls,
		      const char *problem)
{
	int items = most_items(turn, calls);

	turn->acts = true;
	if (!turn->writes)
		return 0;
	if (*problem)
		log_warn("billing.settle_refused", log_text("series", calls->series),
			 log_int("number", calls->number), log_text("detail", problem));
	calls->open = false;
	if (*problem)
		calls->items = (items + 1) / 2;
	else
		calls->items = calls->items > items / 2 ? 0 : calls->items * 2;
	calls->problem = problem;
	return store_calls_put(tx, calls);
}

static int look_at_call(struct turn *turn, struct tx *tx, struct calls_row *calls)
{
	char name[CALL_NAME_SIZE];
	struct outbox_row call;
	bool taken = true;
	int r;

	call_name(calls, name);
	r = outbox_find(tx, name, &call);
	if (r != 0)
		return r > 0 ? -EIO : r;
	if (call.state < OUTBOX_FINAL)
		return 0;
	if (call.state == OUTBOX_FINAL)
		r = is_taken(tx, &call, &taken);
	if (r != 0 || !taken)
		return r;
	if (turn->writes && turn->ended)
		r = turn->ended(tx);
	return r != 0 ? r
		      : close_call(turn, tx, calls, call.state == OUTBOX_FINAL ? "" : call.detail);
}

static int make_call(struct turn *turn, struct tx *tx, struct calls_row *calls)
{
	const struct address *escrow = &chain_contracts()->at[CONTRACT_ESCROW].address;
	struct settlement *items;
	char name[CALL_NAME_SIZE];
	struct call_data data;
	size_t n;
	int r = turn->gather(turn, tx, (size_t)most_items(turn, calls), &items, &n);

	if (r != 0 || n == 0)
		return r;
	turn->acts = true;
	if (!turn->writes)
		return 0;
	calls->number++;
	calls->open = true;
	calls->made_ms = turn->now_ms;
	call_name(calls, name);
	r = call_settle(&turn->token, items, n, tx_arena(tx), &data);
	if (r == 0)
		r = chain_call(turn->context, tx, name, "settle", escrow, data.bytes, data.len);
	if (r == 0)
		r = store_calls_put(tx, calls);
	return r > 0 ? -EIO : r;
}

static int tx_turn(struct tx *tx, void *arg)
{
	struct turn *turn = arg;
	struct calls_row calls;
	int r = store_calls(tx, turn->series, &calls);

	turn->acts = false;
	if (r != 0)
		return r;
	if (calls.open)
		return look_at_call(turn, tx, &calls);
	if (calls.number > 0 &&
	    turn->now_ms - calls.made_ms < turn->context->settings->settle_every_ms)
		return 0;
	return make_call(turn, tx, &calls);
}

/* Looks first, so that nothing is written where there is nothing to do. */
static int run_series(struct turn *turn, struct arena *arena)
{
	int r;

	turn->writes = false;
	r = db_run(turn->context->db, TX_READ, arena, tx_turn, turn);
	arena_reset(arena);
	if (r != 0 || !turn->acts)
		return r;
	turn->writes = true;
	r = db_run(turn->context->db, TX_WRITE, arena, tx_turn, turn);
	arena_reset(arena);
	return r;
}

/* ---- what calls say ---- */

/* The network's own deposit pays no more than there is of it. */
static int64_t payable(const struct turn *turn, const struct settlement_row *row, int64_t *fund)
{
	int64_t rest = row->charged - row->settled;

	if (!account_equal(row->payer, turn->treasury))
		return rest;
	if (rest > *fund)
		rest = *fund > 0 ? *fund : 0;
	*fund -= rest;
	return rest;
}

static int mark(const struct turn *turn, struct tx *tx, struct settlement_row *row,
		int64_t reported)
{
	if (!turn->writes)
		return 0;
	row->reported = reported;
	row->tried_ms = turn->now_ms;
	return store_settlement_put(tx, row);
}

static int gather_settlements(struct turn *turn, struct tx *tx, size_t max,
			      struct settlement **ret_items, size_t *ret_n)
{
	const struct settings *settings = turn->context->settings;
	struct settlement *items = arena_array(tx_arena(tx), max, sizeof(*items));
	struct settlement_row *rows;
	struct amount fund;
	size_t n, kept = 0;
	int r = items ? store_network_sum(tx, LEDGER_FUND, &fund) : -ENOMEM;

	if (r == 0)
		r = store_settlements_due(tx, settings->settle_least_micro,
					  turn->now_ms - AGAIN_CALLS * settings->settle_every_ms,
					  turn->now_ms + LEAVES_MS,
					  fund.micro > 0 ? NULL : &turn->treasury, max, &rows, &n);
	for (size_t i = 0; r == 0 && i < n; i++) {
		int64_t pays = payable(turn, &rows[i], &fund.micro);
		int64_t charged = rows[i].settled + pays;

		r = mark(turn, tx, &rows[i], charged);
		if (pays > 0)
			items[kept++] = (struct settlement){
				.tenant = rows[i].payer.address,
				.provider = rows[i].payee.address,
				.charged = u256_from((unsigned __int128)charged),
				.fee = u256_from((unsigned __int128)rows[i].fee),
			};
	}
	*ret_items = items;
	*ret_n = kept;
	return r;
}

static int gather_conversions(struct turn *turn, struct tx *tx, size_t max,
			      struct settlement **ret_items, size_t *ret_n)
{
	return conversion_gather(tx, turn->treasury, max, ret_items, ret_n);
}

/* ---- the treasury ---- */

struct treasury {
	struct account_id account;
};

static int tx_treasury(struct tx *tx, void *arg)
{
	struct treasury *treasury = arg;

	return store_treasury(tx, &treasury->account);
}

static int tx_treasury_add(struct tx *tx, void *arg)
{
	struct treasury *treasury = arg;

	return store_treasury_add(tx, treasury->account);
}

/* Asked once: the contract never changes it. */
static int ask_treasury(const struct context *context, struct arena *arena,
			struct treasury *treasury)
{
	static const uint8_t zeros[12];
	uint8_t selector[32], answer[32];
	size_t len;
	int r;

	keccak256("treasury()", strlen("treasury()"), selector);
	r = chain_read(&chain_contracts()->at[CONTRACT_ESCROW].address, selector, 4, answer,
		       sizeof(answer), &len);
	if (r != 0)
		return r;
	if (len != sizeof(answer) || memcmp(answer, zeros, sizeof(zeros)) != 0)
		return CHAIN_E_SILENT;
	memcpy(treasury->account.address.bytes, answer + 12, 20);
	return db_run(context->db, TX_WRITE, arena, tx_treasury_add, treasury);
}

static int ready(const struct context *context, struct arena *arena)
{
	struct treasury treasury;
	int r = db_run(context->db, TX_READ, arena, tx_treasury, &treasury);

	if (r == ROUTE_E_NOT_FOUND)
		r = ask_treasury(context, arena, &treasury);
	arena_reset(arena);
	return r;
}

/* ---- problems ---- */

static int unpaid_problem(struct tx *tx, char *problem)
{
	char due[AMOUNT_TEXT_SIZE], has[AMOUNT_TEXT_SIZE], text[ADDRESS_TEXT_SIZE];
	struct settlement_sums sums;
	struct account_id treasury;
	struct amount fund;
	int r = store_treasury(tx, &treasury);

	if (r == 0)
		r = store_settlement_sums(tx, treasury, &sums);
	if (r == 0)
		r = store_network_sum(tx, LEDGER_FUND, &fund);
	if (r != 0)
		return r == ROUTE_E_NOT_FOUND ? 0 : r;
	amount_text(sums.due_network, due);
	amount_text(fund, has);
	address_text(&treasury.address, text);
	if (amount_compare(sums.due_network, fund) > 0)
		snprintf(problem, SETTLE_PROBLEM_SIZE,
			 "providers wait for %s that points paid, and the network's own deposit "
			 "is %s: deposit more for the treasury (`kaisar deposit --for %s`)",
			 due, has, text);
	else if (sums.pairs_unpaid > 0) {
		amount_text(sums.unpaid, due);
		snprintf(problem, SETTLE_PROBLEM_SIZE,
			 "the escrow did not pay %s of %" PRId64 " tenants: it is said again; see "
			 "billing.escrow_unexpected in the log if it stays",
			 due, sums.pairs_unpaid);
	}
	return 0;
}

int settle_problem(struct tx *tx, char ret_problem[static SETTLE_PROBLEM_SIZE])
{
	static const char *const all[] = { "settle", "convert" };
	struct calls_row calls;
	int r = 0;

	*ret_problem = '\0';
	for (size_t i = 0; r == 0 && !*ret_problem && i < ARRAY_SIZE(all); i++) {
		r = store_calls(tx, all[i], &calls);
		if (r == 0 && *calls.problem)
			snprintf(ret_problem, SETTLE_PROBLEM_SIZE,
				 "the escrow refused %s/%" PRId64 ": %.200s; see its settler, "
				 "its daily limit and its highest fee (docs/contracts.md)",
				 calls.series, calls.number, calls.problem);
	}
	return r == 0 && !*ret_problem ? unpaid_problem(tx, ret_problem) : r;
}

static int tx_problem(struct tx *tx, void *arg)
{
	return settle_problem(tx, arg);
}

/* ---- turns ---- */

static int run_all(const struct context *context, struct arena *arena)
{
	const int64_t now_ms = clock_now_ms(context->clock);
	struct treasury treasury;
	struct turn turns[] = {
		{ .series = "settle",
		  .gather = gather_settlements,
		  .ended = store_settlements_unpaid,
		  .token = *escrow_stablecoin(context) },
		{ .series = "convert",
		  .gather = gather_conversions,
		  .token = chain_contracts()->at[CONTRACT_TOKEN].address },
	};
	int r = db_run(context->db, TX_READ, arena, tx_treasury, &treasury);

	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(turns); i++) {
		turns[i].context = context;
		turns[i].treasury = treasury.account;
		turns[i].now_ms = now_ms;
		r = run_series(&turns[i], arena);
	}
	return r;
}

int settle_turn(const struct context *context, struct arena *arena)
{
	char problem[SETTLE_PROBLEM_SIZE];
	int r = ready(context, arena);

	if (r != 0)
		return r > 0 ? 0 : r; /* the chain's own problem says why */
	r = tally_run(context, arena);
	if (r == 0)
		r = run_all(context, arena);
	if (r == 0)
		r = db_run(context->db, TX_READ, arena, tx_problem, problem);
	return r == 0 ? chain_settlement_seen(context, arena, problem) : r;
}
