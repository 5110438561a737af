#include "base/amount.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#include "base/random.h"

static void text_and_back(void **state _unused_)
{
	static const struct {
		const char *text;
		int64_t micro;
	} rows[] = {
		{ "0.0", 0 },
		{ "1.25", 1250000 },
		{ "-0.000001", -1 },
		{ "0.1", 100000 },
		{ "9223372036854.775807", INT64_MAX },
		{ "-9223372036854.775808", INT64_MIN },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		char text[AMOUNT_TEXT_SIZE];
		struct amount amount;

		amount_text((struct amount){ rows[i].micro }, text);
		assert_string_equal(text, rows[i].text);
		assert_int_equal(amount_parse(text, &amount), 0);
		assert_int_equal(amount.micro, rows[i].micro);
	}
}

static void refuses_what_is_not_plain(void **state _unused_)
{
	static const char *const bad[] = { "",    "-",   ".5",  "1.",        "1..2",
					   "1e3", "+1",  " 1",  "1 ",        "0x1",
					   "1,5", "NaN", "--1", "1.0000001", "1.2.3" };
	struct amount amount;

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_int_equal(amount_parse(bad[i], &amount), -EINVAL);
	assert_int_equal(amount_parse("9223372036854.775808", &amount), -ERANGE);
	assert_int_equal(amount_parse("-9223372036854.775809", &amount), -ERANGE);
	assert_int_equal(amount_parse("99999999999999999999", &amount), -ERANGE);
	assert_int_equal(amount_parse("9223372036855", &amount), -ERANGE);
}

static void overflow_is_said(void **state _unused_)
{
	struct amount most = { INT64_MAX }, one = { 1 }, ret = { 7 };

	assert_int_equal(amount_add(most, one, &ret), -ERANGE);
	assert_int_equal(amount_sub((struct amount){ INT64_MIN }, one, &ret), -ERANGE);
	assert_int_equal(amount_mul(most, 2, &ret), -ERANGE);
	assert_int_equal(amount_for_seconds(most, 3601, &ret), -ERANGE);
	assert_int_equal(amount_for_seconds(one, -1, &ret), -EINVAL);
	assert_int_equal(amount_share(one, 10001, &ret), -EINVAL);
	assert_int_equal(ret.micro, 7);
	assert_int_equal(amount_for_seconds(most, 3600, &ret), 0);
	assert_int_equal(ret.micro, INT64_MAX);
}

/* However a time is cut into records, the charges add up to the charge of the whole. */
static void rounding_never_accumulates(void **state _unused_)
{
	struct random_seeded seeded;

	random_seeded_init(&seeded, 42);
	for (int round = 0; round < 2000; round++) {
		uint64_t rate, step;
		int64_t seconds = 0, charged = 0;
		struct amount total;

		assert_int_equal(random_below(&seeded.random, 100000000, &rate), 0);
		for (int i = 0; i < 50; i++) {
			assert_int_equal(random_below(&seeded.random, 100, &step), 0);
			seconds += (int64_t)step;
			assert_int_equal(amount_for_seconds((struct amount){ (int64_t)rate },
							    seconds, &total),
					 0);
			assert_true(total.micro >= charged);
			charged += total.micro - charged;
		}
		assert_int_equal(charged, (int64_t)((__int128)rate * seconds / 3600));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(text_and_back),
		cmocka_unit_test(refuses_what_is_not_plain),
		cmocka_unit_test(overflow_is_said),
		cmocka_unit_test(rounding_never_accumulates),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
