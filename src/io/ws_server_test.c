#include "io/test_peer.h"

#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>

#include "io/pool.h"
#include "io/ws_stream.h"

/* Echoes messages; "flood" is answered with megabytes, "close" with a close frame. "/later" is
 * upgraded from another thread. */
struct app {
	struct test_server test;
	struct pool *pool;
	unsigned int opened, closed;
	unsigned int last_code;
	struct http_conn_id last;
};

static void on_open(void *arg, struct http_conn_id conn)
{
	struct app *app = arg;

	__atomic_store_n(&app->last.value, conn.value, __ATOMIC_SEQ_CST);
	__atomic_add_fetch(&app->opened, 1, __ATOMIC_SEQ_CST);
}

static void on_message(void *arg, struct http_conn_id conn, enum ws_kind kind, const void *bytes,
		       size_t len)
{
	static char flood[65536];
	struct app *app = arg;

	if (len == 5 && memcmp(bytes, "flood", 5) == 0)
		for (int i = 0; i < 200; i++)
			ws_send(app->test.server, conn, WS_BINARY, flood, sizeof(flood));
	else if (len == 4 && memcmp(bytes, "last", 4) == 0) {
		for (int i = 0; i < 12; i++)
			ws_send(app->test.server, conn, WS_BINARY, flood, sizeof(flood));
		ws_close(app->test.server, conn, 1000, "done");
	} else if (len == 5 && memcmp(bytes, "close", 5) == 0)
		ws_close(app->test.server, conn, 4000, "as you wish");
	else
		ws_send(app->test.server, conn, kind, bytes, len);
}

static void on_close(void *arg, _unused_ struct http_conn_id conn, uint16_t code)
{
	struct app *app = arg;

	__atomic_store_n(&app->last_code, code, __ATOMIC_SEQ_CST);
	__atomic_add_fetch(&app->closed, 1, __ATOMIC_SEQ_CST);
}

static const struct ws_handler handler = { on_open, on_message, on_close };

struct later {
	struct app *app;
	struct http_conn_id conn;
};

static void upgrade_later(void *arg)
{
	struct later *later = arg;

	usleep(20000);
	http_upgrade(later->app->test.server, later->conn, &handler, later->app, "kaisar");
	free(later);
}

static void on_request(void *arg, const struct http_request *request)
{
	struct app *app = arg;
	struct later *later;

	if (!request->websocket) {
		http_reply(app->test.server, request->conn, 426, NULL, 0, "no", 2);
	} else if (strcmp(request->path, "/later") == 0) {
		later = malloc(sizeof(*later));
		*later = (struct later){ app, request->conn };
		if (pool_submit(app->pool, upgrade_later, later) < 0)
			abort();
	} else {
		http_upgrade(app->test.server, request->conn, &handler, app, NULL);
	}
}

static void config_init(struct http_server_config *config)
{
	http_server_config_init(config);
	config->ws_max_message_bytes = 100000;
	config->ws_max_queue_bytes = 1 << 20;
}

static void app_start(struct app *app, struct http_server_config *config)
{
	*app = (struct app){ .last_code = 0 };
	assert_int_equal(pool_new("test", 1, 16, &app->pool), 0);
	config->on_request = on_request;
	config->arg = app;
	test_server_start(&app->test, config);
}

static void app_stop(struct app *app)
{
	pool_free(app->pool);
	test_server_stop(&app->test);
	assert_int_equal(app->opened, app->closed);
}

static int setup(void **state)
{
	static struct app app;
	struct http_server_config config;

	config_init(&config);
	app_start(&app, &config);
	*state = &app;
	return 0;
}

static int teardown(void **state)
{
	app_stop(*state);
	return 0;
}

/* ---- a client of bytes ---- */

