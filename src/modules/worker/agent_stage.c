#include "modules/worker/agent_stage.h"

#include <time.h>

#include "io/loop.h"
#include "io/pool.h"
#include "modules/worker/agents.h"

struct inbox {
	struct inbox *next;
	size_t len;
	uint8_t bytes[];
};

enum { PATIENCE_S = 5 };

static struct timespec deadline(void)
{
	struct timespec at;

	clock_gettime(CLOCK_REALTIME, &at);
	at.tv_sec += PATIENCE_S;
	return at;
}

/* ---- the stage ---- */

static void *run_loop(void *arg)
{
	if (loop_run(arg) < 0)
		abort();
	return NULL;
}

/* What api/ does for a row with .ws, without the rest of it. */
struct door {
	const struct context *context;
	void *session;
};

static void door_open(void *arg, struct http_conn_id conn)
{
	struct door *door = arg;

	door->session = agents_route.open(door->context, conn, NULL);
	assert_non_null(door->session);
}

static void door_message(void *arg, struct http_conn_id conn _unused_, enum ws_kind message_kind,
			 const void *bytes, size_t len)
{
	struct door *door = arg;

	agents_route.message(door->session, message_kind, bytes, len);
}

static void door_close(void *arg, struct http_conn_id conn _unused_, uint16_t code)
{
	struct door *door = arg;

	if (door->session)
		agents_route.closed(door->session, code);
	free(door);
}

static const struct ws_handler door_handler = { door_open, door_message, door_close };

static void on_request(void *arg, const struct http_request *request)
{
	struct stage *stage = arg;
	struct door *door = calloc(1, sizeof(*door));

	assert_non_null(door);
	door->context = &stage->world->context;
	http_upgrade(door->context->http, request->conn, &door_handler, door, NULL);
}

void stage_open(struct stage *stage, struct world *world)
{
	struct context *context = &world->context;
	struct http_server_config config;

	worker_module.stop();
	*stage = (struct stage){ .world = world };
	assert_int_equal(arena_new(64 << 20, &stage->arena), 0);
	assert_int_equal(loop_new(&context->loop), 0);
	assert_int_equal(pool_new("agents", 2, 64, &context->agents), 0);
	http_server_config_init(&config);
	config.host = "127.0.0.1";
	config.port = 0;
	config.on_request = on_request;
	config.arg = stage;
	assert_int_equal(http_server_new(context->loop, &config, &context->http), 0);
	assert_int_equal(worker_module.start(context), 0);
	assert_int_equal(pthread_create(&stage->thread, NULL, run_loop, context->loop), 0);
}

static void on_drained(void *arg)
{
	struct stage *stage = arg;

	loop_stop(stage->world->context.loop);
}

static void drain(void *arg)
{
	struct stage *stage = arg;

	http_server_drain(stage->world->context.http, 2000, on_drained, stage);
}

void stage_close(struct stage *stage)
{
	struct context *context = &stage->world->context;

	assert_int_equal(loop_post(context->loop, drain, stage), 0);
	pthread_join(stage->thread, NULL);
	pool_free(context->agents);
	worker_module.stop();
	http_server_free(context->http);
	loop_free(context->loop);
	arena_free(stage->arena);
}

struct turn {
	void (*fn)(void *arg);
	void *arg;
	pthread_mutex_t mutex;
	pthread_cond_t done;
	bool over;
};

static void do_it(void *arg)
{
	struct turn *turn = arg;

	turn->fn(turn->arg);
	pthread_mutex_lock(&turn->mutex);
	turn->over = true;
	pthread_cond_signal(&turn->done);
	pthread_mutex_unlock(&turn->mutex);
}

void stage_do(struct stage *stage, void (*fn)(void *arg), void *arg)
{
	struct turn turn = { .fn = fn, .arg = arg };

	pthread_mutex_init(&turn.mutex, NULL);
	pthread_cond_init(&turn.done, NULL);
	assert_int_equal(loop_post(stage->world->context.loop, do_it, &turn), 0);
	pthread_mutex_lock(&turn.mutex);
	while (!turn.over)
		pthread_cond_wait(&turn.done, &turn.mutex);
	pthread_mutex_unlock(&turn.mutex);
	pthread_mutex_destroy(&turn.mutex);
	pthread_cond_destroy(&turn.done);
}

/* ---- an agent ---- */

static void on_open(void *arg _unused_)
{
}

static void on_message(void *arg, enum ws_kind kind _unused_, const void *bytes, size_t len)
{
	struct agent *agent = arg;
	struct inbox *letter = malloc(sizeof(*letter) + len);

	if (!letter)
		abort();
	*letter = (struct inbox){ .len = len };
	memcpy(letter->bytes, bytes, len);
	pthread_mutex_lock(&agent->mutex);
	*agent->last = letter;
	agent->last = &letter->next;
	pthread_cond_signal(&agent->changed);
	pthread_mutex_unlock(&agent->mutex);
}

static void on_close(void *arg, int status _unused_, uint16_t code, const char *detail)
{
	struct agent *agent = arg;

	pthread_mutex_lock(&agent->mutex);
	agent->client = NULL;
	agent->closed = true;
	agent->code = code;
	snprintf(agent->detail, sizeof(agent->detail), "%s", detail);
	pthread_cond_signal(&agent->changed);
	pthread_mutex_unlock(&agent->mutex);
}

static const struct ws_client_handler handler = { on_open, on_message, on_close };

