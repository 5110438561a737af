/* The logs of final blocks, a range at a time (indexer_turn.h). */
#include "chain/indexer_turn.h"

struct range {
	struct indexing *in;
	uint64_t first, last;
	struct address addresses[INDEXER_CONTRACTS_MAX]; /* those that are at @first */
	size_t n;
};

/* What the endpoints answered. */
struct answers {
	struct votes votes;
	struct log_list lists[RPC_ENDPOINTS_MAX];
	bool wide; /* one finds the range too wide, or did not answer in time, as for such a one */
};

/* ---- which ---- */

/* Those furthest behind; those that have caught up go on together. */
static bool choose(struct indexing *in, struct range *ret_range)
{
	const struct indexer_config *config = in->config;
	struct range range = { .in = in, .first = UINT64_MAX };

	for (size_t i = 0; i < config->n_contracts; i++)
		if (in->next[i] < range.first)
			range.first = in->next[i];
	if (range.first > in->final.number)
		return false;
	range.last = in->final.number;
	if (range.last - range.first >= (uint64_t)in->trunk.span)
		range.last = range.first + (uint64_t)in->trunk.span - 1;
	for (size_t i = 0; i < config->n_contracts; i++)
		if (in->next[i] == range.first)
			range.addresses[range.n++] = config->contracts[i].address;
	*ret_range = range;
	return true;
}

/* ---- asking ---- */

static int take_answer(struct indexing *in, size_t i, const struct logs_asked *asked,
		       const json_t *json, struct answers *answers)
{
	const char *why;
	int r = logs_read(json, asked, in->arena, &answers->lists[i], &why);

	if (r == LOGS_E_LIE)
		indexing_blame(in, i,
			       "gave %s, asked for the logs of blocks %" PRIu64 " to %" PRIu64
			       "; take it out of the endpoints",
			       why, asked->first, asked->last);
	if (r == LOGS_E_TOO_MANY)
		answers->wide = true;
	if (r != 0)
		return r < 0 ? r : 0;
	r = logs_digest(&answers->lists[i], in->arena, answers->votes.said[i]);
	answers->votes.cast[i] = r == 0;
	return r;
}

static int ask(struct indexing *in, size_t i, const json_t *params, const struct logs_asked *asked,
	       struct answers *answers)
{
	json_t *json = NULL;
	struct rpc_error error;
	int r = rpc_ask_of(in->config->rpc, i, "eth_getLogs", params, &json, &error);

	if (r == 0)
		r = take_answer(in, i, asked, json, answers);
	else if (r == RPC_E_UNAVAILABLE ||
		 (r == RPC_E_REFUSED && rpc_error_kind(&error) == RPC_ERROR_LIMIT))
		answers->wide = true;
	else if (r == RPC_E_REFUSED)
		indexing_blame(in, i, "gives no logs (%.60s); name an endpoint that does",
			       error.message);
	json_decref(json);
	return r < 0 ? r : 0;
}

static int ask_all(const struct range *range, struct answers *ret_answers)
{
	struct indexing *in = range->in;
	struct logs_asked asked = {
		.first = range->first,
		.last = range->last,
		.addresses = range->addresses,
		.n_addresses = range->n,
		.max = range->first == range->last ? INDEXER_BLOCK_LOGS_MAX : INDEXER_LOGS_MAX,
	};
	json_t *params = logs_params(&asked);
	int r = params ? 0 : -ENOMEM;

	*ret_answers = (struct answers){ .votes.n = rpc_endpoints(in->config->rpc) };
	for (size_t i = 0; r == 0 && i < ret_answers->votes.n; i++)
		if (in->trusted[i])
			r = ask(in, i, params, &asked, ret_answers);
	json_decref(params);
	return r;
}

/* ---- writing ---- */

struct writing {
	const struct range *range;
	const struct log_list *list;
	int64_t span;
};

