#include "wire/wire.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

enum { ARENA_LIMIT = 64 << 20 };

static uint8_t bytes_16[16] = "sixteen bytes..", bytes_20[20], bytes_32[32], bytes_65[65];

#define DATA(array) ((ProtobufCBinaryData){ sizeof(array), array })

static struct arena *arena;

static int set_up(void **state)
{
	(void)state;
	return arena_new(ARENA_LIMIT, &arena);
}

static int tear_down(void **state)
{
	(void)state;
	arena_free(arena);
	return 0;
}

/* ---- messages that are within every bound ---- */

static Wire__Lease full_lease(void)
{
	static char *command[] = { (char *)"sh", (char *)"-c", (char *)"echo gr\xc3\xbc\xc3\x9f" };
	static char *gpus[] = { (char *)"GPU-1" };
	static Wire__Variable variable;
	static Wire__Variable *env[] = { &variable };
	static Wire__Port port;
	static Wire__Port *ports[] = { &port };
	static Wire__Container container;
	Wire__Lease lease = WIRE__LEASE__INIT;

	variable = (Wire__Variable)WIRE__VARIABLE__INIT;
	variable.name = (char *)"NAME";
	variable.value = (char *)"value";
	port = (Wire__Port)WIRE__PORT__INIT;
	port.container = 8080;
	container = (Wire__Container)WIRE__CONTAINER__INIT;
	container.image = (char *)"docker.io/library/busybox:1";
	container.n_command = ARRAY_SIZE(command);
	container.command = command;
	container.n_env = 1;
	container.env = env;
	container.n_ports = 1;
	container.ports = ports;
	container.n_gpus = 1;
	container.gpus = gpus;
	container.memory_bytes = 1 << 30;
	lease.lease = DATA(bytes_16);
	lease.rental = DATA(bytes_16);
	lease.generation = 3;
	lease.want = WIRE__WANT__WANT_RUN;
	lease.container = &container;
	return lease;
}

static const void *pack_agent(const Wire__ToNode *message, size_t *ret_len)
{
	const void *bytes = NULL;

	assert_int_equal(wire_encode_to_node(message, arena, &bytes, ret_len), 0);
	return bytes;
}

static const void *pack_server(const Wire__ToServer *message, size_t *ret_len)
{
	const void *bytes = NULL;

	assert_int_equal(wire_encode_to_server(message, arena, &bytes, ret_len), 0);
	return bytes;
}

/* What the agent says to @message. */
static int agent_reads(const Wire__ToNode *message)
{
	Wire__ToNode *back;
	size_t len;
	const void *bytes = pack_agent(message, &len);

	return wire_decode_to_node(bytes, len, arena, &back);
}

static int server_reads(const Wire__ToServer *message)
{
	Wire__ToServer *back;
	size_t len;
	const void *bytes = pack_server(message, &len);

	return wire_decode_to_server(bytes, len, arena, &back);
}

static int agent_reads_desired(Wire__Lease *lease, size_t times)
{
	Wire__Desired desired = WIRE__DESIRED__INIT;
	Wire__ToNode message = WIRE__TO_NODE__INIT;
	Wire__Lease **leases = arena_array(arena, times, sizeof(*leases));

	assert_non_null(leases);
	for (size_t i = 0; i < times; i++)
		leases[i] = lease;
	desired.n_leases = times;
	desired.leases = leases;
	message.body_case = WIRE__TO_NODE__BODY_DESIRED;
	message.desired = &desired;
	return agent_reads(&message);
}

static Wire__ToServer hello_message(Wire__Hello *hello)
{
	Wire__ToServer message = WIRE__TO_SERVER__INIT;

	*hello = (Wire__Hello)WIRE__HELLO__INIT;
	hello->machine = DATA(bytes_20);
	hello->signature = DATA(bytes_65);
	hello->version = (char *)"0.1.0";
	message.body_case = WIRE__TO_SERVER__BODY_HELLO;
	message.hello = hello;
	return message;
}

/* ---- tests ---- */

