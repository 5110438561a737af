/* What one endpoint sees above the final block (indexer_turn.h): to be shown. */
#include "chain/indexer_turn.h"

struct seeing {
	struct log_list list;
	uint8_t digest[32];
};

static int tx_see(struct tx *tx, void *arg)
{
	const struct seeing *seeing = arg;

	return indexer_store_see(tx, &seeing->list, seeing->digest);
}

/* Takes @params over; NULL is -ENOMEM. */
static int ask(struct indexing *in, const char *method, json_t *params, json_t **ret_json)
{
	struct rpc_error error;
	int r = params ? rpc_ask(in->config->rpc, method, params, ret_json, &error) : -ENOMEM;

	json_decref(params);
	return r;
}

static int ask_head(struct indexing *in)
{
	json_t *block = NULL;
	uint64_t head;
	int r = ask(in, "eth_getBlockByNumber", json_pack("[s, b]", "latest", 0), &block);

	if (r == 0 && rpc_quantity(json_object_get(block, "number"), &head) == 0)
		in->health->head = head;
	else if (r == 0)
		r = RPC_E_UNAVAILABLE;
	json_decref(block);
	return r;
}

/* The blocks that are not recorded and not too many; those next to be final rather than the newest. */
static int ask_logs(struct indexing *in, struct log_list *ret_list)
{
	struct address addresses[INDEXER_CONTRACTS_MAX];
	struct logs_asked asked = { .first = in->final.number + 1,
				    .last = in->health->head,
				    .addresses = addresses,
				    .n_addresses = in->config->n_contracts,
				    .max = INDEXER_SEEN_MAX };
	json_t *json = NULL;
	const char *why;
	int r;

	for (size_t i = 0; i < in->config->n_contracts; i++)
		addresses[i] = in->config->contracts[i].address;
	if (asked.last - in->final.number > INDEXER_SEEN_BLOCKS)
		asked.last = in->final.number + INDEXER_SEEN_BLOCKS;
	r = ask(in, "eth_getLogs", logs_params(&asked), &json);
	if (r == 0)
		r = logs_read(json, &asked, in->arena, ret_list, &why);
	json_decref(json);
	return r == LOGS_E_TOO_MANY ? 0 : r; /* some are shown */
}

static int see(struct indexing *in)
{
	struct seeing seeing = { 0 };
	int r = ask_head(in);

	if (r != 0 || !in->known)
		return r;
	if (in->health->head > in->final.number)
		r = ask_logs(in, &seeing.list);
	if (r == 0)
		r = logs_digest(&seeing.list, in->arena, seeing.digest);
	if (r == 0 && memcmp(seeing.digest, in->trunk.seen, sizeof(seeing.digest)) != 0)
		r = indexing_write(in, tx_see, &seeing);
	return r;
}

int indexing_see(struct indexing *in)
{
	struct arena_mark mark = arena_mark(in->arena);
	int r = see(in);

	arena_rewind(in->arena, mark);
	if (r > 0)
		indexing_problem(in,
				 "no endpoint tells sensibly what is not yet final; what is "
				 "shown of it is old. See the endpoints' problems, or add some");
	return r < 0 ? r : 0;
}
