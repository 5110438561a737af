#include "chain/coins.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static void assert_reads(const char *text, unsigned int decimals, const char *units,
			 const char *shortest)
{
	char written[COINS_TEXT_SIZE], number[U256_TEXT_SIZE];
	struct u256 amount;

	assert_int_equal(coins_parse(text, decimals, &amount), 0);
	u256_text(amount, number);
	assert_string_equal(number, units);
	coins_text(amount, decimals, written);
	assert_string_equal(written, shortest);
}

static void amounts(void **state _unused_)
{
	assert_reads("12.5", 6, "12500000", "12.5");
	assert_reads("12", 6, "12000000", "12.0");
	assert_reads("0", 6, "0", "0.0");
	assert_reads("0.000001", 6, "1", "0.000001");
	assert_reads("007.10", 2, "710", "7.1");
	assert_reads("3", 0, "3", "3.0");
	assert_reads("0.0", 18, "0", "0.0");
	assert_reads("1000000000.000000000000000001", 18, "1000000000000000000000000001",
		     "1000000000.000000000000000001");
	assert_reads(
		"115792089237316195423570985008687907853269984665640564039457584007913129639935", 0,
		"115792089237316195423570985008687907853269984665640564039457584007913129639935",
		"115792089237316195423570985008687907853269984665640564039457584007913129639935.0");
	assert_reads("0.000000000000000000000000000000000001", 36, "1",
		     "0.000000000000000000000000000000000001");
}

static void refusals(void **state _unused_)
{
	static const char *const malformed[] = { "",     ".",   "1.",   ".5",   "-1",  "+1",
						 "1e3",  " 1",  "1 ",   "1,5",  "0x1", "1.5.5",
						 "1..5", "1.-", "1.2a", "1.234" };
	struct u256 amount;

	for (size_t i = 0; i < ARRAY_SIZE(malformed); i++)
		assert_int_equal(coins_parse(malformed[i], 2, &amount), -EINVAL);
	assert_int_equal(coins_parse("1.0", 0, &amount), -EINVAL);
	assert_int_equal(coins_parse("1", COINS_DECIMALS_MAX + 1, &amount), -EINVAL);
	assert_int_equal(
		coins_parse(
			"11579208923731619542357098500868790785326998466564056403945758400791312963"
			"9936",
			0, &amount),
		-ERANGE);
	assert_int_equal(
		coins_parse(
			"99999999999999999999999999999999999999999999999999999999999999999999999999"
			"99999999999999999999",
			6, &amount),
		-ERANGE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(amounts),
		cmocka_unit_test(refusals),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
