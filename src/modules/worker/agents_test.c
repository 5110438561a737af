#include "modules/worker/agent_stage.h"

/* ---- sessions ---- */

static void say_running(struct agent *agent, uint8_t lease)
{
	Wire__Actual actual = WIRE__ACTUAL__INIT;
	Wire__LeaseState lease_state = WIRE__LEASE_STATE__INIT, *states[] = { &lease_state };
	Wire__ToServer message = WIRE__TO_SERVER__INIT;
	struct lease_id id = lease_of(lease);

	lease_state.lease = (ProtobufCBinaryData){ sizeof(id.bytes), id.bytes };
	lease_state.generation = 1;
	lease_state.phase = WIRE__PHASE__PHASE_RUNNING;
	actual.leases = states;
	actual.n_leases = 1;
	message.body_case = WIRE__TO_SERVER__BODY_ACTUAL;
	message.actual = &actual;
	agent_send(agent, &message);
}

static void beat(struct agent *agent, uint64_t generation)
{
	Wire__Heartbeat heartbeat = WIRE__HEARTBEAT__INIT;
	Wire__ToServer message = WIRE__TO_SERVER__INIT;

	heartbeat.engine_up = true;
	heartbeat.desired_generation = generation;
	message.body_case = WIRE__TO_SERVER__BODY_HEARTBEAT;
	message.heartbeat = &heartbeat;
	agent_send(agent, &message);
}

static void send_usage(struct agent *agent)
{
	Wire__Usage usage = WIRE__USAGE__INIT;
	Wire__ToServer message = WIRE__TO_SERVER__INIT;
	struct lease_id lease = lease_of(9);
	struct rental_id rental = rental_of(9);
	uint8_t signature[SIGNATURE_SIZE] = { 1 };

	usage.lease = (ProtobufCBinaryData){ sizeof(lease.bytes), lease.bytes };
	usage.rental = (ProtobufCBinaryData){ sizeof(rental.bytes), rental.bytes };
	usage.sequence = 1;
	usage.signature = (ProtobufCBinaryData){ sizeof(signature), signature };
	message.body_case = WIRE__TO_SERVER__BODY_USAGE;
	message.usage = &usage;
	agent_send(agent, &message);
}

static void test_a_session_from_hello_to_running(void **state)
{
	struct world *world = *state;
	struct worker_need need = need_of(1);
	struct worker_placement placement;
	struct worker_actual actual = { 0 };
	const Wire__ToNode *message;
	struct stage stage;
	struct agent agent;

	stage_open(&stage, world);
	set_up_machine(world, 0, 1);
	agent_greet(&agent, &stage, 0, 0);
	assert_int_equal(agents_count(worker_state.agents), 1);
	assert_int_equal(place(world, 1, &need, &placement), 0);
	assert_int_equal(start_lease(world, 1), 0);
	message = agent_next(&agent, WIRE__TO_NODE__BODY_DESIRED);
	assert_int_equal(message->desired->generation, 1);
	assert_int_equal(message->desired->n_leases, 1);
	assert_int_equal(message->desired->leases[0]->want, WIRE__WANT__WANT_RUN);
	assert_string_equal(message->desired->leases[0]->container->image, "busybox");
	assert_string_equal(message->desired->leases[0]->container->env[0]->value, "b");
	assert_string_equal(message->desired->leases[0]->container->gpus[0], placement.gpus[0]);
	say_running(&agent, 1);
	/* Answered in order: the report is in the store when the receipt is here. */
	send_usage(&agent);
	message = agent_next(&agent, WIRE__TO_NODE__BODY_USAGE_RECEIPT);
	assert_false(message->usage_receipt->accepted);
	assert_true(*message->usage_receipt->reason);
	assert_int_equal(actual_of(world, 1, &actual), 0);
	assert_int_equal(actual.phase, WORKER_PHASE_RUNNING);
	/* Taken over: nothing is sent again. Not taken over for a while: again. */
	__atomic_add_fetch(&world->clock.ms, AGENT_RESEND_MS, __ATOMIC_SEQ_CST);
	beat(&agent, 1);
	beat(&agent, 0);
	beat(&agent, 0);
	message = agent_next(&agent, WIRE__TO_NODE__BODY_DESIRED);
	assert_int_equal(message->desired->generation, 1);
	send_usage(&agent);
	(void)agent_next(&agent, WIRE__TO_NODE__BODY_USAGE_RECEIPT);
	agent_done(&agent);
	stage_close(&stage);
}