static int open_ws(struct app *app, const char *path)
{
	int fd = test_connect(app->test.port);
	char text[1024];

	snprintf(text, sizeof(text),
		 "GET %s HTTP/1.1\r\nHost: a\r\nUpgrade: WebSocket\r\nConnection: keep-alive, "
		 "Upgrade\r\n"
		 "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
		 path);
	test_send_text(fd, text);
	if (strcmp(path, "/later") == 0)
		return fd;
	assert_int_equal(test_read_answer(fd, text, sizeof(text)), 101);
	/* The example of RFC 6455. */
	assert_non_null(strstr(text, "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"));
	return fd;
}

enum { FIN = 0x80, MASKED = 0x80 };

/* Builds a frame as a client must; returns its length. */
static size_t frame(uint8_t *to, uint8_t first, const void *bytes, size_t len)
{
	static const uint8_t mask[4] = { 1, 2, 3, 4 };
	size_t n = 0;

	to[n++] = first;
	if (len < 126) {
		to[n++] = (uint8_t)(MASKED | len);
	} else if (len < 65536) {
		to[n++] = MASKED | 126;
		to[n++] = (uint8_t)(len >> 8);
		to[n++] = (uint8_t)len;
	} else {
		to[n++] = MASKED | 127;
		for (int shift = 56; shift >= 0; shift -= 8)
			to[n++] = (uint8_t)((uint64_t)len >> shift);
	}
	memcpy(to + n, mask, 4);
	n += 4;
	for (size_t i = 0; i < len; i++)
		to[n + i] = ((const uint8_t *)bytes)[i] ^ mask[i % 4];
	return n + len;
}

static void send_frame(int fd, uint8_t first, const void *bytes, size_t len)
{
	uint8_t *text = malloc(len + 16);

	test_send(fd, text, frame(text, first, bytes, len));
	free(text);
}

/* Reads one unmasked frame; returns its first byte, or 0 at the end. */
static int read_frame(int fd, char *ret_bytes, size_t size, size_t *ret_len)
{
	uint8_t head[10];
	size_t len;

	if (!test_read(fd, head, 2))
		return 0;
	assert_int_equal(head[1] & MASKED, 0);
	len = head[1];
	if (len == 126) {
		assert_true(test_read(fd, head + 2, 2));
		len = (size_t)head[2] << 8 | head[3];
	} else if (len == 127) {
		assert_true(test_read(fd, head + 2, 8));
		len = (size_t)head[6] << 24 | (size_t)head[7] << 16 | (size_t)head[8] << 8 |
		      head[9];
	}
	assert_true(len < size);
	if (!test_read(fd, ret_bytes, len))
		return 0;
	ret_bytes[len] = '\0';
	*ret_len = len;
	return head[0];
}

/* The next frame is a close with @code (0: without one), and then the end. */
static void expect_close(int fd, unsigned int code)
{
	char bytes[256];
	size_t len;

	assert_int_equal(read_frame(fd, bytes, sizeof(bytes), &len), FIN | 8);
	assert_true(len >= 2 || code == 0);
	if (len >= 2)
		assert_int_equal((uint8_t)bytes[0] << 8 | (uint8_t)bytes[1], code);
	assert_int_equal(test_read_all(fd, bytes, sizeof(bytes)), 0);
}

static void wait_closed(struct app *app, unsigned int n)
{
	for (int i = 0; i < 600 && __atomic_load_n(&app->closed, __ATOMIC_SEQ_CST) < n; i++)
		usleep(5000);
	assert_int_equal(__atomic_load_n(&app->closed, __ATOMIC_SEQ_CST), n);
}

static unsigned int opened(struct app *app)
{
	return __atomic_load_n(&app->opened, __ATOMIC_SEQ_CST);
}

static unsigned int last_code(struct app *app)
{
	return __atomic_load_n(&app->last_code, __ATOMIC_SEQ_CST);
}

/* ---- tests ---- */

