#include "base/u256.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#include "base/random.h"

static bool same(struct u256 a, struct u256 b)
{
	return u256_compare(&a, &b) == 0;
}

static void known_quotient(void **state _unused_)
{
	/* Python: divmod(2**255 - 19, 0x123456789abcdef0fedcba9876543210aaaaaaaaaaaaaaaa) */
	struct u256 dividend = { { (uint64_t)-19, UINT64_MAX, UINT64_MAX, UINT64_MAX >> 1 } };
	struct u256 divisor = { { 0xaaaaaaaaaaaaaaaau, 0xfedcba9876543210u, 0x123456789abcdef0u } };
	struct u256 rest, quotient = u256_divide(dividend, divisor, &rest);

	assert_true(same(quotient, (struct u256){ { 0x80000000000063cu, 0x7u, 0x0u, 0x0u } }));
	assert_true(same(rest, (struct u256){ { 0xb000000000000415u, 0xe7e4b17e4b17e01cu,
						0x1b4e81b4e821985u, 0x0u } }));
}

/* Of limbs that are often all ones or zeros, where an estimated digit of the quotient is too
 * large. */
static struct u256 some_number(struct random *random, int n_limbs)
{
	struct u256 number = { 0 };

	for (int i = 0; i < n_limbs; i++) {
		uint64_t kind, limb;

		assert_int_equal(random_below(random, 6, &kind), 0);
		assert_int_equal(random_fill(random, &limb, sizeof(limb)), 0);
		number.limbs[i] = kind == 0   ? 0
				  : kind == 1 ? UINT64_MAX
				  : kind == 2 ? (uint64_t)1 << 63
				  : kind == 3 ? limb & 3
					      : limb;
	}
	return number;
}

static void quotient_times_divisor_is_back(void **state _unused_)
{
	struct random_seeded seeded;

	random_seeded_init(&seeded, 1);
	for (int round = 0; round < 200000; round++) {
		struct u256 dividend = some_number(&seeded.random, 1 + round % 4);
		struct u256 divisor = some_number(&seeded.random, 1 + round / 4 % 4), rest,
			    quotient;

		if (u256_is_zero(divisor))
			continue;
		quotient = u256_divide(dividend, divisor, &rest);
		assert_true(u256_compare(&rest, &divisor) < 0);
		assert_true(same(u256_add(u256_mul(quotient, divisor), rest), dividend));
		assert_true(same(u256_subtract(dividend, rest), u256_mul(quotient, divisor)));
	}
}

/* What needs the step that adds the divisor back is too rare for chance: this is Hacker's
 * Delight's case, widened to limbs of 64 bits. */
static void digit_that_was_one_too_large(void **state _unused_)
{
	struct u256 dividend = { { 0, UINT64_MAX - 1, (uint64_t)1 << 63 } };
	struct u256 divisor = { { UINT64_MAX, (uint64_t)1 << 63 } }, rest, quotient;

	quotient = u256_divide(dividend, divisor, &rest);
	assert_true(same(quotient, u256_from(UINT64_MAX)));
	assert_true(same(u256_add(u256_mul(quotient, divisor), rest), dividend));
	assert_true(u256_compare(&rest, &divisor) < 0);

	dividend = (struct u256){ { 3, 0, (uint64_t)1 << 63 } };
	divisor = (struct u256){ { 1, 0, (uint64_t)1 << 61 } };
	quotient = u256_divide(dividend, divisor, &rest);
	assert_true(same(quotient, u256_from(3)));
	assert_true(same(rest, (struct u256){ { 0, 0, (uint64_t)1 << 61 } }));
}

static void bytes_and_bits(void **state _unused_)
{
	struct u256 one = u256_from(1), high = { { 0, 0, 0, (uint64_t)1 << 63 } };
	uint8_t bytes[32];

	u256_bytes((struct u256){ { 0x0807060504030201, 0, 0, 0xfffefdfcfbfaf9f8 } }, bytes);
	assert_int_equal(bytes[0], 0xff);
	assert_int_equal(bytes[7], 0xf8);
	assert_int_equal(bytes[24], 0x08);
	assert_int_equal(bytes[31], 0x01);
	assert_true(same(u256_from_bytes(bytes),
			 (struct u256){ { 0x0807060504030201, 0, 0, 0xfffefdfcfbfaf9f8 } }));
	assert_int_equal(u256_bits((struct u256){ 0 }), 0);
	assert_int_equal(u256_bits(one), 1);
	assert_int_equal(u256_bits(u256_from(UINT64_MAX)), 64);
	assert_int_equal(u256_bits(high), 256);
}

static void decimal(void **state _unused_)
{
	static const char most[] =
		"115792089237316195423570985008687907853269984665640564039457584007913129639935";
	static const char *const refused[] = { "", "00", "01", "-1", "+1", "1 ", "0x1", "1e3" };
	struct u256 all = { { UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX } }, value;
	char text[U256_TEXT_SIZE];

	assert_int_equal(u256_text(all, text), 78);
	assert_string_equal(text, most);
	assert_int_equal(u256_parse(most, 78, &value), 0);
	assert_true(same(value, all));
	text[77] = '6';
	assert_int_equal(u256_parse(text, 78, &value), -ERANGE);
	text[78] = '0';
	assert_int_equal(u256_parse(text, 79, &value), -ERANGE);
	assert_int_equal(u256_text((struct u256){ 0 }, text), 1);
	assert_string_equal(text, "0");
	assert_int_equal(u256_parse("0", 1, &value), 0);
	assert_true(u256_is_zero(value));
	for (size_t i = 0; i < ARRAY_SIZE(refused); i++)
		assert_int_equal(u256_parse(refused[i], strlen(refused[i]), &value), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(known_quotient),
		cmocka_unit_test(quotient_times_divisor_is_back),
		cmocka_unit_test(digit_that_was_one_too_large),
		cmocka_unit_test(bytes_and_bits),
		cmocka_unit_test(decimal),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
