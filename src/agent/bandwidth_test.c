#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <sys/socket.h>
#include <unistd.h>
#include <uv.h>

#include "agent/bandwidth.h"
#include "base/log.h"
#include "io/loop.h"
#include "io/ws_client.h"
#include "popw/message.h"

enum { MEMBERS = 4, EACH_MS = 100, STRANGERS = 300 };

/* Members of a panel, over real sockets on the loopback. */
struct member {
	struct fixture *f;
	struct ws_client *client;
	uint32_t index;
	uint8_t hello[BANDWIDTH_HELLO_SIZE];
	struct bandwidth_stream pulled;
	struct bandwidth_count pushed;
	size_t chunks, wrong, stops, answers;
	struct bandwidth_answer answer;
	bool open, closed, pushes;
	int status;
	uint16_t code;
};

struct fixture {
	struct loop *loop;
	struct bandwidth_server *server;
	struct hasher *hasher;
	struct secp_key *keys[MEMBERS]; /* the last one's is nobody's of the panel */
	struct summons summons;
	struct member members[MEMBERS];
};

static void on_open(void *arg)
{
	struct member *member = arg;

	member->open = true;
	assert_int_equal(
		ws_client_send(member->client, WS_BINARY, member->hello, sizeof(member->hello)), 0);
}

static void say(struct member *member, const char *word)
{
	assert_int_equal(ws_client_send(member->client, WS_TEXT, word, strlen(word)), 0);
}

/* What it gives in turn: three chunks of its secret stream. */
static void push(struct member *member)
{
	static const uint8_t secret[BANDWIDTH_KEY_SIZE] = { 42 };
	static uint8_t chunk[BANDWIDTH_CHUNK];
	struct bandwidth_stream stream;

	bandwidth_stream_init(&stream, secret, member->index);
	assert_int_equal(bandwidth_count_init(&member->pushed), 0);
	for (int i = 0; i < 3; i++) {
		bandwidth_next(&stream, chunk);
		bandwidth_count_add(&member->pushed, chunk, sizeof(chunk));
		assert_int_equal(ws_client_send(member->client, WS_BINARY, chunk, sizeof(chunk)),
				 0);
	}
	say(member, BANDWIDTH_END);
}

static void on_message(void *arg, enum ws_kind kind, const void *bytes, size_t len)
{
	struct member *member = arg;

	if (kind == WS_TEXT) {
		assert_int_equal(len, strlen(BANDWIDTH_STOP));
		assert_memory_equal(bytes, BANDWIDTH_STOP, len);
		member->stops++;
		if (member->pushes)
			push(member);
	} else if (member->stops > 0) {
		assert_int_equal(bandwidth_answer_decode(bytes, len, &member->answer), 0);
		member->answers++;
		ws_client_close(member->client, 1000);
	} else {
		member->chunks++;
		member->wrong += bandwidth_check(&member->pulled, bytes, len) != 0;
	}
}

static void on_close(void *arg, int status, uint16_t code, const char *detail _unused_)
{
	struct member *member = arg;

	member->closed = true;
	member->status = status;
	member->code = code;
}

static const struct ws_client_handler handler = { on_open, on_message, on_close };

/* As member @index, with the key of member @signer. */
static void make_hello(struct fixture *f, struct member *member, uint32_t signer)
{
	struct bandwidth_hello hello = { .session = f->summons.session.id,
					 .member = member->index,
					 .nonce = { (uint8_t)(member->index + 1) } };
	struct hash digest;

	bandwidth_hello_encode(&hello, member->hello);
	bandwidth_stream_init(&member->pulled, hello.nonce, member->index);
	session_digest(f->hasher, &f->summons.session, &digest);
	assert_int_equal(message_sign(f->hasher, TAG_HELLO, &digest, f->keys[signer], member->hello,
				      sizeof(member->hello)),
			 0);
}

static void connect_by(struct fixture *f, struct member *member, uint32_t index, uint32_t signer,
		       const char *path)
{
	char url[128];
	const struct ws_client_config config = {
		.url = url,
		.connect_timeout_ms = 5000,
		.ping_ms = 10000,
		.max_message_bytes = BANDWIDTH_CHUNK,
		.max_queue_bytes = 1 << 20,
	};

	*member = (struct member){ .f = f, .index = index, .pushes = true };
	make_hello(f, member, signer);
	snprintf(url, sizeof(url), "ws://127.0.0.1:%u%s", bandwidth_server_port(f->server), path);
	assert_int_equal(ws_client_open(f->loop, &config, &handler, member, &member->client), 0);
}

static void connect_to(struct fixture *f, struct member *member, uint32_t index, const char *path)
{
	connect_by(f, member, index, index, path);
}

static void on_tick(void *arg)
{
	int *left = arg;

	--*left;
}

static bool closed(const struct member *member)
{
	return member->closed;
}

static bool has_pulled(const struct member *member)
{
	return member->chunks >= 8;
}

