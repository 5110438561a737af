#include "modules/rewards/roots.h"

#include "api/settings.h"
#include "base/log.h"
#include "chain/coins.h"
#include "chain/outbox.h"
#include "modules/chain/chain.h"

enum {
	NAME_SIZE = 80,
	PAGE = 500, /* leaves in a question */
	RETRY_MS = 60 * 1000, /* after a call that ended without effect; twice as long after each */
	RETRY_DOUBLINGS = 6,
	GIVEN_MAX = 1000, /* epochs in a root with a bound */
	MARGIN_S = 2, /* our clock may be ahead of the chain's */
	TOKEN_DECIMALS = 18,
};

enum step { STEP_NONE, STEP_MAKE, STEP_PROPOSE, STEP_ACTIVATE };

struct turn {
	const struct context *context;
	enum reward_kind kind;
	int64_t now_ms;
	char *problem; /* room for ROOTS_PROBLEM_MAX */

	enum step step; /* what a look found to be due */
	bool has_last;
	struct root_row last;
	struct pot_row pot;
	struct root_row next; /* to be made, as the look found */
	struct root_row made;
	struct reward_leaves leaves; /* under it */
};

_printf_(2, 3) static void complain(struct turn *turn, const char *format, ...)
{
	size_t len = (size_t)snprintf(turn->problem, ROOTS_PROBLEM_MAX,
				      "%s: ", reward_kind_words[turn->kind]);
	va_list args;

	va_start(args, format);
	vsnprintf(turn->problem + len, ROOTS_PROBLEM_MAX - len, format, args);
	va_end(args);
}

/* ---- calls ---- */

static void call_name(const struct root_row *row, const char *what, int64_t call,
		      char ret_name[static NAME_SIZE])
{
	snprintf(ret_name, NAME_SIZE, "%s/%s/%" PRId64 "/%" PRId64 "/%" PRId64, what,
		 reward_kind_words[row->kind], row->round, row->attempt, call);
}

static int add_call(struct turn *turn, struct tx *tx, const char *what, int64_t call,
		    const struct call_data *data)
{
	char name[NAME_SIZE];
	int r;

	call_name(&turn->last, what, call, name);
	r = chain_call(turn->context, tx, name, what,
		       &chain_contracts()->at[CONTRACT_DISTRIBUTOR].address, data->bytes,
		       data->len);
	if (r > 0)
		return -EIO;
	turn->last.called_ms = turn->now_ms;
	return r == 0 ? rewards_store_root_set(tx, &turn->last) : r;
}

static int propose(struct turn *turn, struct tx *tx)
{
	struct root_row *row = &turn->last;
	struct call_data data;
	int r = call_propose(row->kind, (uint64_t)row->round, row->root, row->total, tx_arena(tx),
			     &data);

	row->proposals++;
	return r == 0 ? add_call(turn, tx, "propose", row->proposals, &data) : r;
}

static int activate(struct turn *turn, struct tx *tx)
{
	struct call_data data;
	int r = call_activate(turn->kind, tx_arena(tx), &data);

	turn->last.activations++;
	return r == 0 ? add_call(turn, tx, "activate", turn->last.activations, &data) : r;
}

/* ---- what is due ---- */

/* Each call that reverts costs gas, and one of the day's calls. */
static int64_t retry_ms(int64_t calls)
{
	return (int64_t)RETRY_MS << (calls - 1 < RETRY_DOUBLINGS ? calls - 1 : RETRY_DOUBLINGS);
}

static bool may_retry(const struct turn *turn, int64_t calls)
{
	int64_t since_ms = turn->now_ms - turn->last.called_ms;

	return since_ms >= retry_ms(calls) || since_ms < 0;
}

/* Whether the last call named @what is to be made again: the contract did not take it, or (@anew) it took it and nothing
 * followed. */
static int look_at_call(struct turn *turn, struct tx *tx, const char *what, int64_t call, bool anew,
			bool *ret_again)
{
	char name[NAME_SIZE];
	struct outbox_row row;
	int r;

	call_name(&turn->last, what, call, name);
	r = outbox_find(tx, name, &row);
	if (r != 0)
		return r > 0 ? -EIO : r;
	*ret_again = false;
	if (row.state == OUTBOX_REFUSED || row.state == OUTBOX_REVERTED) {
		complain(turn,
			 "the contract did not take %s of root %" PRId64 " (%.150s); it is sent "
			 "again after %" PRId64
			 " min: see that the distributor's publisher is the signer's "
			 "key, and the limits of gas",
			 what, turn->last.round, row.detail, retry_ms(call) / RETRY_MS);
		*ret_again = may_retry(turn, call);
	} else if (anew && row.state == OUTBOX_FINAL) {
		*ret_again = may_retry(turn, call);
	}
	return 0;
}

