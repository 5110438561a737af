#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <uv.h>

#include "link/link.h"
#include "base/log.h"
#include "io/http_server.h"
#include "io/loop.h"
#include "wire/sign.h"

/* A control plane that knows the handshake, and breaks it on demand. */
struct fixture {
	struct loop *loop;
	struct http_server *server;
	struct http_conn_id conn;
	struct secp_key *key;
	struct link *link;
	struct random_seeded random;
	char url[64];
	struct address network, offered; /* the agent's, and the one that the server shows */
	bool refuse, silent;
	int upgrades, hellos, welcomes, downs, messages, heartbeats, refusals;
	char refusal[LINK_REFUSAL_SIZE];
	uint16_t code;
};

static const uint8_t nonce[32] = { 1, 2, 3 };

static void put(struct fixture *f, const Wire__ToNode *message)
{
	struct arena *arena;
	const void *bytes;
	size_t len;

	assert_int_equal(arena_new(1 << 20, &arena), 0);
	assert_int_equal(wire_encode_to_node(message, arena, &bytes, &len), 0);
	ws_send(f->server, f->conn, WS_BINARY, bytes, len);
	arena_free(arena);
}

static void challenge(struct fixture *f)
{
	Wire__ToNode message = WIRE__TO_NODE__INIT;
	Wire__Challenge body = WIRE__CHALLENGE__INIT;

	body.nonce = (ProtobufCBinaryData){ sizeof(nonce), (uint8_t *)nonce };
	body.network = (ProtobufCBinaryData){ 20, f->offered.bytes };
	message.body_case = WIRE__TO_NODE__BODY_CHALLENGE;
	message.challenge = &body;
	put(f, &message);
}

static void welcome(struct fixture *f)
{
	Wire__ToNode message = WIRE__TO_NODE__INIT;
	Wire__Welcome body = WIRE__WELCOME__INIT;

	body.heartbeat_ms = 1234;
	message.body_case = WIRE__TO_NODE__BODY_WELCOME;
	message.welcome = &body;
	put(f, &message);
}

static void check_hello(struct fixture *f, const Wire__Hello *hello)
{
	struct hello_statement statement = { .network = f->network };
	uint8_t digest[SIGN_DIGEST_SIZE];
	struct address signer;

	memcpy(statement.nonce, nonce, sizeof(nonce));
	memcpy(statement.machine.address.bytes, hello->machine.data, 20);
	hello_digest(&statement, digest);
	assert_int_equal(secp_recover(digest, hello->signature.data, &signer), 0);
	assert_true(address_equal(&signer, secp_key_address(f->key)));
	assert_memory_equal(hello->machine.data, signer.bytes, 20);
	assert_string_equal(hello->version, "1.2.3");
	f->hellos++;
}

static void on_open(void *arg, struct http_conn_id conn)
{
	struct fixture *f = arg;

	f->conn = conn;
	if (!f->silent)
		challenge(f);
}

static void on_bytes(void *arg, struct http_conn_id conn _unused_, enum ws_kind kind _unused_,
		     const void *bytes, size_t len)
{
	struct fixture *f = arg;
	Wire__ToServer *message;
	struct arena *arena;

	assert_int_equal(arena_new(1 << 20, &arena), 0);
	assert_int_equal(wire_decode_to_server(bytes, len, arena, &message), 0);
	if (message->body_case == WIRE__TO_SERVER__BODY_HELLO) {
		check_hello(f, message->hello);
		welcome(f);
	}
	f->heartbeats += message->body_case == WIRE__TO_SERVER__BODY_HEARTBEAT;
	arena_free(arena);
}

static void on_closed(void *arg, struct http_conn_id conn _unused_, uint16_t code)
{
	struct fixture *f = arg;

	f->code = code;
}

static const struct ws_handler handler = { on_open, on_bytes, on_closed };

static void on_request(void *arg, const struct http_request *request)
{
	struct fixture *f = arg;

	assert_string_equal(request->path, "/v1/agent");
	f->upgrades++;
	if (f->refuse)
		http_reply(f->server, request->conn, 503, NULL, 0, "no", 2);
	else
		http_upgrade(f->server, request->conn, &handler, f, NULL);
}

static void on_welcome(void *arg, const Wire__Welcome *body)
{
	struct fixture *f = arg;

	assert_int_equal(body->heartbeat_ms, 1234);
	f->welcomes++;
}

static void on_message(void *arg, const Wire__ToNode *message _unused_)
{
	struct fixture *f = arg;

	f->messages++;
}

static void on_down(void *arg)
{
	struct fixture *f = arg;

	f->downs++;
}

static void on_refused(void *arg, const char *reason)
{
	struct fixture *f = arg;

	snprintf(f->refusal, sizeof(f->refusal), "%s", reason);
	f->refusals++;
}

static void start(struct fixture *f)
{
	const struct link_config config = {
		.loop = f->loop,
		.random = &f->random.random,
		.url = f->url,
		.path = "/v1/agent",
		.network = f->network,
		.key = f->key,
		.version = "1.2.3",
		.on_welcome = on_welcome,
		.on_message = on_message,
		.on_down = on_down,
		.on_refused = on_refused,
		.arg = f,
	};

	assert_int_equal(link_new(&config, &f->link), 0);
}

static void on_late(void *arg)
{
	bool *late = arg;

	*late = true;
}

/* Runs the loop until *@count is @wanted; not for ever. */
static void until(struct fixture *f, const int *count, int wanted)
{
	struct loop_timer *timer;
	bool late = false;

	assert_int_equal(loop_timer_new(f->loop, 10000, 0, on_late, &late, &timer), 0);
	while (*count < wanted && !late)
		uv_run(loop_uv(f->loop), UV_RUN_ONCE);
	loop_timer_free(timer);
	assert_int_equal(*count, wanted);
}

