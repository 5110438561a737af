#include "modules/service/order.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "modules/service/image_ref.h"

static int make_arena(void **state)
{
	struct arena *arena;

	if (arena_new(8 << 20, &arena) < 0)
		return -1;
	*state = arena;
	return 0;
}

static int free_arena(void **state)
{
	arena_free(*state);
	return 0;
}

/* Decodes and resolves as a request would be; 0, or the outcome with its error. */
static int take(struct arena *arena, const char *json, const struct order *template_,
		struct order *ret_order, struct field_error *ret_error)
{
	int r;

	*ret_order = (struct order){ .name = NULL };
	r = field_decode(json, strlen(json), order_fields, arena, ret_order, ret_error);
	return r != 0 ? r : order_resolve(ret_order, template_, arena, ret_error);
}

static void image_references_are_read_strictly(void **state _unused_)
{
	static const char *const good[] = {
		"busybox",
		"busybox:1.36",
		"library/busybox",
		"docker.io/library/busybox:1.36",
		"localhost/kaisar-demo",
		"localhost:5000/a/b_c/d__e/f-g/h--i.j:v1.2_3-X",
		"127.0.0.1:5000/x",
		"Registry.Example.com/x",
		"a@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
		"a:b@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
	};
	static const char *const bad[] = {
		"",
		"Busybox",
		"busy box",
		"busybox:",
		":tag",
		"/busybox",
		"busybox/",
		"a//b",
		"-a",
		"a-",
		"a..b",
		"a._b",
		"a___b",
		"a:-tag",
		"a:.tag",
		"a:b:c",
		"a.b:/x",
		"a.b:0/x",
		"a.b:65536/x",
		"a.b:123456/x",
		"-a.b/x",
		"a-.b/x",
		"a..b/x",
		"http://a.b/x",
		"user@a.b/x",
		"../x",
		"a@sha256:0123",
		"a@md5:0123456789abcdef0123456789abcdef",
		"a@sha256:0123456789ABCDEF0123456789abcdef0123456789abcdef0123456789abcdef",
		"a@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef0",
		"a?b",
		"a#b",
		"a\xc3\xa9",
		"$(reboot)",
	};
	char longest[300];

	for (size_t i = 0; i < ARRAY_SIZE(good); i++)
		if (!image_ref_ok(good[i]))
			fail_msg("refused: %s", good[i]);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		if (image_ref_ok(bad[i]))
			fail_msg("accepted: %s", bad[i]);
	memset(longest, 'a', sizeof(longest));
	longest[255] = 0;
	assert_true(image_ref_ok(longest));
	longest[255] = 'a';
	longest[256] = 0;
	assert_false(image_ref_ok(longest));
}

static void defaults_fill_what_is_left_out(void **state)
{
	struct field_error error;
	struct order order;

	assert_int_equal(take(*state, "{\"image\":\"busybox\"}", NULL, &order, &error), 0);
	assert_int_equal(order.gpus, 0);
	assert_int_equal(order.cpu_milli, 1000);
	assert_int_equal(order.memory_bytes, 512 << 20);
	assert_int_equal(order.disk_bytes, 1 << 30);
	assert_int_equal(order.shm_bytes, 64 << 20);
	assert_int_equal(order.pids, 1024);
	assert_int_equal(order.stop_timeout_s, 10);
	assert_false(order_pinned(&order));
	assert_int_equal(take(*state, "{\"image\":\"busybox\",\"gpu_model\":\"H100\"}", NULL,
			      &order, &error),
			 0);
	assert_int_equal(order.gpus, 1);
}

static void a_template_gives_way_to_the_order(void **state)
{
	struct field_error error;
	struct order template_, order;

	assert_int_equal(
		order_decode("{\"image\":\"jupyter\",\"command\":[\"serve\"],\"env\":{\"A\":\"1\","
			     "\"B\":\"2\"},\"ports\":[8888],\"gpus\":1,\"memory\":1073741824}",
			     *state, &template_),
		0);
	assert_int_equal(
		take(*state, "{\"env\":{\"B\":\"3\"},\"gpus\":0}", &template_, &order, &error), 0);
	assert_string_equal(order.image, "jupyter");
	assert_string_equal(order.command.items[0], "serve");
	assert_int_equal(order.gpus, 0);
	assert_int_equal(order.memory_bytes, 1 << 30);
	assert_int_equal(order.env.n, 2);
	assert_string_equal(order.env.items[0].value, "3");
	assert_string_equal(order.env.items[1].name, "A");
	assert_int_equal(order.ports.n, 1);
	/* Another image does not get the template's command. */
	assert_int_equal(take(*state, "{\"image\":\"busybox\"}", &template_, &order, &error), 0);
	assert_int_equal(order.command.n, 0);
}

struct wrong {
	const char *json, *field;
};