static void test_desired_round_trip(void **state)
{
	Wire__Lease lease = full_lease(), *leases[] = { &lease };
	Wire__Desired desired = WIRE__DESIRED__INIT;
	Wire__ToNode message = WIRE__TO_NODE__INIT, *back = NULL;
	const Wire__Container *container;
	const void *bytes;
	size_t len;

	(void)state;
	desired.generation = 9;
	desired.n_leases = 1;
	desired.leases = leases;
	message.body_case = WIRE__TO_NODE__BODY_DESIRED;
	message.desired = &desired;
	bytes = pack_agent(&message, &len);
	assert_int_equal(wire_decode_to_node(bytes, len, arena, &back), 0);
	assert_int_equal(back->body_case, WIRE__TO_NODE__BODY_DESIRED);
	assert_int_equal(back->desired->generation, 9);
	assert_int_equal(back->desired->n_leases, 1);
	assert_memory_equal(back->desired->leases[0]->lease.data, bytes_16, 16);
	assert_int_equal(back->desired->leases[0]->want, WIRE__WANT__WANT_RUN);
	container = back->desired->leases[0]->container;
	assert_string_equal(container->command[2], "echo gr\xc3\xbc\xc3\x9f");
	assert_string_equal(container->env[0]->value, "value");
	assert_int_equal(container->ports[0]->container, 8080);
	assert_string_equal(container->gpus[0], "GPU-1");
	assert_int_equal(container->memory_bytes, 1 << 30);
}

static void test_usage_round_trip(void **state)
{
	Wire__Usage usage = WIRE__USAGE__INIT;
	Wire__ToServer message = WIRE__TO_SERVER__INIT, *back = NULL;
	const void *bytes;
	size_t len;

	(void)state;
	usage.lease = DATA(bytes_16);
	usage.rental = DATA(bytes_16);
	usage.signature = DATA(bytes_65);
	usage.sequence = 1;
	usage.seconds = 3600;
	usage.final = true;
	message.body_case = WIRE__TO_SERVER__BODY_USAGE;
	message.usage = &usage;
	bytes = pack_server(&message, &len);
	assert_int_equal(wire_decode_to_server(bytes, len, arena, &back), 0);
	assert_int_equal(back->usage->seconds, 3600);
	assert_true(back->usage->final);
	assert_int_equal(back->usage->signature.len, 65);
	usage.seconds = (uint64_t)INT64_MAX + 1;
	assert_int_equal(server_reads(&message), WIRE_E_MALFORMED);
}

/* No prefix of a message is a crash; all but the whole are short of something required here. */
static void test_truncated_everywhere(void **state)
{
	Wire__Hello hello;
	Wire__ToServer message = hello_message(&hello), *back;
	const uint8_t *bytes;
	size_t len;

	(void)state;
	bytes = pack_server(&message, &len);
	for (size_t cut = 0; cut < len; cut++) {
		/* Its own block, so that ASan sees a byte read too far. */
		uint8_t *copy = malloc(cut + !cut);

		assert_non_null(copy);
		memcpy(copy, bytes, cut);
		assert_int_equal(wire_decode_to_server(copy, cut, arena, &back), WIRE_E_MALFORMED);
		free(copy);
	}
	assert_int_equal(wire_decode_to_server(bytes, len, arena, &back), 0);
}

static void test_every_byte_flipped(void **state)
{
	_cleanup_(arena_freep) struct arena *own = NULL;
	Wire__Lease lease = full_lease(), *leases[] = { &lease };
	Wire__Desired desired = WIRE__DESIRED__INIT;
	Wire__ToNode message = WIRE__TO_NODE__INIT, *back;
	const void *packed;
	uint8_t *bytes;
	size_t len;

	(void)state;
	assert_int_equal(arena_new(ARENA_LIMIT, &own), 0);
	desired.n_leases = 1;
	desired.leases = leases;
	message.body_case = WIRE__TO_NODE__BODY_DESIRED;
	message.desired = &desired;
	packed = pack_agent(&message, &len);
	bytes = malloc(len);
	assert_non_null(bytes);
	memcpy(bytes, packed, len);
	for (size_t i = 0; i < len; i++) {
		for (int bit = 0; bit < 8; bit++) {
			int r;

			bytes[i] ^= (uint8_t)(1 << bit);
			r = wire_decode_to_node(bytes, len, own, &back);
			assert_true(r == 0 || r == WIRE_E_MALFORMED);
			bytes[i] ^= (uint8_t)(1 << bit);
			arena_reset(own);
		}
	}
	free(bytes);
}

static void test_no_body(void **state)
{
	Wire__ToNode *to_node;
	Wire__ToServer *to_server;
	static const uint8_t unknown[] = { 0x9a, 0x06, 0x00 }; /* field 99, empty */

	(void)state;
	assert_int_equal(wire_decode_to_node("", 0, arena, &to_node), WIRE_E_MALFORMED);
	assert_int_equal(wire_decode_to_server("", 0, arena, &to_server), WIRE_E_MALFORMED);
	assert_int_equal(wire_decode_to_node(unknown, sizeof(unknown), arena, &to_node),
			 WIRE_E_MALFORMED);
}

