#include "modules/billing/settle.h"

#include "api/settings.h"
#include "base/keccak.h"
#include "base/log.h"
#include "chain/contracts.h"
#include "chain/outbox.h"
#include "modules/billing/conversion.h"
#include "modules/billing/escrow.h"
#include "modules/billing/limits.h"
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

/* The network, to whom the debt of who left went (settle_leave), pays @payee the less; what it paid already, of what is to come. */
static int owe_less(struct tx *tx, struct account_id treasury, struct account_id payee,
		    int64_t less)
{
	struct settlement_row row;
	int r = store_settlement(tx, treasury, payee, &row);

	if (r != 0)
		return r;
	if (less > row.charged - row.settled) {
		row.overpaid += less - (row.charged - row.settled);
		less = row.charged - row.settled;
	}
	row.charged -= less;
	return store_settlement_put(tx, &row);
}

/* What the payer still can; the rest stays the network's loss, which it was since the payer left. */
static int post_late(const struct context *context, struct tx *tx, struct account_id payer,
		     struct amount excess, const char *place)
{
	struct ledger_posting posting = { .kind = "settled-late" };
	struct ledger_balances balances;
	struct amount coins;
	int r = ledger_balances(tx, payer, &balances);

	if (r != 0)
		return r;
	coins = ledger_coins(&balances);
	if (amount_compare(coins, excess) > 0)
		coins = excess;
	if (coins.micro == 0)
		return 0;
	snprintf(posting.key, sizeof(posting.key), "late:%s", place);
	snprintf(posting.memo, sizeof(posting.memo), "spent before you left the contract");
	ledger_entry(&posting, payer, LEDGER_AVAILABLE, (struct amount){ -coins.micro });
	ledger_entry_network(&posting, LEDGER_FEES, coins);
	return ledger_post_sure(context, tx, &posting, 1);
}

int settle_take(const struct context *context, struct tx *tx, const struct settle_paid *paid,
		const char *place)
{
	struct amount excess = AMOUNT_ZERO, fee = AMOUNT_ZERO;
	struct account_id treasury;
	struct settlement_row row;
	bool by_network;
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
	if (row.charged < row.settled) {
		excess.micro = row.settled - row.charged;
		row.charged = row.settled;
	}
	if (row.fee < row.settled_fee) {
		fee.micro = row.settled_fee - row.fee;
		row.fee = row.settled_fee;
	}
	by_network = account_equal(paid->payer, treasury);
	r = store_settlement_put(tx, &row);
	if (r == 0)
		r = post_paid(context, tx, paid, by_network, place);
	if (r != 0 || excess.micro == 0 || by_network)
		return r;
	/* Said before the payer left the contract, mined after it deposited again. */
	r = owe_less(tx, treasury, paid->payee, excess.micro - fee.micro);
	return r == 0 ? post_late(context, tx, paid->payer, excess, place) : r;
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
		rows[i].reported = rows[i].settled;
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
	/* Its call has ended, its events taken; may be NULL. */
	int (*ended)(struct tx *tx, bool refused, bool alone);
	struct address token;
	struct account_id treasury;
	int64_t now_ms;
	struct u256 left; /* of the token, that may be moved today */
	const char *waits; /* what limits keep back of what @gather found, for people; "" */
	bool writes;
	bool acts; /* there is something to write, */
	bool calls; /* a call */
};

static void call_name(const struct calls_row *calls, char ret_name[static CALL_NAME_SIZE])
{
	snprintf(ret_name, CALL_NAME_SIZE, "%s/%" PRId64, calls->series, calls->number);
}

static int64_t most_items(const struct turn *turn)
{
	int64_t most = turn->context->settings->chain_max_gas / GAS_FOR_ONE;

	if (most > CONTRACTS_SETTLEMENTS_MAX)
		most = CONTRACTS_SETTLEMENTS_MAX;
	return most > 1 ? most : 1;
}

static int64_t items_of(const struct turn *turn, const struct calls_row *calls)
{
	int64_t most = most_items(turn);

	return calls->items > 0 && calls->items < most ? calls->items : most;
}

int64_t settle_items_next(int64_t items, int64_t most, bool refused)
{
	if (refused)
		return (items + 1) / 2;
	return items < most / 2 ? items * 2 : 0;
}

int settle_ended(struct tx *tx, bool refused, bool alone)
{
	return refused && !alone ? store_settlements_unsaid(tx) : store_settlements_unpaid(tx);
}