static void until(struct fixture *f, const struct member *member,
		  bool (*over)(const struct member *member))
{
	struct loop_timer *timer;
	int left = 4000;

	assert_int_equal(loop_timer_new(f->loop, 5, 5, on_tick, &left, &timer), 0);
	while (!over(member) && left > 0)
		uv_run(loop_uv(f->loop), UV_RUN_ONCE);
	loop_timer_free(timer);
	assert_true(left > 0);
}

static int set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	*state = f;
	log_init(false, LOG_ERROR);
	f->summons.session.panel_size = MEMBERS - 1;
	f->summons.session.id.bytes[0] = 9;
	f->summons.bandwidth_ms = EACH_MS;
	assert_int_equal(hasher_new(&f->hasher), 0);
	for (size_t i = 0; i < MEMBERS; i++) {
		assert_int_equal(secp_key_generate(&random_system, &f->keys[i]), 0);
		f->summons.members[i] = *secp_key_address(f->keys[i]);
	}
	if (loop_new(&f->loop) < 0)
		return -1;
	return bandwidth_server_new(f->loop, &clock_system, "127.0.0.1", 0, &f->server);
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	for (size_t i = 0; i < MEMBERS; i++)
		bandwidth_count_done(&f->members[i].pushed);
	/* As in the agent: the server goes behind the loop, with whoever is still there. */
	loop_stop(f->loop);
	if (loop_run(f->loop) < 0)
		return -1;
	bandwidth_server_free(f->server);
	loop_free(f->loop);
	for (size_t i = 0; i < MEMBERS; i++)
		secp_key_free(f->keys[i]);
	hasher_free(f->hasher);
	free(f);
	return 0;
}

static void assert_measured(struct member *member)
{
	struct bandwidth_answer given;

	assert_true(member->chunks > 0);
	assert_int_equal(member->wrong, 0);
	assert_int_equal(member->stops, 1);
	assert_int_equal(member->answers, 1);
	bandwidth_count_end(&member->pushed, &given);
	assert_true(bandwidth_answer_equal(&given, &member->answer));
	assert_int_equal(member->answer.bytes, 3 * BANDWIDTH_CHUNK);
}

/* The worker stops by itself. */
static void a_panel_measures_at_once(void **state)
{
	struct fixture *f = *state;

	bandwidth_server_admit(f->server, &f->summons);
	for (uint32_t i = 0; i < MEMBERS - 1; i++)
		connect_to(f, &f->members[i], i, BANDWIDTH_PATH);
	for (uint32_t i = 0; i < MEMBERS - 1; i++) {
		until(f, &f->members[i], closed);
		assert_measured(&f->members[i]);
	}
}

static void a_member_stops_it(void **state)
{
	struct fixture *f = *state;

	f->summons.bandwidth_ms = 60000;
	bandwidth_server_admit(f->server, &f->summons);
	connect_to(f, &f->members[0], 0, BANDWIDTH_PATH);
	until(f, &f->members[0], has_pulled);
	say(&f->members[0], BANDWIDTH_STOP);
	until(f, &f->members[0], closed);
	assert_measured(&f->members[0]);
}

static void assert_cut(struct fixture *f, uint32_t index, uint32_t signer)
{
	struct member *member = &f->members[MEMBERS - 1];

	connect_by(f, member, index, signer, BANDWIDTH_PATH);
	until(f, member, closed);
	assert_int_equal(member->chunks, 0);
	assert_int_equal(member->code, 1008);
}

static void only_the_panel_comes_and_once(void **state)
{
	struct fixture *f = *state;

	bandwidth_server_admit(f->server, &f->summons);
	connect_to(f, &f->members[0], 0, BANDWIDTH_PATH);
	until(f, &f->members[0], has_pulled);
	assert_cut(f, 0, 0); /* again */
	assert_cut(f, MEMBERS - 1, MEMBERS - 1); /* more than there are */
	f->summons.session.id.bytes[0] ^= 1;
	assert_cut(f, 1, 1); /* of another session */
	until(f, &f->members[0], closed);
	assert_measured(&f->members[0]);
}

/* One who knows of the session takes no member's visit away, be he a member or not. */
static void nobody_comes_as_another(void **state)
{
	struct fixture *f = *state;

	bandwidth_server_admit(f->server, &f->summons);
	assert_cut(f, 0, 1);
	assert_cut(f, 0, MEMBERS - 1);
	connect_to(f, &f->members[0], 0, BANDWIDTH_PATH);
	until(f, &f->members[0], closed);
	assert_measured(&f->members[0]);
}

/* ---- strangers ---- */