static void connect_agent(void *arg)
{
	struct agent *agent = arg;
	const struct context *context = &agent->stage->world->context;
	char url[64];
	struct ws_client_config config = { .url = url,
					   .connect_timeout_ms = 5000,
					   .ping_ms = 60000,
					   .max_message_bytes = 1 << 20,
					   .max_queue_bytes = 1 << 22 };

	snprintf(url, sizeof(url), "ws://127.0.0.1:%u/v1/agent", http_server_port(context->http));
	assert_int_equal(ws_client_open(context->loop, &config, &handler, agent, &agent->client),
			 0);
}

void agent_open(struct agent *agent, struct stage *stage)
{
	*agent = (struct agent){ .stage = stage, .last = &agent->first };
	pthread_mutex_init(&agent->mutex, NULL);
	pthread_cond_init(&agent->changed, NULL);
	stage_do(stage, connect_agent, agent);
}

static void close_agent(void *arg)
{
	struct agent *agent = arg;

	if (agent->client)
		ws_client_close(agent->client, 1000);
}

static void wait_closed(struct agent *agent)
{
	struct timespec until = deadline();

	pthread_mutex_lock(&agent->mutex);
	while (!agent->closed)
		if (pthread_cond_timedwait(&agent->changed, &agent->mutex, &until) != 0)
			break;
	pthread_mutex_unlock(&agent->mutex);
	assert_true(agent->closed);
}

void agent_done(struct agent *agent)
{
	stage_do(agent->stage, close_agent, agent);
	wait_closed(agent);
	while (agent->first) {
		struct inbox *letter = agent->first;

		agent->first = letter->next;
		free(letter);
	}
	pthread_mutex_destroy(&agent->mutex);
	pthread_cond_destroy(&agent->changed);
}

void agent_expect_closed(struct agent *agent, uint16_t code, const char *part)
{
	wait_closed(agent);
	assert_int_equal(agent->code, code);
	if (!strstr(agent->detail, part))
		fail_msg("\"%s\" does not hold \"%s\"", agent->detail, part);
}

struct sending {
	struct agent *agent;
	enum ws_kind kind;
	const void *bytes;
	size_t len;
};

static void send_now(void *arg)
{
	struct sending *sending = arg;

	if (sending->agent->client)
		(void)!ws_client_send(sending->agent->client, sending->kind, sending->bytes,
				      sending->len);
}

void agent_send_raw(struct agent *agent, enum ws_kind kind, const void *bytes, size_t len)
{
	struct sending sending = { agent, kind, bytes, len };

	stage_do(agent->stage, send_now, &sending);
}

void agent_send(struct agent *agent, const Wire__ToServer *message)
{
	const void *bytes;
	size_t len;

	assert_int_equal(wire_encode_to_server(message, agent->stage->arena, &bytes, &len), 0);
	agent_send_raw(agent, WS_BINARY, bytes, len);
}

const Wire__ToNode *agent_next(struct agent *agent, Wire__ToNode__BodyCase expected)
{
	struct timespec until = deadline();
	Wire__ToNode *message;
	struct inbox *letter;

	pthread_mutex_lock(&agent->mutex);
	while (!agent->first && !agent->closed)
		if (pthread_cond_timedwait(&agent->changed, &agent->mutex, &until) != 0)
			break;
	letter = agent->first;
	if (letter)
		agent->first = letter->next;
	if (!agent->first)
		agent->last = &agent->first;
	pthread_mutex_unlock(&agent->mutex);
	if (!letter)
		fail_msg("no message came: %u %s", agent->code, agent->detail);
	assert_int_equal(
		wire_decode_to_node(letter->bytes, letter->len, agent->stage->arena, &message), 0);
	free(letter);
	assert_int_equal(message->body_case, expected);
	return message;
}

void agent_challenged(struct agent *agent)
{
	const Wire__ToNode *message = agent_next(agent, WIRE__TO_NODE__BODY_CHALLENGE);

	assert_memory_equal(message->challenge->network.data,
			    agent->stage->world->settings.network.bytes, 20);
	memcpy(agent->nonce, message->challenge->nonce.data, sizeof(agent->nonce));
}

void agent_hello(struct agent *agent, size_t machine, size_t signer, const uint8_t nonce[static 32])
{
	struct world *world = agent->stage->world;
	struct hello_statement statement = { .network = world->settings.network,
					     .machine = world->machines[machine] };
	uint8_t digest[SIGN_DIGEST_SIZE], signature[SIGNATURE_SIZE];
	Wire__Hello hello = WIRE__HELLO__INIT;
	Wire__ToServer message = WIRE__TO_SERVER__INIT;

	memcpy(statement.nonce, nonce, sizeof(statement.nonce));
	hello_digest(&statement, digest);
	assert_int_equal(secp_sign(world->keys[signer], digest, signature), 0);
	hello.machine = (ProtobufCBinaryData){ 20, world->machines[machine].address.bytes };
	hello.signature = (ProtobufCBinaryData){ sizeof(signature), signature };
	hello.version = (char *)"0.1.0";
	message.body_case = WIRE__TO_SERVER__BODY_HELLO;
	message.hello = &hello;
	agent_send(agent, &message);
}

void agent_greet(struct agent *agent, struct stage *stage, size_t machine, uint64_t generation)
{
	const Wire__ToNode *message;

	agent_open(agent, stage);
	agent_challenged(agent);
	agent_hello(agent, machine, machine, agent->nonce);
	message = agent_next(agent, WIRE__TO_NODE__BODY_WELCOME);
	assert_int_equal(message->welcome->heartbeat_ms, 5000);
	message = agent_next(agent, WIRE__TO_NODE__BODY_DESIRED);
	assert_int_equal(message->desired->generation, generation);
}
