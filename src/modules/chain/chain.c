#include "modules/chain/chain.h"

#include <stdatomic.h>

#include "api/settings.h"
#include "base/log.h"
#include "modules/chain/anchor_trees.h"
#include "modules/chain/chain_jobs.h"
#include "modules/chain/chain_routes.h"
#include "modules/chain/chain_state.h"
#include "modules/chain/chain_store.h"
#include "modules/chain/health.h"
#include "modules/chain/registry.h"

enum {
	START_ARENA_BYTES = 1 << 20,
	WINDOW = 16, /* transactions on their way */
};

#define GWEI INT64_C(1000000000)

/* The process has one. */
static struct chain_state state;
static bool started;

const struct chain_state *chain_state(void)
{
	return started ? &state : NULL;
}

bool chain_enabled(void)
{
	return started;
}

const struct contracts *chain_contracts(void)
{
	return started ? &state.contracts : NULL;
}

int chain_call(const struct context *context _unused_, struct tx *tx, const char *name,
	       const char *kind, const struct address *contract, const uint8_t *data, size_t len)
{
	const struct outbox_call call = { name, kind, *contract, data, len };
	int r;

	if (!started)
		return CHAIN_E_NONE;
	r = outbox_add(&state.outbox, tx, &call);
	return r == OUTBOX_E_KNOWN ? CHAIN_E_KNOWN : r;
}

int chain_leaf(const struct context *context _unused_, struct tx *tx, enum anchor_kind kind,
	       const uint8_t id[static 32], const uint8_t digest[static 32])
{
	struct anchor_leaf leaf;

	if (!started)
		return 0;
	memcpy(leaf.id, id, sizeof(leaf.id));
	memcpy(leaf.digest, digest, sizeof(leaf.digest));
	return chain_store_leaf_add(tx, kind, &leaf);
}

int chain_registration(struct tx *tx, const struct address *machine, const struct address *owner,
		       enum machine_kind kind, json_t **ret_json)
{
	if (started)
		return registry_json(tx, machine, owner, kind, ret_json);
	*ret_json = json_null();
	return 0;
}

int chain_payouts(const struct context *context, struct arena *arena, const char *problem)
{
	return started ? health_payouts(context, arena, problem) : 0;
}

int chain_read(const struct address *contract, const uint8_t *data, size_t len, void *ret_bytes,
	       size_t max, size_t *ret_len)
{
	json_t *params, *result;
	int r;

	if (!started)
		return CHAIN_E_NONE;
	params = json_pack("[{s:o, s:o}, s]", "to", rpc_of_bytes(contract->bytes, 20), "data",
			   rpc_of_bytes(data, len), "finalized");
	r = params ? rpc_agree(state.rpc, "eth_call", params, &result) : -ENOMEM;
	json_decref(params);
	if (r != 0)
		return r > 0 ? CHAIN_E_SILENT : r;
	r = rpc_data(result, max, ret_bytes, ret_len);
	json_decref(result);
	return r == -EBADMSG ? CHAIN_E_SILENT : r;
}

int chain_settlement_seen(const struct context *context, struct arena *arena, const char *problem)
{
	return health_settlement(context, arena, problem);
}

/* ---- life ---- */

static int sign(void *arg, const struct outbox_signing *signing, struct arena *arena,
		struct transaction_signed *ret_signed, const char **ret_detail)
{
	struct chain_state *s = arg;
	char publisher[ADDRESS_TEXT_SIZE];
	int r = signer_client_sign(s->signer, signing, arena, ret_signed, ret_detail);

	if (r != 0 || address_equal(&ret_signed->sender, &s->publisher))
		return r;
	address_text(&s->publisher, publisher);
	*ret_detail = arena_printf(arena, "it holds another key: start it with that of %s",
				   publisher);
	return *ret_detail ? OUTBOX_E_DENIED : -ENOMEM;
}

static int open_rpc(const struct context *context)
{
	const struct settings *settings = context->settings;
	const struct rpc_config config = {
		.urls = settings->chain->rpc_urls,
		.n_urls = settings->chain->n_rpc_urls,
		.chain_id = settings->chain->contracts->chain_id,
		.timeout_ms = (uint64_t)settings->chain_timeout_ms,
		.agree = settings->chain->agree,
		.clock = context->clock,
	};

	return rpc_new(&config, &state.rpc);
}

