#include "modules/billing/ledger.h"

#include "base/log.h"
#include "modules/billing/billing_store.h"

void ledger_entry(struct ledger_posting *posting, struct account_id owner,
		  enum ledger_account account, struct amount amount)
{
	if (amount.micro == 0)
		return;
	if (posting->n_entries >= LEDGER_ENTRIES_MAX)
		abort();
	posting->entries[posting->n_entries++] = (struct ledger_entry){ owner, account, amount };
}

void ledger_entry_network(struct ledger_posting *posting, enum ledger_account account,
			  struct amount amount)
{
	ledger_entry(posting, (struct account_id){ 0 }, account, amount);
}

void ledger_entry_points(struct ledger_posting *posting, struct account_id owner,
			 struct amount amount)
{
	ledger_entry(posting, owner, LEDGER_POINTS, amount);
	ledger_entry_network(posting, LEDGER_POINTS_GIVEN, (struct amount){ -amount.micro });
}

static bool is_people(enum ledger_account account)
{
	return account <= LEDGER_EARNED || account == LEDGER_POINTS;
}

static int compare_accounts(const void *a, const void *b)
{
	const struct ledger_entry *x = a, *y = b;
	int order = memcmp(&x->owner, &y->owner, sizeof(x->owner));

	return order ? order : (int)x->account - (int)y->account;
}

static int check(const struct ledger_posting *posting)
{
	struct amount sum = AMOUNT_ZERO;
	int r = 0;

	if (!*posting->key || posting->n_entries < 2)
		return -EINVAL;
	for (size_t i = 0; r == 0 && i < posting->n_entries; i++) {
		r = amount_add(sum, posting->entries[i].amount, &sum);
		for (size_t j = 0; j < i; j++)
			if (compare_accounts(&posting->entries[i], &posting->entries[j]) == 0)
				return -EINVAL;
	}
	if (r < 0)
		return r;
	return sum.micro == 0 ? 0 : -EINVAL;
}

/* Merges the entries of people's accounts into one move for each account, in a fixed order, so that
 * two transactions that touch the same accounts cannot wait for each other in a circle. */
static int merge(struct ledger_entry *moves, size_t n, size_t *ret_n)
{
	size_t kept = 0;
	int r;

	qsort(moves, n, sizeof(*moves), compare_accounts);
	for (size_t i = 0; i < n; i++) {
		if (kept > 0 && compare_accounts(&moves[kept - 1], &moves[i]) == 0) {
			r = amount_add(moves[kept - 1].amount, moves[i].amount,
				       &moves[kept - 1].amount);
			if (r < 0)
				return r;
		} else {
			moves[kept++] = moves[i];
		}
	}
	*ret_n = kept;
	return 0;
}

static int move_balances(struct tx *tx, const struct ledger_posting *postings, size_t n)
{
	struct ledger_entry *moves;
	size_t n_moves = 0;
	int r;

	moves = arena_array(tx_arena(tx), n * LEDGER_ENTRIES_MAX, sizeof(*moves));
	if (!moves)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++)
		for (size_t j = 0; j < postings[i].n_entries; j++)
			if (is_people(postings[i].entries[j].account))
				moves[n_moves++] = postings[i].entries[j];
	r = merge(moves, n_moves, &n_moves);
	if (r < 0 || n_moves == 0)
		return r;
	return store_balances_move(tx, moves, n_moves);
}

static int number(const struct context *context, struct tx *tx,
		  const struct ledger_posting *postings, size_t n,
		  struct store_posting **ret_numbered)
{
	struct store_posting *numbered = arena_array(tx_arena(tx), n, sizeof(*numbered));
	int64_t now_ms = clock_now_ms(context->clock);
	int r = 0;

	if (!numbered)
		return -ENOMEM;
	for (size_t i = 0; r == 0 && i < n; i++) {
		numbered[i].at_ms = now_ms;
		numbered[i].posting = &postings[i];
		r = posting_id_make(context->clock, context->random, &numbered[i].id);
		if (r == 0)
			r = check(&postings[i]);
	}
	if (r == 0)
		*ret_numbered = numbered;
	return r;
}

int ledger_post_many(const struct context *context, struct tx *tx,
		     const struct ledger_posting *postings, size_t n)
{
	struct store_posting *numbered;
	int r;

	if (n == 0)
		return 0;
	if (n > LEDGER_BATCH_MAX)
		return -EINVAL;
	r = number(context, tx, postings, n, &numbered);
	if (r != 0)
		return r;
	r = store_postings_add(tx, numbered, n);
	if (r != 0)
		return r == SQL_E_CONFLICT ? LEDGER_E_DUPLICATE : r;
	r = store_entries_add(tx, numbered, n);
	if (r != 0)
		return r == SQL_E_CONFLICT ? -EIO : r;
	/* Last, so that the rows which others want, too, are locked for the shortest time. */
	r = move_balances(tx, postings, n);
	return r == SQL_E_CONFLICT ? LEDGER_E_INSUFFICIENT : r;
}

int ledger_post_sure(const struct context *context, struct tx *tx,
		     const struct ledger_posting *postings, size_t n)
{
	int r = ledger_post_many(context, tx, postings, n);

	if (r == LEDGER_E_DUPLICATE)
		return -EAGAIN;
	if (r == LEDGER_E_INSUFFICIENT) {
		log_error("billing.overdraft", log_text("posting", postings[0].key));
		return -EIO;
	}
	return r;
}

struct amount ledger_coins(const struct ledger_balances *balances)
{
	int64_t coins = balances->available.micro + balances->held.micro - balances->points.micro;

	return (struct amount){ coins < balances->available.micro ? coins
								  : balances->available.micro };
}

int ledger_balances(struct tx *tx, struct account_id owner, struct ledger_balances *ret_balances)
{
	return store_balances(tx, owner, ret_balances);
}