/* Sockets that ask for a WebSocket and say nothing more, from the loopback's networks of @networks in turn. */
static void come(struct fixture *f, int strangers[static STRANGERS], int networks)
{
	static const char text[] = "GET " BANDWIDTH_PATH " HTTP/1.1\r\nHost: w\r\n"
				   "Connection: Upgrade\r\nUpgrade: websocket\r\n"
				   "Sec-WebSocket-Version: 13\r\n"
				   "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
	struct sockaddr_in at = { .sin_family = AF_INET };

	for (int i = 0; i < STRANGERS; i++) {
		strangers[i] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
		assert_true(strangers[i] >= 0);
		at.sin_addr.s_addr = htonl(INADDR_LOOPBACK + (uint32_t)(i % networks));
		at.sin_port = 0;
		assert_int_equal(bind(strangers[i], (struct sockaddr *)&at, sizeof(at)), 0);
		at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
		at.sin_port = htons(bandwidth_server_port(f->server));
		assert_int_equal(connect(strangers[i], (struct sockaddr *)&at, sizeof(at)), 0);
		assert_int_equal(send(strangers[i], text, sizeof(text) - 1, MSG_NOSIGNAL),
				 sizeof(text) - 1);
	}
}

static bool was_heard(int stranger)
{
	char byte;

	return recv(stranger, &byte, 1, MSG_PEEK | MSG_DONTWAIT) >= 0 || errno != EAGAIN;
}

static void hear_all(struct fixture *f, const int strangers[static STRANGERS])
{
	for (int i = 0; i < STRANGERS; i++)
		while (!was_heard(strangers[i]))
			uv_run(loop_uv(f->loop), UV_RUN_ONCE);
}

/* Those who come behind them get in, and those who are in stay. */
static void assert_members_come(struct fixture *f, int networks)
{
	int strangers[STRANGERS];

	f->summons.bandwidth_ms = 60000;
	bandwidth_server_admit(f->server, &f->summons);
	connect_to(f, &f->members[0], 0, BANDWIDTH_PATH);
	until(f, &f->members[0], has_pulled);
	come(f, strangers, networks);
	hear_all(f, strangers);
	for (uint32_t i = 1; i < MEMBERS - 1; i++)
		connect_to(f, &f->members[i], i, BANDWIDTH_PATH);
	for (uint32_t i = 1; i < MEMBERS - 1; i++)
		until(f, &f->members[i], has_pulled);
	for (uint32_t i = 0; i < MEMBERS - 1; i++)
		say(&f->members[i], BANDWIDTH_STOP);
	for (uint32_t i = 0; i < MEMBERS - 1; i++) {
		until(f, &f->members[i], closed);
		assert_measured(&f->members[i]);
	}
	for (int i = 0; i < STRANGERS; i++)
		close(strangers[i]);
}

static void strangers_of_one_network_keep_nobody_out(void **state)
{
	assert_members_come(*state, 1);
}

static void strangers_of_many_networks_keep_nobody_out(void **state)
{
	assert_members_come(*state, STRANGERS);
}

static void assert_refused(struct fixture *f, const char *path, int status)
{
	connect_to(f, &f->members[0], 0, path);
	until(f, &f->members[0], closed);
	assert_int_equal(f->members[0].status, status);
}

static void without_a_session_the_door_is_shut(void **state)
{
	struct fixture *f = *state;

	assert_refused(f, BANDWIDTH_PATH, 403);
	bandwidth_server_admit(f->server, &f->summons);
	assert_refused(f, "/v1/other", 404);
	bandwidth_server_dismiss(f->server, &f->summons.session.id);
	assert_refused(f, BANDWIDTH_PATH, 403);
	f->summons.bandwidth_ms = 0;
	bandwidth_server_admit(f->server, &f->summons);
	assert_refused(f, BANDWIDTH_PATH, 403);
}

static void the_end_of_the_session_cuts(void **state)
{
	struct fixture *f = *state;

	f->summons.bandwidth_ms = 60000;
	bandwidth_server_admit(f->server, &f->summons);
	connect_to(f, &f->members[0], 0, BANDWIDTH_PATH);
	until(f, &f->members[0], has_pulled);
	bandwidth_server_dismiss(f->server, &f->summons.session.id);
	until(f, &f->members[0], closed);
	assert_int_equal(f->members[0].code, 1008);
}

static void nonsense_is_cut(void **state)
{
	struct fixture *f = *state;

	f->summons.bandwidth_ms = 60000;
	bandwidth_server_admit(f->server, &f->summons);
	connect_to(f, &f->members[0], 0, BANDWIDTH_PATH);
	until(f, &f->members[0], has_pulled);
	say(&f->members[0], "more");
	until(f, &f->members[0], closed);
	assert_int_equal(f->members[0].code, 1008);
}

static void it_ends_while_members_are_there(void **state)
{
	struct fixture *f = *state;

	f->summons.bandwidth_ms = 60000;
	bandwidth_server_admit(f->server, &f->summons);
	connect_to(f, &f->members[0], 0, BANDWIDTH_PATH);
	until(f, &f->members[0], has_pulled);
	assert_false(f->members[0].closed);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_panel_measures_at_once),
		TEST(a_member_stops_it),
		TEST(only_the_panel_comes_and_once),
		TEST(without_a_session_the_door_is_shut),
		TEST(the_end_of_the_session_cuts),
		TEST(nonsense_is_cut),
		TEST(it_ends_while_members_are_there),
		TEST(nobody_comes_as_another),
		TEST(strangers_of_one_network_keep_nobody_out),
		TEST(strangers_of_many_networks_keep_nobody_out),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
