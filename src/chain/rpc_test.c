#include "chain/rpc.h"

#include <stdatomic.h>

#include "base/clock.h"
#include "io/test_peer.h"

enum { CHAIN = 3338, TIMEOUT_MS = 300 };

/* One server plays all nodes, each by its path. */
struct fixture {
	struct test_server server;
	char urls[RPC_ENDPOINTS_MAX][64];
	const char *list[RPC_ENDPOINTS_MAX];
	size_t n;
	struct clock_fake clock;
	struct rpc *rpc;
	atomic_int asked; /* at /good */
};

static const char *result_of(const char *path, const char *method)
{
	if (strcmp(method, "eth_chainId") == 0)
		return strcmp(path, "/other") == 0 ? "\"0x1\"" : "\"0xd0a\"";
	if (strcmp(method, "eth_null") == 0)
		return "null";
	return strcmp(path, "/liar") == 0 ? "{\"hash\":\"0xbad\"}" : "{\"hash\":\"0x600d\"}";
}

static void on_request(void *arg, const struct http_request *request)
{
	struct fixture *f = arg;
	json_t *json = json_loadb(request->body, request->body_len, 0, NULL);
	const char *method = json_string_value(json_object_get(json, "method"));
	json_int_t id = json_integer_value(json_object_get(json, "id"));
	const char *path = request->path;
	bool introduces = method && strcmp(method, "eth_chainId") == 0;
	char text[512];
	int status = 200;

	if (strcmp(path, "/silent") == 0) {
		json_decref(json);
		return;
	}
	f->asked += strcmp(path, "/good") == 0 && !introduces;
	if (!introduces && strcmp(path, "/garbage") == 0)
		snprintf(text, sizeof(text), "<html>%s</html>", path);
	else if (!introduces && strcmp(path, "/late") == 0)
		/* What was asked before, answered now. */
		snprintf(text, sizeof(text), "{\"jsonrpc\":\"2.0\",\"id\":%lld,\"result\":1}",
			 (long long)id - 1);
	else if (!introduces && strcmp(path, "/refuses") == 0)
		snprintf(text, sizeof(text),
			 "{\"jsonrpc\":\"2.0\",\"id\":%lld,\"error\":{\"code\":-32000,"
			 "\"message\":\"Nonce too low\\u0007\\u0000\",\"data\":\"0x0102030405\"}}",
			 (long long)id);
	else if (strcmp(path, "/busy") == 0)
		status = 429, snprintf(text, sizeof(text), "slow down");
	else
		snprintf(text, sizeof(text), "{\"jsonrpc\":\"2.0\",\"id\":%lld,\"result\":%s}",
			 (long long)id, result_of(path, method ? method : ""));
	http_reply(f->server.server, request->conn, status, NULL, 0, text, strlen(text));
	json_decref(json);
}

static int set_up(void **state)
{
	static struct fixture fixture;
	struct http_server_config config;

	fixture = (struct fixture){ 0 };
	http_server_config_init(&config);
	config.on_request = on_request;
	config.arg = &fixture;
	test_server_start(&fixture.server, &config);
	clock_fake_init(&fixture.clock, 1000000);
	*state = &fixture;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	rpc_free(f->rpc);
	test_server_stop(&f->server);
	return 0;
}

/* With endpoints at these paths; the list ends with NULL. */
static void open_with(struct fixture *f, size_t agree, const char *const *paths)
{
	struct rpc_config config = {
		.urls = f->list,
		.chain_id = CHAIN,
		.timeout_ms = TIMEOUT_MS,
		.agree = agree,
		.clock = &f->clock.clock,
	};

	for (f->n = 0; paths[f->n]; f->n++) {
		snprintf(f->urls[f->n], sizeof(f->urls[0]), "http://127.0.0.1:%u%s", f->server.port,
			 paths[f->n]);
		f->list[f->n] = f->urls[f->n];
	}
	config.n_urls = f->n;
	assert_int_equal(rpc_new(&config, &f->rpc), 0);
}

#define OPEN(f, agree, ...) open_with(f, agree, (const char *const[]){ __VA_ARGS__, NULL })

static int ask(struct fixture *f, const char *method, struct rpc_error *ret_error)
{
	json_t *params = json_array(), *result = NULL;
	int r = rpc_ask(f->rpc, method, params, &result, ret_error);

	if (r == 0 && strcmp(method, "eth_null") == 0)
		assert_true(json_is_null(result));
	else if (r == 0)
		assert_string_equal(json_string_value(json_object_get(result, "hash")), "0x600d");
	else
		assert_null(result);
	json_decref(result);
	json_decref(params);
	return r;
}

static int agree(struct fixture *f)
{
	json_t *params = json_array(), *result = NULL;
	int r = rpc_agree(f->rpc, "eth_block", params, &result);

	if (r == 0)
		assert_string_equal(json_string_value(json_object_get(result, "hash")), "0x600d");
	json_decref(result);
	json_decref(params);
	return r;
}

