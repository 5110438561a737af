#include "base/encode.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

/* Takes @value over. */
static void check(json_t *value, const char *expected)
{
	char *text = json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY);

	assert_non_null(text);
	assert_string_equal(text, expected);
	free(text);
	json_decref(value);
}

static void spells_what_base_knows(void **state _unused_)
{
	const char *words[] = { "a", "\"" };
	int64_t numbers[] = { 1, -2 };
	struct address address;

	assert_int_equal(address_parse("0x5aaeb6053f3e94c9b9a09f33669435e7ef1beaed", &address), 0);
	check(encode_time(0), "null");
	check(encode_time(1795367153000), "\"2026-11-22T17:05:53Z\"");
	check(encode_address(&address), "\"0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed\"");
	check(encode_amount((struct amount){ 1250000 }), "\"1.25\"");
	check(encode_bytes("\x00\xff", 2), "\"0x00ff\"");
	check(encode_texts(&(struct field_texts){ words, 2 }), "[\"a\",\"\\\"\"]");
	check(encode_ints(&(struct field_ints){ numbers, 2 }), "[1,-2]");
	check(encode_texts(&(struct field_texts){ NULL, 0 }), "[]");
}

static void longer_than_the_bound_is_nothing(void **state _unused_)
{
	static const uint8_t bytes[ENCODE_BYTES_MAX + 1];

	assert_null(encode_bytes(bytes, sizeof(bytes)));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(spells_what_base_knows),
		cmocka_unit_test(longer_than_the_bound_is_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
