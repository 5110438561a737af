/* Which block is final, and which endpoints know it (indexer_turn.h). */
#include "chain/indexer_turn.h"

/* How an endpoint stands to the trunk. */
enum stand {
	STAND_AWAY, /* it does not say */
	STAND_LAGS, /* its final block is below */
	STAND_STRANGE, /* it has another block there */
	STAND_SAME,
};

struct view {
	enum stand stand;
	struct block_id final;
};

struct views {
	struct view list[RPC_ENDPOINTS_MAX];
	struct votes trunk; /* what they say is at the trunk's tip */
};

/* ---- asking ---- */

/* Takes @tag over; NULL is -ENOMEM. */
static int ask_block(struct indexing *in, size_t i, json_t *tag, struct block_id *ret_block,
		     bool *ret_known)
{
	json_t *params = tag ? json_pack("[o, b]", tag, 0) : NULL, *block = NULL;
	struct rpc_error error;
	int r = params ? rpc_ask_of(in->config->rpc, i, "eth_getBlockByNumber", params, &block,
				    &error)
		       : -ENOMEM;

	*ret_known = r == 0 &&
		     rpc_quantity(json_object_get(block, "number"), &ret_block->number) == 0 &&
		     ret_block->number <= INT64_MAX &&
		     rpc_bytes(json_object_get(block, "hash"), ret_block->hash, 32) == 0;
	json_decref(params);
	json_decref(block);
	return r < 0 ? r : 0;
}

/* The hash of the block @number as endpoint @i has it. */
static int ask_hash(struct indexing *in, size_t i, uint64_t number, uint8_t ret_hash[static 32],
		    bool *ret_known)
{
	struct block_id block;
	int r = ask_block(in, i, rpc_of_quantity(number), &block, ret_known);

	if (r < 0 || !*ret_known)
		return r;
	*ret_known = block.number == number;
	memcpy(ret_hash, block.hash, 32);
	return 0;
}

static int look_lagging(struct indexing *in, size_t i, struct view *view)
{
	uint8_t root[32];
	bool known;
	int r;

	view->stand = STAND_LAGS;
	if (!in->planted)
		return 0;
	r = ask_hash(in, i, in->trunk.root.number, root, &known);
	if (r == 0 && known && memcmp(root, in->trunk.root.hash, 32) != 0)
		view->stand = STAND_STRANGE;
	return r;
}

static int look_at(struct indexing *in, size_t i, struct views *views)
{
	struct view *view = &views->list[i];
	bool *known = &views->trunk.cast[i];
	int r = ask_block(in, i, json_string("finalized"), &view->final, known);

	if (r < 0 || !*known)
		return r;
	*known = false;
	if (view->final.number < in->trunk.tip.number)
		return look_lagging(in, i, view);
	if (view->final.number > in->trunk.tip.number)
		return ask_hash(in, i, in->trunk.tip.number, views->trunk.said[i], known);
	memcpy(views->trunk.said[i], view->final.hash, 32);
	*known = true;
	return 0;
}

/* ---- the trunk ---- */

static int tx_plant(struct tx *tx, void *arg)
{
	return indexer_store_plant(tx, arg);
}

/* The root, once as many as must say the same of it. STORE_E_OVERTAKEN. */
static int plant(struct indexing *in, const struct views *views)
{
	struct block_id *root = &in->trunk.root;
	size_t winner;
	int r;

	if (!votes_win(&views->trunk, rpc_agreement(in->config->rpc), &winner))
		return 0;
	memcpy(root->hash, views->trunk.said[winner], sizeof(root->hash));
	in->trunk.tip = *root;
	r = indexing_write(in, tx_plant, root);
	in->planted = r == 0;
	return r;
}

static void stand(struct indexing *in, struct views *views)
{
	for (size_t i = 0; i < views->trunk.n; i++)
		if (views->trunk.cast[i])
			views->list[i].stand = memcmp(views->trunk.said[i], in->trunk.tip.hash,
						      32) == 0
						       ? STAND_SAME
						       : STAND_STRANGE;
}

static size_t count(const struct views *views, enum stand stand)
{
	size_t n = 0;

	for (size_t i = 0; i < views->trunk.n; i++)
		n += views->list[i].stand == stand;
	return n;
}

static void say_strange(struct indexing *in, const struct views *views)
{
	for (size_t i = 0; i < views->trunk.n; i++)
		if (views->list[i].stand == STAND_STRANGE)
			indexing_blame(in, i,
				       "has another block %" PRIu64
				       " than was final: it is of another chain, or lies; take it "
				       "out of the endpoints",
				       in->trunk.tip.number);
}

