#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "agent/frames.h"

struct seen {
	char out[256], err[256];
	int objects;
};

static void on_frame(void *arg, enum frame_channel channel, const void *bytes, size_t len)
{
	struct seen *seen = arg;

	strncat(channel == FRAME_STDERR ? seen->err : seen->out, bytes, len);
}

static void on_object(void *arg, const json_t *object)
{
	struct seen *seen = arg;

	assert_true(json_is_object(object));
	seen->objects++;
}

static const char stream[] = "\1\0\0\0\0\0\0\5hello\2\0\0\0\0\0\0\3bad\1\0\0\0\0\0\0\0"
			     "\1\0\0\0\0\0\0\6 world";

/* However the bytes are cut, the same comes out. */
static void frames_cut_anywhere(void **state _unused_)
{
	for (size_t cut = 0; cut < sizeof(stream); cut++) {
		struct frames frames = { 0 };
		struct seen seen = { 0 };

		assert_int_equal(frames_take(&frames, stream, cut, on_frame, &seen), 0);
		assert_int_equal(frames_take(&frames, stream + cut, sizeof(stream) - 1 - cut,
					     on_frame, &seen),
				 0);
		assert_string_equal(seen.out, "hello world");
		assert_string_equal(seen.err, "bad");
	}
}

static void other_streams_are_refused(void **state _unused_)
{
	struct frames frames = { 0 };
	struct seen seen = { 0 };

	assert_int_equal(frames_take(&frames, "HTTP/1.1", 8, on_frame, &seen), -EPROTO);
}

static void lines_cut_anywhere(void **state _unused_)
{
	static const char text[] = "{\"a\":1}\r\n\n[1]\n{\"b\":2}\nnonsense\n{\"c\":3}";

	for (size_t cut = 0; cut < sizeof(text); cut++) {
		struct json_lines lines = { 0 };
		struct seen seen = { 0 };

		assert_int_equal(json_lines_take(&lines, text, cut, on_object, &seen), 0);
		assert_int_equal(json_lines_take(&lines, text + cut, sizeof(text) - 1 - cut,
						 on_object, &seen),
				 0);
		json_lines_end(&lines, on_object, &seen);
		assert_int_equal(seen.objects, 3);
	}
}

static void long_lines_are_refused(void **state _unused_)
{
	_cleanup_(freep) char *text = malloc(JSON_LINE_MAX);
	struct json_lines lines = { 0 };

	assert_non_null(text);
	memset(text, ' ', JSON_LINE_MAX);
	assert_int_equal(json_lines_take(&lines, text, JSON_LINE_MAX, on_object, NULL), 0);
	assert_int_equal(json_lines_take(&lines, text, 1, on_object, NULL), -EMSGSIZE);
	json_lines_end(&lines, NULL, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(frames_cut_anywhere),
		cmocka_unit_test(other_streams_are_refused),
		cmocka_unit_test(lines_cut_anywhere),
		cmocka_unit_test(long_lines_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