static void echoes(void **state)
{
	static const size_t sizes[] = { 0, 1, 125, 126, 65535, 65536, 100000 };
	struct app *app = *state;
	int fd = open_ws(app, "/");
	char *bytes = malloc(100000), *back = malloc(100001);
	size_t len;

	memset(bytes, 'e', 100000);
	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		send_frame(fd, FIN | (i % 2 ? 1 : 2), bytes, sizes[i]);
		assert_int_equal(read_frame(fd, back, 100001, &len), FIN | (i % 2 ? 1 : 2));
		assert_int_equal(len, sizes[i]);
		assert_memory_equal(back, bytes, len);
	}
	send_frame(fd, FIN | 9, "ping", 4);
	assert_int_equal(read_frame(fd, back, 100001, &len), FIN | 10);
	assert_string_equal(back, "ping");
	send_frame(fd, FIN | 8, "\x03\xe8", 2);
	expect_close(fd, 1000);
	close(fd);
	wait_closed(app, opened(app));
	assert_int_equal(last_code(app), 1000);
	free(bytes);
	free(back);
}

static void split_everywhere(void **state)
{
	struct app *app = *state;
	uint8_t frames[64];
	char back[64];
	size_t n, len;
	int fd = open_ws(app, "/");

	/* A text in two fragments, a ping between them. */
	n = frame(frames, 1, "hel", 3);
	n += frame(frames + n, FIN | 9, "p", 1);
	n += frame(frames + n, FIN | 0, "lo", 2);
	for (size_t at = 1; at < n; at++) {
		test_send(fd, frames, at);
		usleep(300);
		test_send(fd, frames + at, n - at);
		assert_int_equal(read_frame(fd, back, sizeof(back), &len), FIN | 10);
		assert_int_equal(read_frame(fd, back, sizeof(back), &len), FIN | 1);
		assert_string_equal(back, "hello");
	}
	close(fd);
	wait_closed(app, opened(app));
	assert_int_equal(last_code(app), 1006);
}

static void refuses_frames(void **state)
{
	static const struct {
		uint8_t bytes[16];
		size_t len;
		unsigned int said, code;
	} rows[] = {
		/* unmasked, opcode, reserved bit, a continuation of nothing */
		{ { FIN | 1, 2, 'h', 'i' }, 4, 1002, 1002 },
		{ { FIN | 3, MASKED, 0, 0, 0, 0 }, 6, 1002, 1002 },
		{ { FIN | 0x40 | 1, MASKED, 0, 0, 0, 0 }, 6, 1002, 1002 },
		{ { FIN | 0, MASKED, 0, 0, 0, 0 }, 6, 1002, 1002 },
		/* fragmented ping, long ping, a long spelling of a length, half a close code: wslay
		 * says no code back */
		{ { 9, MASKED, 0, 0, 0, 0 }, 6, 0, 1002 },
		{ { FIN | 9, MASKED | 126, 0, 126, 0, 0, 0, 0 }, 8, 0, 1002 },
		{ { FIN | 1, MASKED | 126, 0, 1, 0, 0, 0, 0, 'a' }, 9, 0, 1002 },
		{ { FIN | 8, MASKED | 1, 0, 0, 0, 0, 3 }, 7, 0, 1002 },
		/* not UTF-8, a code that is never sent, too long */
		{ { FIN | 1, MASKED | 1, 0, 0, 0, 0, 0xff }, 7, 1007, 1007 },
		{ { FIN | 8, MASKED | 2, 0, 0, 0, 0, 3, 0xed }, 8, 1002, 1002 },
		{ { FIN | 2, MASKED | 127, 0, 0, 0, 0, 0, 1, 0x86, 0xa1 }, 15, 1009, 1009 },
	};
	struct app *app = *state;

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		int fd = open_ws(app, "/");

		test_send(fd, rows[i].bytes, rows[i].len);
		expect_close(fd, rows[i].said);
		close(fd);
		wait_closed(app, opened(app));
		assert_int_equal(last_code(app), rows[i].code);
	}
}

static void too_long_in_fragments(void **state)
{
	struct app *app = *state;
	int fd = open_ws(app, "/");
	char *bytes = calloc(1, 60000);

	send_frame(fd, 2, bytes, 60000);
	send_frame(fd, FIN | 0, bytes, 60000);
	expect_close(fd, 1009);
	close(fd);
	free(bytes);
	wait_closed(app, opened(app));
	assert_int_equal(last_code(app), 1009);
}

