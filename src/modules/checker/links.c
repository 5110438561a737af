#include "modules/checker/links.h"

#include <pthread.h>

#include "base/log.h"
#include "io/loop.h"
#include "io/pool.h"
#include "modules/checker/checker_rules.h"
#include "modules/node/node.h"

enum {
	BUCKETS = 1024,
	INCOMING_BYTES = 16 << 20,
	OUTGOING_BYTES = 2 * WIRE_MESSAGE_MAX,
	LOOKUP_BYTES = 64 << 10,
	VERSION_SIZE = 65,
};

enum state { GREETING, LOOKING_UP, LIVE, ENDING };

struct link {
	struct link *next, **at; /* among all; on the loop */
	struct link *next_in_bucket; /* LIVE */
	struct http_conn_id conn;
	enum state state;
	bool gone; /* the socket */
	bool looking_up; /* on a pool's thread, which holds the link */
	unsigned int posted; /* calls on their way to the loop */
	int found; /* what the look-up returned */
	uint8_t nonce[NODE_NONCE_SIZE];
	struct address checker; /* from LOOKING_UP on */
	char version[VERSION_SIZE];
	int occupied; /* sessions that it is a member of */
	struct loop_timer *hello_timer;
};

/* One a process: the module's. The mutex guards the buckets, and what of a link in them other threads
 * look at: conn, checker, occupied. */
static struct {
	const struct context *context; /* NULL: not started */
	struct checker_listener listener;
	struct link *links;
	size_t n, greeting;
	struct arena *incoming, *outgoing;
	pthread_mutex_t mutex;
	struct link *buckets[BUCKETS];
} all = { .mutex = PTHREAD_MUTEX_INITIALIZER };

int links_start(const struct context *context)
{
	int r;

	r = arena_new(INCOMING_BYTES, &all.incoming);
	if (r == 0)
		r = arena_new(OUTGOING_BYTES, &all.outgoing);
	if (r < 0) {
		links_stop();
		return r;
	}
	all.context = context;
	return 0;
}

static void link_free(struct link *link)
{
	*link->at = link->next;
	if (link->next)
		link->next->at = link->at;
	all.n--;
	free(link);
}

void links_stop(void)
{
	while (all.links)
		link_free(all.links);
	memset(all.buckets, 0, sizeof(all.buckets));
	arena_free(all.incoming);
	arena_free(all.outgoing);
	all.incoming = all.outgoing = NULL;
	all.listener = (struct checker_listener){ 0 };
	all.context = NULL;
}

void checker_listen(const struct checker_listener *listener)
{
	all.listener = *listener;
}

/* ---- by checker ---- */

static struct link **bucket_of(const struct address *checker)
{
	return &all.buckets[(checker->bytes[0] << 8 | checker->bytes[1]) % BUCKETS];
}

/* With the mutex held. */
static struct link *find(const struct address *checker)
{
	struct link *link = *bucket_of(checker);

	while (link && !address_equal(&link->checker, checker))
		link = link->next_in_bucket;
	return link;
}

static void enter(struct link *link)
{
	struct link **bucket = bucket_of(&link->checker);

	pthread_mutex_lock(&all.mutex);
	link->next_in_bucket = *bucket;
	*bucket = link;
	pthread_mutex_unlock(&all.mutex);
}

static void leave(struct link *link)
{
	struct link **at = bucket_of(&link->checker);

	pthread_mutex_lock(&all.mutex);
	while (*at != link)
		at = &(*at)->next_in_bucket;
	*at = link->next_in_bucket;
	pthread_mutex_unlock(&all.mutex);
}

static struct http_conn_id conn_of(const struct address *checker)
{
	struct http_conn_id conn = { 0 };
	struct link *link;

	pthread_mutex_lock(&all.mutex);
	link = find(checker);
	if (link)
		conn = link->conn;
	pthread_mutex_unlock(&all.mutex);
	return conn;
}