static int tx_record(struct tx *tx, void *arg)
{
	const struct writing *writing = arg;
	const struct range *range = writing->range;
	int r = 0;

	for (size_t i = 0; r == 0 && i < range->n; i++)
		r = indexer_store_advance(tx, &range->addresses[i], range->first, range->last + 1);
	if (r == 0)
		r = indexer_store_add(tx, writing->list);
	if (r == 0)
		r = indexer_store_grow(tx, &range->in->final);
	if (r == 0 && writing->span != range->in->trunk.span)
		r = indexer_store_span(tx, writing->span);
	return r;
}

static int tx_span(struct tx *tx, void *arg)
{
	const struct writing *writing = arg;

	return indexer_store_span(tx, writing->span);
}

static int64_t wider(int64_t span)
{
	span += span / 4 + 1;
	return span < INDEXER_SPAN_MAX ? span : INDEXER_SPAN_MAX;
}

static int record(const struct range *range, const struct log_list *list, bool *ret_more)
{
	struct indexing *in = range->in;
	struct writing writing = { range, list, in->trunk.span };
	int r;

	if (range->last - range->first + 1 == (uint64_t)in->trunk.span)
		writing.span = wider(in->trunk.span);
	r = indexing_write(in, tx_record, &writing);
	if (r == STORE_E_KNOWN)
		indexing_problem(
			in,
			"logs of blocks %" PRIu64 " to %" PRIu64
			" are not those recorded before: what was recorded, or the endpoints "
			"of now, are wrong; compare them with another node",
			range->first, range->last);
	if (r != 0)
		return r < 0 ? r : 0;
	for (size_t i = 0; i < in->config->n_contracts; i++)
		if (in->next[i] == range->first)
			in->next[i] = range->last + 1;
	in->trunk.span = writing.span;
	*ret_more = true;
	return 0;
}

/* ---- what to make of it ---- */

static void say_liars(struct indexing *in, const struct range *range, const struct votes *votes,
		      size_t winner)
{
	for (size_t i = 0; i < votes->n; i++)
		if (votes->cast[i] && !votes_alike(votes, i, winner))
			indexing_blame(in, i,
				       "gives other logs of blocks %" PRIu64 " to %" PRIu64
				       " than others do: it leaves some out or makes some up; take "
				       "it out of the endpoints",
				       range->first, range->last);
}

/* Too few gave the same. A smaller range may help, but not against who lies. */
static int give_up(struct indexing *in, const struct range *range, const struct answers *answers)
{
	struct writing writing = { .span = (int64_t)(range->last - range->first + 1) / 2 };
	size_t cast = votes_cast(&answers->votes), agree = rpc_agreement(in->config->rpc);

	if (cast >= agree)
		indexing_problem(in,
				 "the endpoints give different logs of blocks %" PRIu64
				 " to %" PRIu64
				 ", and %zu must agree; take out those that are wrong",
				 range->first, range->last, agree);
	if (answers->wide && writing.span > 0) {
		in->trunk.span = writing.span;
		return indexing_write(in, tx_span, &writing);
	}
	indexing_problem(in,
			 "%zu of %zu endpoints give the logs of block %" PRIu64
			 ", and %zu must; see the endpoints' problems, or add some",
			 cast, answers->votes.n, range->first, agree);
	return 0;
}

int indexing_advance(struct indexing *in, bool *ret_more)
{
	struct arena_mark mark = arena_mark(in->arena);
	struct range range;
	struct answers answers;
	size_t winner;
	int r;

	*ret_more = false;
	if (!choose(in, &range))
		return 0;
	r = ask_all(&range, &answers);
	if (r == 0 && votes_win(&answers.votes, rpc_agreement(in->config->rpc), &winner)) {
		say_liars(in, &range, &answers.votes, winner);
		r = record(&range, &answers.lists[winner], ret_more);
	} else if (r == 0) {
		r = give_up(in, &range, &answers);
	}
	arena_rewind(in->arena, mark);
	return r;
}