static void complain_unfunded(struct turn *turn)
{
	const struct u256 missing = u256_subtract(turn->last.total, turn->pot.funded);
	char text[COINS_TEXT_SIZE], units[U256_TEXT_SIZE], contract[ADDRESS_TEXT_SIZE];

	coins_text(missing, TOKEN_DECIMALS, text);
	u256_text(missing, units);
	address_text(&chain_contracts()->at[CONTRACT_DISTRIBUTOR].address, contract);
	complain(turn,
		 "the pot lacks %s KAI for root %" PRId64 ": fund(%d, %s) of the distributor %s, "
		 "from a wallet that has approved as much",
		 text, turn->last.round, (int)turn->kind, units, contract);
}

static int look_at_made(struct turn *turn, struct tx *tx)
{
	bool again = turn->last.proposals == 0;
	int r = again ? 0 : look_at_call(turn, tx, "propose", turn->last.proposals, false, &again);

	if (r != 0 || !again)
		return r;
	if (u256_compare(&turn->pot.funded, &turn->last.total) < 0)
		complain_unfunded(turn);
	else
		turn->step = STEP_PROPOSE;
	return 0;
}

static int look_at_proposed(struct turn *turn, struct tx *tx)
{
	bool again = turn->last.activations == 0;
	int r = 0;

	if (turn->now_ms / 1000 < turn->last.effective_s + MARGIN_S)
		return 0;
	if (!again)
		r = look_at_call(turn, tx, "activate", turn->last.activations, true, &again);
	if (r == 0 && again)
		turn->step = STEP_ACTIVATE;
	return r;
}

/* A root in the contract that this store knows nothing of: sums that follow from it are not ours to tell. */
static int look_for_others(struct turn *turn, struct tx *tx, bool *ret_there)
{
	const struct pot_row *pot = &turn->pot;
	struct root_row row;
	int r = 0;

	*ret_there = false;
	if (pot->active_round != 0)
		r = rewards_store_root_find(tx, turn->kind, pot->active_round, pot->active_root,
					    &row);
	if (r == ROUTE_E_NOT_FOUND) {
		complain(turn,
			 "root %" PRId64 " in effect is not of this store: nothing is proposed "
			 "until the store that made it is restored",
			 pot->active_round);
		*ret_there = true;
		return 0;
	}
	if (r == 0 && pot->pending_round != 0)
		r = rewards_store_root_find(tx, turn->kind, pot->pending_round, pot->pending_root,
					    &row);
	if (r == ROUTE_E_NOT_FOUND) {
		complain(turn,
			 "somebody proposed root %" PRId64 " with the publisher's key, and it was "
			 "not this store: let the guardian withdraw it (Distributor.dispute) "
			 "before its delay is over, and give the publisher another key",
			 pot->pending_round);
		*ret_there = true;
		return 0;
	}
	return r;
}

static struct u256 given_of(enum reward_kind kind, const struct reward_given *given)
{
	return u256_from(kind == REWARD_LIQUID ? given->machines.units : given->checkers.units);
}

static void complain_large(struct turn *turn, const struct reward_given *given)
{
	struct u256 sum = given_of(turn->kind, given);
	char text[COINS_TEXT_SIZE], units[U256_TEXT_SIZE];

	coins_text(sum, TOKEN_DECIMALS, text);
	u256_text(sum, units);
	complain(
		turn,
		"epoch %" PRId64 " alone gives %s KAI, more than chain_root_tokens: raise "
		"kinds.propose.units_per_day of the signer's policy to %s at the least, then start "
		"the server with a higher --set chain_root_tokens",
		given->epoch, text, units);
}

/* As many epochs as the bound on a root's growth lets in; *@ret_large is the first that gives anything if not even that
 * one fits, NULL otherwise. */