enum link_state links_state(const struct address *checker)
{
	enum link_state state = LINK_STATE_NONE;
	struct link *link;

	pthread_mutex_lock(&all.mutex);
	link = find(checker);
	if (link)
		state = link->occupied > 0 ? LINK_STATE_OCCUPIED : LINK_STATE_IDLE;
	pthread_mutex_unlock(&all.mutex);
	return state;
}

void checker_occupy(const struct address *checker, int by)
{
	struct link *link;

	pthread_mutex_lock(&all.mutex);
	link = find(checker);
	if (link && link->occupied + by >= 0)
		link->occupied += by;
	pthread_mutex_unlock(&all.mutex);
}

int checker_send(const struct address *checker, const Wire__ToNode *message)
{
	_cleanup_(arena_freep) struct arena *arena = NULL;
	struct http_conn_id conn = conn_of(checker);
	const void *bytes;
	size_t len;
	int r;

	if (!conn.value)
		return -ENOTCONN;
	r = arena_new(OUTGOING_BYTES, &arena);
	if (r == 0)
		r = wire_encode_to_node(message, arena, &bytes, &len);
	if (r == 0)
		ws_send(all.context->http, conn, WS_BINARY, bytes, len);
	return r;
}

void links_drop(const struct address *checker, const char *reason)
{
	struct http_conn_id conn = conn_of(checker);

	if (conn.value)
		ws_close(all.context->http, conn, 1008, reason);
}

/* ---- the end ---- */

static void stop_waiting(struct link *link)
{
	if (!link->hello_timer)
		return;
	loop_timer_free(link->hello_timer);
	link->hello_timer = NULL;
	all.greeting--;
}

static void quit(struct link *link)
{
	bool was_live = link->state == LIVE;

	stop_waiting(link);
	if (was_live)
		leave(link);
	link->state = ENDING;
	if (was_live && all.listener.on_down)
		all.listener.on_down(all.listener.arg, &link->checker);
}

static void end(struct link *link, uint16_t code, const char *reason)
{
	if (link->state == ENDING)
		return;
	quit(link);
	ws_close(all.context->http, link->conn, code, reason);
}

static void free_if_done(struct link *link)
{
	if (link->gone && !link->looking_up && link->posted == 0)
		link_free(link);
}

static void on_gone(void *arg)
{
	struct link *link = arg;

	link->posted--;
	free_if_done(link);
}

/* Whoever is sending still holds the link: it goes in a turn of its own. */
static void on_closed(void *state, uint16_t code _unused_)
{
	struct link *link = state;

	if (link->state != ENDING)
		quit(link);
	link->gone = true;
	link->posted++;
	if (loop_post(all.context->loop, on_gone, link) < 0)
		on_gone(link);
}

static void on_late(void *arg)
{
	end(arg, 1008, "no hello in time");
}

/* ---- hello ---- */

static int tx_greet(struct tx *tx, void *arg)
{
	struct link *link = arg;

	return checker_store_seen(tx, &link->checker, link->version,
				  clock_now_ms(all.context->clock));
}

/* The older session of the same checker is replaced. The welcome goes before anything else. */
static void adopt(struct link *link)
{
	struct link *older;

	pthread_mutex_lock(&all.mutex);
	older = find(&link->checker);
	pthread_mutex_unlock(&all.mutex);
	if (older)
		end(older, 1008, "replaced by a newer session of this checker");
	stop_waiting(link);
	if (!node_welcome(all.context, link->conn, all.outgoing)) {
		end(link, 1011, "not possible now; try again later");
		return;
	}
	if (link->state == ENDING)
		return;
	link->state = LIVE;
	enter(link);
	if (all.listener.on_up)
		all.listener.on_up(all.listener.arg, &link->checker);
}

static void on_found(void *arg)
{
	struct link *link = arg;

	link->looking_up = false;
	if (link->state == LOOKING_UP && link->found == 0)
		adopt(link);
	else if (link->found == ROUTE_E_NOT_FOUND)
		end(link, 1008, "this checker is not registered; use kaisar checker create");
	else if (link->found != 0)
		end(link, 1011, "not possible now; try again later");
	free_if_done(link);
}

