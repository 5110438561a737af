#include "io/test_peer.h"

#include <arpa/inet.h>
#include <sys/socket.h>
#include <unistd.h>

#include "io/ws_client.h"

/* A server on a thread of its own, and the client on this thread's loop. */
struct app {
	struct test_server test;
	struct loop *loop;
	struct ws_client *client;
	struct loop_timer *guard;
	unsigned int messages, opened, closed;
	size_t bytes;
	char text[64];
	int status;
	uint16_t code;
	char detail[256];
	bool quit_on_open;
};

/* ---- the server ---- */

static void server_message(void *arg, struct http_conn_id conn, enum ws_kind kind,
			   const void *bytes, size_t len)
{
	struct test_server *test = arg;

	if (len == 5 && memcmp(bytes, "close", 5) == 0)
		ws_close(test->server, conn, 4001, "server's wish");
	else
		ws_send(test->server, conn, kind, bytes, len);
}

static void server_close(_unused_ void *arg, _unused_ struct http_conn_id conn,
			 _unused_ uint16_t code)
{
}

static const struct ws_handler server_handler = { NULL, server_message, server_close };

static void on_request(void *arg, const struct http_request *request)
{
	static const char problem[] = "{\"title\":\"Unauthorized\",\"detail\":\"no token\"}";
	struct test_server *test = arg;
	const char *token = http_request_header(request, "authorization");

	if (!token || strcmp(token, "Bearer t") != 0)
		http_reply(test->server, request->conn, 401, NULL, 0, problem, sizeof(problem) - 1);
	else if (strcmp(request->path, "/silent") == 0)
		return;
	else
		http_upgrade(test->server, request->conn, &server_handler, test, NULL);
}

/* ---- the client ---- */

static void client_open(void *arg)
{
	struct app *app = arg;

	app->opened++;
	if (app->quit_on_open)
		loop_stop(app->loop);
	else
		assert_int_equal(ws_client_send(app->client, WS_TEXT, "hello", 5), 0);
}

static void client_message(void *arg, _unused_ enum ws_kind kind, const void *bytes, size_t len)
{
	struct app *app = arg;

	app->messages++;
	app->bytes += len;
	snprintf(app->text, sizeof(app->text), "%.*s", (int)len, (const char *)bytes);
	ws_client_close(app->client, 1000);
}

static void client_close(void *arg, int status, uint16_t code, const char *detail)
{
	struct app *app = arg;

	app->closed++;
	app->status = status;
	app->code = code;
	snprintf(app->detail, sizeof(app->detail), "%s", detail);
	app->client = NULL;
	loop_stop(app->loop);
}

static const struct ws_client_handler client_handler = { client_open, client_message,
							 client_close };

static void on_guard(void *arg)
{
	print_error("the client did not end\n");
	loop_stop(((struct app *)arg)->loop);
}

static void app_start(struct app *app)
{
	struct http_server_config config;

	*app = (struct app){ .status = -1 };
	http_server_config_init(&config);
	config.on_request = on_request;
	config.arg = &app->test;
	config.ws_max_message_bytes = 4 << 20;
	config.ws_max_queue_bytes = 8 << 20;
	test_server_start(&app->test, &config);
	assert_int_equal(loop_new(&app->loop), 0);
	assert_int_equal(loop_timer_new(app->loop, 8000, 0, on_guard, app, &app->guard), 0);
}

static void app_stop(struct app *app)
{
	loop_free(app->loop);
	test_server_stop(&app->test);
}

static int try_open(struct app *app, const char *url, const struct ws_client_handler *handler)
{
	static const struct http_header headers[] = { { "authorization", "Bearer t" } };
	const struct ws_client_config config = {
		.url = url,
		.headers = headers,
		.n_headers = strstr(url, "anonymous") ? 0 : 1,
		.connect_timeout_ms = 400,
		.ping_ms = 200,
		.max_message_bytes = 4 << 20,
		.max_queue_bytes = 1 << 20,
	};

	return ws_client_open(app->loop, &config, handler, app, &app->client);
}

/* A user's name is beyond the plain connection: it takes libcurl's. */
static const char *user = "";

static int through_libcurl(_unused_ void **state)
{
	user = "somebody@";
	return 0;
}

static void open_at(struct app *app, uint16_t port, const char *path,
		    const struct ws_client_handler *handler)
{
	char url[128];

	snprintf(url, sizeof(url), "ws://%s127.0.0.1:%u%s", user, port, path);
	assert_int_equal(try_open(app, url, handler), 0);
}

static void run(struct app *app, const char *path, const struct ws_client_handler *handler)
{
	open_at(app, app->test.port, path, handler);
	assert_int_equal(loop_run(app->loop), 0);
	assert_int_equal(app->closed, 1);
}

/* ---- tests ---- */

static void echoes(_unused_ void **state)
{
	struct app app;

	app_start(&app);
	run(&app, "/?q=1", &client_handler);
	assert_int_equal(app.messages, 1);
	assert_string_equal(app.text, "hello");
	assert_int_equal(app.status, 101);
	assert_int_equal(app.code, 1000);
	assert_string_equal(app.detail, "");
	app_stop(&app);
}

static void send_much(void *arg)
{
	static char bytes[300000];
	struct app *app = arg;

	for (int i = 0; i < 3; i++)
		assert_int_equal(ws_client_send(app->client, WS_BINARY, bytes, sizeof(bytes)), 0);
	assert_true(ws_client_queued(app->client) <= 900000);
	/* Whatever the socket took, this does not fit. */
	assert_int_equal(ws_client_send(app->client, WS_BINARY, bytes, (1 << 20) + 1), -EAGAIN);
}

