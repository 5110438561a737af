/* feed.h - the WebSockets that follow the journal: one reader of the store for each, woken by hints.
 *
 * A hint says that an account has new events; lose it and the job that looks at every feed now and
 * then finds them. A client that does not keep up is not read for until it has caught up. */
#pragma once

#include "api/route.h"

struct feed_request {
	struct account_id account;
	int64_t since;
};

extern const struct ws_route feed_ws; /* its handler prepares a malloc'ed struct feed_request */

/* One event as the JSON that clients read; NULL without memory. */
struct event;
_must_check_ json_t *feed_event_json(const struct event *event);

/* From any thread. */
void feed_hint(const struct context *context, struct account_id account);

/* Looks at all feeds; from any thread. */
void feed_hint_all(const struct context *context);