/* On a pool's thread: of the link only what nobody changes meanwhile is used. */
static void look_up(void *arg)
{
	_cleanup_(arena_freep) struct arena *arena = NULL;
	struct link *link = arg;
	int r;

	r = arena_new(LOOKUP_BYTES, &arena);
	if (r == 0)
		r = db_run(all.context->db, TX_WRITE, arena, tx_greet, link);
	if (r < 0)
		log_error("checker.greet", log_fault(r));
	link->found = r;
	/* If the loop has stopped, links_stop frees the link. */
	(void)!loop_post(all.context->loop, on_found, link);
}

static void on_hello(struct link *link, const Wire__Hello *hello)
{
	struct machine_id node;

	if (link->state != GREETING) {
		end(link, 1002, "a second hello");
		return;
	}
	if (!node_hello_holds(all.context, link->nonce, hello, &node)) {
		end(link, 1008, "the signature is not by this checker's key");
		return;
	}
	link->checker = node.address;
	snprintf(link->version, sizeof(link->version), "%s", hello->version);
	link->looking_up = true;
	link->state = LOOKING_UP;
	if (pool_submit(all.context->agents, look_up, link) < 0) {
		link->looking_up = false;
		end(link, 1013, "too busy; try again later");
	}
}

static void dispatch(struct link *link, const Wire__ToServer *message)
{
	if (message->body_case == WIRE__TO_SERVER__BODY_HELLO)
		on_hello(link, message->hello);
	else if (link->state != LIVE)
		end(link, 1002, "wait for the welcome");
	else if (all.listener.on_message)
		all.listener.on_message(all.listener.arg, &link->checker, message);
}

static void on_message(void *state, enum ws_kind kind, const void *bytes, size_t len)
{
	struct link *link = state;
	Wire__ToServer *message;
	int r;

	if (link->state == ENDING)
		return;
	if (kind != WS_BINARY) {
		end(link, 1003, "messages are binary");
		return;
	}
	r = wire_decode_to_server(bytes, len, all.incoming, &message);
	if (r == 0)
		dispatch(link, message);
	else if (r == WIRE_E_MALFORMED)
		end(link, 1002, "not a message of the protocol");
	else
		end(link, 1011, "not possible now; try again later");
	arena_reset(all.incoming);
}

/* ---- the beginning ---- */

/* After the socket has taken the link over: see on_closed. */
static void on_challenge(void *arg)
{
	struct link *link = arg;

	link->posted--;
	if (link->state == GREETING &&
	    !node_challenge(all.context, link->conn, all.outgoing, link->nonce))
		end(link, 1011, "not possible now; try again later");
	free_if_done(link);
}

static void insert(struct link *link)
{
	link->next = all.links;
	link->at = &all.links;
	if (link->next)
		link->next->at = &link->next;
	all.links = link;
	all.n++;
	all.greeting++;
}

static void *on_open(const struct context *context, struct http_conn_id conn, void *prepared)
{
	_cleanup_(freep) struct link *link = NULL;
	struct link *opened;

	free(prepared);
	if (all.n >= CHECKERS_LINKED_MAX || all.greeting >= LINKS_GREETING_MAX)
		return NULL;
	link = calloc(1, sizeof(*link));
	if (!link || random_fill(context->random, link->nonce, sizeof(link->nonce)) < 0 ||
	    loop_timer_new(context->loop, LINKS_HELLO_MS, 0, on_late, link, &link->hello_timer) < 0)
		return NULL;
	link->conn = conn;
	if (loop_post(context->loop, on_challenge, link) < 0) {
		loop_timer_free(link->hello_timer);
		return NULL;
	}
	link->posted++;
	insert(link);
	opened = link;
	link = NULL;
	return opened;
}

const struct ws_route links_route = { on_open, on_message, on_closed, free };
