#include "chain/indexer.h"

#include <stdarg.h>

#include "chain/indexer_turn.h"

enum { RANGES_MAX = 16 /* in a turn */ };

/* ---- what the parts share ---- */

void indexing_problem(struct indexing *in, const char *format, ...)
{
	va_list arguments;

	if (in->health->problem[0])
		return; /* the first is what the others follow from */
	va_start(arguments, format);
	vsnprintf(in->health->problem, sizeof(in->health->problem), format, arguments);
	va_end(arguments);
}

void indexing_blame(struct indexing *in, size_t i, const char *format, ...)
{
	struct rpc_endpoint endpoint;
	char text[RPC_MESSAGE_MAX];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	rpc_doubt(in->config->rpc, i, text);
	rpc_endpoint(in->config->rpc, i, &endpoint);
	indexing_problem(in, "%.80s %.170s", endpoint.url, text);
}

int indexing_write(struct indexing *in, db_fn *fn, void *arg)
{
	struct arena_mark mark = arena_mark(in->arena);
	int r = db_run(in->config->db, TX_WRITE, in->arena, fn, arg);

	arena_rewind(in->arena, mark);
	return r;
}

bool votes_alike(const struct votes *votes, size_t a, size_t b)
{
	return votes->cast[a] && votes->cast[b] && memcmp(votes->said[a], votes->said[b], 32) == 0;
}

size_t votes_cast(const struct votes *votes)
{
	size_t cast = 0;

	for (size_t i = 0; i < votes->n; i++)
		cast += votes->cast[i];
	return cast;
}

bool votes_win(const struct votes *votes, size_t agree, size_t *ret_winner)
{
	for (size_t i = 0; i < votes->n; i++) {
		size_t alike = 0;

		for (size_t j = 0; j < votes->n; j++)
			alike += votes_alike(votes, i, j);
		if (alike >= agree) {
			*ret_winner = i;
			return true;
		}
	}
	return false;
}

/* ---- a turn ---- */

static bool config_ok(const struct indexer_config *config)
{
	if (config->n_contracts == 0 || config->n_contracts > INDEXER_CONTRACTS_MAX)
		return false;
	for (size_t i = 0; i < config->n_contracts; i++) {
		if (config->contracts[i].block > INT64_MAX)
			return false;
		for (size_t j = 0; j < i; j++)
			if (address_equal(&config->contracts[i].address,
					  &config->contracts[j].address))
				return false;
	}
	return true;
}

static int tx_read(struct tx *tx, void *arg)
{
	struct indexing *in = arg;
	const struct indexer_config *config = in->config;
	int r = indexer_store_trunk(tx, &in->trunk);

	in->planted = r == 0;
	for (size_t i = 0; r >= 0 && i < config->n_contracts; i++)
		r = indexer_store_next(tx, &config->contracts[i], &in->next[i]);
	return r < 0 ? r : 0;
}

/* The first block of all that is asked for: nodes which have the logs know it. */
static struct trunk_row root_of(const struct indexer_config *config)
{
	uint64_t least = UINT64_MAX;

	for (size_t i = 0; i < config->n_contracts; i++)
		if (config->contracts[i].block < least)
			least = config->contracts[i].block;
	return (struct trunk_row){ .root.number = least,
				   .tip.number = least,
				   .span = INDEXER_SPAN_MAX };
}

static void count_behind(struct indexing *in)
{
	uint64_t least = UINT64_MAX;

	for (size_t i = 0; i < in->config->n_contracts; i++)
		if (in->next[i] < least)
			least = in->next[i];
	if (in->known && least <= in->final.number)
		in->health->behind = in->final.number - least + 1;
}

int indexer_turn(const struct indexer_config *config, struct arena *arena,
		 struct indexer_health *ret_health)
{
	struct indexer_health health = { 0 };
	struct indexing in = { .config = config, .arena = arena, .health = &health };
	bool more = true;
	int r;

	if (!config_ok(config))
		return -EINVAL;
	in.trunk = root_of(config);
	r = db_run(config->db, TX_READ, arena, tx_read, &in);
	if (r == 0)
		r = indexing_final(&in);
	for (int i = 0; r == 0 && in.known && more && i < RANGES_MAX; i++)
		r = indexing_advance(&in, &more);
	if (r == 0)
		r = indexing_see(&in);
	if (r < 0)
		return r;
	count_behind(&in);
	*ret_health = health;
	return 0;
}
