#include "modules/worker/agents.h"

#include <pthread.h>

#include "base/log.h"
#include "io/loop.h"
#include "io/pool.h"
#include "modules/node/node.h"
#include "modules/worker/errand.h"
#include "modules/worker/streams.h"
#include "modules/worker/worker_state.h"

enum {
	BUCKETS = 4096,
	INCOMING_BYTES = 16 << 20,
	OUTGOING_BYTES = 4 << 20,
	RETRY_MS = 50, /* until a full pool is tried again */
};

enum session_state { GREETING, CHECKING, LIVE, ENDING };

struct session {
	struct agents *agents;
	struct session *next, **at; /* among all */
	struct session *next_in_bucket;
	struct http_conn_id conn;
	enum session_state state;
	bool gone; /* the socket; the session waits for its errand and what is posted */
	unsigned int posted; /* calls on their way to the loop */
	uint8_t nonce[32];
	struct machine_id machine; /* LIVE */
	int64_t challenged_mono_ms, latency_ms, asked_mono_ms;
	struct loop_timer *hello_timer;
	struct letter *letters, **last;
	size_t n_letters, letters_bytes;
	struct errand *errand; /* in flight */
	struct streams streams;
};

struct agents {
	const struct context *context;
	struct fleet *fleet;
	struct session *sessions; /* on the loop, like all but the buckets */
	size_t n, greeting;
	struct arena *incoming, *outgoing;
	struct loop_timer *retry;
	struct charging *charging;
	struct worker_proof_listener proofs;
	pthread_mutex_t mutex; /* guards the buckets and what they lead to: conn, machine */
	struct session *buckets[BUCKETS];
	size_t live;
};

int agents_new(const struct context *context, struct fleet *fleet, struct agents **ret_agents)
{
	struct agents *agents = calloc(1, sizeof(*agents));

	if (!agents)
		return -ENOMEM;
	agents->context = context;
	agents->fleet = fleet;
	pthread_mutex_init(&agents->mutex, NULL);
	if (arena_new(INCOMING_BYTES, &agents->incoming) < 0 ||
	    arena_new(OUTGOING_BYTES, &agents->outgoing) < 0 ||
	    charging_new(context, errand_charged, &agents->charging) < 0) {
		agents_free(agents);
		return -ENOMEM;
	}
	*ret_agents = agents;
	return 0;
}

static void session_free(struct session *session)
{
	struct agents *agents = session->agents;

	*session->at = session->next;
	if (session->next)
		session->next->at = session->at;
	agents->n--;
	letters_free(session->letters);
	free(session);
}

void agents_free(struct agents *agents)
{
	if (!agents)
		return;
	while (agents->sessions)
		session_free(agents->sessions);
	charging_free(agents->charging);
	arena_free(agents->incoming);
	arena_free(agents->outgoing);
	pthread_mutex_destroy(&agents->mutex);
	free(agents);
}

/* ---- by machine ---- */

static struct session **bucket_of(struct agents *agents, struct machine_id machine)
{
	uint16_t key;

	memcpy(&key, machine.address.bytes, sizeof(key));
	return &agents->buckets[key % BUCKETS];
}

/* With the mutex held. */
static struct session *find(struct agents *agents, struct machine_id machine)
{
	struct session *session = *bucket_of(agents, machine);

	while (session && !machine_equal(session->machine, machine))
		session = session->next_in_bucket;
	return session;
}

static void enter(struct session *session)
{
	struct agents *agents = session->agents;
	struct session **bucket = bucket_of(agents, session->machine);

	pthread_mutex_lock(&agents->mutex);
	session->next_in_bucket = *bucket;
	*bucket = session;
	agents->live++;
	pthread_mutex_unlock(&agents->mutex);
}

static void leave(struct session *session)
{
	struct agents *agents = session->agents;
	struct session **at = bucket_of(agents, session->machine);

	pthread_mutex_lock(&agents->mutex);
	while (*at != session)
		at = &(*at)->next_in_bucket;
	*at = session->next_in_bucket;
	agents->live--;
	pthread_mutex_unlock(&agents->mutex);
}

static struct http_conn_id conn_of(struct agents *agents, struct machine_id machine)
{
	struct http_conn_id conn = { 0 };
	struct session *session;