static void configure(const struct context *context)
{
	static const enum contract heard[] = { CONTRACT_DISTRIBUTOR, CONTRACT_ESCROW,
					       CONTRACT_LICENCE, CONTRACT_REGISTRY, CONTRACT_SALE };
	const struct settings *settings = context->settings;

	state.outbox = (struct outbox_config){
		.db = context->db,
		.clock = context->clock,
		.random = context->random,
		.rpc = state.rpc,
		.chain_id = state.contracts.chain_id,
		.sender = state.publisher,
		.sign = sign,
		.arg = &state,
		.window = WINDOW,
		.again_ms = settings->chain_again_ms,
		.raise_ms = settings->chain_raise_ms,
		.refuse_ms = settings->chain_refuse_ms,
		.max_fee_wei = settings->chain_max_fee_gwei * GWEI,
		.max_gas = settings->chain_max_gas,
	};
	for (size_t i = 0; i < ARRAY_SIZE(heard); i++)
		state.followed[i] = (struct indexer_contract){ state.contracts.at[heard[i]].address,
							       state.contracts.at[heard[i]].block };
	state.indexer = (struct indexer_config){ .db = context->db,
						 .rpc = state.rpc,
						 .contracts = state.followed,
						 .n_contracts = ARRAY_SIZE(heard) };
}

static int tx_identity(struct tx *tx, void *arg)
{
	return chain_store_identity(tx, arg);
}

static int tx_identity_add(struct tx *tx, void *arg)
{
	return chain_store_identity_add(tx, arg);
}

/* The store knows one key at one contract; roots of others would be another sequence. */
static int check_identity(const struct identity_row *kept, const struct identity_row *now)
{
	char was[ADDRESS_TEXT_SIZE], is[ADDRESS_TEXT_SIZE];
	const char *what = NULL, *remedy = NULL;

	if (!address_equal(&kept->publisher, &now->publisher)) {
		address_text(&kept->publisher, was);
		address_text(&now->publisher, is);
		what = "the signer has another key than before";
		remedy = "start `kaisar signer run` with the key of before";
	} else if (kept->chain_id != now->chain_id || !address_equal(&kept->anchor, &now->anchor)) {
		address_text(&kept->anchor, was);
		address_text(&now->anchor, is);
		what = "the contract Anchor is another one than before, or on another chain";
		remedy = "name the addresses file of before with --chain-addresses";
	}
	if (!what)
		return 0;
	log_error("chain.identity", log_text("problem", what), log_text("was", was),
		  log_text("is", is), log_text("remedy", remedy));
	return -EINVAL;
}

/* A signer that is away now may come; which key it is must be known from the first start on. */
static int identify(const struct context *context, struct arena *arena)
{
	struct identity_row kept, now = {
		.chain_id = (int64_t)state.contracts.chain_id,
		.anchor = state.contracts.at[CONTRACT_ANCHOR].address,
	};
	int known = db_run(context->db, TX_READ, arena, tx_identity, &kept), r;
	const char *detail = "";

	if (known < 0)
		return known;
	r = signer_client_address(state.signer, arena, &now.publisher, &detail);
	if (r < 0)
		return r;
	if (r > 0 && known == ROUTE_E_NOT_FOUND) {
		log_error("chain.signer", log_text("problem", detail),
			  log_text("remedy", "start `kaisar signer run` before the server; it must "
					     "answer at the first start"));
		return -EHOSTUNREACH;
	}
	if (r > 0)
		now.publisher = kept.publisher;
	r = known == 0 ? check_identity(&kept, &now)
		       : db_run(context->db, TX_WRITE, arena, tx_identity_add, &now);
	state.publisher = now.publisher;
	return r;
}

static void stop(void)
{
	started = false;
	anchor_trees_forget();
	health_forget();
	signer_client_free(state.signer);
	rpc_free(state.rpc);
	state = (struct chain_state){ 0 };
}

static int start(const struct context *context)
{
	_cleanup_(arena_freep) struct arena *arena = NULL;
	const struct chain_settings *settings = context->settings->chain;
	int r;

	if (!settings)
		return 0;
	state = (struct chain_state){ .contracts = *settings->contracts };
	r = arena_new(START_ARENA_BYTES, &arena);
	if (r == 0)
		r = open_rpc(context);
	if (r == 0)
		r = signer_client_new(settings->signer, &state.signer);
	if (r == 0)
		r = identify(context, arena);
	if (r != 0) {
		stop();
		return r;
	}
	configure(context);
	started = true;
	return 0;
}

static const struct outcome_row outcomes[] = {
	{ CHAIN_E_NONE, 404, "no-chain", "This network records nothing on a chain." },
	{ CHAIN_E_NOT_ANCHORED, 404, "not-anchored",
	  "The record is in no root yet; new ones are made every few minutes: ask again later." },
	{ CHAIN_E_SILENT, 503, "chain-silent",
	  "Too few endpoints of the chain say the same: ask again later." },
	{ 0 },
};

const struct module chain_module = {
	.name = "chain",
	.routes = chain_routes,
	.outcomes = outcomes,
	.jobs = chain_jobs,
	.start = start,
	.stop = stop,
};
