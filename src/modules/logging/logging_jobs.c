#include "modules/logging/logging_jobs.h"

#include "modules/logging/audit_log.h"
#include "modules/logging/feed.h"
#include "modules/logging/logging_store.h"

#define EVENTS_KEPT_MS (30 * 24 * 60 * 60 * INT64_C(1000))

/* So many at a time: others write in between, and no statement runs into its deadline. */
enum { PURGE_BATCH = 5000, PURGE_BATCHES_MAX = 1000 };

/* An entry may still be changed for so long, and a day has at most 17,280 batches. */
enum { SEAL_EVERY_MS = 5000 };

struct purge {
	int64_t before_ms, n;
};

static int purge(struct tx *tx, void *arg)
{
	struct purge *purge = arg;

	return store_events_purge(tx, purge->before_ms, PURGE_BATCH, &purge->n);
}

static int run_purge(const struct context *context, struct arena *arena)
{
	struct purge call = { clock_now_ms(context->clock) - EVENTS_KEPT_MS, PURGE_BATCH };
	int r = 0;

	for (int i = 0; r == 0 && call.n == PURGE_BATCH && i < PURGE_BATCHES_MAX; i++) {
		arena_reset(arena);
		r = db_run(context->db, TX_WRITE, arena, purge, &call);
	}
	return r;
}

static int run_feeds(const struct context *context, struct arena *arena _unused_)
{
	feed_hint_all(context);
	return 0;
}

const struct job logging_jobs[] = {
	{ "events.purge", 60 * 60 * 1000, run_purge },
	{ "events.feeds", 5000, run_feeds, .everywhere = true },
	{ "audit.seal", SEAL_EVERY_MS, audit_seal },
	{ 0 },
};