	pthread_mutex_lock(&agents->mutex);
	session = find(agents, machine);
	if (session)
		conn = session->conn;
	pthread_mutex_unlock(&agents->mutex);
	return conn;
}

void agents_send(struct agents *agents, struct machine_id machine, const void *bytes, size_t len)
{
	struct http_conn_id conn = conn_of(agents, machine);

	if (conn.value)
		ws_send(agents->context->http, conn, WS_BINARY, bytes, len);
}

void agents_drop(struct agents *agents, struct machine_id machine, const char *reason)
{
	struct http_conn_id conn = conn_of(agents, machine);

	if (conn.value)
		ws_close(agents->context->http, conn, 1008, reason);
}

size_t agents_count(struct agents *agents)
{
	size_t n;

	pthread_mutex_lock(&agents->mutex);
	n = agents->live;
	pthread_mutex_unlock(&agents->mutex);
	return n;
}

struct streams *agents_streams(struct agents *agents, struct machine_id machine)
{
	struct session *session;

	pthread_mutex_lock(&agents->mutex);
	session = find(agents, machine);
	pthread_mutex_unlock(&agents->mutex);
	return session ? &session->streams : NULL;
}

bool agents_linked(struct agents *agents, struct machine_id machine)
{
	return conn_of(agents, machine).value != 0;
}

void agents_listen(struct agents *agents, const struct worker_proof_listener *listener)
{
	agents->proofs = *listener;
}

/* ---- the end of a session ---- */

static void stop_waiting(struct session *session)
{
	if (!session->hello_timer)
		return;
	loop_timer_free(session->hello_timer);
	session->hello_timer = NULL;
	session->agents->greeting--;
}

static void quit(struct session *session)
{
	struct agents *agents = session->agents;
	bool was_live = session->state == LIVE;

	stop_waiting(session);
	if (was_live)
		leave(session);
	session->state = ENDING;
	if (was_live && agents->proofs.on_down)
		agents->proofs.on_down(agents->proofs.arg, session->machine);
}

static void end(struct session *session, uint16_t code, const char *reason)
{
	if (session->state == ENDING)
		return;
	quit(session);
	streams_end(&session->streams, "worker_offline");
	ws_close(session->agents->context->http, session->conn, code, reason);
}

static void free_if_done(struct session *session)
{
	if (session->gone && !session->errand && session->posted == 0)
		session_free(session);
}

static void on_finish(void *arg)
{
	struct session *session = arg;

	session->posted--;
	streams_end(&session->streams, "worker_offline");
	free_if_done(session);
}

/* A send that fails closes the connection before it returns: whoever is sending still holds the
 * session and its streams, so they go in a turn of their own. */
static void on_closed(void *state, uint16_t code _unused_)
{
	struct session *session = state;

	if (session->state != ENDING)
		quit(session);
	session->gone = true;
	session->posted++;
	if (loop_post(session->agents->context->loop, on_finish, session) < 0)
		on_finish(session);
}

static void on_late(void *arg)
{
	end(arg, 1008, "no hello in time");
}

/* ---- errands ---- */

static void set_out(struct session *session);

static void on_retry(void *arg)
{
	struct agents *agents = arg;

	loop_timer_free(agents->retry);
	agents->retry = NULL;
	for (struct session *s = agents->sessions; s; s = s->next)
		set_out(s);
}

static bool post_letter(struct session *session, const void *bytes, size_t len)
{
	struct letter *letter;

	if (session->n_letters >= AGENT_LETTERS_MAX ||
	    session->letters_bytes + len > AGENT_LETTERS_BYTES_MAX) {
		end(session, 1008, "more messages than can be worked through");
		return false;
	}
	letter = malloc(sizeof(*letter) + len);
	if (!letter) {
		end(session, 1011, "not possible now; try again later");
		return false;
	}
	*letter = (struct letter){ .len = len };
	if (len > 0)
		memcpy(letter->bytes, bytes, len);
	*session->last = letter;
	session->last = &letter->next;
	session->n_letters++;
	session->letters_bytes += len;
	return true;
}

/* The machine's own: the session before it is replaced, and from now on commits find this one, so
 * that the set read next misses nothing. */
