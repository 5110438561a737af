#include "modules/chain/chain_routes.h"

#include "api/settings.h"
#include "chain/hex.h"
#include "modules/chain/anchor_trees.h"
#include "modules/chain/health.h"

enum { PAGE_MAX = 100, WAITING_MAX = 100000 };

static json_t *optional_text(const char *text)
{
	return *text ? json_string(text) : json_null();
}

/* ---- the chain ---- */

static json_t *contracts_json(const struct contracts *contracts)
{
	json_t *json = json_object();

	for (enum contract i = 0; json && i < CONTRACTS_N; i++) {
		const struct contract_place *place = &contracts->at[i];

		if (place->there &&
		    json_object_set_new(json, contract_name(i),
					json_pack("{s:o, s:I}", "address",
						  encode_address(&place->address), "block",
						  (json_int_t)place->block)) < 0) {
			json_decref(json);
			return NULL;
		}
	}
	return json;
}

/* The indexer's, which many endpoints agree on, where it has got that far. */
static uint64_t best(uint64_t indexer, uint64_t outbox)
{
	return indexer ? indexer : outbox;
}

static json_t *chain_json(const struct context *context, const struct chain_state *state,
			  const struct health_now *now)
{
	return json_pack("{s:I, s:o, s:o, s:I, s:I, s:I}", "chain_id",
			 (json_int_t)state->contracts.chain_id, "publisher",
			 encode_address(&state->publisher), "contracts",
			 contracts_json(&state->contracts), "head",
			 (json_int_t)best(now->indexer.head, now->outbox.head), "final",
			 (json_int_t)best(now->indexer.final, now->outbox.final), "anchor_every_ms",
			 (json_int_t)context->settings->anchor_every_ms);
}

static int get_chain(struct request *request, struct tx *tx _unused_, struct reply *reply)
{
	const struct chain_state *state = chain_state();
	struct health_now now;

	if (!state)
		return CHAIN_E_NONE;
	health_now(&now);
	return reply_with(reply, 200, chain_json(request->context, state, &now));
}

static json_t *endpoints_json(struct rpc *rpc)
{
	json_t *list = json_array();

	for (size_t i = 0; list && i < rpc_endpoints(rpc); i++) {
		struct rpc_endpoint endpoint;

		rpc_endpoint(rpc, i, &endpoint);
		if (json_array_append_new(list, json_pack("{s:s, s:I, s:I, s:I, s:o}", "url",
							  endpoint.url, "answers",
							  (json_int_t)endpoint.answers, "failures",
							  (json_int_t)endpoint.failures, "rests_ms",
							  (json_int_t)endpoint.rests_ms, "problem",
							  optional_text(endpoint.problem))) < 0) {
			json_decref(list);
			return NULL;
		}
	}
	return list;
}

static json_t *outbox_json(const struct outbox_health *health)
{
	return json_pack("{s:I, s:I, s:o}", "queued", (json_int_t)health->queued, "in_flight",
			 (json_int_t)health->in_flight, "problem", optional_text(health->problem));
}

static json_t *indexer_json(const struct indexer_health *health)
{
	return json_pack("{s:I, s:I, s:I, s:o}", "head", (json_int_t)health->head, "final",
			 (json_int_t)health->final, "behind", (json_int_t)health->behind, "problem",
			 optional_text(health->problem));
}

static int anchors_json(struct tx *tx, const struct health_now *now, json_t **ret_json)
{
	int64_t waiting = 0, of_kind;
	struct anchor_row last = { 0 };
	int r = chain_store_anchor_last(tx, ANCHOR_KINDS_N, &last);

	r = r == ROUTE_E_NOT_FOUND ? 0 : r;
	for (enum anchor_kind kind = 0; r == 0 && kind < ANCHOR_KINDS_N; kind++) {
		r = chain_store_waiting(tx, kind, WAITING_MAX, &of_kind);
		waiting += r == 0 ? of_kind : 0;
	}
	if (r != 0)
		return r;
	*ret_json = json_pack("{s:I, s:o, s:b, s:I, s:o}", "sequence",
			      (json_int_t)last.root.sequence, "made_at", encode_time(last.made_ms),
			      "final", last.final, "waiting", (json_int_t)waiting, "problem",
			      optional_text(now->anchors));
	return *ret_json ? 0 : -ENOMEM;
}