static int set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	struct http_server_config config;

	*state = f;
	log_init(false, LOG_ERROR);
	random_seeded_init(&f->random, 7);
	f->network.bytes[0] = f->offered.bytes[0] = 9;
	if (loop_new(&f->loop) < 0 || secp_key_generate(&random_system, &f->key) < 0)
		return -1;
	http_server_config_init(&config);
	config.host = "127.0.0.1";
	config.on_request = on_request;
	config.arg = f;
	if (http_server_new(f->loop, &config, &f->server) < 0)
		return -1;
	snprintf(f->url, sizeof(f->url), "http://127.0.0.1:%u/", http_server_port(f->server));
	return 0;
}

static void on_drained(void *arg)
{
	struct fixture *f = arg;

	loop_stop(f->loop);
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	link_free(f->link);
	http_server_drain(f->server, 1000, on_drained, f);
	if (loop_run(f->loop) < 0)
		return -1;
	http_server_free(f->server);
	loop_free(f->loop);
	secp_key_free(f->key);
	free(f);
	return 0;
}

static void proves_who_it_is(void **state)
{
	Wire__ToServer message = WIRE__TO_SERVER__INIT;
	Wire__Heartbeat heartbeat = WIRE__HEARTBEAT__INIT;
	struct fixture *f = *state;

	message.body_case = WIRE__TO_SERVER__BODY_HEARTBEAT;
	message.heartbeat = &heartbeat;
	start(f);
	assert_int_equal(link_send(f->link, &message), -ENOTCONN);
	until(f, &f->welcomes, 1);
	assert_int_equal(f->hellos, 1);
	assert_true(link_up(f->link));
	assert_int_equal(link_send(f->link, &message), 0);
	until(f, &f->heartbeats, 1);
}

static void comes_back(void **state)
{
	struct fixture *f = *state;

	start(f);
	until(f, &f->welcomes, 1);
	ws_close(f->server, f->conn, 1001, "restart");
	until(f, &f->downs, 1);
	assert_false(link_up(f->link));
	until(f, &f->welcomes, 2);
}

static void a_refusal_is_tried_again(void **state)
{
	struct fixture *f = *state;

	f->refuse = true;
	start(f);
	until(f, &f->upgrades, 2);
	f->refuse = false;
	until(f, &f->welcomes, 1);
	assert_int_equal(f->downs, 0);
}

/* Longer than the longest first pause: it would have come back. */
static void a_final_refusal_is_not(void **state)
{
	struct fixture *f = *state;
	struct loop_timer *timer;
	bool late = false;

	start(f);
	until(f, &f->welcomes, 1);
	ws_close(f->server, f->conn, WIRE_CLOSE_REFUSED, "removed; join again");
	until(f, &f->refusals, 1);
	assert_int_equal(f->downs, 1);
	assert_string_equal(f->refusal, "removed; join again");
	assert_false(link_up(f->link));
	assert_int_equal(
		loop_timer_new(f->loop, 2 * LINK_BACKOFF_MIN_MS, 0, on_late, &late, &timer), 0);
	while (!late)
		uv_run(loop_uv(f->loop), UV_RUN_ONCE);
	loop_timer_free(timer);
	assert_int_equal(f->upgrades, 1);
}

/* Nothing is signed for another network. */
static void another_network_is_cut(void **state)
{
	struct fixture *f = *state;

	f->offered.bytes[0] = 8;
	start(f);
	until(f, &f->upgrades, 2);
	assert_int_equal(f->hellos, 0);
	assert_int_equal(f->code, 1002);
}

static void nonsense_is_cut(void **state)
{
	struct fixture *f = *state;

	start(f);
	until(f, &f->welcomes, 1);
	ws_send(f->server, f->conn, WS_BINARY, "\xff\xff\xff", 3);
	until(f, &f->downs, 1);
	until(f, &f->welcomes, 2);
}

static void back_off_grows_and_differs(void **state _unused_)
{
	struct random_seeded random;
	uint64_t first, least = UINT64_MAX, most = 0;

	random_seeded_init(&random, 1);
	first = link_backoff_ms(&random.random, 1);
	assert_true(first >= LINK_BACKOFF_MIN_MS / 2 && first <= LINK_BACKOFF_MIN_MS);
	for (int i = 0; i < 1000; i++) {
		uint64_t ms = link_backoff_ms(&random.random, 100);

		least = ms < least ? ms : least;
		most = ms > most ? ms : most;
	}
	assert_true(least >= LINK_BACKOFF_MAX_MS / 2 && least < LINK_BACKOFF_MAX_MS * 6 / 10);
	assert_true(most <= LINK_BACKOFF_MAX_MS && most > LINK_BACKOFF_MAX_MS * 9 / 10);
}

static void urls(void **state _unused_)
{
	char url[32];

	assert_int_equal(link_url("https://a.b//", "/x", url, sizeof(url)), 0);
	assert_string_equal(url, "wss://a.b/x");
	assert_int_equal(link_url("ftp://a.b", "/x", url, sizeof(url)), -EINVAL);
	assert_int_equal(link_url("http://", "/x", url, sizeof(url)), -EINVAL);
	assert_int_equal(link_url("http://a.b", "/a-path-that-is-too-long", url, 16), -EINVAL);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(proves_who_it_is),
		TEST(comes_back),
		TEST(a_refusal_is_tried_again),
		TEST(a_final_refusal_is_not),
		TEST(another_network_is_cut),
		TEST(nonsense_is_cut),
		cmocka_unit_test(back_off_grows_and_differs),
		cmocka_unit_test(urls),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
