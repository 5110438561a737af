#include "modules/logging/feed.h"

#include "base/log.h"
#include "io/loop.h"
#include "io/pool.h"
#include "modules/logging/logging_store.h"

enum {
	PAGE_EVENTS = 200,
	PAGE_ARENA_BYTES = 8 << 20,
	QUEUED_ENOUGH_BYTES = 256 << 10, /* beyond, a slow client is not read for */
	FEEDS_OF_ACCOUNT_MAX = 50, /* each event is read once for each of them */
};

struct feed {
	struct feed *next;
	const struct context *context;
	struct http_conn_id conn;
	struct account_id account;
	int64_t since;
	bool reading; /* a page is on its way: the feed is freed when it is back */
	bool again, closed;
};

/* All feeds; on the loop only. */
static struct feed *feeds;

struct page {
	struct feed *feed; /* used on the loop only */
	const struct context *context;
	struct account_id account;
	int64_t since;
	struct arena *arena;
	struct event *events;
	size_t n;
	int result;
};

static void feed_read(struct feed *feed);

json_t *feed_event_json(const struct event *event)
{
	char at[CLOCK_TEXT_SIZE];

	clock_text(event->at_ms, at);
	return json_pack("{s:I, s:s, s:s, s:s, s:o}", "seq", (json_int_t)event->seq, "at", at,
			 "type", event->type, "subject", event->subject, "data",
			 json_loads(event->data, JSON_DECODE_ANY, NULL));
}

static void feed_free(struct feed *feed)
{
	struct feed **at = &feeds;

	while (*at && *at != feed)
		at = &(*at)->next;
	if (*at)
		*at = feed->next;
	free(feed);
}

static void send_event(struct feed *feed, const struct event *event)
{
	json_t *json = feed_event_json(event);
	char *text = json ? json_dumps(json, JSON_COMPACT) : NULL;

	if (text)
		ws_send(feed->context->http, feed->conn, WS_TEXT, text, strlen(text));
	free(text);
	json_decref(json);
}

/* On the loop, with what the pool read. */
static void page_deliver(void *arg)
{
	struct page *page = arg;
	struct feed *feed = page->feed;

	feed->reading = false;
	if (!feed->closed && page->result == 0) {
		for (size_t i = 0; i < page->n; i++)
			send_event(feed, &page->events[i]);
		if (page->n > 0)
			feed->since = page->events[page->n - 1].seq;
	}
	if (feed->closed)
		feed_free(feed);
	else if (feed->again || page->n == PAGE_EVENTS)
		feed_read(feed);
	arena_free(page->arena);
}

static int page_query(struct tx *tx, void *arg)
{
	struct page *page = arg;

	return store_events(tx, page->account, page->since, PAGE_EVENTS, &page->events, &page->n);
}

/* On a thread of the people pool. */
static void page_read(void *arg)
{
	struct page *page = arg;

	page->result = db_run(page->context->db, TX_READ, page->arena, page_query, page);
	if (page->result < 0)
		log_error("feed.read", log_fault(page->result));
	/* A loop that has stopped has no feeds to serve; the process is about to end. */
	if (loop_post(page->context->loop, page_deliver, page) < 0)
		arena_free(page->arena);
}

static void feed_read(struct feed *feed)
{
	struct arena *arena;
	struct page *page;

	feed->again = true;
	if (feed->reading || ws_queued(feed->context->http, feed->conn) > QUEUED_ENOUGH_BYTES)
		return;
	if (arena_new(PAGE_ARENA_BYTES, &arena) < 0)
		return;
	page = arena_alloc(arena, sizeof(*page));
	if (page)
		*page = (struct page){ .feed = feed,
				       .context = feed->context,
				       .account = feed->account,
				       .since = feed->since,
				       .arena = arena };
	/* What is not read now is read when feed_hint_all comes round. */
	if (!page || pool_submit(feed->context->people, page_read, page) < 0) {
		arena_free(arena);
		return;
	}
	feed->reading = true;
	feed->again = false;
}

static bool may_open(struct account_id account)
{
	size_t n = 0;

	for (struct feed *feed = feeds; feed; feed = feed->next)
		n += account_equal(feed->account, account);
	return n < FEEDS_OF_ACCOUNT_MAX;
}

static void *feed_open(const struct context *context, struct http_conn_id conn, void *prepared)
{
	struct feed_request *request = prepared;
	struct feed *feed = may_open(request->account) ? malloc(sizeof(*feed)) : NULL;

	if (feed) {
		*feed = (struct feed){ .next = feeds,
				       .context = context,
				       .conn = conn,
				       .account = request->account,
				       .since = request->since };
		feeds = feed;
		feed_read(feed);
	}
	free(request);
	return feed;
}

static void feed_message(void *state _unused_, enum ws_kind kind _unused_,
			 const void *bytes _unused_, size_t len _unused_)
{
	/* A feed only speaks; what clients say is ignored. */
}

static void feed_closed(void *state, uint16_t code _unused_)
{
	struct feed *feed = state;

	feed->closed = true;
	if (!feed->reading)
		feed_free(feed);
}

const struct ws_route feed_ws = {
	.open = feed_open,
	.message = feed_message,
	.closed = feed_closed,
	.discard = free,
};

struct hint {
	struct account_id account;
	bool all;
};

static void on_hint(void *arg)
{
	struct hint *hint = arg;

	for (struct feed *feed = feeds; feed; feed = feed->next)
		if (hint->all ? feed->again || !feed->reading
			      : account_equal(feed->account, hint->account))
			feed_read(feed);
	free(hint);
}

static void post_hint(const struct context *context, const struct hint *hint)
{
	struct hint *copy = malloc(sizeof(*copy));

	if (!copy)
		return;
	*copy = *hint;
	if (loop_post(context->loop, on_hint, copy) < 0)
		free(copy);
}

void feed_hint(const struct context *context, struct account_id account)
{
	post_hint(context, &(struct hint){ .account = account });
}

void feed_hint_all(const struct context *context)
{
	post_hint(context, &(struct hint){ .all = true });
}
