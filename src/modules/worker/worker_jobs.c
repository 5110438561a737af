#include "modules/worker/worker_jobs.h"

#include "modules/worker/following.h"
#include "modules/worker/worker_rules.h"
#include "modules/worker/worker_state.h"

enum {
	LIVENESS_MS = 5000,
	REFRESH_MS = 60000,
	FOLLOW_MS = 1000,
	PURGE_MS = 3600000,
	TOKENS_KEPT_MS = 86400000, /* past their expiry */
};

/* Laid over the index: an update that was lost is there again. */
static int refresh(const struct context *context, struct arena *arena)
{
	return worker_fleet_fill(context, arena);
}

static int tx_purge(struct tx *tx, void *arg)
{
	const struct context *context = arg;
	int64_t now_ms = clock_now_ms(context->clock);
	int r = worker_store_tokens_purge(tx, now_ms - TOKENS_KEPT_MS);

	return r == 0 ? worker_store_touched_purge(tx, now_ms - PURGE_MS) : r;
}

static int purge(const struct context *context, struct arena *arena)
{
	return db_run(context->db, TX_WRITE, arena, tx_purge, (void *)context);
}

const struct job worker_jobs[] = {
	{ "worker_liveness", LIVENESS_MS, worker_liveness },
	{ "worker_refresh", REFRESH_MS, refresh, .everywhere = true },
	{ "worker_follow", FOLLOW_MS, worker_follow, .everywhere = true },
	{ "worker_purge", PURGE_MS, purge },
	{ 0 },
};