static const char *problem_of(struct fixture *f, size_t i)
{
	static struct rpc_endpoint endpoint;

	rpc_endpoint(f->rpc, i, &endpoint);
	return endpoint.problem;
}

static void asks_the_next_one(void **state)
{
	struct fixture *f = *state;
	struct rpc_endpoint endpoint;
	struct rpc_error error;

	OPEN(f, 1, "/silent", "/garbage", "/late", "/busy", "/other", "/good");
	assert_int_equal(ask(f, "eth_block", &error), 0);
	assert_non_null(strstr(problem_of(f, 0), "node serves there"));
	assert_non_null(strstr(problem_of(f, 1), "no JSON-RPC"));
	assert_non_null(strstr(problem_of(f, 2), "no JSON-RPC"));
	assert_non_null(strstr(problem_of(f, 3), "fewer requests"));
	assert_string_equal(problem_of(f, 4), "its chain id is 1, not 3338; correct its URL");
	assert_string_equal(problem_of(f, 5), "");
	rpc_endpoint(f->rpc, 5, &endpoint);
	assert_int_equal(endpoint.answers, 1);
	/* From now on the one that answered is asked first. */
	assert_int_equal(ask(f, "eth_null", &error), 0);
	rpc_endpoint(f->rpc, 4, &endpoint);
	assert_int_equal(endpoint.failures, 1);
	assert_null(strstr(endpoint.url, "/other"));
}

static void who_fails_rests(void **state)
{
	struct fixture *f = *state;
	struct rpc_endpoint endpoint;
	struct rpc_error error;

	OPEN(f, 1, "/garbage");
	for (int64_t rest_ms = 1000; rest_ms <= 128000; rest_ms *= 2) {
		assert_int_equal(ask(f, "eth_block", &error), RPC_E_UNAVAILABLE);
		rpc_endpoint(f->rpc, 0, &endpoint);
		assert_int_equal(endpoint.rests_ms, rest_ms < 60000 ? rest_ms : 60000);
		f->clock.ms += endpoint.rests_ms - 1;
		assert_int_equal(ask(f, "eth_block", &error), RPC_E_UNAVAILABLE);
		f->clock.ms += 1;
	}
	rpc_endpoint(f->rpc, 0, &endpoint);
	assert_int_equal(endpoint.failures, 8);
}

/* One that answers well all the time. */
static void who_lied_is_remembered(void **state)
{
	struct fixture *f = *state;
	struct rpc_error error;

	OPEN(f, 1, "/good");
	rpc_doubt(f->rpc, 0, "it lied; take it out");
	assert_int_equal(ask(f, "eth_block", &error), 0);
	assert_string_equal(problem_of(f, 0), "it lied; take it out");
	f->clock.ms += 60 * 60 * 1000 - 1;
	assert_string_equal(problem_of(f, 0), "it lied; take it out");
	f->clock.ms += 1;
	assert_string_equal(problem_of(f, 0), "");
}

static void a_refusal_is_an_answer(void **state)
{
	struct fixture *f = *state;
	struct rpc_error error;

	OPEN(f, 1, "/refuses", "/good");
	assert_int_equal(ask(f, "eth_send", &error), RPC_E_REFUSED);
	assert_int_equal(error.code, -32000);
	assert_string_equal(error.message, "Nonce too low?, 0x01020304");
	assert_int_equal(rpc_error_kind(&error), RPC_ERROR_NONCE_LOW);
	assert_int_equal(f->asked, 0);
}

static void money_asks_several(void **state)
{
	struct fixture *f = *state;

	OPEN(f, 2, "/liar", "/good", "/good");
	assert_int_equal(agree(f), 0);
	assert_int_equal(f->asked, 2);
	rpc_free(f->rpc);
	OPEN(f, 2, "/liar", "/good", "/refuses");
	assert_int_equal(agree(f), RPC_E_DISAGREE);
	rpc_free(f->rpc);
	OPEN(f, 2, "/garbage", "/good", "/refuses");
	assert_int_equal(agree(f), RPC_E_UNAVAILABLE);
}

static void bad_configurations(void **state)
{
	static const char *const bad[] = { "", "http://", "ftp://a", "127.0.0.1:8545" };
	struct fixture *f = *state;
	struct rpc_config config = { .urls = f->list, .n_urls = 1, .agree = 1 };
	char longest[RPC_URL_MAX + 1] = "http://";
	struct rpc *rpc;

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		f->list[0] = bad[i];
		assert_int_equal(rpc_new(&config, &rpc), -EINVAL);
	}
	memset(longest + 7, 'a', sizeof(longest) - 8);
	f->list[0] = longest;
	assert_int_equal(rpc_new(&config, &rpc), -EINVAL);
	f->list[0] = "http://a";
	config.agree = 2;
	assert_int_equal(rpc_new(&config, &rpc), -EINVAL);
	config.agree = 0;
	assert_int_equal(rpc_new(&config, &rpc), -EINVAL);
	config.agree = 1;
	config.n_urls = 0;
	assert_int_equal(rpc_new(&config, &rpc), -EINVAL);
}

