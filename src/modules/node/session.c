#include "modules/node/node.h"

#include "io/loop.h"

enum { INCOMING_BYTES = 16 << 20, OUTGOING_BYTES = 4 << 20 };

static void call(void (*fn)(struct node_session *session), struct node_session *session)
{
	if (fn)
		fn(session);
}

int node_sessions_init(struct node_sessions *sessions, const struct context *context,
		       const struct node_manner *manner)
{
	pthread_mutex_init(&sessions->mutex, NULL);
	sessions->context = context;
	sessions->manner = manner;
	if (arena_new(INCOMING_BYTES, &sessions->incoming) < 0 ||
	    arena_new(OUTGOING_BYTES, &sessions->outgoing) < 0) {
		node_sessions_done(sessions);
		return -ENOMEM;
	}
	return 0;
}

static void session_free(struct node_session *session)
{
	*session->at = session->next;
	if (session->next)
		session->next->at = session->at;
	session->all->n--;
	call(session->all->manner->on_free, session);
	free(session);
}

void node_sessions_done(struct node_sessions *sessions)
{
	if (!sessions->context)
		return;
	while (sessions->first)
		session_free(sessions->first);
	arena_free(sessions->incoming);
	arena_free(sessions->outgoing);
	pthread_mutex_destroy(&sessions->mutex);
	memset(sessions, 0, sizeof(*sessions));
}

/* ---- by node ---- */

static struct node_session **bucket_of(struct node_sessions *sessions, struct machine_id node)
{
	uint16_t key;

	memcpy(&key, node.address.bytes, sizeof(key));
	return &sessions->buckets[key % NODE_BUCKETS];
}

struct node_session *node_find(struct node_sessions *sessions, struct machine_id node)
{
	struct node_session *session = *bucket_of(sessions, node);

	while (session && !machine_equal(session->node, node))
		session = session->next_in_bucket;
	return session;
}

static void enter(struct node_session *session)
{
	struct node_sessions *all = session->all;
	struct node_session **bucket = bucket_of(all, session->node);

	pthread_mutex_lock(&all->mutex);
	session->next_in_bucket = *bucket;
	*bucket = session;
	all->live++;
	pthread_mutex_unlock(&all->mutex);
}

static void leave(struct node_session *session)
{
	struct node_sessions *all = session->all;
	struct node_session **at = bucket_of(all, session->node);

	pthread_mutex_lock(&all->mutex);
	while (*at != session)
		at = &(*at)->next_in_bucket;
	*at = session->next_in_bucket;
	all->live--;
	pthread_mutex_unlock(&all->mutex);
}

struct http_conn_id node_conn(struct node_sessions *sessions, struct machine_id node)
{
	struct http_conn_id conn = { 0 };
	struct node_session *session;

	pthread_mutex_lock(&sessions->mutex);
	session = node_find(sessions, node);
	if (session)
		conn = session->conn;
	pthread_mutex_unlock(&sessions->mutex);
	return conn;
}

void node_drop(struct node_sessions *sessions, struct machine_id node, const char *reason)
{
	struct http_conn_id conn = node_conn(sessions, node);

	if (conn.value)
		ws_close(sessions->context->http, conn, 1008, reason);
}

/* ---- the end ---- */

static void stop_waiting(struct node_session *session)
{
	if (!session->hello_timer)
		return;
	loop_timer_free(session->hello_timer);
	session->hello_timer = NULL;
	session->all->greeting--;
}

static void quit(struct node_session *session)
{
	bool was_live = session->state == NODE_LIVE;

	stop_waiting(session);
	if (was_live)
		leave(session);
	session->state = NODE_ENDING;
	if (was_live)
		call(session->all->manner->on_down, session);
}

void node_end(struct node_session *session, uint16_t code, const char *reason)
{
	if (session->state == NODE_ENDING)
		return;
	quit(session);
	call(session->all->manner->on_end, session);
	ws_close(session->all->context->http, session->conn, code, reason);
}

void node_hold(struct node_session *session)
{
	session->held++;
}

void node_release(struct node_session *session)
{
	if (--session->held == 0 && session->gone)
		session_free(session);
}

static void on_gone(void *arg)
{
	struct node_session *session = arg;

	call(session->all->manner->on_end, session);
	node_release(session);
}

/* A send that fails closes the connection before it returns: whoever is sending still holds the
 * session, so it goes in a turn of its own. */
