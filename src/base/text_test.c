#include "base/text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static void characters_are_those_of_the_standard(void **state _unused_)
{
	static const struct {
		const char *bytes;
		size_t len, n;
	} rows[] = {
		{ "a", 1, 1 },
		{ "\0", 1, 1 },
		{ "", 0, 0 },
		{ "\x7f", 1, 1 },
		{ "\x80", 1, 0 },
		{ "\xc1\xbf", 2, 0 }, /* not the shortest form */
		{ "\xc2\x80", 2, 2 },
		{ "\xc3\xa9", 1, 0 },
		{ "\xdf\xbf", 2, 2 },
		{ "\xdf\xc0", 2, 0 },
		{ "\xe0\x9f\xbf", 3, 0 },
		{ "\xe0\xa0\x80", 3, 3 },
		{ "\xe2\x82\xac", 2, 0 },
		{ "\xed\x9f\xbf", 3, 3 },
		{ "\xed\xa0\x80", 3, 0 }, /* a surrogate */
		{ "\xef\xbf\xbf", 3, 3 },
		{ "\xf0\x8f\xbf\xbf", 4, 0 },
		{ "\xf0\x9f\x98\x80", 4, 4 },
		{ "\xf0\x9f\x98\x80", 3, 0 },
		{ "\xf4\x8f\xbf\xbf", 4, 4 },
		{ "\xf4\x90\x80\x80", 4, 0 }, /* above U+10FFFF */
		{ "\xf5\x80\x80\x80", 4, 0 },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (text_character(rows[i].bytes, rows[i].len) != rows[i].n)
			fail_msg("row %zu", i);
}

/* Against a plain reference: the most whole characters that fit. */
static void a_copy_is_cut_between_characters(void **state _unused_)
{
	static const char text[] = "a\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80z\xc3\xa9";
	static const size_t ends[] = { 0, 1, 3, 6, 10, 11, 13 };

	for (size_t size = 1; size <= sizeof(text) + 2; size++) {
		char copy[sizeof(text) + 2], cut[sizeof(text) + 2];
		size_t len = 0;

		for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++)
			len = ends[i] < size ? ends[i] : len;
		text_copy(copy, size, text);
		assert_int_equal(strlen(copy), len);
		assert_memory_equal(copy, text, len);
		snprintf(cut, size, "%s", text);
		text_trim(cut);
		assert_string_equal(cut, copy);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(characters_are_those_of_the_standard),
		cmocka_unit_test(a_copy_is_cut_between_characters),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
