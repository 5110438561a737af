#include "modules/service/stream_text.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static int make_arena(void **state)
{
	struct arena *arena;

	if (arena_new(1 << 20, &arena) < 0)
		return -1;
	*state = arena;
	return 0;
}

static int free_arena(void **state)
{
	arena_free(*state);
	return 0;
}

static void assert_log(const char *bytes, size_t len, const char *expected)
{
	char *text = stream_log_text(WORKER_STDERR, 7, 9, bytes, len);

	assert_non_null(text);
	assert_string_equal(text, expected);
	free(text);
}

static void log_lines_are_json_whatever_was_written(void **state _unused_)
{
	assert_log("a\"\n", 3,
		   "{\"seq\":7,\"at_ms\":9,\"stream\":\"stderr\",\"text\":\"a\\\"\\n\"}");
	assert_log("\xc3\xa9", 2,
		   "{\"seq\":7,\"at_ms\":9,\"stream\":\"stderr\",\"text\":\"\xc3\xa9\"}");
	/* Cut short, overlong, a surrogate, past the last code point, alone. */
	assert_log("\xc3", 1,
		   "{\"seq\":7,\"at_ms\":9,\"stream\":\"stderr\",\"text\":\"\xef\xbf\xbd\"}");
	assert_log("\xc0\x80", 2,
		   "{\"seq\":7,\"at_ms\":9,\"stream\":\"stderr\",\"text\":"
		   "\"\xef\xbf\xbd\xef\xbf\xbd\"}");
	assert_log("\xed\xa0\x80", 3,
		   "{\"seq\":7,\"at_ms\":9,\"stream\":\"stderr\",\"text\":"
		   "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\"}");
	assert_log("\xf4\x90\x80\x80x", 5,
		   "{\"seq\":7,\"at_ms\":9,\"stream\":\"stderr\",\"text\":"
		   "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbdx\"}");
	assert_log("\0", 1, "{\"seq\":7,\"at_ms\":9,\"stream\":\"stderr\",\"text\":\"\\u0000\"}");
}

static void stats_must_be_an_object(void **state _unused_)
{
	char *text = stream_stats_text(5, "{\"pids\":3}", 10);

	assert_string_equal(text, "{\"pids\":3,\"at_ms\":5}");
	free(text);
	assert_null(stream_stats_text(5, "[1]", 3));
	assert_null(stream_stats_text(5, "{\"a\":", 5));
	assert_null(stream_stats_text(5, "", 0));
}

static void an_exit_has_a_code_or_an_error(void **state _unused_)
{
	char *text = stream_exit_text("", 3);

	assert_string_equal(text, "{\"exit_code\":3}");
	free(text);
	text = stream_exit_text("container_gone", 0);
	assert_string_equal(text, "{\"error\":\"container_gone\"}");
	free(text);
}

static int parse_exec(struct arena *arena, const char *json, struct stream_exec *ret_exec)
{
	struct field_error error;

	return stream_exec_parse(json, strlen(json), arena, ret_exec, &error);
}

static void an_exec_names_its_command(void **state)
{
	struct stream_exec exec;

	assert_int_equal(parse_exec(*state,
				    "{\"command\":[\"ls\",\"\"],\"tty\":true,\"columns\":120}",
				    &exec),
			 0);
	assert_int_equal(exec.command.n, 2);
	assert_true(exec.tty);
	assert_false(exec.stdin_);
	assert_int_equal(exec.columns, 120);
	assert_int_equal(exec.rows, 24);
	assert_int_equal(parse_exec(*state, "{}", &exec), FIELD_E_INVALID);
	assert_int_equal(parse_exec(*state, "{\"command\":[]}", &exec), FIELD_E_INVALID);
	assert_int_equal(parse_exec(*state, "{\"command\":[\"\"]}", &exec), FIELD_E_INVALID);
	assert_int_equal(parse_exec(*state, "{\"command\":[\"a\"],\"rows\":0}", &exec),
			 FIELD_E_INVALID);
	assert_int_equal(parse_exec(*state, "ls", &exec), FIELD_E_SYNTAX);
}

static int parse_resize(struct arena *arena, const char *json, uint8_t ret_size[static 4])
{
	struct field_error error;

	return stream_resize_parse(json, strlen(json), arena, ret_size, &error);
}

static void a_resize_is_two_little_endian_numbers(void **state)
{
	uint8_t size[4];

	assert_int_equal(parse_resize(*state, "{\"resize\":{\"columns\":300,\"rows\":2}}", size),
			 0);
	assert_memory_equal(size, "\x2c\x01\x02\x00", 4);
	assert_int_equal(parse_resize(*state, "{\"resize\":{\"columns\":1}}", size),
			 FIELD_E_INVALID);
	assert_int_equal(parse_resize(*state, "{\"exit_code\":1}", size), FIELD_E_INVALID);
	assert_int_equal(parse_resize(*state, "", size), FIELD_E_SYNTAX);
}

#define test(name) cmocka_unit_test_setup_teardown(name, make_arena, free_arena)

int main(void)
{
	const struct CMUnitTest tests[] = {
		test(log_lines_are_json_whatever_was_written), test(stats_must_be_an_object),
		test(an_exit_has_a_code_or_an_error),          test(an_exec_names_its_command),
		test(a_resize_is_two_little_endian_numbers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
