#include "modules/logging/logging_jobs.h"

#include "modules/logging/feed.h"
#include "modules/logging/logging_store.h"

#define EVENTS_KEPT_MS (30 * 24 * 60 * 60 * INT64_C(1000))

static int purge(struct tx *tx, void *arg)
{
	return store_events_purge(tx, *(const int64_t *)arg);
}

static int run_purge(const struct context *context, struct arena *arena)
{
	int64_t before_ms = clock_now_ms(context->clock) - EVENTS_KEPT_MS;

	return db_run(context->db, TX_WRITE, arena, purge, &before_ms);
}

static int run_feeds(const struct context *context, struct arena *arena _unused_)
{
	feed_hint_all(context);
	return 0;
}

const struct job logging_jobs[] = {
	{ "events.purge", 60 * 60 * 1000, run_purge },
	{ "events.feeds", 5000, run_feeds },
	{ 0 },
};