static int get_health(struct request *request, struct tx *tx, struct reply *reply)
{
	const struct chain_state *state = chain_state();
	struct health_now now;
	json_t *anchors;
	int r;

	if (!state)
		return CHAIN_E_NONE;
	health_now(&now);
	r = anchors_json(tx, &now, &anchors);
	if (r != 0)
		return r;
	return reply_with(reply, 200,
			  json_pack("{s:o, s:o, s:o, s:o, s:{s:o}, s:{s:o}, s:o, s:I}", "chain",
				    chain_json(request->context, state, &now), "outbox",
				    outbox_json(&now.outbox), "indexer", indexer_json(&now.indexer),
				    "anchors", anchors, "payouts", "problem",
				    optional_text(now.payouts), "settlement", "problem",
				    optional_text(now.settlement), "endpoints",
				    endpoints_json(state->rpc), "agree",
				    (json_int_t)rpc_agreement(state->rpc)));
}

/* ---- roots ---- */

static json_t *anchor_json(const struct anchor_row *row)
{
	const struct anchor_root *root = &row->root;

	return json_pack("{s:I, s:s, s:o, s:I, s:o, s:o, s:o, s:b, s:o, s:o}", "sequence",
			 (json_int_t)root->sequence, "kind", anchor_kind_words[root->kind], "root",
			 encode_bytes(root->root, 32), "leaves", (json_int_t)root->leaves,
			 "content", encode_bytes(root->content, 32), "head",
			 encode_bytes(row->head, 32), "made_at", encode_time(row->made_ms), "final",
			 row->final, "transaction",
			 row->final ? encode_bytes(row->transaction, 32) : json_null(), "block",
			 row->final ? json_integer(row->block) : json_null());
}

struct anchors_query {
	int kind;
	int64_t cursor, limit;
};

static const struct field anchors_fields[] = {
	{ "kind", FIELD_WORD, offsetof(struct anchors_query, kind), .words = anchor_kind_words,
	  .fallback = ANCHOR_KINDS_N },
	{ "cursor", FIELD_INT, offsetof(struct anchors_query, cursor), .min = 1, .max = INT64_MAX,
	  .fallback = INT64_MAX },
	{ "limit", FIELD_INT, offsetof(struct anchors_query, limit), .min = 1, .max = PAGE_MAX,
	  .fallback = 50 },
	{ 0 },
};

static int get_anchors(struct request *request, struct tx *tx, struct reply *reply)
{
	const struct anchors_query *query = request->query;
	size_t n, limit = (size_t)query->limit;
	struct anchor_row *rows;
	json_t *items;
	int r;

	if (!chain_enabled())
		return CHAIN_E_NONE;
	r = chain_store_anchors(tx, (enum anchor_kind)query->kind, query->cursor, query->limit + 1,
				&rows, &n);
	if (r != 0)
		return r;
	items = json_array();
	for (size_t i = 0; i < size_min(n, limit); i++)
		if (json_array_append_new(items, anchor_json(&rows[i])) < 0) {
			json_decref(items);
			return -ENOMEM;
		}
	return reply_with(
		reply, 200,
		json_pack("{s:o, s:o}", "items", items, "next",
			  n > limit ? json_sprintf("%" PRIu64, rows[limit - 1].root.sequence)
				    : json_null()));
}

static int find_anchor(const struct request *request, struct tx *tx, struct anchor_row *ret_row)
{
	const char *word = request->params[0];
	struct u256 sequence;

	if (!chain_enabled())
		return CHAIN_E_NONE;
	if (u256_parse(word, strlen(word), &sequence) < 0 || u256_bits(sequence) > 63)
		return ROUTE_E_NOT_FOUND;
	return chain_store_anchor(tx, (int64_t)sequence.limbs[0], ret_row);
}

static int get_anchor(struct request *request, struct tx *tx, struct reply *reply)
{
	struct anchor_row row;
	int r = find_anchor(request, tx, &row);

	return r != 0 ? r : reply_with(reply, 200, anchor_json(&row));
}

static int get_leaves(struct request *request, struct tx *tx, struct reply *reply)
{
	struct anchor_leaf *leaves;
	struct anchor_row row;
	enum anchor_kind kind;
	size_t n;
	int r = find_anchor(request, tx, &row);

	if (r == 0)
		r = chain_store_leaves(tx, (int64_t)row.root.sequence, &kind, &leaves, &n);
	if (r != 0)
		return r;
	reply->octets = leaves;
	reply->octets_len = n * sizeof(*leaves);
	return 0;
}

