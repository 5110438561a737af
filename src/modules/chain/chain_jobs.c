#include "modules/chain/chain_jobs.h"

#include "modules/chain/anchors.h"
#include "modules/chain/chain.h"
#include "modules/chain/health.h"
#include "modules/chain/registry.h"
#include "modules/logging/logging.h"

enum { LOOK_EVERY_MS = 1000, FOLLOW_EVERY_MS = 2000, ANCHORS_ARENA_BYTES = 64 << 20 };
enum { AUDITS_MAX = 250 /* leaves in a transaction: it holds up others */ };

static int run_outbox(const struct context *context, struct arena *arena)
{
	const struct chain_state *state = chain_state();
	struct outbox_health health;
	int r;

	if (!state)
		return 0;
	r = outbox_turn(&state->outbox, arena, &health);
	return r == 0 ? health_outbox(context, arena, &health) : r;
}

static int run_indexer(const struct context *context, struct arena *small _unused_)
{
	_cleanup_(arena_freep) struct arena *arena = NULL;
	const struct chain_state *state = chain_state();
	struct indexer_health health;
	int r;

	if (!state)
		return 0;
	r = arena_new(INDEXER_ARENA, &arena);
	if (r == 0)
		r = indexer_turn(&state->indexer, arena, &health);
	return r == 0 ? health_indexer(context, arena, &health) : r;
}

static int run_anchors(const struct context *context, struct arena *small _unused_)
{
	_cleanup_(arena_freep) struct arena *arena = NULL;
	const struct chain_state *state = chain_state();
	char problem[ANCHORS_PROBLEM_MAX];
	int r;

	if (!state)
		return 0;
	r = arena_new(ANCHORS_ARENA_BYTES, &arena);
	if (r == 0)
		r = anchors_turn(context, state, arena, problem);
	return r == 0 ? health_anchors(context, arena, problem) : r;
}

/* ---- batches of the audit log, which the module logging seals and cannot anchor itself ---- */

struct audits {
	const struct context *context;
	size_t n;
};

static int tx_audits(struct tx *tx, void *arg)
{
	struct audits *audits = arg;
	struct audit_sealed *sealed;
	uint8_t id[32];
	int r = audit_sealed(tx, AUDITS_MAX, &sealed, &audits->n);

	for (size_t i = 0; r == 0 && i < audits->n; i++) {
		audit_batch_id(sealed[i].number, id);
		r = chain_leaf(audits->context, tx, ANCHOR_AUDIT, id, sealed[i].digest);
	}
	return r == 0 && audits->n ? audit_taken(tx, sealed[audits->n - 1].number) : r;
}

static int tx_audits_look(struct tx *tx, void *arg)
{
	struct audits *audits = arg;
	struct audit_sealed *sealed;

	return audit_sealed(tx, 1, &sealed, &audits->n);
}

static int run_audits(const struct context *context, struct arena *arena)
{
	struct audits audits = { .context = context };
	int r;

	if (!chain_enabled())
		return 0;
	r = db_run(context->db, TX_READ, arena, tx_audits_look, &audits);
	return r == 0 && audits.n ? db_run(context->db, TX_WRITE, arena, tx_audits, &audits) : r;
}

static int run_registry(const struct context *context, struct arena *arena)
{
	return chain_enabled() ? registry_follow(context, arena) : 0;
}

const struct job chain_jobs[] = {
	{ "chain_outbox", LOOK_EVERY_MS, run_outbox, .outside = true },
	{ "chain_indexer", LOOK_EVERY_MS, run_indexer, .outside = true },
	{ "chain_audits", LOOK_EVERY_MS, run_audits },
	{ "chain_anchors", LOOK_EVERY_MS, run_anchors, .outside = true },
	{ "chain_registry", FOLLOW_EVERY_MS, run_registry },
	{ 0 },
};
