#include "chain/transact.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static struct u256 number(uint64_t value)
{
	return u256_from(value);
}

static void fees(void **state _unused_)
{
	struct transaction transaction = { .nonce = 7 };

	/* (2 * 10 + 3) * 100 = 2300 */
	assert_true(transact_fees(number(10), number(3), 100, number(2300), &transaction));
	assert_int_equal(transaction.gas_limit, 100);
	assert_int_equal((uint64_t)u256_low(transaction.max_fee), 23);
	assert_int_equal((uint64_t)u256_low(transaction.max_priority_fee), 3);
	assert_int_equal(transaction.nonce, 7);
	assert_false(transact_fees(number(10), number(3), 100, number(2299), &transaction));
}

/* What an endpoint that lies may say ends nothing, and is not paid. */
static void absurd_fees(void **state _unused_)
{
	uint8_t bytes[32];
	struct transaction transaction;
	struct u256 most;

	memset(bytes, 0xff, sizeof(bytes));
	most = u256_from_bytes(bytes);
	assert_false(transact_fees(most, number(1), 1, most, &transaction));
	assert_false(transact_fees(number(1), most, 1, most, &transaction));
	memset(bytes, 0, 16);
	assert_true(transact_fees(u256_from_bytes(bytes), u256_from_bytes(bytes), UINT64_MAX / 4,
				  most, &transaction));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(fees),
		cmocka_unit_test(absurd_fees),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