/* ---- records ---- */

static json_t *path_json(const struct merkle_hash *path, size_t n)
{
	json_t *list = json_array();

	for (size_t i = 0; i < n; i++)
		if (json_array_append_new(list, encode_bytes(path[i].bytes, 32)) < 0) {
			json_decref(list);
			return NULL;
		}
	return list;
}

/* The head before a root: of the one before it, or behind which this store's begin. */
static int find_before(struct tx *tx, const struct anchor_row *row, uint8_t ret_head[static 32])
{
	struct identity_row identity;
	struct anchor_row before;
	int r = chain_store_anchor(tx, (int64_t)row->root.sequence - 1, &before);

	if (r == 0)
		memcpy(ret_head, before.head, 32);
	if (r != ROUTE_E_NOT_FOUND)
		return r;
	r = chain_store_identity(tx, &identity);
	if (r == 0)
		memcpy(ret_head, identity.head, 32);
	return r > 0 ? -EIO : r;
}

static json_t *inclusion_json(const struct chain_state *state, const struct anchor_leaf *leaf,
			      const struct anchor_row *row, const uint8_t before[static 32],
			      const struct merkle_hash *path, size_t n)
{
	const struct anchor_place place = {
		.chain_id = state->contracts.chain_id,
		.contract = state->contracts.at[CONTRACT_ANCHOR].address,
		.kind = row->root.kind,
	};
	struct merkle_hash hash;

	anchor_leaf_hash(&place, leaf, &hash);
	return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o}", "id", encode_bytes(leaf->id, 32),
			 "digest", encode_bytes(leaf->digest, 32), "leaf",
			 encode_bytes(hash.bytes, 32), "path", path_json(path, n), "anchor",
			 anchor_json(row), "before", encode_bytes(before, 32));
}

static int get_inclusion(struct request *request, struct tx *tx, struct reply *reply)
{
	const struct chain_state *state = chain_state();
	const char *id_text = request->params[1];
	struct merkle_hash path[MERKLE_DEPTH_MAX];
	struct anchor_leaf leaf;
	struct anchor_row row;
	enum anchor_kind kind;
	uint8_t id[32], before[32];
	int64_t anchor;
	size_t n;
	int r;

	if (!state)
		return CHAIN_E_NONE;
	if (anchor_kind_parse(request->params[0], &kind) < 0 ||
	    hex_data_exact(id_text, strlen(id_text), id, sizeof(id)) < 0)
		return ROUTE_E_NOT_FOUND;
	r = chain_store_leaf(tx, kind, id, &leaf, &anchor);
	if (r == 0 && anchor == 0)
		return CHAIN_E_NOT_ANCHORED;
	if (r != 0)
		return r;
	r = chain_store_anchor(tx, anchor, &row);
	if (r == ROUTE_E_NOT_FOUND)
		return CHAIN_E_NOT_ANCHORED; /* gathered for a root that is being made */
	if (r == 0)
		r = find_before(tx, &row, before);
	if (r == 0)
		r = anchor_trees_prove(state, tx, &row.root, id, path, &n);
	return r != 0 ? r
		      : reply_with(reply, 200, inclusion_json(state, &leaf, &row, before, path, n));
}

const struct route chain_routes[] = {
	{ HTTP_GET, "/v1/chain", PERM_PUBLIC, .handler = get_chain },
	{ HTTP_GET, "/v1/anchors", PERM_PUBLIC, TX_READ,
	  .query = { anchors_fields, sizeof(struct anchors_query) }, .handler = get_anchors },
	{ HTTP_GET, "/v1/anchors/{sequence}", PERM_PUBLIC, TX_READ, .handler = get_anchor },
	{ HTTP_GET, "/v1/anchors/{sequence}/leaves", PERM_PUBLIC, TX_READ, .handler = get_leaves },
	{ HTTP_GET, "/v1/inclusions/{kind}/{id}", PERM_PUBLIC, TX_READ, .handler = get_inclusion },
	{ HTTP_GET, "/v1/admin/chain", PERM_OPERATOR, TX_READ, .at_duty = true,
	  .handler = get_health },
	{ 0 },
};
