#include "security/policy.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static void test_words_round_trip(void **state)
{
	(void)state;
	for (enum permission p = PERM_ACCOUNT; p <= PERM_OPERATOR; p++) {
		enum permission back;

		assert_non_null(permission_word(p));
		assert_int_equal(permission_parse(permission_word(p), &back), 0);
		assert_int_equal(back, p);
	}
	assert_null(permission_word(PERM_UNSET));
	assert_null(permission_word(PERM_PUBLIC));
	assert_null(permission_word(PERM_OPERATOR + 1));
}

static void test_unknown_words(void **state)
{
	enum permission p;
	enum role role;

	(void)state;
	assert_int_equal(permission_parse("", &p), -EINVAL);
	assert_int_equal(permission_parse("rental", &p), -EINVAL);
	assert_int_equal(permission_parse("Operator", &p), -EINVAL);
	assert_int_equal(role_parse("admin", &role), -EINVAL);
	assert_int_equal(role_parse("operator", &role), 0);
	assert_int_equal(role, ROLE_OPERATOR);
}

static void test_roles_grant(void **state)
{
	uint32_t tenant = policy_permissions(1u << ROLE_TENANT);
	uint32_t provider = policy_permissions(1u << ROLE_PROVIDER);

	(void)state;
	assert_true(policy_allows(tenant, PERM_RENTAL_WRITE));
	assert_true(policy_allows(tenant, PERM_BILLING_READ));
	assert_false(policy_allows(tenant, PERM_WORKER_READ));
	assert_false(policy_allows(tenant, PERM_OPERATOR));
	assert_true(policy_allows(provider, PERM_WORKER_WRITE));
	assert_false(policy_allows(provider, PERM_RENTAL_READ));
	assert_int_equal(policy_permissions(ROLES_OF_NEW_ACCOUNT), tenant | provider);
	assert_int_equal(policy_permissions(1u << ROLE_CHECKER), 1u << PERM_ACCOUNT);
	for (enum permission p = PERM_PUBLIC; p <= PERM_OPERATOR; p++)
		assert_true(policy_allows(policy_permissions(1u << ROLE_OPERATOR), p));
}

static void test_nobody_and_unknown(void **state)
{
	(void)state;
	assert_true(policy_allows(0, PERM_PUBLIC));
	assert_false(policy_allows(0, PERM_ACCOUNT));
	assert_false(policy_allows(UINT32_MAX, PERM_UNSET));
	assert_int_equal(policy_permissions(0), 0);
	assert_int_equal(policy_permissions(~0xfu), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_words_round_trip),
		cmocka_unit_test(test_unknown_words),
		cmocka_unit_test(test_roles_grant),
		cmocka_unit_test(test_nobody_and_unknown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
