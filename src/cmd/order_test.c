#include "cmd/order.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "cmd/client.h"

static const struct option_row rows[] = { { "detach", 'd', NULL, "" }, ORDER_ROWS, { 0 } };
static const struct option_table table = {
	.usage = "kaisar run [OPTIONS] IMAGE [COMMAND...]",
	.rows = rows,
	.stop_at_word = true,
	.words_max = SIZE_MAX,
};

static int body_of(char **argv, json_t **ret_body)
{
	struct options options;
	int argc = 0, status;

	while (argv[argc])
		argc++;
	assert_int_equal(options_read(&table, argc, argv, &options, &status), 0);
	return order_body(&options, ret_body);
}

#define WORDS(...) ((char *[]){ (char[]){ "run" }, __VA_ARGS__, NULL })
#define W(text) ((char[]){ text })

static void assert_body(char **argv, const char *expected)
{
	json_t *body, *wanted = json_loads(expected, 0, NULL);

	assert_non_null(wanted);
	assert_int_equal(body_of(argv, &body), 0);
	if (!json_equal(body, wanted))
		fail_msg("%s", json_dumps(body, 0));
	json_decref(wanted);
	json_decref(body);
}

static void assert_usage(char **argv)
{
	json_t *body;

	assert_int_equal(body_of(argv, &body), CLI_USAGE);
}

static void test_sizes(void **state _unused_)
{
	assert_body(WORDS(W("-d"), W("--cpus"), W("0.5"), W("-m512MiB"), W("--disk=1GiB"),
			  W("--gpu=RTX 4090"), W("-g"), W("2"), W("--max-price"), W("0.5"),
			  W("busybox")),
		    "{\"cpu_milli\":500,\"memory\":\"512MiB\",\"disk\":\"1GiB\","
		    "\"gpu_model\":\"RTX 4090\",\"gpus\":2,\"max_rate_hour\":\"0.5\","
		    "\"image\":\"busybox\"}");
}

/* '=' in values, options of the command, and values that look like nothing at all. */
static void test_words_survive(void **state _unused_)
{
	setenv("ORDER_TEST", "from=here", 1);
	assert_body(WORDS(W("-e"), W("A=b=c"), W("--env=D="), W("-eE=-x --y"), W("-e"),
			  W("ORDER_TEST"), W("-p"), W("80"), W("busybox"), W("sh"), W("-c"),
			  W("echo a=b; exit 3"), W("--detach"), W("")),
		    "{\"env\":{\"A\":\"b=c\",\"D\":\"\",\"E\":\"-x --y\","
		    "\"ORDER_TEST\":\"from=here\"},\"ports\":[80],\"image\":\"busybox\","
		    "\"command\":[\"sh\",\"-c\",\"echo a=b; exit 3\",\"--detach\",\"\"]}");
}

static void test_template(void **state _unused_)
{
	assert_body(WORDS(W("-t"), W("jupyter")), "{\"template\":\"jupyter\"}");
}

static void test_refused(void **state _unused_)
{
	assert_usage(WORDS(W("-d")));
	assert_usage(WORDS(W("--cpus"), W("half"), W("busybox")));
	assert_usage(WORDS(W("--cpus"), W("0.0001"), W("busybox")));
	assert_usage(WORDS(W("--cpus"), W("0"), W("busybox")));
	assert_usage(WORDS(W("-e"), W("=x"), W("busybox")));
	assert_usage(WORDS(W("-e"), W("NO_SUCH_VARIABLE_HERE"), W("busybox")));
	assert_usage(WORDS(W("-p"), W("8080:80"), W("busybox")));
	assert_usage(WORDS(W("-p"), W("http"), W("busybox")));
	assert_usage(WORDS(W("--gpus"), W("two"), W("busybox")));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sizes),
		cmocka_unit_test(test_words_survive),
		cmocka_unit_test(test_template),
		cmocka_unit_test(test_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