static void test_only_the_machines_key_says_hello(void **state)
{
	struct world *world = *state;
	struct stage stage;
	struct agent agent, second;

	stage_open(&stage, world);
	set_up_machine(world, 0, 1);
	agent_open(&agent, &stage);
	agent_challenged(&agent);
	agent_hello(&agent, 0, 1, agent.nonce);
	agent_expect_closed(&agent, 1008, "not by this machine's key");
	agent_open(&second, &stage);
	agent_challenged(&second);
	assert_memory_not_equal(agent.nonce, second.nonce, sizeof(agent.nonce));
	agent_hello(&second, 0, 0, agent.nonce); /* replayed */
	agent_expect_closed(&second, 1008, "not by this machine's key");
	agent_done(&agent);
	agent_done(&second);
	agent_open(&agent, &stage);
	agent_challenged(&agent);
	agent_hello(&agent, 1, 1, agent.nonce);
	agent_expect_closed(&agent, WIRE_CLOSE_REFUSED, "has not joined");
	agent_done(&agent);
	assert_int_equal(agents_count(worker_state.agents), 0);
	stage_close(&stage);
}

static void test_a_newer_session_replaces_the_older(void **state)
{
	struct world *world = *state;
	const Wire__ToNode *message;
	struct worker_need need = need_of(1);
	struct worker_placement placement;
	struct stage stage;
	struct agent older, newer;

	stage_open(&stage, world);
	set_up_machine(world, 0, 1);
	agent_greet(&older, &stage, 0, 0);
	agent_greet(&newer, &stage, 0, 0);
	agent_expect_closed(&older, 1008, "replaced");
	assert_int_equal(agents_count(worker_state.agents), 1);
	assert_int_equal(place(world, 1, &need, &placement), 0);
	assert_int_equal(start_lease(world, 1), 0);
	message = agent_next(&newer, WIRE__TO_NODE__BODY_DESIRED);
	assert_int_equal(message->desired->n_leases, 1);
	agent_done(&older);
	agent_done(&newer);
	stage_close(&stage);
}

static void open_and_send(struct stage *stage, enum ws_kind kind, const void *bytes, size_t len,
			  uint16_t code)
{
	struct agent agent;

	agent_open(&agent, stage);
	agent_challenged(&agent);
	agent_send_raw(&agent, kind, bytes, len);
	agent_expect_closed(&agent, code, "");
	agent_done(&agent);
}

static void test_what_is_no_message_ends_the_session(void **state)
{
	struct world *world = *state;
	struct stage stage;
	struct agent agent;

	stage_open(&stage, world);
	set_up_machine(world, 0, 1);
	open_and_send(&stage, WS_BINARY, "\xff\xff\xff", 3, 1002);
	open_and_send(&stage, WS_BINARY, "", 0, 1002);
	open_and_send(&stage, WS_TEXT, "{}", 2, 1003);
	/* A hello with a machine of 19 bytes. */
	open_and_send(&stage, WS_BINARY,
		      "\x0a\x15\x0a\x13"
		      "0123456789012345678",
		      23, 1002);
	agent_open(&agent, &stage);
	agent_challenged(&agent);
	beat(&agent, 0);
	agent_expect_closed(&agent, 1002, "wait for the welcome");
	agent_done(&agent);
	agent_greet(&agent, &stage, 0, 0);
	agent_hello(&agent, 0, 0, agent.nonce);
	agent_expect_closed(&agent, 1002, "second hello");
	agent_done(&agent);
	stage_close(&stage);
}

static void test_an_implausible_inventory_ends_the_session(void **state)
{
	struct world *world = *state;
	Wire__Inventory inventory = WIRE__INVENTORY__INIT;
	Wire__ToServer message = WIRE__TO_SERVER__INIT;
	struct stage stage;
	struct agent agent;

	stage_open(&stage, world);
	set_up_machine(world, 0, 1);
	agent_greet(&agent, &stage, 0, 0);
	message.body_case = WIRE__TO_SERVER__BODY_INVENTORY;
	message.inventory = &inventory;
	agent_send(&agent, &message);
	agent_expect_closed(&agent, 1008, "cpu_count");
	assert_int_equal(row_of(world, 0).inventory.gpus, 1);
	agent_done(&agent);
	stage_close(&stage);
}