static int bound_through(struct turn *turn, struct tx *tx, int64_t after, int64_t *through,
			 const struct reward_given **ret_large)
{
	const struct u256 token = u256_from(UINT64_C(1000000000000000000));
	int64_t tokens = turn->context->settings->chain_root_tokens;
	struct u256 most = u256_mul(u256_from((unsigned __int128)tokens), token);
	struct u256 sum = u256_from(0);
	struct reward_given *given;
	size_t n;
	int r;

	*ret_large = NULL;
	if (tokens == 0)
		return 0;
	r = rewards_store_given(tx, after, *through, GIVEN_MAX, &given, &n);
	if (r != 0)
		return r;
	*through = after;
	for (size_t i = 0; i < n; i++) {
		struct u256 more = u256_add(sum, given_of(turn->kind, &given[i]));

		if (u256_compare(&more, &most) > 0) {
			*ret_large = u256_is_zero(sum) ? &given[i] : NULL;
			return 0;
		}
		sum = more;
		*through = given[i].epoch;
	}
	return 0;
}

static int look_for_next(struct turn *turn, struct tx *tx)
{
	bool replaces = turn->has_last && turn->last.state == ROOT_REPLACED, grew = replaces;
	int64_t after = turn->has_last ? turn->last.through : -1, through;
	const struct reward_given *large;
	int r = rewards_store_credited(tx, &through);

	if (r == ROUTE_E_NOT_FOUND)
		return 0;
	if (r == 0)
		r = bound_through(turn, tx, after, &through, &large);
	if (r == 0 && large && !replaces) {
		complain_large(turn, large);
		return 0;
	}
	if (r == 0 && !replaces)
		r = rewards_store_grew(tx, turn->kind, after, through, &grew);
	if (r != 0 || !grew)
		return r;
	turn->step = STEP_MAKE;
	turn->next = (struct root_row){
		.kind = turn->kind,
		.round = turn->pot.active_round + 1,
		.attempt = replaces ? turn->last.attempt + 1 : 1,
		.through = through,
		.state = ROOT_MADE,
		.made_ms = turn->now_ms,
	};
	return 0;
}

static int look(struct turn *turn, struct tx *tx)
{
	bool others;
	int r = rewards_store_root_last(tx, turn->kind, &turn->last);

	turn->step = STEP_NONE;
	turn->problem[0] = '\0';
	turn->has_last = r == 0;
	if (r == 0 || r == ROUTE_E_NOT_FOUND)
		r = rewards_store_pot(tx, turn->kind, &turn->pot);
	if (r == 0)
		r = look_for_others(turn, tx, &others);
	if (r != 0 || others)
		return r;
	if (!turn->has_last)
		return look_for_next(turn, tx);
	switch (turn->last.state) {
	case ROOT_MADE:
		return look_at_made(turn, tx);
	case ROOT_PROPOSED:
		return look_at_proposed(turn, tx);
	case ROOT_ACTIVE:
	case ROOT_REPLACED:
		return look_for_next(turn, tx);
	case ROOT_WITHDRAWN:
		complain(turn,
			 "the guardian withdrew root %" PRId64 ": find out why (its leaves: GET "
			 "/v1/rewards/roots/%s/%" PRId64
			 "/leaves), then have it made anew: `kaisar "
			 "admin replace-root --reason TEXT %s`, with --less ACCOUNT=UNITS for what "
			 "is not to be "
			 "paid",
			 turn->last.round, reward_kind_words[turn->kind], turn->last.round,
			 reward_kind_words[turn->kind]);
		return 0;
	}
	return -EIO;
}

static int tx_look(struct tx *tx, void *arg)
{
	return look(arg, tx);
}

/* What was due may have been done meanwhile. */
static int tx_call(struct tx *tx, void *arg)
{
	struct turn *turn = arg;
	int r = look(turn, tx);

	if (r == 0 && turn->step == STEP_PROPOSE)
		return propose(turn, tx);
	if (r == 0 && turn->step == STEP_ACTIVATE)
		return activate(turn, tx);
	return r;
}

/* ---- a new root ---- */

static int add_leaves(struct reward_leaves *leaves, const struct reward_leaf *page, size_t n)
{
	void *larger = realloc(leaves->items, (leaves->n + n) * sizeof(*leaves->items));

	if (!larger)
		return -ENOMEM;
	leaves->items = larger;
	memcpy(leaves->items + leaves->n, page, n * sizeof(*page));
	leaves->n += n;
	for (size_t i = 0; i < n; i++)
		leaves->total = u256_add(leaves->total, page[i].cumulative);
	return 0;
}

