/* logging_routes.c - the journal's HTTP face: decode, call, encode. */
#include "modules/logging/audit_routes.h"
#include "modules/logging/feed.h"
#include "modules/logging/logging.h"
#include "modules/logging/logging_jobs.h"
#include "modules/logging/logging_store.h"

enum { PAGE_MAX = 100 };

struct events_query {
	int64_t since, limit;
};

static const struct field events_query_fields[] = {
	{ "since", FIELD_INT, offsetof(struct events_query, since), .min = 0, .max = INT64_MAX },
	{ "limit", FIELD_INT, offsetof(struct events_query, limit), .min = 1, .max = PAGE_MAX,
	  .fallback = 50 },
	{ 0 },
};

static int prepare_feed(struct request *q, const struct events_query *query)
{
	struct feed_request *feed = malloc(sizeof(*feed));

	if (!feed)
		return -ENOMEM;
	*feed = (struct feed_request){ q->caller.account, query->since };
	request_prepare(q, feed);
	return 0;
}

static int get_events(struct request *q, struct tx *tx, struct reply *reply)
{
	const struct events_query *query = q->query;
	int64_t next = query->since;
	struct event *events;
	json_t *items;
	size_t n;
	int r;

	if (q->websocket)
		return prepare_feed(q, query);
	r = store_events(tx, q->caller.account, query->since, query->limit, &events, &n);
	if (r < 0)
		return r;
	items = json_array();
	for (size_t i = 0; i < n; i++) {
		/* A client that is told of @next never asks again for what is missing before it. */
		if (json_array_append_new(items, feed_event_json(&events[i])) < 0) {
			json_decref(items);
			return -ENOMEM;
		}
		next = events[i].seq;
	}
	reply->body = json_pack("{s:o, s:I}", "items", items, "next_since", (json_int_t)next);
	return reply->body ? 0 : -ENOMEM;
}

static const struct route routes[] = {
	{ HTTP_GET, "/v1/events", PERM_ACCOUNT, TX_READ,
	  .query = { events_query_fields, sizeof(struct events_query) }, .handler = get_events,
	  .ws = &feed_ws, .ws_optional = true },
	{ HTTP_GET, "/v1/audit", PERM_ACCOUNT, TX_READ,
	  .query = { audit_fields, sizeof(struct audit_query) }, .handler = get_audit },
	{ HTTP_GET, "/v1/audit/{entry}", PERM_ACCOUNT, TX_READ, .handler = get_audit_entry },
	{ HTTP_GET, "/v1/admin/audit", PERM_OPERATOR, TX_READ,
	  .query = { audit_admin_fields, sizeof(struct audit_query) }, .handler = get_audit_all },
	{ HTTP_GET, "/v1/admin/audit/batches", PERM_OPERATOR, TX_READ,
	  .query = { audit_batches_fields, sizeof(struct audit_batches_query) },
	  .handler = get_audit_batches },
	{ HTTP_GET, "/v1/admin/audit/batches/{number}", PERM_OPERATOR, TX_READ,
	  .handler = get_audit_batch },
	{ 0 },
};

const struct module logging_module = {
	.name = "logging",
	.routes = routes,
	.jobs = logging_jobs,
};
