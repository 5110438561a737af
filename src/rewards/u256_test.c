#include "rewards/u256.h"

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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(known_quotient),
		cmocka_unit_test(quotient_times_divisor_is_back),
		cmocka_unit_test(digit_that_was_one_too_large),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
