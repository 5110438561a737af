#include "modules/worker/agents.h"

#include "io/loop.h"
#include "io/pool.h"
#include "modules/node/node.h"
#include "modules/worker/errand.h"
#include "modules/worker/streams.h"
#include "modules/worker/worker_state.h"

enum { RETRY_MS = 50 /* until a full pool is tried again */ };

struct session {
	struct node_session node; /* first */
	int64_t asked_mono_ms;
	struct letter *letters, **last;
	size_t n_letters, letters_bytes;
	struct errand *errand; /* in flight; holds the session */
	struct streams streams;
};

struct agents {
	struct node_sessions nodes; /* first */
	const struct context *context;
	struct fleet *fleet;
	struct loop_timer *retry;
	struct charging *charging;
	struct worker_proof_listener proofs;
};

static struct session *session_of(struct node_session *node)
{
	return (struct session *)node;
}

static struct agents *agents_of(const struct session *session)
{
	return (struct agents *)session->node.all;
}

static const struct node_manner manner;

int agents_new(const struct context *context, struct fleet *fleet, struct agents **ret_agents)
{
	struct agents *agents = calloc(1, sizeof(*agents));

	if (!agents)
		return -ENOMEM;
	agents->context = context;
	agents->fleet = fleet;
	if (node_sessions_init(&agents->nodes, context, &manner) < 0 ||
	    charging_new(context, errand_charged, &agents->charging) < 0) {
		agents_free(agents);
		return -ENOMEM;
	}
	*ret_agents = agents;
	return 0;
}

void agents_free(struct agents *agents)
{
	if (!agents)
		return;
	node_sessions_done(&agents->nodes);
	charging_free(agents->charging);
	free(agents);
}

/* ---- by machine ---- */

void agents_send(struct agents *agents, struct machine_id machine, const void *bytes, size_t len)
{
	struct http_conn_id conn = node_conn(&agents->nodes, machine);

	if (conn.value)
		ws_send(agents->context->http, conn, WS_BINARY, bytes, len);
}

void agents_drop(struct agents *agents, struct machine_id machine, const char *reason)
{
	node_drop(&agents->nodes, machine, reason);
}

size_t agents_count(struct agents *agents)
{
	size_t n;

	pthread_mutex_lock(&agents->nodes.mutex);
	n = agents->nodes.live;
	pthread_mutex_unlock(&agents->nodes.mutex);
	return n;
}

struct streams *agents_streams(struct agents *agents, struct machine_id machine)
{
	struct node_session *node = node_find(&agents->nodes, machine);

	return node ? &session_of(node)->streams : NULL;
}

bool agents_linked(struct agents *agents, struct machine_id machine)
{
	return node_conn(&agents->nodes, machine).value != 0;
}

void agents_listen(struct agents *agents, const struct worker_proof_listener *listener)
{
	agents->proofs = *listener;
}

/* ---- errands ---- */

static void set_out(struct session *session);

static void on_retry(void *arg)
{
	struct agents *agents = arg;

	loop_timer_free(agents->retry);
	agents->retry = NULL;
	for (struct node_session *node = agents->nodes.first; node; node = node->next)
		set_out(session_of(node));
}

