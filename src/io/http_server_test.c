#include "io/test_peer.h"

#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>

#include "io/pool.h"

/* What the server under test does: "/later" answers from another thread, "/keep" remembers the id,
 * anything else says what came. */
struct app {
	struct test_server test;
	struct pool *pool;
	struct http_conn_id kept;
	size_t big; /* bytes that "/big" answers */
	char *big_body;
};

struct later {
	struct app *app;
	struct http_conn_id conn;
};

static void answer_later(void *arg)
{
	struct later *later = arg;
	struct http_header header = { "content-type", "text/plain" };

	usleep(2000);
	http_reply(later->app->test.server, later->conn, 200, &header, 1, "later", 5);
	free(later);
}

static void echo(struct app *app, const struct http_request *request)
{
	const char *host = http_request_header(request, "host");
	char text[65536];
	int len;

	len = snprintf(text, sizeof(text), "%d %s?%s host=%s ws=%d len=%zu %.*s",
		       (int)request->method, request->path, request->query, host ? host : "-",
		       request->websocket, request->body_len,
		       (int)size_min(request->body_len, 1000), request->body);
	if (request->body[request->body_len] != 0)
		abort();
	http_reply(app->test.server, request->conn, 200, NULL, 0, text, (size_t)len);
}

static void on_request(void *arg, const struct http_request *request)
{
	struct app *app = arg;

	if (strcmp(request->path, "/later") == 0) {
		struct later *later = malloc(sizeof(*later));

		*later = (struct later){ app, request->conn };
		if (pool_submit(app->pool, answer_later, later) < 0)
			abort();
	} else if (strcmp(request->path, "/keep") == 0) {
		__atomic_store_n(&app->kept.value, request->conn.value, __ATOMIC_SEQ_CST);
	} else if (strcmp(request->path, "/big") == 0) {
		http_reply(app->test.server, request->conn, 200, NULL, 0, app->big_body, app->big);
	} else if (strcmp(request->path, "/empty") == 0) {
		http_reply(app->test.server, request->conn, 204, NULL, 0, NULL, 0);
	} else if (strcmp(request->path, "/split") == 0) {
		struct http_header bad = { "x-split", "a\r\nset-cookie: b" };

		http_reply(app->test.server, request->conn, 200, &bad, 1, "x", 1);
	} else {
		echo(app, request);
	}
}

static void app_start(struct app *app, struct http_server_config *config)
{
	*app = (struct app){ .big = 8 << 20 };
	app->big_body = malloc(app->big);
	memset(app->big_body, 'b', app->big);
	assert_int_equal(pool_new("test", 2, 64, &app->pool), 0);
	config->on_request = on_request;
	config->arg = app;
	test_server_start(&app->test, config);
}

static void app_stop(struct app *app)
{
	pool_free(app->pool);
	test_server_stop(&app->test);
	free(app->big_body);
}

static int setup(void **state)
{
	static struct app app;
	struct http_server_config config;

	http_server_config_init(&config);
	config.max_header_bytes = 4096;
	config.max_body_bytes = 100000;
	app_start(&app, &config);
	*state = &app;
	return 0;
}

static int teardown(void **state)
{
	app_stop(*state);
	return 0;
}

/* ---- well-formed ---- */