/* A key in an URL stays with who configured it. */
static void secrets_are_not_shown(void **state)
{
	static const char *const urls[] = { "https://user:pass@node.example:8545/v3/secret?key=1" };
	struct fixture *f = *state;
	const struct rpc_config config = {
		.urls = urls, .n_urls = 1, .agree = 1, .clock = &f->clock.clock
	};
	struct rpc_endpoint endpoint;

	assert_int_equal(rpc_new(&config, &f->rpc), 0);
	rpc_endpoint(f->rpc, 0, &endpoint);
	assert_string_equal(endpoint.url, "https://node.example:8545");
}

static void values(void **state _unused_)
{
	static const struct {
		const char *text;
		bool ok;
		uint64_t value;
	} quantities[] = {
		{ "0x0", true, 0 },
		{ "0xd0a", true, 3338 },
		{ "0xffffffffffffffff", true, UINT64_MAX },
		{ "0x10000000000000000", false, 0 },
		{ "0x", false, 0 },
		{ "0x01", false, 0 },
		{ "0X1", false, 0 },
		{ "1", false, 0 },
		{ "0xg", false, 0 },
		{ "-0x1", false, 0 },
	};
	uint8_t bytes[4] = { 0 };
	uint64_t value;
	size_t len;
	json_t *json;

	for (size_t i = 0; i < ARRAY_SIZE(quantities); i++) {
		json = json_string(quantities[i].text);
		assert_int_equal(rpc_quantity(json, &value), quantities[i].ok ? 0 : -EBADMSG);
		if (quantities[i].ok)
			assert_int_equal(value, quantities[i].value);
		json_decref(json);
	}
	json = json_integer(1);
	assert_int_equal(rpc_quantity(json, &value), -EBADMSG);
	json_decref(json);
	json = rpc_of_bytes("\x01\xab\xff", 3);
	assert_string_equal(json_string_value(json), "0x01abff");
	assert_int_equal(rpc_bytes(json, bytes, 3), 0);
	assert_memory_equal(bytes, "\x01\xab\xff", 3);
	assert_int_equal(rpc_bytes(json, bytes, 4), -EBADMSG);
	assert_int_equal(rpc_data(json, 4, bytes, &len), 0);
	assert_int_equal(len, 3);
	assert_int_equal(rpc_data(json, 2, bytes, &len), -EBADMSG);
	json_decref(json);
	json = json_string("0x123");
	assert_int_equal(rpc_data(json, 4, bytes, &len), -EBADMSG);
	json_decref(json);
	json = rpc_of_quantity(3338);
	assert_string_equal(json_string_value(json), "0xd0a");
	json_decref(json);
}

static void what_nodes_say(void **state _unused_)
{
	static const struct {
		int64_t code;
		const char *message;
		enum rpc_error_kind kind;
	} said[] = {
		{ -32000, "already known", RPC_ERROR_KNOWN },
		{ -32003, "transaction already imported", RPC_ERROR_KNOWN },
		{ -32000, "replacement transaction underpriced", RPC_ERROR_UNDERPRICED },
		{ -32000, "nonce too low: next nonce 5, tx nonce 4", RPC_ERROR_NONCE_LOW },
		{ -32003, "Insufficient funds for gas * price + value", RPC_ERROR_FUNDS },
		{ 3, "execution reverted: Stale()", RPC_ERROR_REVERTED },
		{ -32603, "VM Exception: revert", RPC_ERROR_REVERTED },
		{ -32005, "limit exceeded", RPC_ERROR_LIMIT },
		{ -32602, "invalid params", RPC_ERROR_OTHER },
	};

	for (size_t i = 0; i < ARRAY_SIZE(said); i++) {
		struct rpc_error error = { .code = said[i].code };

		snprintf(error.message, sizeof(error.message), "%s", said[i].message);
		assert_int_equal(rpc_error_kind(&error), said[i].kind);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(asks_the_next_one, set_up, tear_down),
		cmocka_unit_test_setup_teardown(who_fails_rests, set_up, tear_down),
		cmocka_unit_test_setup_teardown(who_lied_is_remembered, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_refusal_is_an_answer, set_up, tear_down),
		cmocka_unit_test_setup_teardown(money_asks_several, set_up, tear_down),
		cmocka_unit_test_setup_teardown(bad_configurations, set_up, tear_down),
		cmocka_unit_test_setup_teardown(secrets_are_not_shown, set_up, tear_down),
		cmocka_unit_test(values),
		cmocka_unit_test(what_nodes_say),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