static void refuses_upgrades(void **state)
{
	static const char *const requests[] = {
		"GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
		"Sec-WebSocket-Version: 13\r\n\r\n",
		"GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
		"Sec-WebSocket-Version: 8\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
		"GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: short==\r\n\r\n",
		"GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\n"
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
		"GET / HTTP/1.1\r\nHost: a\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n"
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
		"POST / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
	};
	struct app *app = *state;
	char text[1024];

	for (size_t i = 0; i < ARRAY_SIZE(requests); i++) {
		int fd = test_connect(app->test.port);

		test_send_text(fd, requests[i]);
		assert_int_equal(test_read_answer(fd, text, sizeof(text)), 426);
		close(fd);
	}
}

static void upgraded_later(void **state)
{
	struct app *app = *state;
	int fd = open_ws(app, "/later");
	char text[1024];
	size_t len;

	/* Too early, but not lost. */
	send_frame(fd, FIN | 1, "early", 5);
	assert_int_equal(test_read_answer(fd, text, sizeof(text)), 101);
	assert_non_null(strstr(text, "Sec-WebSocket-Protocol: kaisar\r\n"));
	assert_int_equal(read_frame(fd, text, sizeof(text), &len), FIN | 1);
	assert_string_equal(text, "early");
	ws_send(app->test.server, app->last, WS_TEXT, "other thread", 12);
	assert_int_equal(read_frame(fd, text, sizeof(text), &len), FIN | 1);
	assert_string_equal(text, "other thread");
	ws_close(app->test.server, app->last, 1008, "enough");
	assert_int_equal(read_frame(fd, text, sizeof(text), &len), FIN | 8);
	assert_string_equal(text + 2, "enough");
	send_frame(fd, FIN | 8, "\x03\xf0", 2);
	assert_int_equal(test_read_all(fd, text, sizeof(text)), 0);
	close(fd);
	wait_closed(app, opened(app));
	assert_int_equal(last_code(app), 1008);
	/* All of these find nobody. */
	ws_send(app->test.server, app->last, WS_TEXT, "x", 1);
	ws_close(app->test.server, app->last, 1000, "");
}

static void upgrade_of_the_gone(void **state)
{
	struct app *app = *state;
	unsigned int before = __atomic_load_n(&app->closed, __ATOMIC_SEQ_CST);
	struct linger linger = { .l_onoff = 1 };
	int fd = open_ws(app, "/later");

	usleep(5000);
	setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
	close(fd);
	wait_closed(app, before + 1);
	assert_int_equal(last_code(app), 1006);
	/* on_close came without on_open: keep the sums equal for the end of the test. */
	__atomic_add_fetch(&app->opened, 1, __ATOMIC_SEQ_CST);
}

static void server_closes(void **state)
{
	struct app *app = *state;
	int fd = open_ws(app, "/");
	char text[256];
	size_t len;

	send_frame(fd, FIN | 1, "close", 5);
	assert_int_equal(read_frame(fd, text, sizeof(text), &len), FIN | 8);
	assert_memory_equal(text,
			    "\x0f\xa0"
			    "as you wish",
			    13);
	send_frame(fd, FIN | 8, "\x0f\xa0", 2);
	assert_int_equal(test_read_all(fd, text, sizeof(text)), 0);
	close(fd);
	wait_closed(app, opened(app));
	assert_int_equal(last_code(app), 4000);
}

static void close_waits_for_messages(void **state)
{
	struct app *app = *state;
	int fd = open_ws(app, "/");
	char *bytes = malloc(70000);
	size_t len;

	send_frame(fd, FIN | 1, "last", 4);
	for (int i = 0; i < 12; i++) {
		assert_int_equal(read_frame(fd, bytes, 70000, &len), FIN | 2);
		assert_int_equal(len, 65536);
	}
	assert_int_equal(read_frame(fd, bytes, 70000, &len), FIN | 8);
	assert_memory_equal(bytes,
			    "\x03\xe8"
			    "done",
			    6);
	close(fd);
	free(bytes);
	wait_closed(app, opened(app));
}