static void every_bound_is_named(void **state)
{
	static const struct wrong wrongs[] = {
		{ "{}", "image" },
		{ "{\"image\":\"Bad\"}", "image" },
		{ "{\"image\":\"a\",\"name\":\"a b\"}", "name" },
		{ "{\"image\":\"a\",\"name\":\"\"}", "name" },
		{ "{\"image\":\"a\",\"cpu_milli\":99}", "cpu_milli" },
		{ "{\"image\":\"a\",\"cpu_milli\":256001}", "cpu_milli" },
		{ "{\"image\":\"a\",\"memory\":16777215}", "memory" },
		{ "{\"image\":\"a\",\"memory\":\"5TiB\"}", "memory" },
		{ "{\"image\":\"a\",\"disk\":\"63MiB\"}", "disk" },
		{ "{\"image\":\"a\",\"disk\":\"65TiB\"}", "disk" },
		{ "{\"image\":\"a\",\"shm\":\"1GiB\"}", "shm" },
		{ "{\"image\":\"a\",\"gpus\":65}", "gpus" },
		{ "{\"image\":\"a\",\"gpus\":-1}", "gpus" },
		{ "{\"image\":\"a\",\"gpus\":0,\"gpu_model\":\"H100\"}", "gpus" },
		{ "{\"image\":\"a\",\"term_s\":59}", "term_s" },
		{ "{\"image\":\"a\",\"term_s\":31536001}", "term_s" },
		{ "{\"image\":\"a\",\"stop_timeout_s\":601}", "stop_timeout_s" },
		{ "{\"image\":\"a\",\"ports\":[0]}", "ports[0]" },
		{ "{\"image\":\"a\",\"ports\":[65536]}", "ports[0]" },
		{ "{\"image\":\"a\",\"ports\":[80,80]}", "ports" },
		{ "{\"image\":\"a\",\"ports\":[\"8o\"]}", "ports[0]" },
		{ "{\"image\":\"a\",\"ports\":[1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17]}",
		  "ports" },
		{ "{\"image\":\"a\",\"command\":[\"\"]}", "command[0]" },
		{ "{\"image\":\"a\",\"env\":{\"A B\":\"1\"}}", "env" },
		{ "{\"image\":\"a\",\"machine\":\"0x12\"}", "machine" },
		{ "{\"image\":\"a\",\"max_rate_hour\":\"-1\"}", "max_rate_hour" },
		{ "{\"image\":\"a\",\"nonsense\":1}", "nonsense" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(wrongs); i++) {
		struct field_error error = { .field = "" };
		struct order order;

		assert_int_equal(take(*state, wrongs[i].json, NULL, &order, &error),
				 FIELD_E_INVALID);
		assert_string_equal(error.field, wrongs[i].field);
		assert_true(*error.rule);
	}
}

/* {"image":"a","env":{...}} with @n variables of @len bytes. */
static char *with_env(struct arena *arena, size_t n, size_t len)
{
	char *json = arena_alloc(arena, n * (len + 16) + 64), *at = json;

	at = stpcpy(at, "{\"image\":\"a\",\"env\":{");
	for (size_t i = 0; i < n; i++) {
		at += snprintf(at, 16, "%s\"V%zu\":\"", i ? "," : "", i);
		memset(at, 'x', len);
		at[len] = '"';
		at += len + 1;
	}
	stpcpy(at, "}}");
	return json;
}

static void environments_are_bounded(void **state)
{
	struct field_error error;
	struct order order;

	assert_int_equal(take(*state, with_env(*state, 15, 4096), NULL, &order, &error), 0);
	assert_int_equal(take(*state, with_env(*state, 1, 4097), NULL, &order, &error),
			 FIELD_E_INVALID);
	assert_string_equal(error.field, "env.V0");
	assert_int_equal(take(*state, with_env(*state, 65, 1), NULL, &order, &error),
			 FIELD_E_INVALID);
	assert_string_equal(error.field, "env");
	assert_int_equal(take(*state, with_env(*state, 17, 4096), NULL, &order, &error),
			 FIELD_E_INVALID);
	assert_string_equal(error.field, "env");
}

static void the_store_gives_back_what_was_ordered(void **state)
{
	static const char json[] =
		"{\"name\":\"web-1\",\"template\":\"t\",\"image\":\"a:b\",\"command\":[\"sh\","
		"\"-c\",\"echo \\\"x\\\"\\n\"],\"env\":{\"K\":\"v\\t\"},\"gpu_model\":\"H100\","
		"\"gpus\":2,\"cpu_milli\":1500,\"memory\":\"1GiB\",\"disk\":\"2GiB\",\"shm\":"
		"\"1MiB\",\"pids\":77,\"ports\":[80,443],\"max_rate_hour\":\"1.25\","
		"\"machine\":\"0x00000000000000000000000000000000000000aa\",\"stop_timeout_s\":0,"
		"\"term_s\":60}";
	struct worker_port ports[ORDER_PORTS_MAX];
	struct field_error error;
	struct order order, back;
	const char *text, *again;

	assert_int_equal(take(*state, json, NULL, &order, &error), 0);
	assert_int_equal(order_encode(&order, *state, &text), 0);
	assert_int_equal(order_decode(text, *state, &back), 0);
	assert_int_equal(order_encode(&back, *state, &again), 0);
	assert_string_equal(text, again);
	assert_string_equal(back.command.items[2], "echo \"x\"\n");
	assert_int_equal(back.gpus, 2);
	assert_int_equal(back.max_rate_hour.micro, 1250000);
	assert_true(order_pinned(&back));
	assert_int_equal(back.stop_timeout_s, 0);
	assert_int_equal(order_ports(&back, ports), 2);
	assert_int_equal(ports[1].container, 443);
	assert_int_equal(order_decode("{\"image\":1}", *state, &back), -EIO);
}

#define test(name) cmocka_unit_test_setup_teardown(name, make_arena, free_arena)

int main(void)
{
	const struct CMUnitTest tests[] = {
		test(image_references_are_read_strictly),
		test(defaults_fill_what_is_left_out),
		test(a_template_gives_way_to_the_order),
		test(every_bound_is_named),
		test(environments_are_bounded),
		test(the_store_gives_back_what_was_ordered),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