static void adopt(struct session *session, struct machine_id machine)
{
	struct agents *agents = session->agents;
	struct session *older;
	int64_t generation;

	pthread_mutex_lock(&agents->mutex);
	older = find(agents, machine);
	pthread_mutex_unlock(&agents->mutex);
	if (older)
		end(older, 1008, "replaced by a newer session of this machine");
	/* The welcome goes first: once entered, a commit may send at any moment. */
	if (!node_welcome(agents->context, session->conn, agents->outgoing)) {
		end(session, 1011, "not possible now; try again later");
		return;
	}
	if (session->state == ENDING)
		return;
	session->machine = machine;
	session->state = LIVE;
	enter(session);
	fleet_latency(agents->fleet, machine, session->latency_ms);
	(void)fleet_heard(agents->fleet, machine, true, &generation);
	session->asked_mono_ms = clock_mono_ms(agents->context->clock);
	(void)post_letter(session, NULL, 0);
}

/* What waited for charges goes before what came meanwhile. It was counted when it came. */
static void put_back(struct session *session, struct letter *letters)
{
	struct letter **end = &letters->next;

	while (*end)
		end = &(*end)->next;
	*end = session->letters;
	if (!session->letters)
		session->last = end;
	session->letters = letters;
}

static void on_back(void *arg)
{
	struct session *session = arg;
	struct errand *errand = session->errand;

	session->errand = NULL;
	if (errand->close_code)
		end(session, errand->close_code, errand->close_reason);
	else if (session->state == CHECKING)
		adopt(session, errand->machine);
	if (errand->letters)
		put_back(session, errand->letters);
	free(errand);
	set_out(session);
	free_if_done(session);
}

/* On any thread: of the session only its place on the loop is used. */
static void post_back(struct errand *errand)
{
	if (loop_post(errand->context->loop, on_back, errand->owner) < 0) {
		/* The loop has stopped: agents_free frees the session. */
		letters_free(errand->letters);
		free(errand);
	}
}

static void go(void *arg)
{
	struct session *session = arg;

	errand_run(session->errand);
}

/* Gives what waits to the pool, if nothing of this session is there. */
static void set_out(struct session *session)
{
	struct agents *agents = session->agents;
	struct errand *errand;

	if (session->errand || !session->letters || session->state == ENDING)
		return;
	errand = calloc(1, sizeof(*errand));
	if (!errand) {
		end(session, 1011, "not possible now; try again later");
		return;
	}
	*errand = (struct errand){
		.context = agents->context,
		.charging = agents->charging,
		.conn = session->conn,
		.machine = session->machine,
		.letters = session->letters,
		.back = post_back,
		.owner = session,
	};
	memcpy(errand->nonce, session->nonce, sizeof(errand->nonce));
	session->errand = errand;
	if (pool_submit(agents->context->agents, go, session) < 0) {
		session->errand = NULL;
		free(errand);
		if (!agents->retry)
			(void)!loop_timer_new(agents->context->loop, RETRY_MS, 0, on_retry, agents,
					      &agents->retry);
		return;
	}
	session->letters = NULL;
	session->last = &session->letters;
	session->n_letters = session->letters_bytes = 0;
}

/* ---- messages ---- */

static void on_hello(struct session *session, const void *bytes, size_t len)
{
	if (session->state != GREETING) {
		end(session, 1002, "a second hello");
		return;
	}
	stop_waiting(session);
	session->state = CHECKING;
	session->latency_ms = clock_mono_ms(session->agents->context->clock) -
			      session->challenged_mono_ms;
	if (post_letter(session, bytes, len))
		set_out(session);
}

static void on_heartbeat(struct session *session, const Wire__Heartbeat *heartbeat)
{
	struct agents *agents = session->agents;
	int64_t generation, now_ms = clock_mono_ms(agents->context->clock);

	if (!fleet_heard(agents->fleet, session->machine, heartbeat->engine_up, &generation)) {
		end(session, 1008, "this machine was removed");
		return;
	}
	if ((int64_t)heartbeat->desired_generation >= generation ||
	    now_ms - session->asked_mono_ms < AGENT_RESEND_MS)
		return;
	session->asked_mono_ms = now_ms;
	if (post_letter(session, NULL, 0))
		set_out(session);
}