/* ---- streams ---- */

struct relay {
	struct world *world;
	struct worker_stream *stream;
	int result;
	size_t bytes, credit;
	int32_t exit_code;
	char reason[64];
	bool closed;
};

static void on_data(void *arg, enum worker_channel channel, uint64_t sequence _unused_,
		    int64_t at_ms _unused_, const void *bytes _unused_, size_t len)
{
	struct relay *relay = arg;

	if (channel == WORKER_STDOUT)
		__atomic_add_fetch(&relay->bytes, len, __ATOMIC_SEQ_CST);
}

static void on_close(void *arg, const char *reason, int32_t exit_code)
{
	struct relay *relay = arg;

	snprintf(relay->reason, sizeof(relay->reason), "%s", reason);
	relay->exit_code = exit_code;
	__atomic_store_n(&relay->closed, true, __ATOMIC_SEQ_CST);
}

static const struct worker_stream_handler stream_handler = { on_data, on_close };

static void open_stream(void *arg)
{
	static const char *command[] = { "sh" };
	struct relay *relay = arg;
	struct worker_stream_request request = { .machine = relay->world->machines[0],
						 .lease = lease_of(1),
						 .kind = WORKER_STREAM_EXEC,
						 .tty = true,
						 .command = { command, 1 } };

	relay->result = worker_stream_open(&request, &stream_handler, relay, &relay->stream);
}

static void send_much(void *arg)
{
	static const char much[WIRE_STREAM_WINDOW];
	struct relay *relay = arg;

	/* The first fills the agent's credit, the second our queue, the third is too much. */
	relay->result = worker_stream_send(relay->stream, WORKER_STDIN, much, sizeof(much));
	if (relay->result == 0)
		relay->result = worker_stream_send(relay->stream, WORKER_STDIN, much, sizeof(much));
	if (relay->result == 0)
		relay->result = worker_stream_send(relay->stream, WORKER_STDIN, much, 1);
}

static void give_credit(void *arg)
{
	struct relay *relay = arg;

	worker_stream_credit(relay->stream, relay->credit);
}

static void close_stream(void *arg)
{
	struct relay *relay = arg;

	worker_stream_close(relay->stream);
}

static void send_stream_data(struct agent *agent, uint64_t stream, size_t len)
{
	static uint8_t bytes[WIRE_CHUNK_MAX];
	Wire__StreamData data = WIRE__STREAM_DATA__INIT;
	Wire__ToServer message = WIRE__TO_SERVER__INIT;

	data.stream = stream;
	data.channel = WIRE__CHANNEL__CHANNEL_STDOUT;
	data.bytes = (ProtobufCBinaryData){ len, bytes };
	message.body_case = WIRE__TO_SERVER__BODY_STREAM_DATA;
	message.stream_data = &data;
	agent_send(agent, &message);
}

static void send_stream_close(struct agent *agent, uint64_t stream, int32_t exit_code)
{
	Wire__StreamClose closed = WIRE__STREAM_CLOSE__INIT;
	Wire__ToServer message = WIRE__TO_SERVER__INIT;

	closed.stream = stream;
	closed.exit_code = exit_code;
	message.body_case = WIRE__TO_SERVER__BODY_STREAM_CLOSE;
	message.stream_close = &closed;
	agent_send(agent, &message);
}

static void nothing(void *arg _unused_)
{
}

/* What was sent before has been read: a round over the loop, both ways, by a receipt. */
static void settle(struct stage *stage, struct agent *agent)
{
	send_usage(agent);
	(void)agent_next(agent, WIRE__TO_NODE__BODY_USAGE_RECEIPT);
	stage_do(stage, nothing, NULL);
}

