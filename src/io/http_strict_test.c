/* What must be refused, with which status, and without showing a request. */
#include "io/test_peer.h"

#include <unistd.h>

struct app {
	struct test_server test;
	unsigned int shown; /* requests */
};

static void on_request(void *arg, const struct http_request *request)
{
	struct app *app = arg;

	__atomic_add_fetch(&app->shown, 1, __ATOMIC_SEQ_CST);
	http_reply(app->test.server, request->conn, 200, NULL, 0, "shown", 5);
}

static int setup(void **state)
{
	static struct app app;
	struct http_server_config config;

	http_server_config_init(&config);
	config.max_header_bytes = 4096;
	config.max_body_bytes = 100000;
	config.on_request = on_request;
	config.arg = &app;
	test_server_start(&app.test, &config);
	*state = &app;
	return 0;
}

static int teardown(void **state)
{
	test_server_stop(&((struct app *)*state)->test);
	return 0;
}

static unsigned int shown(struct app *app)
{
	return __atomic_load_n(&app->shown, __ATOMIC_SEQ_CST);
}

static const struct malformed {
	const char *text;
	int status;
} malformed[] = {
	{ "GET / HTTP/1.1\r\n\r\n", 400 },
	{ "GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", 400 },
	{ "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400 },
	{ "GET / HTTP/1.1\r\nHost:\r\n\r\n", 400 },
	{ "GET / HTTP/1.1\r\nHost: a, b\r\n\r\n", 400 },
	{ "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", 400 },
	{ "GET / HTTP/1.1\r\nHost: u@a\r\n\r\n", 400 },
	{ "GET / HTTP/1.1\nHost: a\n\n", 400 },
	{ "GET / HTTP/1.1\r\nHost: a\n\r\n", 400 },
	{ "GET / HTTP/1.1\r\nHost: a\r\n\n", 400 },
	{ "GET / HTTP/1.1\rHost: a\r\r", 400 },
	{ "GET / HTTP/1.1\r\nHost: a\r\nX: b\rY: c\r\n\r\n", 400 },
	{ "GET / HTTP/1.1\r\nHost: a\r\nX: b\r\n c\r\n\r\n", 400 },
	{ "GET / HTTP/1.1\r\nHost: a\r\nX: b\r\n\tc\r\n\r\n", 400 },
	{ "GET / HTTP/1.1\r\n Host: a\r\n\r\n", 400 },
	{ "GET / HTTP/1.1\r\nHost : a\r\n\r\n", 400 },
	{ "GET / HTTP/1.1\r\nHost\t: a\r\n\r\n", 400 },
	{ "GET / HTTP/1.1\r\nHost: a\r\nX Y: b\r\n\r\n", 400 },
	{ "GET / HTTP/1.1\r\nHost: a\r\n: b\r\n\r\n", 400 },
	{ "GET / HTTP/1.1\r\nHost: a\r\nnocolon\r\n\r\n", 400 },
	{ "GET / HTTP/1.1\r\nHost: a\r\nX(: b\r\n\r\n", 400 },
	{ "GET / HTTP/1.1\r\nHost: a\r\nX: \x01\r\n\r\n", 400 },
	{ "GET / HTTP/1.1\r\nHost: a\r\nX: \x7f\r\n\r\n", 400 },
	{ "GET  / HTTP/1.1\r\nHost: a\r\n\r\n", 400 },
	{ "GET /  HTTP/1.1\r\nHost: a\r\n\r\n", 400 },
	{ " GET / HTTP/1.1\r\nHost: a\r\n\r\n", 400 },
	{ "GET\t/ HTTP/1.1\r\nHost: a\r\n\r\n", 400 },
	{ "GET / HTTP/1.1 \r\nHost: a\r\n\r\n", 400 },
	{ "GET / a HTTP/1.1\r\nHost: a\r\n\r\n", 400 },
	{ "GET /\x80 HTTP/1.1\r\nHost: a\r\n\r\n", 400 },
	{ "GET /#f HTTP/1.1\r\nHost: a\r\n\r\n", 400 },
	{ "GET a HTTP/1.1\r\nHost: a\r\n\r\n", 400 },
	{ "GET * HTTP/1.1\r\nHost: a\r\n\r\n", 400 },
	{ "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", 400 },
	{ "GET http:///x HTTP/1.1\r\nHost: a\r\n\r\n", 400 },
	{ "GET http://a@b/x HTTP/1.1\r\nHost: a\r\n\r\n", 400 },
	{ "GET ftp://a/x HTTP/1.1\r\nHost: a\r\n\r\n", 400 },
	{ "GET http:/x HTTP/1.1\r\nHost: a\r\n\r\n", 400 },
	{ "GET /\r\n\r\n", 400 },
	{ "GET\r\n\r\n", 400 },
	{ "\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", 400 },
	{ "GET / HTTP/1.1x\r\nHost: a\r\n\r\n", 400 },
	{ "GET / http/1.1\r\nHost: a\r\n\r\n", 400 },
	{ "GET / HTTP/11\r\nHost: a\r\n\r\n", 400 },
	{ "GET / HTTP/2.0\r\nHost: a\r\n\r\n", 505 },
	{ "GET / HTTP/1.2\r\nHost: a\r\n\r\n", 505 },
	{ "get / HTTP/1.1\r\nHost: a\r\n\r\n", 400 },
	{ "BREW / HTTP/1.1\r\nHost: a\r\n\r\n", 400 },
	{ "TRACE / HTTP/1.1\r\nHost: a\r\n\r\n", 501 },
	{ "CONNECT a:80 HTTP/1.1\r\nHost: a\r\n\r\n", 501 },
	{ "\x16\x03\x01\x02\x01\x01\xfc", 400 },
	{ "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400 },
	{ "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: "
	  "chunked\r\n\r\n0\r\n\r\n",
	  400 },
	{ "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nContent-Length: "
	  "1\r\n\r\n0\r\n\r\n",
	  400 },
	{ "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab", 400 },
	{ "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\na", 400 },
	{ "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1, 1\r\n\r\na", 400 },
	{ "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: +1\r\n\r\na", 400 },
	{ "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\na", 400 },
	{ "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0x1\r\n\r\na", 400 },
	{ "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1 1\r\n\r\na", 400 },
	{ "POST / HTTP/1.1\r\nHost: a\r\nContent-Length:\r\n\r\na", 400 },
	{ "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999999999999999999\r\n\r\na", 400 },
	{ "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100001\r\n\r\na", 413 },
	{ "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\n\r\n0\r\n\r\n", 400 },
	{ "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", 400 },
	{ "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
	  400 },
	{ "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: identity\r\n\r\n", 400 },
	{ "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n"
	  "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
	  400 },
	{ "POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400 },
	{ "POST / HTTP/1.1\r\nHost: a\r\nExpect: tea\r\nContent-Length: 1\r\n\r\na", 417 },
};

/* The chunked bodies that must be refused, behind a good header. */
static const struct malformed chunks[] = {
	{ "g\r\n", 400 },
	{ "\r\n", 400 },
	{ " 1\r\na\r\n0\r\n\r\n", 400 },
	{ "1 \r\na\r\n0\r\n\r\n", 400 },
	{ "0x1\r\na\r\n0\r\n\r\n", 400 },
	{ "-1\r\na\r\n0\r\n\r\n", 400 },
	{ "1\na\n0\n\n", 400 },
	{ "1\r\nab\r\n0\r\n\r\n", 400 },
	{ "1\r\nabb0\r\n\r\n", 400 },
	{ "1\r\nab\n0\r\n\r\n", 400 },
	{ "1\r\na\rb0\r\n\r\n", 400 },
	{ "1\r\na\n0\r\n\r\n", 400 },
	{ "1;x\ny\r\na\r\n0\r\n\r\n", 400 },
	{ "1;x\rya\r\n0\r\n\r\n", 400 },
	{ "0\r\n\n", 400 },
	{ "0\r\n x: y\r\n\r\n", 400 },
	{ "0\r\nx: y\n\r\n", 400 },
	{ "1111111111111111\r\n", 400 },
	{ "ffffffffffffffff\r\n", 400 },
	{ "fffffffffffffff\r\n", 413 },
	{ "186a1\r\n", 413 },
};

static void refuses(struct app *app, const char *head, const struct malformed *row)
{
	unsigned int before = shown(app);
	int fd = test_connect(app->test.port), status = 0;
	char text[4096];

	test_send_text(fd, head);
	test_send_text(fd, row->text);
	/* To the end: the connection must be closed, and not by a reset. */
	assert_true(test_read_all(fd, text, sizeof(text)) > 0);
	if (sscanf(text, "HTTP/1.1 %d ", &status) != 1 || status != row->status)
		fail_msg("%s%s: %s", head, row->text, text);
	assert_non_null(strstr(text, "Connection: close\r\n"));
	assert_int_equal(shown(app), before);
	close(fd);
}

static void refuses_malformed(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(malformed); i++)
		refuses(*state, "", &malformed[i]);
	for (size_t i = 0; i < ARRAY_SIZE(chunks); i++)
		refuses(*state, "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n",
			&chunks[i]);
}

static void refuses_nul(void **state)
{
	static const char request[] = "GET / HTTP/1.1\r\nHost: a\r\nX: a\0b\r\n\r\n";
	struct app *app = *state;
	int fd = test_connect(app->test.port);
	char text[4096];

	test_send(fd, request, sizeof(request) - 1);
	assert_int_equal(test_read_answer(fd, text, sizeof(text)), 400);
	close(fd);
}

static void refuses_long(void **state)
{
	struct malformed row = { .status = 414 };
	char text[20000];
	size_t len = 0;

	memset(text, 'a', sizeof(text));
	memcpy(text, "GET /", 5);
	text[5000] = '\0';
	row.text = text;
	refuses(*state, "", &row);
	memcpy(text, "GET / HTTP/1.1\r\nHost: a\r\nX: ", 28);
	row.status = 431;
	refuses(*state, "", &row);
	len = (size_t)snprintf(text, sizeof(text), "GET / HTTP/1.1\r\nHost: a\r\n");
	for (int i = 0; i < 64; i++)
		len += (size_t)snprintf(text + len, sizeof(text) - len, "x%d: y\r\n", i);
	snprintf(text + len, sizeof(text) - len, "\r\n");
	refuses(*state, "", &row);
	memset(text, 'a', sizeof(text));
	text[10000] = '\0';
	memcpy(text, "0\r\n", 3);
	refuses(*state, "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n", &row);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(refuses_malformed),
		cmocka_unit_test(refuses_nul),
		cmocka_unit_test(refuses_long),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