static void test_unknown_fields(void **state)
{
	/* A heartbeat with field 99, then one with field 0 in two bytes. */
	static const uint8_t later[] = { 0x1a, 0x03, 0x98, 0x06, 0x01 };
	static const uint8_t zero[] = { 0x1a, 0x03, 0x80, 0x00, 0x01 };
	Wire__ToServer *back;

	(void)state;
	assert_int_equal(wire_decode_to_server(later, sizeof(later), arena, &back), 0);
	assert_int_equal(wire_decode_to_server(zero, sizeof(zero), arena, &back), WIRE_E_MALFORMED);
}

static void test_exact_sizes(void **state)
{
	Wire__Hello hello;
	Wire__ToServer message = hello_message(&hello);
	Wire__Lease lease = full_lease();
	uint8_t longer[66] = { 0 };

	(void)state;
	assert_int_equal(server_reads(&message), 0);
	for (size_t len = 0; len <= 66; len++) {
		hello.signature = (ProtobufCBinaryData){ len, longer };
		assert_int_equal(server_reads(&message), len == 65 ? 0 : WIRE_E_MALFORMED);
	}
	hello.signature = DATA(bytes_65);
	for (size_t len = 0; len <= 40; len++) {
		hello.machine = (ProtobufCBinaryData){ len, longer };
		assert_int_equal(server_reads(&message), len == 20 ? 0 : WIRE_E_MALFORMED);
	}
	for (size_t len = 0; len <= 32; len++) {
		lease.rental = (ProtobufCBinaryData){ len, longer };
		assert_int_equal(agent_reads_desired(&lease, 1), len == 16 ? 0 : WIRE_E_MALFORMED);
	}
}

static void test_receipt_may_lack_signature(void **state)
{
	Wire__UsageReceipt receipt = WIRE__USAGE_RECEIPT__INIT;
	Wire__ToNode message = WIRE__TO_NODE__INIT;

	(void)state;
	receipt.lease = DATA(bytes_16);
	receipt.reason = (char *)"unknown lease";
	message.body_case = WIRE__TO_NODE__BODY_USAGE_RECEIPT;
	message.usage_receipt = &receipt;
	assert_int_equal(agent_reads(&message), 0);
	receipt.signature = DATA(bytes_65);
	assert_int_equal(agent_reads(&message), 0);
	receipt.signature = DATA(bytes_32);
	assert_int_equal(agent_reads(&message), WIRE_E_MALFORMED);
	receipt.signature = DATA(bytes_65);
	receipt.charged_micro = -1;
	assert_int_equal(agent_reads(&message), WIRE_E_MALFORMED);
}

static void test_lists_bounded(void **state)
{
	static char *words[WIRE_COMMAND_MAX + 1];
	static Wire__Port port = WIRE__PORT__INIT, *ports[WIRE_PORTS_MAX + 1];
	Wire__Lease lease = full_lease();

	(void)state;
	assert_int_equal(agent_reads_desired(&lease, WIRE_LEASES_MAX), 0);
	assert_int_equal(agent_reads_desired(&lease, WIRE_LEASES_MAX + 1), WIRE_E_MALFORMED);
	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		words[i] = (char *)"x";
	lease.container->command = words;
	lease.container->n_command = WIRE_COMMAND_MAX;
	assert_int_equal(agent_reads_desired(&lease, 1), 0);
	lease.container->n_command = WIRE_COMMAND_MAX + 1;
	assert_int_equal(agent_reads_desired(&lease, 1), WIRE_E_MALFORMED);
	lease = full_lease();
	port.container = 1;
	for (size_t i = 0; i < ARRAY_SIZE(ports); i++)
		ports[i] = &port;
	lease.container->ports = ports;
	lease.container->n_ports = WIRE_PORTS_MAX;
	assert_int_equal(agent_reads_desired(&lease, 1), 0);
	lease.container->n_ports = WIRE_PORTS_MAX + 1;
	assert_int_equal(agent_reads_desired(&lease, 1), WIRE_E_MALFORMED);
}

static void test_numbers_bounded(void **state)
{
	Wire__Lease lease = full_lease();

	(void)state;
	lease.container->ports[0]->container = 0;
	assert_int_equal(agent_reads_desired(&lease, 1), WIRE_E_MALFORMED);
	lease.container->ports[0]->container = 65535;
	assert_int_equal(agent_reads_desired(&lease, 1), 0);
	lease.container->ports[0]->container = 65536;
	assert_int_equal(agent_reads_desired(&lease, 1), WIRE_E_MALFORMED);
	lease = full_lease();
	lease.want = (Wire__Want)3;
	assert_int_equal(agent_reads_desired(&lease, 1), WIRE_E_MALFORMED);
	lease.want = (Wire__Want)-1;
	assert_int_equal(agent_reads_desired(&lease, 1), WIRE_E_MALFORMED);
	lease.want = WIRE__WANT__WANT_STOP;
	lease.container = NULL;
	assert_int_equal(agent_reads_desired(&lease, 1), 0);
}