static bool post_letter(struct session *session, const void *bytes, size_t len)
{
	struct letter *letter;

	if (session->n_letters >= AGENT_LETTERS_MAX ||
	    session->letters_bytes + len > AGENT_LETTERS_BYTES_MAX) {
		node_end(&session->node, 1008, "more messages than can be worked through");
		return false;
	}
	letter = malloc(sizeof(*letter) + len);
	if (!letter) {
		node_end(&session->node, 1011, "not possible now; try again later");
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
		node_end(&session->node, errand->close_code, errand->close_reason);
	else if (session->node.state == NODE_CHECKING)
		node_adopt(&session->node, errand->machine);
	if (errand->letters)
		put_back(session, errand->letters);
	free(errand);
	set_out(session);
	node_release(&session->node);
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

	duty_fence(session->errand->context, NODES_DUTY);
	errand_run(session->errand);
	duty_fence(NULL, NULL);
}

/* Gives what waits to the pool, if nothing of this session is there. */
static void set_out(struct session *session)
{
	struct agents *agents = agents_of(session);
	struct errand *errand;

	if (session->errand || !session->letters || session->node.state == NODE_ENDING)
		return;
	errand = calloc(1, sizeof(*errand));
	if (!errand) {
		node_end(&session->node, 1011, "not possible now; try again later");
		return;
	}
	*errand = (struct errand){
		.context = agents->context,
		.charging = agents->charging,
		.conn = session->node.conn,
		.machine = session->node.node,
		.letters = session->letters,
		.back = post_back,
		.owner = session,
	};
	memcpy(errand->nonce, session->node.nonce, sizeof(errand->nonce));
	session->errand = errand;
	if (pool_submit(agents->context->agents, go, session) < 0) {
		session->errand = NULL;
		free(errand);
		if (!agents->retry)
			(void)!loop_timer_new(agents->context->loop, RETRY_MS, 0, on_retry, agents,
					      &agents->retry);
		return;
	}
	node_hold(&session->node);
	session->letters = NULL;
	session->last = &session->letters;
	session->n_letters = session->letters_bytes = 0;
}

/* ---- messages ---- */

static void on_hello(struct node_session *node, const Wire__Hello *hello _unused_,
		     const void *bytes, size_t len)
{
	if (post_letter(session_of(node), bytes, len))
		set_out(session_of(node));
}

static void on_heartbeat(struct session *session, const Wire__Heartbeat *heartbeat)
{
	struct agents *agents = agents_of(session);
	int64_t generation, now_ms = clock_mono_ms(agents->context->clock);

	if (!fleet_heard(agents->fleet, session->node.node, heartbeat->engine_up, &generation)) {
		node_end(&session->node, 1008, "this machine was removed");
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
	const struct worker_proof_listener *proofs = &agents_of(session)->proofs;

	if (proofs->on_message)
		proofs->on_message(proofs->arg, session->node.node, message);
}

static void on_message(struct node_session *node, const Wire__ToServer *message, const void *bytes,
		       size_t len)
{
	struct session *session = session_of(node);
	bool kept = true;

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
		node_end(node, 1002, "a stream went past its credit");
}

/* ---- beginnings and ends ---- */

static void on_open(struct node_session *node)
{
	struct session *session = session_of(node);

	session->last = &session->letters;
	session->streams = (struct streams){ .http = node->all->context->http,
					     .conn = node->conn,
					     .scratch = node->all->outgoing };
}

/* From now on commits find this session, so that the set read next misses nothing. */
static void on_up(struct node_session *node)
{
	struct session *session = session_of(node);
	struct agents *agents = agents_of(session);
	int64_t generation;

	fleet_latency(agents->fleet, node->node, node->latency_ms);
	(void)fleet_heard(agents->fleet, node->node, true, &generation);
	session->asked_mono_ms = clock_mono_ms(agents->context->clock);
	(void)post_letter(session, NULL, 0);
}

static void on_down(struct node_session *node)
{
	const struct worker_proof_listener *proofs = &agents_of(session_of(node))->proofs;

	if (proofs->on_down)
		proofs->on_down(proofs->arg, node->node);
}

static void on_end(struct node_session *node)
{
	streams_end(&session_of(node)->streams, "worker_offline");
}

static void on_free(struct node_session *node)
{
	letters_free(session_of(node)->letters);
}

static const struct node_manner manner = {
	.size = sizeof(struct session),
	.sessions_max = AGENTS_MAX,
	.greeting_max = AGENTS_GREETING_MAX,
	.hello_ms = AGENT_HELLO_MS,
	.replaced = "replaced by a newer session of this machine",
	.on_open = on_open,
	.on_hello = on_hello,
	.on_message = on_message,
	.on_up = on_up,
	.on_down = on_down,
	.on_end = on_end,
	.on_free = on_free,
};

static void *on_socket(const struct context *context _unused_, struct http_conn_id conn,
		       void *prepared)
{
	free(prepared);
	return node_open(&worker_state.agents->nodes, conn);
}

const struct ws_route agents_route = { on_socket, node_on_message, node_on_closed, free };
