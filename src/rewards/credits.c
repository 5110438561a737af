#include "rewards/credits.h"

#include "rewards/columns.h"

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

/* ---- from the text ---- */

enum { WORDS_MAX = 6 };

struct word {
	const char *text;
	size_t len;
};

/* Which words of a line are who gets how much. */
struct payout_line {
	const char *word;
	size_t n_words, account, amount;
	bool same_kind; /* as the line before */
	enum epoch_credit_kind kind;
};

static const struct payout_line payout_lines[] = {
	{ "worker", 6, 2, 5, false, CREDIT_LIQUID },
	{ "checker", 5, 2, 4, false, CREDIT_VESTED },
	{ "delegator", 3, 1, 2, true, CREDIT_LIQUID },
};
static const char *const head_words[] = { "kaisar",   "epoch",    "records",
					  "capacity", "delivery", "checking" };

static const struct column account_column = { "account", COLUMN_ADDRESS,
					      offsetof(struct epoch_credit, account) };
static const struct column amount_column = { "amount", COLUMN_TOKENS,
					     offsetof(struct epoch_credit, amount) };

static bool word_is(const struct word *word, const char *text)
{
	return word->len == strlen(text) && memcmp(word->text, text, word->len) == 0;
}

/* How many there are; 0: too many. */
static size_t cut(const char *line, const char *end, struct word words[static WORDS_MAX])
{
	for (size_t n = 0; n < WORDS_MAX; n++) {
		const char *space = memchr(line, ' ', (size_t)(end - line));
		const char *stop = space ? space : end;

		words[n] = (struct word){ line, (size_t)(stop - line) };
		if (!space)
			return n + 1;
		line = space + 1;
	}
	return 0;
}

static int read_payout(struct adding *adding, const struct payout_line *line,
		       const struct word *words, size_t n, enum epoch_credit_kind *kind)
{
	const struct word *account = &words[line->account], *amount = &words[line->amount];
	struct epoch_credit credit;

	if (n != line->n_words ||
	    !column_read(&account_column, account->text, account->len, &credit) ||
	    !column_read(&amount_column, amount->text, amount->len, &credit))
		return -EINVAL;
	*kind = line->same_kind ? *kind : line->kind;
	if (*kind == CREDIT_KINDS_N)
		return -EINVAL;
	add(adding, *kind, &credit.account, credit.amount);
	return 0;
}

static int read_line(struct adding *adding, const struct word *words, size_t n,
		     enum epoch_credit_kind *kind)
{
	for (size_t i = 0; i < ARRAY_SIZE(payout_lines); i++)
		if (word_is(&words[0], payout_lines[i].word))
			return read_payout(adding, &payout_lines[i], words, n, kind);
	for (size_t i = 0; i < ARRAY_SIZE(head_words); i++)
		if (*kind == CREDIT_KINDS_N && word_is(&words[0], head_words[i]))
			return 0;
	return -EINVAL;
}

static size_t count_lines(const char *text, const char *end)
{
	size_t n = 0;

	while ((text = memchr(text, '\n', (size_t)(end - text))) != NULL && ++text < end)
		n++;
	return n;
}

int credits_read(const char *text, size_t len, struct arena *arena,
		 struct epoch_credit **ret_credits, size_t *ret_n)
{
	static const char last[] = "\nend\n";
	enum epoch_credit_kind kind = CREDIT_KINDS_N; /* none yet */
	struct adding adding = { 0 };
	struct word words[WORDS_MAX];
	const char *end = text + len, *at = text;
	int r = 0;

	if (len < sizeof(last) - 1 || memcmp(end - (sizeof(last) - 1), last, sizeof(last) - 1) != 0)
		return -EINVAL;
	adding.credits = arena_array(arena, count_lines(text, end) + 1, sizeof(*adding.credits));
	if (!adding.credits)
		return -ENOMEM;
	end -= strlen("end\n");
	while (r == 0 && at < end) {
		const char *newline = memchr(at, '\n', (size_t)(end - at));
		size_t n = cut(at, newline, words);

		r = n > 0 ? read_line(&adding, words, n, &kind) : -EINVAL;
		at = newline + 1;
	}
	if (r != 0)
		return r;
	qsort(adding.credits, adding.n, sizeof(*adding.credits), compare);
	*ret_n = merge(adding.credits, adding.n);
	*ret_credits = adding.credits;
	return 0;
}
