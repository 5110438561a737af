#include "chain/hex.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static void quantities(void **state _unused_)
{
	/* The specification's own examples, good and bad. */
	static const struct {
		const char *text;
		uint64_t value;
	} good[] = { { "0x41", 65 },
		     { "0x400", 1024 },
		     { "0x0", 0 },
		     { "0xfF", 255 },
		     { "0xffffffffffffffff", UINT64_MAX } };
	static const char *const bad[] = { "0x",  "0x0400", "ff",   "",   "0",
					   "0X1", "0x-1",   "0x1 ", "0xg" };
	char text[HEX_QUANTITY_SIZE];
	struct u256 wide;
	uint64_t value;

	for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
		assert_int_equal(hex_quantity_u64(good[i].text, strlen(good[i].text), &value), 0);
		assert_true(value == good[i].value);
		assert_int_equal(hex_quantity(u256_from(value), text), strlen(good[i].text));
		if (i != 3)
			assert_string_equal(text, good[i].text);
	}
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_int_equal(hex_quantity_parse(bad[i], strlen(bad[i]), &wide), -EINVAL);
	assert_int_equal(hex_quantity_u64("0x10000000000000000", 19, &value), -ERANGE);
}

static void widest_quantity(void **state _unused_)
{
	static const char most[] =
		"0xffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff0";
	char text[HEX_QUANTITY_SIZE];
	struct u256 value;

	assert_int_equal(hex_quantity_parse(most, 66, &value), 0);
	assert_int_equal(u256_bits(value), 256);
	assert_int_equal(hex_quantity(value, text), 66);
	assert_memory_equal(text, most, 66);
	assert_int_equal(hex_quantity_parse(most, 67, &value), -ERANGE);
}

static void data(void **state _unused_)
{
	static const char *const bad[] = { "0xf0f", "004200", "", "0", "0x0g" };
	uint8_t bytes[4];
	char text[11];
	size_t len;

	assert_int_equal(hex_data_parse("0x41", 4, bytes, 4, &len), 0);
	assert_int_equal(len, 1);
	assert_int_equal(bytes[0], 0x41);
	assert_int_equal(hex_data_parse("0x", 2, bytes, 4, &len), 0);
	assert_int_equal(len, 0);
	assert_int_equal(hex_data_parse("0x0011eEfF", 10, bytes, 4, &len), 0);
	hex_data(bytes, len, text);
	assert_string_equal(text, "0x0011eeff");
	assert_int_equal(hex_data_parse("0x0011eeff00", 12, bytes, 4, &len), -ENOSPC);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_int_equal(hex_data_parse(bad[i], strlen(bad[i]), bytes, 4, &len), -EINVAL);
	assert_int_equal(hex_data_exact("0x0011eeff", 10, bytes, 4), 0);
	assert_int_equal(hex_data_exact("0x0011ee", 8, bytes, 4), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(quantities),
		cmocka_unit_test(widest_quantity),
		cmocka_unit_test(data),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