static void count_much(void *arg, _unused_ enum ws_kind kind, _unused_ const void *bytes,
		       size_t len)
{
	struct app *app = arg;

	app->bytes += len;
	if (++app->messages == 3)
		assert_int_equal(ws_client_send(app->client, WS_TEXT, "close", 5), 0);
}

static void large_messages(_unused_ void **state)
{
	static const struct ws_client_handler handler = { send_much, count_much, client_close };
	struct app app;

	app_start(&app);
	run(&app, "/", &handler);
	assert_int_equal(app.bytes, 900000);
	assert_int_equal(app.code, 4001);
	assert_string_equal(app.detail, "server's wish");
	app_stop(&app);
}

static void refused(_unused_ void **state)
{
	struct app app;

	app_start(&app);
	run(&app, "/anonymous", &client_handler);
	assert_int_equal(app.opened, 0);
	assert_int_equal(app.status, 401);
	assert_string_equal(app.detail, "no token");
	app_stop(&app);
}

static void no_server(_unused_ void **state)
{
	struct app app;
	struct sockaddr_in address = { .sin_family = AF_INET };
	socklen_t len = sizeof(address);
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	/* Bound, so that nobody else has it; not listening, so that it refuses. */
	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &len), 0);
	app_start(&app);
	open_at(&app, ntohs(address.sin_port), "/", &client_handler);
	assert_int_equal(loop_run(app.loop), 0);
	assert_int_equal(app.closed, 1);
	assert_int_equal(app.status, 0);
	assert_int_equal(app.code, 1006);
	assert_non_null(strstr(app.detail, "connecting failed: "));
	app_stop(&app);
	close(fd);
}

static void no_answer(_unused_ void **state)
{
	struct app app;

	app_start(&app);
	run(&app, "/silent", &client_handler);
	assert_int_equal(app.status, 0);
	assert_non_null(strstr(app.detail, "did not answer in time"));
	app_stop(&app);
}

static void closed_while_connecting(_unused_ void **state)
{
	struct app app;

	app_start(&app);
	open_at(&app, app.test.port, "/", &client_handler);
	ws_client_close(app.client, 1000);
	assert_int_equal(app.closed, 0);
	assert_int_equal(loop_run(app.loop), 0);
	assert_int_equal(app.closed, 1);
	assert_int_equal(app.status, 0);
	app_stop(&app);
}

static void loop_ends_with_it(_unused_ void **state)
{
	struct app app;

	app_start(&app);
	app.quit_on_open = true;
	open_at(&app, app.test.port, "/", &client_handler);
	assert_int_equal(loop_run(app.loop), 0);
	assert_int_equal(app.opened, 1);
	assert_int_equal(app.closed, 0);
	app_stop(&app);
	assert_int_equal(app.closed, 1);
}

static void bad_urls(_unused_ void **state)
{
	static const char *const urls[] = { "",          "http://a/",      "ws://", "a",
					    "ws://a b/", "wss://a:99999/", "ws:/a", "ws://a/\r\n" };
	struct app app;

	app_start(&app);
	for (size_t i = 0; i < ARRAY_SIZE(urls); i++)
		assert_int_equal(try_open(&app, urls[i], &client_handler), -EINVAL);
	app_stop(&app);
}

/* ---- servers that misbehave ---- */

static int listen_raw(uint16_t *ret_port)
{
	struct sockaddr_in address = { .sin_family = AF_INET };
	socklen_t len = sizeof(address);
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(listen(fd, 4), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &len), 0);
	*ret_port = ntohs(address.sin_port);
	return fd;
}

struct raw {
	int fd, peer;
	const char *answer;
};

/* Once the client has connected and asked. */
static void raw_answer(void *arg)
{
	struct raw *raw = arg;

	raw->peer = accept(raw->fd, NULL, NULL);
	assert_true(raw->peer >= 0);
	test_send_text(raw->peer, raw->answer);
	shutdown(raw->peer, SHUT_WR);
}

static void bad_answers(_unused_ void **state)
{
	static const struct {
		const char *answer;
		int status;
	} rows[] = {
		{ "", 0 },
		{ "garbage\r\n\r\n", 0 },
		{ "HTTP/1.1 101 S\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n", 0 },
		{ "HTTP/1.1 101 S\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
		  "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n",
		  0 },
		{ "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi", 200 },
		{ "HTTP/1.1 404 Not Found\r\n\r\nuntil the end", 404 },
		{ "HTTP/1.1 503 S\r\nContent-Length: 9999\r\n\r\ncut", 503 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct raw raw = { .answer = rows[i].answer };
		struct loop_timer *timer;
		struct app app;
		uint16_t port;

		raw.fd = listen_raw(&port);
		app_start(&app);
		open_at(&app, port, "/", &client_handler);
		assert_int_equal(loop_timer_new(app.loop, 60, 0, raw_answer, &raw, &timer), 0);
		assert_int_equal(loop_run(app.loop), 0);
		assert_int_equal(app.closed, 1);
		assert_int_equal(app.opened, 0);
		assert_int_equal(app.status, rows[i].status);
		app_stop(&app);
		close(raw.peer);
		close(raw.fd);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(echoes),
		cmocka_unit_test(large_messages),
		cmocka_unit_test(refused),
		cmocka_unit_test(no_server),
		cmocka_unit_test(no_answer),
		cmocka_unit_test(closed_while_connecting),
		cmocka_unit_test(loop_ends_with_it),
		cmocka_unit_test(bad_urls),
		cmocka_unit_test(bad_answers),
	};

	int failed = cmocka_run_group_tests_name("plain", tests, NULL, NULL);

	return failed + cmocka_run_group_tests_name("libcurl", tests, through_libcurl, NULL);
}