static void plain(void **state)
{
	struct app *app = *state;
	int fd = test_connect(app->test.port);
	char text[4096];

	test_send_text(fd, "GET /a/b?c=d HTTP/1.1\r\nHost: h:1\r\nX-Empty:\r\n\r\n");
	assert_int_equal(test_read_answer(fd, text, sizeof(text)), 200);
	assert_non_null(strstr(text, "\r\n\r\n0 /a/b?c=d host=h:1 ws=0 len=0 "));
	assert_non_null(strstr(text, "\r\nDate: "));
	assert_null(strstr(text, "Connection: close"));
	test_send_text(fd, "\r\nHEAD /x HTTP/1.1\r\nHost: h\r\n\r\n");
	assert_true(test_read(fd, text, 12));
	assert_memory_equal(text, "HTTP/1.1 200", 12);
	test_send_text(
		fd,
		"GET http://h.example:80/abs?q HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
	assert_true(test_read_all(fd, text, sizeof(text)) > 0);
	/* HEAD had no body: the next status line follows its header. */
	assert_non_null(strstr(text, "\r\n\r\nHTTP/1.1 200 OK\r\n"));
	assert_non_null(strstr(text, "Connection: close\r\n"));
	assert_non_null(strstr(text, "0 /abs?q host=h "));
	close(fd);
}

static void split_everywhere(void **state)
{
	static const char *const requests[] = {
		"POST /p?q=1 HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nConnection: "
		"close\r\n\r\nhello",
		"POST /p?q=1 HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nConnection: "
		"close\r\n\r\n"
		"2;x=y\r\nhe\r\n003\r\nllo\r\n0\r\nT: v\r\n\r\n",
	};
	struct app *app = *state;
	char text[4096];

	for (size_t i = 0; i < ARRAY_SIZE(requests); i++) {
		size_t len = strlen(requests[i]);

		for (size_t at = 1; at < len; at++) {
			int fd = test_connect(app->test.port);

			test_send(fd, requests[i], at);
			usleep(300);
			test_send(fd, requests[i] + at, len - at);
			assert_int_equal(test_read_answer(fd, text, sizeof(text)), 200);
			assert_non_null(strstr(text, "1 /p?q=1 host=a ws=0 len=5 hello"));
			close(fd);
		}
	}
}

static void byte_by_byte(void **state)
{
	static const char request[] =
		"POST /p HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n"
		"Connection: close\r\n\r\n5\r\nhello\r\nA\r\n0123456789\r\n0\r\n\r\n";
	struct app *app = *state;
	int fd = test_connect(app->test.port);
	char text[4096];

	for (size_t i = 0; i < sizeof(request) - 1; i++) {
		test_send(fd, request + i, 1);
		usleep(100);
	}
	assert_int_equal(test_read_answer(fd, text, sizeof(text)), 200);
	assert_non_null(strstr(text, "len=15 hello0123456789"));
	close(fd);
}

static void pipelined(void **state)
{
	struct app *app = *state;
	int fd = test_connect(app->test.port);
	char text[4096], want[64], request[128];

	for (int i = 0; i < 300; i++) {
		snprintf(request, sizeof(request),
			 i % 3 ? "POST /n%d HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc"
			       : "GET /later?%d HTTP/1.1\r\nHost: a\r\n\r\n",
			 i);
		test_send_text(fd, request);
	}
	shutdown(fd, SHUT_WR);
	for (int i = 0; i < 300; i++) {
		assert_int_equal(test_read_answer(fd, text, sizeof(text)), 200);
		snprintf(want, sizeof(want), i % 3 ? "1 /n%d? host=a ws=0 len=3 abc" : "later", i);
		assert_non_null(strstr(text, want));
	}
	/* The client had half closed: all answered, then the end. */
	assert_int_equal(test_read_all(fd, text, sizeof(text)), 0);
	close(fd);
}

static void large_body(void **state)
{
	struct app *app = *state;
	int fd = test_connect(app->test.port);
	char text[4096], *body = malloc(100000);

	memset(body, 'x', 100000);
	test_send_text(fd, "POST /l HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n");
	test_send(fd, body, 100000);
	assert_int_equal(test_read_answer(fd, text, sizeof(text)), 200);
	assert_non_null(strstr(text, "len=100000 xxx"));
	test_send_text(fd, "POST /l HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n");
	for (int i = 0; i < 100; i++) {
		test_send_text(fd, "3e8\r\n");
		test_send(fd, body, 1000);
		test_send_text(fd, "\r\n");
	}
	test_send_text(fd, "0\r\n\r\n");
	assert_int_equal(test_read_answer(fd, text, sizeof(text)), 200);
	assert_non_null(strstr(text, "len=100000 xxx"));
	free(body);
	close(fd);
}

static void large_answer(void **state)
{
	struct app *app = *state;
	int fd = test_connect(app->test.port);
	char *text = malloc(app->big + 4096);

	for (int i = 0; i < 3; i++) {
		test_send_text(fd, "GET /big HTTP/1.1\r\nHost: a\r\n\r\n");
		assert_int_equal(test_read_answer(fd, text, app->big + 4096), 200);
		assert_int_equal(text[app->big], 'b');
	}
	free(text);
	close(fd);
}

static void expect_continue(void **state)
{
	struct app *app = *state;
	int fd = test_connect(app->test.port);
	char text[4096];

	test_send_text(fd, "POST /e HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n"
			   "Expect: 100-continue\r\n\r\n");
	assert_int_equal(test_read_answer(fd, text, sizeof(text)), 100);
	test_send_text(fd, "hi");
	assert_int_equal(test_read_answer(fd, text, sizeof(text)), 200);
	assert_non_null(strstr(text, "len=2 hi"));
	/* Too long is said before the body is asked for. */
	test_send_text(fd, "POST /e HTTP/1.1\r\nHost: a\r\nContent-Length: 200000\r\n"
			   "Expect: 100-continue\r\n\r\n");
	assert_int_equal(test_read_answer(fd, text, sizeof(text)), 413);
	close(fd);
}

static void no_content_and_old(void **state)
{
	struct app *app = *state;
	int fd = test_connect(app->test.port);
	char text[4096];

	test_send_text(fd, "GET /empty HTTP/1.1\r\nHost: a\r\n\r\n");
	assert_int_equal(test_read_answer(fd, text, sizeof(text)), 204);
	assert_null(strstr(text, "Content-Length"));
	test_send_text(fd, "GET /split HTTP/1.1\r\nHost: a\r\n\r\n");
	assert_int_equal(test_read_answer(fd, text, sizeof(text)), 500);
	assert_null(strstr(text, "set-cookie"));
	test_send_text(fd, "GET /old HTTP/1.0\r\n\r\n");
	assert_true(test_read_all(fd, text, sizeof(text)) > 0);
	assert_non_null(strstr(text, "Connection: close"));
	assert_non_null(strstr(text, "0 /old? host=- "));
	close(fd);
}

/* ---- time and limits ---- */

static void slow_clients(_unused_ void **state)
{
	struct http_server_config config;
	struct app app;
	char text[4096];
	int fd;

	http_server_config_init(&config);
	config.header_timeout_ms = 150;
	config.body_timeout_ms = 150;
	config.idle_timeout_ms = 150;
	app_start(&app, &config);
	/* Bytes keep coming, which must not push the deadline away. */
	fd = test_connect(app.test.port);
	for (int i = 0; i < 12; i++) {
		test_send(fd, &"GET / HTTP/1"[i], 1);
		usleep(20000);
	}
	assert_int_equal(test_read_answer(fd, text, sizeof(text)), 408);
	close(fd);
	fd = test_connect(app.test.port);
	test_send_text(fd, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\n");
	for (int i = 0; i < 12; i++) {
		test_send(fd, "x", 1);
		usleep(20000);
	}
	assert_int_equal(test_read_answer(fd, text, sizeof(text)), 408);
	close(fd);
	/* Idle: closed without a word. */
	fd = test_connect(app.test.port);
	test_send_text(fd, "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
	assert_int_equal(test_read_answer(fd, text, sizeof(text)), 200);
	assert_int_equal(test_read_all(fd, text, sizeof(text)), 0);
	close(fd);
	app_stop(&app);
}

static void slow_reader(_unused_ void **state)
{
	struct http_server_config config;
	struct app app;
	char text[65536];
	int fd, r;

	http_server_config_init(&config);
	config.send_timeout_ms = 150;
	app_start(&app, &config);
	fd = test_connect(app.test.port);
	test_send_text(fd, "GET /big HTTP/1.1\r\nHost: a\r\n\r\n");
	usleep(600000);
	do
		r = test_read_all(fd, text, sizeof(text));
	while (r == sizeof(text) - 1);
	assert_int_equal(r, -ECONNRESET);
	close(fd);
	app_stop(&app);
}

static void too_many(_unused_ void **state)
{
	struct http_server_config config;
	struct app app;
	char text[4096];
	int a, b, c;

	http_server_config_init(&config);
	config.max_connections = 2;
	app_start(&app, &config);
	a = test_connect(app.test.port);
	b = test_connect(app.test.port);
	test_send_text(a, "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
	test_send_text(b, "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
	assert_int_equal(test_read_answer(a, text, sizeof(text)), 200);
	assert_int_equal(test_read_answer(b, text, sizeof(text)), 200);
	c = test_connect(app.test.port);
	test_send_text(c, "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
	assert_int_equal(test_read_answer(c, text, sizeof(text)), 503);
	assert_non_null(strstr(text, "retry-after: 1\r\n"));
	close(c);
	close(a);
	usleep(50000);
	c = test_connect(app.test.port);
	test_send_text(c, "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
	assert_int_equal(test_read_answer(c, text, sizeof(text)), 200);
	close(b);
	close(c);
	app_stop(&app);
}

static void reset(int fd)
{
	struct linger linger = { .l_onoff = 1 };

	setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
	close(fd);
}

static uint64_t wait_kept(struct app *app)
{
	uint64_t value;

	while (!(value = __atomic_exchange_n(&app->kept.value, 0, __ATOMIC_SEQ_CST)))
		usleep(500);
	return value;
}

static void stale_ids(void **state)
{
	struct app *app = *state;
	struct http_conn_id first, second;
	char text[4096];
	int fd;

	/* The connection is reset before its answer comes; another takes its place. */
	fd = test_connect(app->test.port);
	test_send_text(fd, "GET /keep HTTP/1.1\r\nHost: a\r\n\r\n");
	first.value = wait_kept(app);
	reset(fd);
	usleep(20000);
	fd = test_connect(app->test.port);
	test_send_text(fd, "GET /keep HTTP/1.1\r\nHost: a\r\n\r\n");
	second.value = wait_kept(app);
	assert_true(first.value != second.value);
	http_reply(app->test.server, first, 500, NULL, 0, "stale", 5);
	http_reply(app->test.server, second, 200, NULL, 0, "fresh", 5);
	http_reply(app->test.server, second, 500, NULL, 0, "twice", 5);
	http_reply(app->test.server, (struct http_conn_id){ 0 }, 500, NULL, 0, NULL, 0);
	http_reply(app->test.server, (struct http_conn_id){ UINT64_MAX }, 500, NULL, 0, NULL, 0);
	assert_int_equal(test_read_answer(fd, text, sizeof(text)), 200);
	assert_non_null(strstr(text, "fresh"));
	test_send_text(fd, "GET /next HTTP/1.1\r\nHost: a\r\n\r\n");
	assert_int_equal(test_read_answer(fd, text, sizeof(text)), 200);
	assert_non_null(strstr(text, "/next"));
	close(fd);
}

static void resets_anywhere(void **state)
{
	static const char request[] =
		"POST /big HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello";
	struct app *app = *state;
	char text[4096];
	int fd;

	for (size_t at = 1; at < sizeof(request); at += 3) {
		fd = test_connect(app->test.port);
		test_send(fd, request, at);
		usleep(300);
		reset(fd);
	}
	for (int i = 0; i < 20; i++) {
		fd = test_connect(app->test.port);
		test_send_text(fd, i % 2 ? "GET /later HTTP/1.1\r\nHost: a\r\n\r\n" : request);
		usleep((unsigned int)i * 100);
		reset(fd);
	}
	fd = test_connect(app->test.port);
	test_send_text(fd, "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
	assert_int_equal(test_read_answer(fd, text, sizeof(text)), 200);
	close(fd);
}

/* ---- the end ---- */

static void on_drained(void *arg)
{
	__atomic_store_n((bool *)arg, true, __ATOMIC_SEQ_CST);
}

struct drain {
	struct http_server *server;
	uint64_t timeout_ms;
	bool done;
};

static void drain_on_loop(void *arg)
{
	struct drain *drain = arg;

	http_server_drain(drain->server, drain->timeout_ms, on_drained, &drain->done);
}

static void drains(_unused_ void **state)
{
	struct http_server_config config;
	struct drain drain = { .timeout_ms = 5000 };
	struct http_conn_id kept;
	struct app app;
	char text[4096];
	int idle, busy;

	http_server_config_init(&config);
	app_start(&app, &config);
	drain.server = app.test.server;
	idle = test_connect(app.test.port);
	busy = test_connect(app.test.port);
	test_send_text(busy, "GET /keep HTTP/1.1\r\nHost: a\r\n\r\n");
	kept.value = wait_kept(&app);
	assert_int_equal(loop_post(app.test.loop, drain_on_loop, &drain), 0);
	/* The idle one ends at once, the busy one with its answer. */
	assert_int_equal(test_read_all(idle, text, sizeof(text)), 0);
	close(idle);
	assert_false(__atomic_load_n(&drain.done, __ATOMIC_SEQ_CST));
	http_reply(app.test.server, kept, 200, NULL, 0, "last", 4);
	assert_true(test_read_all(busy, text, sizeof(text)) > 0);
	assert_non_null(strstr(text, "Connection: close\r\n"));
	assert_non_null(strstr(text, "last"));
	close(busy);
	for (int i = 0; i < 200 && !__atomic_load_n(&drain.done, __ATOMIC_SEQ_CST); i++)
		usleep(5000);
	assert_true(__atomic_load_n(&drain.done, __ATOMIC_SEQ_CST));
	app_stop(&app);
}

static void drain_ends(_unused_ void **state)
{
	struct http_server_config config;
	struct drain drain = { .timeout_ms = 50 };
	struct app app;
	char text[64];
	int fd;

	http_server_config_init(&config);
	app_start(&app, &config);
	drain.server = app.test.server;
	fd = test_connect(app.test.port);
	test_send_text(fd, "GET /keep HTTP/1.1\r\nHost: a\r\n\r\n");
	wait_kept(&app);
	assert_int_equal(loop_post(app.test.loop, drain_on_loop, &drain), 0);
	assert_int_equal(test_read_all(fd, text, sizeof(text)), -ECONNRESET);
	close(fd);
	for (int i = 0; i < 200 && !__atomic_load_n(&drain.done, __ATOMIC_SEQ_CST); i++)
		usleep(5000);
	assert_true(__atomic_load_n(&drain.done, __ATOMIC_SEQ_CST));
	app_stop(&app);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(plain),           cmocka_unit_test(split_everywhere),
		cmocka_unit_test(byte_by_byte),    cmocka_unit_test(pipelined),
		cmocka_unit_test(large_body),      cmocka_unit_test(large_answer),
		cmocka_unit_test(expect_continue), cmocka_unit_test(no_content_and_old),
		cmocka_unit_test(slow_clients),    cmocka_unit_test(slow_reader),
		cmocka_unit_test(too_many),        cmocka_unit_test(stale_ids),
		cmocka_unit_test(resets_anywhere), cmocka_unit_test(drains),
		cmocka_unit_test(drain_ends),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