static void test_streams_flow_against_credit(void **state)
{
	struct world *world = *state;
	struct relay relay = { .world = world };
	Wire__StreamCredit credit = WIRE__STREAM_CREDIT__INIT;
	Wire__ToServer message = WIRE__TO_SERVER__INIT;
	const Wire__ToNode *answer;
	uint64_t number;
	size_t got = 0;
	struct stage stage;
	struct agent agent;

	stage_open(&stage, world);
	set_up_machine(world, 0, 1);
	stage_do(&stage, open_stream, &relay);
	assert_int_equal(relay.result, WORKER_E_OFFLINE);
	agent_greet(&agent, &stage, 0, 0);
	stage_do(&stage, open_stream, &relay);
	assert_int_equal(relay.result, 0);
	answer = agent_next(&agent, WIRE__TO_NODE__BODY_STREAM_OPEN);
	number = answer->stream_open->stream;
	assert_string_equal(answer->stream_open->command[0], "sh");
	stage_do(&stage, send_much, &relay);
	assert_int_equal(relay.result, WORKER_E_TOO_MANY);
	while (got < WIRE_STREAM_WINDOW)
		got += agent_next(&agent, WIRE__TO_NODE__BODY_STREAM_DATA)->stream_data->bytes.len;
	assert_int_equal(got, WIRE_STREAM_WINDOW);
	credit.stream = number;
	credit.bytes = WIRE_STREAM_WINDOW;
	message.body_case = WIRE__TO_SERVER__BODY_STREAM_CREDIT;
	message.stream_credit = &credit;
	agent_send(&agent, &message);
	while (got < 2 * WIRE_STREAM_WINDOW)
		got += agent_next(&agent, WIRE__TO_NODE__BODY_STREAM_DATA)->stream_data->bytes.len;
	for (int i = 0; i < WIRE_STREAM_WINDOW / WIRE_CHUNK_MAX; i++)
		send_stream_data(&agent, number, WIRE_CHUNK_MAX);
	settle(&stage, &agent);
	assert_int_equal(__atomic_load_n(&relay.bytes, __ATOMIC_SEQ_CST), WIRE_STREAM_WINDOW);
	relay.credit = WIRE_CHUNK_MAX;
	stage_do(&stage, give_credit, &relay); /* saved up to a quarter of the window */
	stage_do(&stage, give_credit, &relay);
	answer = agent_next(&agent, WIRE__TO_NODE__BODY_STREAM_CREDIT);
	assert_int_equal(answer->stream_credit->bytes, 2 * WIRE_CHUNK_MAX);
	send_stream_close(&agent, number, 7);
	settle(&stage, &agent);
	assert_true(relay.closed);
	assert_int_equal(relay.exit_code, 7);
	send_stream_data(&agent, number, 5); /* too late: passed over */
	settle(&stage, &agent);
	agent_done(&agent);
	stage_close(&stage);
}

static void test_streams_end(void **state)
{
	struct world *world = *state;
	struct relay relay = { .world = world }, other = { .world = world };
	uint64_t number;
	struct stage stage;
	struct agent agent;

	stage_open(&stage, world);
	set_up_machine(world, 0, 1);
	agent_greet(&agent, &stage, 0, 0);
	stage_do(&stage, open_stream, &relay);
	stage_do(&stage, open_stream, &other);
	number = agent_next(&agent, WIRE__TO_NODE__BODY_STREAM_OPEN)->stream_open->stream;
	(void)agent_next(&agent, WIRE__TO_NODE__BODY_STREAM_OPEN);
	stage_do(&stage, close_stream, &other);
	(void)agent_next(&agent, WIRE__TO_NODE__BODY_STREAM_CLOSE);
	/* One byte more than the window. */
	for (int i = 0; i < WIRE_STREAM_WINDOW / WIRE_CHUNK_MAX; i++)
		send_stream_data(&agent, number, WIRE_CHUNK_MAX);
	send_stream_data(&agent, number, 1);
	agent_expect_closed(&agent, 1002, "credit");
	stage_do(&stage, nothing, NULL);
	assert_true(__atomic_load_n(&relay.closed, __ATOMIC_SEQ_CST));
	assert_string_equal(relay.reason, "worker_offline");
	assert_false(other.closed);
	agent_done(&agent);
	stage_close(&stage);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WORLD_TEST(test_a_session_from_hello_to_running),
		WORLD_TEST(test_only_the_machines_key_says_hello),
		WORLD_TEST(test_a_newer_session_replaces_the_older),
		WORLD_TEST(test_what_is_no_message_ends_the_session),
		WORLD_TEST(test_an_implausible_inventory_ends_the_session),
		WORLD_TEST(test_streams_flow_against_credit),
		WORLD_TEST(test_streams_end),
	};

	return world_run(tests, ARRAY_SIZE(tests));
}
