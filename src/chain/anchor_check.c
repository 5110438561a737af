#include "chain/anchor_check.h"

#include <stdarg.h>

#include "chain/contract_event.h"
#include "chain/indexer_log.h"

enum { WHY_MAX = 512, EVENTS_MAX = 100 };

struct checking {
	struct rpc *rpc;
	size_t endpoint;
	const struct anchor_claim *claim;
	struct arena *arena;
	struct anchor_found found;
	uint8_t head[32]; /* behind the root, as its event has it */
	const char *why;
};

_printf_(3, 4) static int say(struct checking *c, int outcome, const char *format, ...)
{
	struct rpc_endpoint endpoint;
	char text[WHY_MAX];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	rpc_endpoint(c->rpc, c->endpoint, &endpoint);
	c->why = arena_printf(c->arena, "%s: %s", endpoint.url, text);
	return c->why ? outcome : -ENOMEM;
}

/* Takes @params over. */
static int ask(struct checking *c, const char *method, json_t *params, json_t **ret_answer)
{
	struct rpc_error error = { .message = "" };
	struct rpc_endpoint endpoint;
	int r = params ? rpc_ask_of(c->rpc, c->endpoint, method, params, ret_answer, &error)
		       : -ENOMEM;

	json_decref(params);
	if (r <= 0)
		return r;
	rpc_endpoint(c->rpc, c->endpoint, &endpoint);
	return say(c, ANCHOR_CHECK_E_UNKNOWN, "%s is not answered (%s)", method,
		   r == RPC_E_REFUSED ? error.message : endpoint.problem);
}

/* ---- the root ---- */

static json_t *event_params(const struct anchor_claim *claim)
{
	uint8_t topic[32], publisher[32] = { 0 }, sequence[32];

	contract_event_topic(EVENT_ANCHORED, topic);
	memcpy(publisher + 12, claim->publisher.bytes, 20);
	u256_bytes(u256_from(claim->sequence), sequence);
	return json_pack("[{s:o, s:o, s:o, s:[o, o, o]}]", "address",
			 rpc_of_bytes(claim->place.contract.bytes, 20), "fromBlock",
			 rpc_of_quantity(claim->block), "toBlock", rpc_of_quantity(claim->block),
			 "topics", rpc_of_bytes(topic, 32), rpc_of_bytes(publisher, 32),
			 rpc_of_bytes(sequence, 32));
}

static bool is_wanted(const struct anchor_claim *claim, const struct indexer_log *log,
		      struct contract_event *ret_event)
{
	return contract_event_read(EVENT_ANCHORED, log->topics, log->n_topics, log->data, log->len,
				   ret_event) == 0 &&
	       address_equal(&ret_event->anchored.publisher, &claim->publisher) &&
	       ret_event->anchored.sequence == claim->sequence;
}

static void take_event(struct checking *c, const struct indexer_log *log,
		       const struct contract_event *event)
{
	struct anchor_root *root = &c->found.root;

	root->sequence = event->anchored.sequence;
	root->kind = (enum anchor_kind)event->anchored.kind;
	root->leaves = (uint32_t)event->anchored.leaves;
	memcpy(root->root, event->anchored.root, sizeof(root->root));
	memcpy(root->content, event->anchored.content, sizeof(root->content));
	memcpy(c->head, event->anchored.head, sizeof(c->head));
	memcpy(c->found.transaction, log->transaction, sizeof(c->found.transaction));
	c->found.block = log->block;
}

static int find_event(struct checking *c)
{
	const struct anchor_claim *claim = c->claim;
	const struct logs_asked asked = { claim->block, claim->block, &claim->place.contract, 1,
					  EVENTS_MAX };
	struct contract_event event;
	struct log_list list;
	json_t *answer;
	const char *why = "";
	int r = ask(c, "eth_getLogs", event_params(claim), &answer);

	if (r != 0)
		return r;
	r = logs_read(answer, &asked, c->arena, &list, &why);
	json_decref(answer);
	if (r > 0)
		return say(c, ANCHOR_CHECK_E_UNKNOWN, "its logs make no sense (%s)", why);
	for (size_t i = 0; r == 0 && i < list.n; i++)
		if (is_wanted(claim, &list.logs[i], &event)) {
			take_event(c, &list.logs[i], &event);
			return 0;
		}
	return r < 0 ? r
		     : say(c, ANCHOR_CHECK_E_FALSE,
			   "the chain has no root %" PRIu64 " of this publisher in block %" PRIu64,
			   claim->sequence, claim->block);
}

static int check_root(struct checking *c)
{
	const struct anchor_claim *claim = c->claim;
	struct merkle_hash leaf, root;

	memcpy(root.bytes, c->found.root.root, sizeof(root.bytes));
	anchor_leaf_hash(&claim->place, &claim->leaf, &leaf);
	if (c->found.root.kind != claim->place.kind)
		return say(c, ANCHOR_CHECK_E_FALSE, "root %" PRIu64 " is of another kind",
			   claim->sequence);
	if (!merkle_leads(&leaf, claim->path, claim->n_path, &root))
		return say(c, ANCHOR_CHECK_E_FALSE,
			   "the record is not under root %" PRIu64 ", which the chain has",
			   claim->sequence);
	return 0;
}

