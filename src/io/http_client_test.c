#include "io/test_peer.h"

#include <unistd.h>

#include "io/http_client.h"

static void on_request(void *arg, const struct http_request *request)
{
	struct test_server *test = arg;
	const char *type = http_request_header(request, "content-type");
	char text[512];
	int len;

	if (strcmp(request->path, "/never") == 0)
		return;
	len = snprintf(text, sizeof(text), "%d %s %s %s %.*s", (int)request->method, request->path,
		       request->query, type ? type : "-", (int)request->body_len, request->body);
	http_reply(test->server, request->conn, strcmp(request->path, "/404") == 0 ? 404 : 200,
		   NULL, 0, text, (size_t)len);
}

static int setup(void **state)
{
	static struct test_server test;
	struct http_server_config config;

	http_server_config_init(&config);
	config.on_request = on_request;
	config.arg = &test;
	test_server_start(&test, &config);
	*state = &test;
	return 0;
}

static int teardown(void **state)
{
	test_server_stop(*state);
	return 0;
}

static int call(struct test_server *test, struct http_call call, struct arena *arena,
		struct http_answer *ret_answer)
{
	char url[128];

	snprintf(url, sizeof(url), "http://127.0.0.1:%u%s", test->port, call.url);
	call.url = url;
	call.timeout_ms = call.timeout_ms ? call.timeout_ms : 5000;
	call.max_answer_bytes = call.max_answer_bytes ? call.max_answer_bytes : 1000;
	return http_call(&call, arena, ret_answer);
}

static void calls(void **state)
{
	static const struct http_header json = { "content-type", "application/json" };
	_cleanup_(arena_freep) struct arena *arena = NULL;
	struct http_answer answer;

	assert_int_equal(arena_new(100000, &arena), 0);
	assert_int_equal(call(*state, (struct http_call){ "GET", "/a?b=c" }, arena, &answer), 0);
	assert_int_equal(answer.status, 200);
	assert_string_equal(answer.body, "0 /a b=c - ");
	assert_int_equal(answer.body_len, strlen(answer.body));
	assert_int_equal(call(*state,
			      (struct http_call){ "POST", "/p", .headers = &json, .n_headers = 1,
						  .body = "{}", .body_len = 2 },
			      arena, &answer),
			 0);
	assert_string_equal(answer.body, "1 /p  application/json {}");
	assert_int_equal(call(*state, (struct http_call){ "DELETE", "/404" }, arena, &answer), 0);
	assert_int_equal(answer.status, 404);
	assert_string_equal(answer.body, "4 /404  - ");
	assert_int_equal(call(*state,
			      (struct http_call){ "PATCH", "/p", .body = "", .body_len = 0 }, arena,
			      &answer),
			 0);
	assert_string_equal(answer.body, "3 /p  - ");
}

static void faults(void **state)
{
	static const struct http_header split = { "x", "a\r\nb: c" };
	_cleanup_(arena_freep) struct arena *arena = NULL;
	struct http_call refused = { "GET", "http://127.0.0.1:1/", .timeout_ms = 1000 };
	struct http_call scheme = { "GET", "file:///etc/passwd", .timeout_ms = 1000 };
	struct http_answer answer;

	assert_int_equal(arena_new(100000, &arena), 0);
	assert_int_equal(call(*state, (struct http_call){ "GET", "/never", .timeout_ms = 100 },
			      arena, &answer),
			 -ETIMEDOUT);
	assert_int_equal(call(*state, (struct http_call){ "GET", "/long", .max_answer_bytes = 4 },
			      arena, &answer),
			 -EMSGSIZE);
	assert_int_equal(call(*state,
			      (struct http_call){ "GET", "/x", .headers = &split, .n_headers = 1 },
			      arena, &answer),
			 -EINVAL);
	assert_int_equal(http_call(&refused, arena, &answer), -ECONNREFUSED);
	assert_int_equal(http_call(&scheme, arena, &answer), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(calls),
		cmocka_unit_test(faults),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
