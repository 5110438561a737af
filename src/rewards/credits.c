#include "rewards/credits.h"

struct adding {
	const struct epoch *epoch;
	const struct payouts *payouts;
	struct epoch_credit *credits;
	size_t n;
};

static void add(struct adding *adding, enum epoch_credit_kind kind, const struct address *account,
		struct tokens amount)
{
	if (amount.units > 0)
		adding->credits[adding->n++] = (struct epoch_credit){ kind, *account, amount };
}

static void add_delegators(struct adding *adding, enum epoch_credit_kind kind,
			   const struct epoch_delegators *delegators)
{
	for (size_t i = delegators->first; i < (size_t)delegators->first + delegators->n; i++)
		add(adding, kind, &adding->epoch->delegators[i].account,
		    adding->payouts->delegators[i]);
}

static int compare(const void *a, const void *b)
{
	const struct epoch_credit *left = a, *right = b;

	if (left->kind != right->kind)
		return left->kind < right->kind ? -1 : 1;
	return memcmp(left->account.bytes, right->account.bytes, sizeof(left->account.bytes));
}

/* Parts of a pot add up to no more than it, which fits. */
static size_t merge(struct epoch_credit *credits, size_t n)
{
	size_t kept = 0;

	for (size_t i = 0; i < n; i++) {
		if (kept > 0 && compare(&credits[kept - 1], &credits[i]) == 0)
			credits[kept - 1].amount.units += credits[i].amount.units;
		else
			credits[kept++] = credits[i];
	}
	return kept;
}

int credits_of(const struct epoch *epoch, const struct payouts *payouts, struct arena *arena,
	       struct epoch_credit **ret_credits, size_t *ret_n)
{
	struct adding adding = { epoch, payouts, NULL, 0 };

	adding.credits = arena_array(arena,
				     epoch->n_workers + epoch->n_checkers + epoch->n_delegators + 1,
				     sizeof(*adding.credits));
	if (!adding.credits)
		return -ENOMEM;
	for (size_t i = 0; i < epoch->n_workers; i++) {
		add(&adding, CREDIT_LIQUID, &epoch->workers[i].owner, payouts->workers[i].owner);
		add_delegators(&adding, CREDIT_LIQUID, &epoch->workers[i].delegators);
	}
	for (size_t i = 0; i < epoch->n_checkers; i++) {
		add(&adding, CREDIT_VESTED, &epoch->checkers[i].owner, payouts->checkers[i].owner);
		add_delegators(&adding, CREDIT_VESTED, &epoch->checkers[i].delegators);
	}
	qsort(adding.credits, adding.n, sizeof(*adding.credits), compare);
	*ret_n = merge(adding.credits, adding.n);
	*ret_credits = adding.credits;
	return 0;
}