static void test_texts_bounded(void **state)
{
	static char text[WIRE_ARGUMENT_MAX + 2];
	Wire__Hello hello;
	Wire__ToServer message = hello_message(&hello);
	Wire__Lease lease = full_lease();

	(void)state;
	memset(text, 'a', WIRE_TEXT_MAX + 1);
	hello.version = text + 1;
	assert_int_equal(server_reads(&message), 0);
	hello.version = text;
	assert_int_equal(server_reads(&message), WIRE_E_MALFORMED);
	memset(text, 'a', WIRE_ARGUMENT_MAX + 1);
	lease.container->env[0]->value = text + 1;
	assert_int_equal(agent_reads_desired(&lease, 1), 0);
	lease.container->env[0]->value = text;
	assert_int_equal(agent_reads_desired(&lease, 1), WIRE_E_MALFORMED);
	lease = full_lease();
	lease.container->env[0]->name = (char *)"";
	assert_int_equal(agent_reads_desired(&lease, 1), WIRE_E_MALFORMED);
}

static void test_texts_are_utf8(void **state)
{
	static const char *const good[] = { "",
					    "\xc3\xbc",
					    "\xe2\x82\xac",
					    "\xf0\x9f\x98\x80",
					    "\xf4\x8f\xbf\xbf",
					    "\xed\x9f\xbf" };
	static const char *const bad[] = { "\x80",
					   "\xc3",
					   "\xc0\xaf",
					   "\xe0\x80\xaf",
					   "\xed\xa0\x80",
					   "\xf0\x80\x80\xaf",
					   "\xf4\x90\x80\x80",
					   "\xe2\x82",
					   "\xff",
					   "a\xe2\x28\xa1" };
	Wire__Hello hello;
	Wire__ToServer message = hello_message(&hello);

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
		hello.version = (char *)good[i];
		assert_int_equal(server_reads(&message), 0);
	}
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		hello.version = (char *)bad[i];
		assert_int_equal(server_reads(&message), WIRE_E_MALFORMED);
	}
}

/* A chunk larger than StreamData may carry, and a message larger than any may be. */
static void test_sizes_bounded(void **state)
{
	static uint8_t chunk[WIRE_MESSAGE_MAX + 1];
	Wire__StreamData data = WIRE__STREAM_DATA__INIT;
	Wire__ToServer message = WIRE__TO_SERVER__INIT, *back;
	const void *bytes;
	size_t len;

	(void)state;
	message.body_case = WIRE__TO_SERVER__BODY_STREAM_DATA;
	message.stream_data = &data;
	data.bytes = (ProtobufCBinaryData){ WIRE_CHUNK_MAX, chunk };
	assert_int_equal(server_reads(&message), 0);
	data.bytes.len++;
	assert_int_equal(server_reads(&message), WIRE_E_MALFORMED);
	data.bytes.len = WIRE_MESSAGE_MAX;
	assert_int_equal(wire_encode_to_server(&message, arena, &bytes, &len), -EMSGSIZE);
	assert_int_equal(wire_decode_to_server(chunk, sizeof(chunk), arena, &back),
			 WIRE_E_MALFORMED);
}

/* Half a million empty list entries in one message: refused within WIRE_MEMORY_MAX. */
static void test_memory_bounded(void **state)
{
	enum { ENTRIES = 500000, BODY = 2 * ENTRIES };
	static uint8_t bytes[BODY + 8] = { 0x22, 0xc0, 0x84, 0x3d }; /* actual, 1,000,000 bytes */
	_cleanup_(arena_freep) struct arena *small = NULL;
	Wire__ToServer *back;
	size_t before = arena_used(arena);

	(void)state;
	for (size_t i = 0; i < ENTRIES; i++)
		bytes[4 + 2 * i] = 0x0a;
	assert_int_equal(wire_decode_to_server(bytes, 4 + BODY, arena, &back), WIRE_E_MALFORMED);
	assert_true(arena_used(arena) - before > WIRE_MEMORY_MAX / 4);
	assert_true(arena_used(arena) - before <= 2 * WIRE_MEMORY_MAX);
	/* A smaller arena is a fault of ours, not of the message. */
	assert_int_equal(arena_new(1 << 20, &small), 0);
	assert_int_equal(wire_decode_to_server(bytes, 4 + BODY, small, &back), -ENOMEM);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_desired_round_trip, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_usage_round_trip, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_truncated_everywhere, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_every_byte_flipped, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_no_body, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_unknown_fields, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_exact_sizes, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_receipt_may_lack_signature, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_lists_bounded, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_numbers_bounded, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_texts_bounded, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_texts_are_utf8, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_sizes_bounded, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_memory_bounded, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