int roots_leaves(struct tx *tx, const struct root_row *row, struct reward_leaves *ret_leaves)
{
	const struct contracts *contracts = chain_contracts();
	struct reward_leaves leaves = {
		.chain_id = contracts->chain_id,
		.distributor = contracts->at[CONTRACT_DISTRIBUTOR].address,
		.kind = row->kind,
		.round = (uint64_t)row->round,
		.through = (uint64_t)row->through,
	};
	size_t n = PAGE;
	int r = 0;

	while (r == 0 && n == PAGE) {
		struct arena_mark mark = arena_mark(tx_arena(tx));
		struct address after = { 0 };
		struct reward_leaf *page;

		if (leaves.n > 0)
			after = leaves.items[leaves.n - 1].account;
		r = rewards_store_leaves(tx, row->kind, row->through, leaves.n ? &after : NULL,
					 PAGE, &page, &n);
		if (r == 0 && n > 0)
			r = add_leaves(&leaves, page, n);
		arena_rewind(tx_arena(tx), mark);
	}
	if (r == 0)
		*ret_leaves = leaves;
	else
		free(leaves.items);
	return r;
}

static int tx_leaves(struct tx *tx, void *arg)
{
	struct turn *turn = arg;

	free(turn->leaves.items);
	turn->leaves = (struct reward_leaves){ 0 };
	return roots_leaves(tx, &turn->made, &turn->leaves);
}

/* Only if the last root is still what it was. */
static int tx_make(struct tx *tx, void *arg)
{
	struct turn *turn = arg;
	int r = look(turn, tx);

	if (r == 0 && (turn->step != STEP_MAKE || turn->next.round != turn->made.round ||
		       turn->next.attempt != turn->made.attempt))
		return -ESTALE;
	return r == 0 ? rewards_store_root_add(tx, &turn->made) : r;
}

static int make_root(struct turn *turn, struct arena *arena)
{
	_cleanup_(merkle_freep) struct merkle *merkle = NULL;
	struct root_row *made = &turn->made;
	int r;

	*made = turn->next;
	r = db_run(turn->context->db, TX_READ, arena, tx_leaves, turn);
	if (r != 0 || turn->leaves.n == 0)
		return r;
	r = reward_leaves_tree(&turn->leaves, &merkle);
	if (r != 0)
		return r;
	memcpy(made->root, merkle_root(merkle)->bytes, 32);
	made->total = turn->leaves.total;
	made->leaves = (int64_t)turn->leaves.n;
	r = db_run(turn->context->db, TX_WRITE, arena, tx_make, turn);
	if (r == 0)
		log_info("rewards.root", log_text("kind", reward_kind_words[turn->kind]),
			 log_int("round", made->round), log_int("through", made->through),
			 log_int("leaves", made->leaves));
	return r;
}

static void turn_done(struct turn *turn)
{
	free(turn->leaves.items);
}

static int turn_of(const struct context *context, struct arena *arena, enum reward_kind kind,
		   char *problem)
{
	_cleanup_(turn_done) struct turn turn = { .context = context,
						  .kind = kind,
						  .now_ms = clock_now_ms(context->clock),
						  .problem = problem };
	int r = db_run(context->db, TX_READ, arena, tx_look, &turn);

	if (r != 0 || turn.step == STEP_NONE)
		return r;
	return turn.step == STEP_MAKE ? make_root(&turn, arena)
				      : db_run(context->db, TX_WRITE, arena, tx_call, &turn);
}

int roots_turn(const struct context *context, struct arena *arena,
	       char ret_problem[static ROOTS_PROBLEM_MAX])
{
	int r = 0;

	ret_problem[0] = '\0';
	for (enum reward_kind kind = 0; r == 0 && kind < REWARD_KINDS_N; kind++) {
		char problem[ROOTS_PROBLEM_MAX];
		size_t len = strlen(ret_problem);

		r = turn_of(context, arena, kind, problem);
		arena_reset(arena);
		if (r == 0 && *problem)
			snprintf(ret_problem + len, ROOTS_PROBLEM_MAX - len, "%s%s",
				 len ? "; " : "", problem);
	}
	return r;
}