void node_on_closed(void *state, uint16_t code _unused_)
{
	struct node_session *session = state;

	if (session->state != NODE_ENDING)
		quit(session);
	session->gone = true;
	node_hold(session);
	if (loop_post(session->all->context->loop, on_gone, session) < 0)
		on_gone(session);
}

static void on_late(void *arg)
{
	node_end(arg, 1008, "no hello in time");
}

/* ---- messages ---- */

static void on_hello(struct node_session *session, const Wire__Hello *hello, const void *bytes,
		     size_t len)
{
	if (session->state != NODE_GREETING) {
		node_end(session, 1002, "a second hello");
		return;
	}
	stop_waiting(session);
	session->state = NODE_CHECKING;
	session->latency_ms = clock_mono_ms(session->all->context->clock) -
			      session->challenged_mono_ms;
	session->all->manner->on_hello(session, hello, bytes, len);
}

void node_on_message(void *state, enum ws_kind kind, const void *bytes, size_t len)
{
	struct node_session *session = state;
	struct arena *arena = session->all->incoming;
	Wire__ToServer *message;
	int r;

	if (session->state == NODE_ENDING)
		return;
	if (kind != WS_BINARY) {
		node_end(session, 1003, "messages are binary");
		return;
	}
	r = wire_decode_to_server(bytes, len, arena, &message);
	if (r == WIRE_E_MALFORMED)
		node_end(session, 1002, "not a message of the protocol");
	else if (r != 0)
		node_end(session, 1011, "not possible now; try again later");
	else if (message->body_case == WIRE__TO_SERVER__BODY_HELLO)
		on_hello(session, message->hello, bytes, len);
	else if (session->state != NODE_LIVE)
		node_end(session, 1002, "wait for the welcome");
	else
		session->all->manner->on_message(session, message, bytes, len);
	arena_reset(arena);
}

void node_adopt(struct node_session *session, struct machine_id node)
{
	struct node_sessions *all = session->all;
	struct node_session *older = node_find(all, node);

	if (older)
		node_end(older, 1008, all->manner->replaced);
	/* The welcome goes first: once entered, others may send at any moment. */
	if (!node_welcome(all->context, session->conn, all->outgoing)) {
		node_end(session, 1011, "not possible now; try again later");
		return;
	}
	if (session->state == NODE_ENDING)
		return;
	session->node = node;
	session->state = NODE_LIVE;
	enter(session);
	call(all->manner->on_up, session);
}

/* ---- the beginning ---- */

/* After the socket has taken the session over: see node_on_closed. */
static void on_challenge(void *arg)
{
	struct node_session *session = arg;
	struct node_sessions *all = session->all;

	session->challenged_mono_ms = clock_mono_ms(all->context->clock);
	if (session->state == NODE_GREETING &&
	    !node_challenge(all->context, session->conn, all->outgoing, session->nonce))
		node_end(session, 1011, "not possible now; try again later");
	node_release(session);
}

static struct node_session *session_new(struct node_sessions *all, struct http_conn_id conn)
{
	const struct context *context = all->context;
	struct node_session *session = calloc(1, all->manner->size);

	if (!session)
		return NULL;
	session->all = all;
	session->conn = conn;
	if (random_fill(context->random, session->nonce, sizeof(session->nonce)) < 0 ||
	    loop_timer_new(context->loop, (uint64_t)all->manner->hello_ms, 0, on_late, session,
			   &session->hello_timer) < 0) {
		free(session);
		return NULL;
	}
	return session;
}

static void insert(struct node_sessions *all, struct node_session *session)
{
	session->next = all->first;
	session->at = &all->first;
	if (session->next)
		session->next->at = &session->next;
	all->first = session;
	all->n++;
	all->greeting++;
}

struct node_session *node_open(struct node_sessions *sessions, struct http_conn_id conn)
{
	struct node_session *session;

	if (sessions->n >= sessions->manner->sessions_max ||
	    sessions->greeting >= sessions->manner->greeting_max)
		return NULL;
	session = session_new(sessions, conn);
	if (!session)
		return NULL;
	if (loop_post(sessions->context->loop, on_challenge, session) < 0) {
		loop_timer_free(session->hello_timer);
		free(session);
		return NULL;
	}
	node_hold(session);
	insert(sessions, session);
	call(sessions->manner->on_open, session);
	return session;
}
