#include "checker/target.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static void addresses_are_of_four_kinds(void **state _unused_)
{
	static const struct {
		const char *host;
		enum target_reach reach;
	} rows[] = {
		{ "127.0.0.1", TARGET_LOOPBACK },
		{ "127.9.9.9", TARGET_LOOPBACK },
		{ "::1", TARGET_LOOPBACK },
		{ "::ffff:127.0.0.1", TARGET_LOOPBACK },
		{ "10.0.0.1", TARGET_PRIVATE },
		{ "172.16.0.1", TARGET_PRIVATE },
		{ "172.31.255.255", TARGET_PRIVATE },
		{ "192.168.1.1", TARGET_PRIVATE },
		{ "100.64.0.1", TARGET_PRIVATE },
		{ "fd00:ec2::254", TARGET_PRIVATE },
		{ "::ffff:10.0.0.1", TARGET_PRIVATE },
		{ "172.32.0.1", TARGET_PUBLIC },
		{ "100.128.0.1", TARGET_PUBLIC },
		{ "192.0.2.1", TARGET_PUBLIC },
		{ "2001:db8::1", TARGET_PUBLIC },
		{ "169.254.169.254", TARGET_NEVER },
		{ "::ffff:169.254.169.254", TARGET_NEVER },
		{ "0.0.0.0", TARGET_NEVER },
		{ "::", TARGET_NEVER },
		{ "224.0.0.1", TARGET_NEVER },
		{ "255.255.255.255", TARGET_NEVER },
		{ "fe80::1", TARGET_NEVER },
		{ "ff02::1", TARGET_NEVER },
		{ "2002:7f00:1::", TARGET_NEVER },
		{ "64:ff9b::7f00:1", TARGET_NEVER },
		{ "localhost", TARGET_NEVER },
		{ "metadata.example", TARGET_NEVER },
		{ "127.1", TARGET_NEVER },
		{ "", TARGET_NEVER },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		if (target_reach(rows[i].host) != rows[i].reach)
			fail_msg("%s", rows[i].host);
}

static void no_network_lets_into_another(void **state _unused_)
{
	static const char *const public[] = { "https://kaisar.example", "http://192.0.2.9:8080",
					      "https://[2001:db8::9]:1" };

	for (size_t i = 0; i < ARRAY_SIZE(public); i++) {
		assert_true(target_allowed("192.0.2.1", public[i]));
		assert_false(target_allowed("10.0.0.1", public[i]));
		assert_false(target_allowed("127.0.0.1", public[i]));
	}
	assert_true(target_allowed("10.0.0.1", "http://192.168.0.9:8080"));
	assert_true(target_allowed("192.0.2.1", "http://192.168.0.9:8080"));
	assert_false(target_allowed("127.0.0.1", "http://192.168.0.9:8080"));
	assert_true(target_allowed("127.0.0.1", "http://127.0.0.1:8080"));
	assert_true(target_allowed("10.0.0.1", "http://localhost:8080"));
	assert_true(target_allowed("::1", "http://[::1]:8080"));
	assert_false(target_allowed("169.254.169.254", "http://127.0.0.1:8080"));
	assert_false(target_allowed("worker.example", "http://127.0.0.1:8080"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(addresses_are_of_four_kinds),
		cmocka_unit_test(no_network_lets_into_another),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