static int close_call(struct turn *turn, struct tx *tx, struct calls_row *calls, bool refused,
		      const char *detail)
{
	int64_t items = items_of(turn, calls);
	int r;

	turn->acts = true;
	if (!turn->writes)
		return 0;
	if (refused)
		log_warn("billing.settle_refused", log_text("series", calls->series),
			 log_int("number", calls->number), log_text("detail", detail));
	r = turn->ended ? turn->ended(tx, refused, items == 1) : 0;
	calls->open = false;
	calls->items = settle_items_next(items, most_items(turn), refused);
	calls->problem = refused ? detail : "";
	return r == 0 ? store_calls_put(tx, calls) : r;
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
		r = escrow_has_taken(tx, call.block, &taken);
	if (r != 0 || !taken)
		return r;
	return close_call(turn, tx, calls, call.state != OUTBOX_FINAL, call.detail);
}

static int make_call(struct turn *turn, struct tx *tx, struct calls_row *calls)
{
	const struct address *escrow = &chain_contracts()->at[CONTRACT_ESCROW].address;
	struct settlement *items;
	char name[CALL_NAME_SIZE];
	struct call_data data;
	size_t n;
	int r;

	turn->waits = "";
	r = turn->gather(turn, tx, (size_t)items_of(turn, calls), &items, &n);
	if (r != 0)
		return r;
	turn->calls = n > 0;
	turn->acts = n > 0 || strcmp(turn->waits, calls->waits) != 0;
	if (!turn->acts || !turn->writes)
		return 0;
	calls->made_ms = turn->now_ms;
	calls->waits = turn->waits;
	if (n == 0)
		return store_calls_put(tx, calls);
	calls->number++;
	calls->open = true;
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

	turn->acts = turn->calls = false;
	if (r != 0)
		return r;
	if (calls.open)
		return look_at_call(turn, tx, &calls);
	if (calls.number > 0 &&
	    turn->now_ms - calls.made_ms < turn->context->settings->settle_every_ms)
		return 0;
	return make_call(turn, tx, &calls);
}

/* Looks first, so that nothing is written, and the chain not asked, where there is nothing to do. */
static int run_series(struct turn *turn, struct arena *arena)
{
	int r;

	turn->writes = false;
	turn->left = u256_from(UINT64_MAX);
	turn->left = u256_mul(turn->left, turn->left);
	r = db_run(turn->context->db, TX_READ, arena, tx_turn, turn);
	arena_reset(arena);
	if (r != 0 || !turn->acts)
		return r;
	if (turn->calls)
		r = limits_left(&turn->token, turn->now_ms, arena, &turn->left);
	arena_reset(arena);
	if (r != 0)
		return r > 0 ? 0 : r; /* the chain's own problem says why */
	turn->writes = true;
	r = db_run(turn->context->db, TX_WRITE, arena, tx_turn, turn);
	arena_reset(arena);
	return r;
}

/* ---- what calls say ---- */

/* What a call may still say: of everything, and of what the network's own deposit pays. */
struct room {
	int64_t call, fund;
	int64_t kept_back; /* by the first */
};

/* The network's own deposit pays no more than there is of it, and a call no more than a limit lets pass. */
static int64_t payable(const struct turn *turn, const struct settlement_row *row, struct room *room)
{
	const bool by_network = account_equal(row->payer, turn->treasury);
	int64_t rest = row->charged - row->settled, pays;

	if (by_network && rest > room->fund)
		rest = room->fund > 0 ? room->fund : 0;
	pays = rest < room->call ? rest : room->call;
	room->kept_back += rest - pays;
	room->call -= pays;
	if (by_network)
		room->fund -= pays;
	return pays;
}

/* In a part of what is due there is that part of its fee: never more than the contract takes of the whole. */
static int64_t fee_within(const struct settlement_row *row, int64_t pays)
{
	const int64_t rest = row->charged - row->settled, fee = row->fee - row->settled_fee;

	return row->settled_fee + (int64_t)((__int128)fee * pays / rest);
}

static struct room room_of(const struct turn *turn, struct amount fund)
{
	const struct u256 most = u256_from(
		(unsigned __int128)turn->context->settings->settle_most_micro);
	const struct u256 *least = u256_compare(&turn->left, &most) < 0 ? &turn->left : &most;

	return (struct room){ .call = (int64_t)u256_low(*least), .fund = fund.micro };
}