static void on_proof(struct session *session, const Wire__ToServer *message)
{
	const struct worker_proof_listener *proofs = &session->agents->proofs;

	if (proofs->on_message)
		proofs->on_message(proofs->arg, session->machine, message);
}

static void dispatch(struct session *session, const Wire__ToServer *message, const void *bytes,
		     size_t len)
{
	bool kept = true;

	if (message->body_case == WIRE__TO_SERVER__BODY_HELLO) {
		on_hello(session, bytes, len);
		return;
	}
	if (session->state != LIVE) {
		end(session, 1002, "wait for the welcome");
		return;
	}
	switch (message->body_case) {
	case WIRE__TO_SERVER__BODY_HEARTBEAT:
		on_heartbeat(session, message->heartbeat);
		break;
	case WIRE__TO_SERVER__BODY_STREAM_DATA:
		kept = streams_data(&session->streams, message->stream_data);
		break;
	case WIRE__TO_SERVER__BODY_STREAM_CREDIT:
		kept = streams_credit(&session->streams, message->stream_credit);
		break;
	case WIRE__TO_SERVER__BODY_STREAM_CLOSE:
		streams_closed(&session->streams, message->stream_close);
		break;
	case WIRE__TO_SERVER__BODY_PROOF:
	case WIRE__TO_SERVER__BODY_PROOF_END:
	case WIRE__TO_SERVER__BODY_POLL_ANSWER:
		on_proof(session, message);
		break;
	default:
		if (post_letter(session, bytes, len))
			set_out(session);
	}
	if (!kept)
		end(session, 1002, "a stream went past its credit");
}

static void on_message(void *state, enum ws_kind kind, const void *bytes, size_t len)
{
	struct session *session = state;
	struct arena *arena = session->agents->incoming;
	Wire__ToServer *message;
	int r;

	if (session->state == ENDING)
		return;
	if (kind != WS_BINARY) {
		end(session, 1003, "messages are binary");
		return;
	}
	r = wire_decode_to_server(bytes, len, arena, &message);
	if (r == 0)
		dispatch(session, message, bytes, len);
	else if (r == WIRE_E_MALFORMED)
		end(session, 1002, "not a message of the protocol");
	else
		end(session, 1011, "not possible now; try again later");
	arena_reset(arena);
}

/* ---- the beginning ---- */

static void insert(struct agents *agents, struct session *session)
{
	session->next = agents->sessions;
	session->at = &agents->sessions;
	if (session->next)
		session->next->at = &session->next;
	agents->sessions = session;
	agents->n++;
}

static struct session *session_new(struct agents *agents, struct http_conn_id conn)
{
	struct session *session = calloc(1, sizeof(*session));

	if (!session)
		return NULL;
	session->agents = agents;
	session->conn = conn;
	session->last = &session->letters;
	session->streams = (struct streams){ .http = agents->context->http,
					     .conn = conn,
					     .scratch = agents->outgoing };
	if (random_fill(agents->context->random, session->nonce, sizeof(session->nonce)) < 0 ||
	    loop_timer_new(agents->context->loop, AGENT_HELLO_MS, 0, on_late, session,
			   &session->hello_timer) < 0) {
		free(session);
		return NULL;
	}
	return session;
}

/* After the socket has taken the session over: see on_closed. */
static void on_challenge(void *arg)
{
	struct session *session = arg;
	struct agents *agents = session->agents;

	session->posted--;
	session->challenged_mono_ms = clock_mono_ms(agents->context->clock);
	if (session->state == GREETING &&
	    !node_challenge(agents->context, session->conn, agents->outgoing, session->nonce))
		end(session, 1011, "not possible now; try again later");
	free_if_done(session);
}

static void *on_open(const struct context *context, struct http_conn_id conn, void *prepared)
{
	struct agents *agents = worker_state.agents;
	struct session *session;

	free(prepared);
	if (agents->n >= AGENTS_MAX || agents->greeting >= AGENTS_GREETING_MAX)
		return NULL;
	session = session_new(agents, conn);
	if (!session)
		return NULL;
	if (loop_post(context->loop, on_challenge, session) < 0) {
		loop_timer_free(session->hello_timer);
		free(session);
		return NULL;
	}
	session->posted++;
	insert(agents, session);
	agents->greeting++;
	return session;
}

const struct ws_route agents_route = { on_open, on_message, on_closed, free };
