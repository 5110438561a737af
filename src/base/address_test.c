#include "base/address.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

/* The examples of EIP-55. */
static const char *const spelled[] = {
	"0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed", "0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359",
	"0xdbF03B407c01E7cD3CBea99509d93f8DDDC8C6FB", "0xD1220A0cf47c7B9Be7A2E6BA89F429762e7b9aDb",
	"0x52908400098527886E0F7030069857D2E4169EE7", "0x8617E340B3D01FA5F11F306F4090FD50E238070D",
	"0xde709f2102306220921060314715629080e2fb77", "0x27b1fdb04752bbc536007a920d24acb045561c26",
};

static void spells_eip55(void **state _unused_)
{
	for (size_t i = 0; i < ARRAY_SIZE(spelled); i++) {
		char text[ADDRESS_TEXT_SIZE];
		struct address address;

		assert_int_equal(address_parse_checksummed(spelled[i], &address), 0);
		address_text(&address, text);
		assert_string_equal(text, spelled[i]);
	}
}

static void refuses_other_spellings(void **state _unused_)
{
	static const char *const bad[] = {
		"",
		"0x",
		"5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed",
		"0X5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed",
		"0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAe",
		"0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAedd",
		"0x5AAeb6053F3E94C9b9A09f33669435E7Ef1BeAed",
		"0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAeg",
		" 0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed",
	};
	struct address address;

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_int_equal(address_parse(bad[i], &address), -EINVAL);
}

static void one_case_carries_no_checksum(void **state _unused_)
{
	struct address lower, upper;

	assert_int_equal(address_parse("0x5aaeb6053f3e94c9b9a09f33669435e7ef1beaed", &lower), 0);
	assert_int_equal(address_parse("0x5AAEB6053F3E94C9B9A09F33669435E7EF1BEAED", &upper), 0);
	assert_true(address_equal(&lower, &upper));
	assert_int_equal(
		address_parse_checksummed("0x5aaeb6053f3e94c9b9a09f33669435e7ef1beaed", &lower),
		-EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(spells_eip55),
		cmocka_unit_test(refuses_other_spellings),
		cmocka_unit_test(one_case_carries_no_checksum),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