/* Why too few know the trunk. */
static void say_missing(struct indexing *in, const struct views *views)
{
	size_t agree = rpc_agreement(in->config->rpc);
	size_t same = count(views, STAND_SAME), lag = count(views, STAND_LAGS);

	if (!in->planted && lag >= agree)
		return; /* a contract so new that its block is not final */
	if (count(views, STAND_STRANGE) >= agree)
		indexing_problem(
			in,
			"block %" PRIu64
			" was final and is another now: the chain was replaced or rewound. "
			"Nothing more is recorded; name endpoints of the chain that the "
			"store is of, or begin with an empty store",
			in->trunk.tip.number);
	else if (same + lag >= agree)
		indexing_problem(
			in,
			"block %" PRIu64
			" was final, and %zu of %zu endpoints have not come so far; wait, or "
			"add endpoints that have",
			in->trunk.tip.number, lag, views->trunk.n);
	else if (!in->planted && votes_cast(&views->trunk) >= agree)
		indexing_problem(in,
				 "the endpoints have different blocks %" PRIu64
				 ", where the contracts begin; name those of one chain",
				 in->trunk.tip.number);
	else
		indexing_problem(in,
				 "%zu of %zu endpoints say which block is final, and %zu must; add "
				 "endpoints that answer \"finalized\"",
				 same + lag, views->trunk.n, agree);
	if (count(views, STAND_STRANGE) < agree)
		say_strange(in, views);
}

/* ---- the final block ---- */

/* What those who call @number final have there. */
static int vote(struct indexing *in, const struct views *views, uint64_t number,
		struct votes *ret_votes)
{
	struct votes votes = { .n = views->trunk.n };
	int r = 0;

	for (size_t i = 0; r == 0 && i < votes.n; i++) {
		const struct view *view = &views->list[i];

		if (view->stand != STAND_SAME || view->final.number < number)
			continue;
		votes.cast[i] = true;
		if (view->final.number == number)
			memcpy(votes.said[i], view->final.hash, 32);
		else if (number == in->trunk.tip.number)
			memcpy(votes.said[i], in->trunk.tip.hash, 32);
		else
			r = ask_hash(in, i, number, votes.said[i], &votes.cast[i]);
	}
	*ret_votes = votes;
	return r;
}

static void believe(struct indexing *in, const struct votes *votes, size_t winner, uint64_t number)
{
	in->known = true;
	in->final.number = in->health->final = number;
	memcpy(in->final.hash, votes->said[winner], 32);
	for (size_t i = 0; i < votes->n; i++) {
		in->trusted[i] = votes_alike(votes, i, winner);
		if (votes->cast[i] && !in->trusted[i])
			indexing_blame(in, i,
				       "calls another block %" PRIu64
				       " final than others do: it is of another chain, or lies; "
				       "take it out of the endpoints",
				       number);
	}
}

static int compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? 1 : x > y ? -1 : 0;
}

/* The highest that enough of them know; one that lies about how far it is only costs questions. */
static int find(struct indexing *in, const struct views *views)
{
	size_t n = 0, agree = rpc_agreement(in->config->rpc), winner;
	uint64_t numbers[RPC_ENDPOINTS_MAX];
	struct votes votes;
	int r = 0;

	for (size_t i = 0; i < views->trunk.n; i++)
		if (views->list[i].stand == STAND_SAME)
			numbers[n++] = views->list[i].final.number;
	qsort(numbers, n, sizeof(numbers[0]), compare);
	for (size_t i = agree - 1; r == 0 && !in->known && i < n; i++) {
		if (i >= agree && numbers[i] == numbers[i - 1])
			continue;
		r = vote(in, views, numbers[i], &votes);
		if (r == 0 && votes_win(&votes, agree, &winner))
			believe(in, &votes, winner, numbers[i]);
	}
	if (r == 0 && !in->known)
		indexing_problem(in,
				 "the endpoints give different blocks as final, and %zu must "
				 "agree; take out those that are wrong",
				 agree);
	return r;
}

int indexing_final(struct indexing *in)
{
	struct views views = { .trunk.n = rpc_endpoints(in->config->rpc) };
	int r = 0;

	for (size_t i = 0; r == 0 && i < views.trunk.n; i++)
		r = look_at(in, i, &views);
	if (r == 0 && !in->planted)
		r = plant(in, &views);
	if (r != 0)
		return r < 0 ? r : 0;
	if (in->planted)
		stand(in, &views);
	if (count(&views, STAND_SAME) < rpc_agreement(in->config->rpc)) {
		say_missing(in, &views);
		return 0;
	}
	say_strange(in, &views);
	return find(in, &views);
}