static void slow_reader_is_cut(void **state)
{
	struct app *app = *state;
	int fd = open_ws(app, "/");
	char *bytes = malloc(1 << 24);

	/* 13 MB against a queue of 1 MB. */
	send_frame(fd, FIN | 1, "flood", 5);
	wait_closed(app, opened(app));
	assert_int_equal(last_code(app), 1006);
	assert_int_equal(test_read_all(fd, bytes, 1 << 24), -ECONNRESET);
	close(fd);
	free(bytes);
}

static void silent_peer_is_cut(_unused_ void **state)
{
	struct http_server_config config;
	struct app app;
	char text[256];
	size_t len;
	int fd, pings = 0;

	config_init(&config);
	config.ws_ping_ms = 80;
	app_start(&app, &config);
	fd = open_ws(&app, "/");
	/* Pongs keep it alive. */
	while (pings < 5) {
		assert_int_equal(read_frame(fd, text, sizeof(text), &len), FIN | 9);
		send_frame(fd, FIN | 10, text, len);
		pings++;
	}
	assert_int_equal(__atomic_load_n(&app.closed, __ATOMIC_SEQ_CST), 0);
	while (read_frame(fd, text, sizeof(text), &len) == (FIN | 9))
		;
	wait_closed(&app, 1);
	assert_int_equal(last_code(&app), 1006);
	close(fd);
	app_stop(&app);
}

static void on_drained(void *arg)
{
	__atomic_store_n((bool *)arg, true, __ATOMIC_SEQ_CST);
}

struct drain {
	struct http_server *server;
	bool done;
};

static void drain_on_loop(void *arg)
{
	struct drain *drain = arg;

	http_server_drain(drain->server, 5000, on_drained, &drain->done);
}

static void drain_says_1001(_unused_ void **state)
{
	struct http_server_config config;
	struct drain drain = { .done = false };
	struct app app;
	char text[256];
	size_t len;
	int fd;

	config_init(&config);
	app_start(&app, &config);
	drain.server = app.test.server;
	fd = open_ws(&app, "/");
	assert_int_equal(loop_post(app.test.loop, drain_on_loop, &drain), 0);
	assert_int_equal(read_frame(fd, text, sizeof(text), &len), FIN | 8);
	assert_memory_equal(text, "\x03\xe9", 2);
	send_frame(fd, FIN | 8, "\x03\xe9", 2);
	assert_int_equal(test_read_all(fd, text, sizeof(text)), 0);
	close(fd);
	for (int i = 0; i < 200 && !__atomic_load_n(&drain.done, __ATOMIC_SEQ_CST); i++)
		usleep(5000);
	assert_true(__atomic_load_n(&drain.done, __ATOMIC_SEQ_CST));
	app_stop(&app);
}

static void stopped_with_open_ones(_unused_ void **state)
{
	struct http_server_config config;
	struct app app;
	int fd;

	config_init(&config);
	app_start(&app, &config);
	fd = open_ws(&app, "/");
	app_stop(&app);
	assert_int_equal(app.closed, 1);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(echoes),
		cmocka_unit_test(split_everywhere),
		cmocka_unit_test(refuses_frames),
		cmocka_unit_test(too_long_in_fragments),
		cmocka_unit_test(refuses_upgrades),
		cmocka_unit_test(upgraded_later),
		cmocka_unit_test(upgrade_of_the_gone),
		cmocka_unit_test(server_closes),
		cmocka_unit_test(close_waits_for_messages),
		cmocka_unit_test(slow_reader_is_cut),
		cmocka_unit_test(silent_peer_is_cut),
		cmocka_unit_test(drain_says_1001),
		cmocka_unit_test(stopped_with_open_ones),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