static int tell_kept_back(struct turn *turn, struct tx *tx, int64_t micro)
{
	char text[AMOUNT_TEXT_SIZE];

	if (micro == 0)
		return 0;
	amount_text((struct amount){ micro }, text);
	turn->waits = arena_printf(tx_arena(tx),
				   "at least %s of what providers are due waits: it is more than "
				   "the escrow's daily limit "
				   "leaves for today (UTC), or than settle_most_micro lets a call "
				   "say; raise these if it "
				   "stays (docs/contracts.md)",
				   text);
	return turn->waits ? 0 : -ENOMEM;
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
	struct room room;
	size_t n, kept = 0;
	int r = items ? store_network_sum(tx, LEDGER_FUND, &fund) : -ENOMEM;

	if (r == 0)
		r = store_settlements_due(tx, settings->settle_least_micro,
					  turn->now_ms - AGAIN_CALLS * settings->settle_every_ms,
					  turn->now_ms + LEAVES_MS,
					  fund.micro > 0 ? NULL : &turn->treasury, max, &rows, &n);
	if (r == 0)
		room = room_of(turn, fund);
	for (size_t i = 0; r == 0 && i < n; i++) {
		int64_t pays = payable(turn, &rows[i], &room);
		int64_t charged = rows[i].settled + pays;

		r = mark(turn, tx, &rows[i], charged);
		if (pays > 0)
			items[kept++] = (struct settlement){
				.tenant = rows[i].payer.address,
				.provider = rows[i].payee.address,
				.charged = u256_from((unsigned __int128)charged),
				.fee = u256_from((unsigned __int128)fee_within(&rows[i], pays)),
			};
	}
	if (r == 0)
		r = tell_kept_back(turn, tx, room.kept_back);
	*ret_items = items;
	*ret_n = kept;
	return r;
}

static int gather_conversions(struct turn *turn, struct tx *tx, size_t max,
			      struct settlement **ret_items, size_t *ret_n)
{
	struct conversion_call call = { .treasury = turn->treasury,
					.now_ms = turn->now_ms,
					.left = turn->left,
					.marks = turn->writes,
					.max = max };
	int r = conversion_gather(turn->context, tx, &call);

	if (r == 0)
		turn->waits = call.waits;
	*ret_items = call.items;
	*ret_n = call.n;
	return r;
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

/* The contract settles nothing more of who may leave it. */
static int stuck_problem(struct tx *tx, int64_t now_ms, char *problem)
{
	char text[AMOUNT_TEXT_SIZE];
	struct amount stuck;
	int r = store_settlements_stuck(tx, now_ms, &stuck);

	if (r != 0 || stuck.micro == 0)
		return r;
	amount_text(stuck, text);
	snprintf(problem, SETTLE_PROBLEM_SIZE,
		 "%s of what providers are due was not settled before its tenants could leave the "
		 "escrow: when they do, the network pays it (src/modules/billing/README.md)",
		 text);
	return 0;
}

struct telling {
	int64_t now_ms;
	char problem
		[SETTLE_PROBLEM_SIZE]; /* what keeps providers from being paid, with the remedy; "" */
};

static int tx_problem(struct tx *tx, void *arg)
{
	static const char *const all[] = { "settle", "convert" };
	struct telling *telling = arg;
	char *problem = telling->problem;
	struct calls_row calls;
	int r = 0;

	*problem = '\0';
	for (size_t i = 0; r == 0 && !*problem && i < ARRAY_SIZE(all); i++) {
		r = store_calls(tx, all[i], &calls);
		if (r == 0 && !*calls.problem && *calls.waits)
			snprintf(problem, SETTLE_PROBLEM_SIZE, "%s", calls.waits);
		if (r == 0 && *calls.problem)
			snprintf(problem, SETTLE_PROBLEM_SIZE,
				 "the escrow refused %s/%" PRId64 ": %.200s; see its settler, "
				 "its daily limit and its highest fee (docs/contracts.md)",
				 calls.series, calls.number, calls.problem);
	}
	if (r == 0 && !*problem)
		r = unpaid_problem(tx, problem);
	return r == 0 && !*problem ? stuck_problem(tx, telling->now_ms, problem) : r;
}

/* ---- turns ---- */

static int run_all(const struct context *context, struct arena *arena)
{
	const int64_t now_ms = clock_now_ms(context->clock);
	struct treasury treasury;
	struct turn turns[] = {
		{ .series = "settle",
		  .gather = gather_settlements,
		  .ended = settle_ended,
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
	struct telling telling = { .now_ms = clock_now_ms(context->clock) };
	int r = ready(context, arena);

	if (r != 0)
		return r > 0 ? 0 : r; /* the chain's own problem says why */
	r = tally_run(context, arena);
	if (r == 0)
		r = run_all(context, arena);
	if (r == 0)
		r = db_run(context->db, TX_READ, arena, tx_problem, &telling);
	return r == 0 ? chain_settlement_seen(context, arena, telling.problem) : r;
}
