/* hours.h - what follows when an hour of watching is over (job "proof_hours"): the times in which the watchers
 * could not reach the machine are excused in the bills of who rented it then.
 *
 * uptime_grace_ms after its end an hour takes no more reports, and each of its machines is seen to in a
 * transaction of its own that also says so: once, whenever the process dies. A lease is excused where
 * watchers_needed of those drawn did not reach the machine; the tenant's own are not counted. */
#pragma once

#include "modules/proof/proof_store.h"

/* poll_after_ms from now the grace begins where that is later than the hour's end: who could not be heard must be
 * able to report first. */
void hours_begin(const struct context *context);
_must_check_ int hours_run(const struct context *context, struct arena *arena);

/* Everything about one machine's hour. In the transaction's arena. ROUTE_E_NOT_FOUND: nobody was drawn. */
struct hour_view {
	enum proof_hour_state state;
	struct proof_watcher *watchers;
	size_t n_watchers;
	struct proof_uptime *uptimes;
	size_t n_uptimes;
};
_must_check_ int hours_view(struct tx *tx, struct machine_id machine, int64_t hour,
			    struct hour_view *ret_view);

/* When it was away for a majority without the watchers of @tenant; NULL: for all. */
void hours_away(const struct hour_view *view, const struct account_id *tenant, size_t least,
		struct spans *ret_away);