static int check_final(struct checking *c)
{
	uint64_t final;
	json_t *block;
	int r = ask(c, "eth_getBlockByNumber", json_pack("[s, b]", "finalized", 0), &block);

	if (r != 0)
		return r;
	r = rpc_quantity(json_object_get(block, "number"), &final);
	json_decref(block);
	if (r < 0 || final > INT64_MAX)
		return say(c, ANCHOR_CHECK_E_UNKNOWN, "it does not say which block is final");
	c->found.final = (int64_t) final;
	if (c->found.block > c->found.final)
		return say(c, ANCHOR_CHECK_E_UNKNOWN,
			   "the root is in block %" PRId64 ", and %" PRId64
			   " is the last final one: ask again later",
			   c->found.block, c->found.final);
	return 0;
}

/* ---- the head ---- */

static int ask_latest(struct checking *c, struct anchor_latest *ret_latest)
{
	uint8_t bytes[128];
	struct call_data data;
	json_t *answer;
	size_t len;
	int r = call_latest(&c->claim->publisher, c->arena, &data);

	if (r == 0)
		r = ask(c, "eth_call",
			json_pack("[{s:o, s:o}, s]", "to",
				  rpc_of_bytes(c->claim->place.contract.bytes, 20), "data",
				  rpc_of_bytes(data.bytes, data.len), "finalized"),
			&answer);
	if (r != 0)
		return r;
	r = rpc_data(answer, sizeof(bytes), bytes, &len);
	json_decref(answer);
	if (r < 0 || call_latest_answer(bytes, len, ret_latest) != 0)
		return say(c, ANCHOR_CHECK_E_UNKNOWN, "what it says of the contract is no answer");
	return 0;
}

int anchor_latest_of(struct rpc *rpc, size_t endpoint, const struct anchor_place *place,
		     const struct address *publisher, struct arena *arena,
		     struct anchor_latest *ret_latest, const char **ret_why)
{
	const struct anchor_claim claim = { .place = *place, .publisher = *publisher };
	struct checking c = { .rpc = rpc, .endpoint = endpoint, .claim = &claim, .arena = arena };
	int r = ask_latest(&c, ret_latest);

	if (r > 0)
		*ret_why = c.why;
	return r;
}

/* What the contract holds binds every root: to have another one, or none, is to have another head. */
static int follow(struct checking *c, const struct anchor_latest *latest)
{
	const struct anchor_claim *claim = c->claim;
	uint64_t behind = latest->sequence - claim->sequence;
	uint8_t head[32];

	anchor_head_next(claim->before, &c->found.root, head);
	if (memcmp(head, c->head, sizeof(head)) != 0)
		return say(c, ANCHOR_CHECK_E_FALSE,
			   "root %" PRIu64
			   " does not follow from the one before it, as the network "
			   "publishes that",
			   claim->sequence);
	for (uint64_t i = 0; i < behind; i++) {
		if (i >= claim->n_after || claim->after[i].sequence != claim->sequence + 1 + i)
			return say(c, ANCHOR_CHECK_E_FALSE,
				   "the chain has root %" PRIu64 ", and the network does not "
				   "publish it",
				   claim->sequence + 1 + i);
		anchor_head_next(head, &claim->after[i], head);
	}
	if (memcmp(head, latest->head, sizeof(head)) != 0)
		return say(c, ANCHOR_CHECK_E_FALSE,
			   "the roots that the network publishes are not those that the contract "
			   "took: its head after root %" PRIu64 " is another",
			   latest->sequence);
	c->found.followed = true;
	return 0;
}

static int check_head(struct checking *c)
{
	struct anchor_latest latest;
	int r = ask_latest(c, &latest);

	if (r != 0)
		return r;
	c->found.latest = latest.sequence;
	if (latest.sequence < c->claim->sequence)
		return say(c, ANCHOR_CHECK_E_FALSE,
			   "the contract has %" PRIu64
			   " roots of this publisher, and this would be "
			   "number %" PRIu64,
			   latest.sequence, c->claim->sequence);
	return c->claim->before && c->claim->after ? follow(c, &latest) : 0;
}

int anchor_check(struct rpc *rpc, const struct anchor_claim *claim, struct arena *arena,
		 struct anchor_found *ret_found, const char **ret_why)
{
	struct checking c = { .rpc = rpc, .claim = claim, .arena = arena };
	int r = 0;

	for (; r == 0 && c.endpoint < rpc_endpoints(rpc); c.endpoint++) {
		r = find_event(&c);
		if (r == 0)
			r = check_root(&c);
		if (r == 0)
			r = check_final(&c);
		if (r == 0)
			r = check_head(&c);
	}
	if (r == 0)
		*ret_found = c.found;
	else if (r > 0)
		*ret_why = c.why;
	return r;
}
