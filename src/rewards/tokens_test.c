#include "rewards/tokens.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static void text_and_back(void **state _unused_)
{
	static const char *const texts[] = { "0", "7", "18446744073709551616",
					     "79228162514264337593543950335" };

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		char text[TOKENS_TEXT_SIZE];
		struct tokens tokens;

		assert_int_equal(tokens_parse(texts[i], strlen(texts[i]), &tokens), 0);
		assert_int_equal(tokens_text(tokens, text), strlen(texts[i]));
		assert_string_equal(text, texts[i]);
	}
}

static void one_spelling_within_bounds(void **state _unused_)
{
	static const char *const bad[] = { "",    "00", "01", "-1",  "+1",
					   "1.0", " 1", "1 ", "0x1", "1e3" };
	const char *too_large = "79228162514264337593543950336";
	struct tokens tokens = { 7 };

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_int_equal(tokens_parse(bad[i], strlen(bad[i]), &tokens), -EINVAL);
	assert_int_equal(tokens_parse(too_large, strlen(too_large), &tokens), -ERANGE);
	too_large = "999999999999999999999999999999999999999999999999999999";
	assert_int_equal(tokens_parse(too_large, strlen(too_large), &tokens), -ERANGE);
	assert_true(tokens.units == 7);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(text_and_back),
		cmocka_unit_test(one_spelling_within_bounds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
