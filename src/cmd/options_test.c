#include "cmd/options.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static const struct option_row rows[] = {
	{ "env", 'e', "NAME=VALUE", "a variable" },
	{ "detach", 'd', NULL, "go" },
	{ "tty", 't', NULL, "a terminal" },
	{ "count", 0, "N", "how many" },
	{ 0 },
};
static const struct option_table table = {
	.usage = "kaisar test [OPTIONS] WORD...",
	.rows = rows,
	.words_min = 1,
	.words_max = 3,
};
static const struct option_table running = {
	.usage = "kaisar run [OPTIONS] IMAGE [COMMAND...]",
	.rows = rows,
	.stop_at_word = true,
	.words_min = 1,
	.words_max = 9,
};

static struct options options;
static int status;

/* argv is writable by custom; what is read here are literals that nobody writes to. */
static int read(const struct option_table *which, const char **argv)
{
	int argc = 0;

	while (argv[argc])
		argc++;
	return options_read(which, argc, (char **)(uintptr_t)argv, &options, &status);
}

#define READ(which, ...) read(which, (const char *[]){ "test", __VA_ARGS__, NULL })

static void reads_every_form(void **state _unused_)
{
	assert_int_equal(READ(&table, "-dt", "--env", "A=b=c", "x", "--env=B==", "-eC=1",
			      "--count=7", "y", "--", "-z"),
			 0);
	assert_true(options_has(&options, "detach"));
	assert_true(options_has(&options, "tty"));
	assert_string_equal(options_nth(&options, "env", 0), "A=b=c");
	assert_string_equal(options_nth(&options, "env", 1), "B==");
	assert_string_equal(options_nth(&options, "env", 2), "C=1");
	assert_null(options_nth(&options, "env", 3));
	assert_string_equal(options_get(&options, "env", NULL), "C=1");
	assert_int_equal(options.n_words, 3);
	assert_string_equal(options.words[0], "x");
	assert_string_equal(options.words[1], "y");
	assert_string_equal(options.words[2], "-z");
}

static void leaves_the_command_alone(void **state _unused_)
{
	assert_int_equal(READ(&running, "-d", "image", "sh", "-c", "--env", "-x"), 0);
	assert_int_equal(options.n_words, 5);
	assert_string_equal(options.words[4], "-x");
	assert_int_equal(options.n_values, 1);
}

static void refuses(void **state _unused_)
{
	assert_int_equal(READ(&table, "--unknown", "x"), OPTIONS_E_DONE);
	assert_int_equal(status, EXIT_USAGE);
	assert_int_equal(READ(&table, "-q", "x"), OPTIONS_E_DONE);
	assert_int_equal(READ(&table, "--detach=yes", "x"), OPTIONS_E_DONE);
	assert_int_equal(READ(&table, "x", "--count"), OPTIONS_E_DONE);
	assert_int_equal(READ(&table, "--detach"), OPTIONS_E_DONE);
	assert_int_equal(READ(&table, "1", "2", "3", "4"), OPTIONS_E_DONE);
	assert_int_equal(status, EXIT_USAGE);
	assert_int_equal(READ(&table, "x", "--help"), OPTIONS_E_DONE);
	assert_int_equal(status, 0);
}

static void numbers_are_bounded(void **state _unused_)
{
	static const char *const bad[] = { "", "x", "1x", "-1", "11", "99999999999999999999" };
	int64_t value = 0;

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		assert_int_equal(READ(&table, "x", "--count", bad[i]), 0);
		assert_int_equal(options_int(&options, "count", 0, 10, 5, &value), OPTIONS_E_DONE);
	}
	assert_int_equal(READ(&table, "x"), 0);
	assert_int_equal(options_int(&options, "count", 0, 10, 5, &value), 0);
	assert_int_equal(value, 5);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_every_form),
		cmocka_unit_test(leaves_the_command_alone),
		cmocka_unit_test(refuses),
		cmocka_unit_test(numbers_are_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
