#include "security/rfc3339.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static void test_good(void **state)
{
	static const struct {
		const char *text;
		int64_t ms;
	} cases[] = {
		{ "1970-01-01T00:00:00Z", 0 },
		{ "2026-11-22T17:05:53Z", 1795367153000 },
		{ "2026-11-22T17:05:53.2Z", 1795367153200 },
		{ "2026-11-22T17:05:53.25Z", 1795367153250 },
		{ "2026-11-22T17:05:53.250999999Z", 1795367153250 },
		{ "2026-11-22T18:05:53+01:00", 1795367153000 },
		{ "2026-11-22T11:35:53-05:30", 1795367153000 },
		{ "2026-11-23T00:05:53+07:00", 1795367153000 },
		{ "2026-11-22T17:05:53-00:00", 1795367153000 },
		{ "2000-02-29T23:59:59+14:00", 951818399000 },
		{ "9999-12-31T23:59:59.999Z", 253402300799999 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		int64_t ms = -1;

		assert_int_equal(rfc3339_parse(cases[i].text, strlen(cases[i].text), &ms), 0);
		assert_int_equal(ms, cases[i].ms);
	}
}

static void test_bad(void **state)
{
	static const char *const cases[] = {
		"",
		"2026-11-22",
		"2026-11-22T17:05:53",
		"2026-11-22 17:05:53Z",
		"2026-11-22t17:05:53Z",
		"2026-11-22T17:05:53z",
		"2026-11-22T17:05Z",
		"2026-11-22T17:05:53.Z",
		"2026-11-22T17:05:53,5Z",
		"2026-11-22T17:05:53.1234567890Z",
		"2026-11-22T17:05:53ZZ",
		"2026-11-22T17:05:53 Z",
		"2026-11-22T17:05:53+0100",
		"2026-11-22T17:05:53+01",
		"2026-11-22T17:05:53+24:00",
		"2026-11-22T17:05:53+01:60",
		"2026-11-22T24:00:00Z",
		"2026-11-22T17:60:00Z",
		"2026-11-22T23:59:60Z",
		"2026-11-31T00:00:00Z",
		"2026-02-29T00:00:00Z",
		"2100-02-29T00:00:00Z",
		"2026-00-10T00:00:00Z",
		"2026-13-10T00:00:00Z",
		"2026-10-00T00:00:00Z",
		"1969-12-31T23:59:59Z",
		"1970-01-01T00:00:00+00:01",
		"9999-12-31T23:59:59-00:01",
		"+026-11-22T17:05:53Z",
		"2026-1-22T17:05:53Z",
		" 2026-11-22T17:05:53Z",
	};
	int64_t ms;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		assert_int_equal(rfc3339_parse(cases[i], strlen(cases[i]), &ms), -EINVAL);
}

/* Every day of four centuries' worth of leap rules, there and back. */
static void test_round_trip(void **state)
{
	const int64_t day_ms = 86400000;

	(void)state;
	for (int64_t ms = 0; ms < 430 * 365 * day_ms; ms += 11 * day_ms + 3600999) {
		char text[RFC3339_TEXT_SIZE];
		int64_t back;

		assert_int_equal(rfc3339_text(ms, text), 0);
		assert_int_equal(rfc3339_parse(text, strlen(text), &back), 0);
		assert_int_equal(back, ms);
	}
}

static void test_text(void **state)
{
	char text[RFC3339_TEXT_SIZE];

	(void)state;
	assert_int_equal(rfc3339_text(1795367153000, text), 0);
	assert_string_equal(text, "2026-11-22T17:05:53Z");
	assert_int_equal(rfc3339_text(1795367153007, text), 0);
	assert_string_equal(text, "2026-11-22T17:05:53.007Z");
	assert_int_equal(rfc3339_text(-1, text), -EINVAL);
	assert_int_equal(rfc3339_text(253402300800000, text), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good),
		cmocka_unit_test(test_bad),
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_text),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
