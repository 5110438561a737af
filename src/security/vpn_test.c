#include "security/vpn.h"

#include <setjmp.h>
#include <stdarg.h>
#include <time.h>
#include <cmocka.h>

static const struct vpn_lighthouse lighthouses[] = {
	{ 0x64640001, "192.0.2.1:4242" },
	{ 0x64640002, "[2001:db8::1]:4243" },
};

static struct vpn_node some_node(enum vpn_kind kind)
{
	return (struct vpn_node){
		.kind = kind,
		.address = 0x64640009,
		.folder = "/var/lib/x/vpn",
		.device = "kai12345678",
		.mtu = VPN_MTU,
		.lighthouses = lighthouses,
		.n_lighthouses = 2,
	};
}

static char *render(const struct vpn_node *node)
{
	char *yaml = NULL;

	assert_int_equal(vpn_render(node, &yaml), 0);
	return yaml;
}

#define assert_has(yaml, text) assert_non_null(strstr(yaml, text))
#define assert_lacks(yaml, text) assert_null(strstr(yaml, text))

static void test_worker_takes_gateways_and_checkers_only(void **state)
{
	struct vpn_node node = some_node(VPN_WORKER);
	_cleanup_(freep) char *yaml = NULL;

	(void)state;
	node.exposed_first = 32768;
	node.exposed_last = 60999;
	node.proof_port = 7080;
	yaml = render(&node);
	assert_has(yaml, "  inbound:\n"
			 "    - {port: any, proto: icmp, group: gateway}\n"
			 "    - {port: 32768-60999, proto: tcp, group: gateway}\n"
			 "    - {port: 7080, proto: tcp, group: checker}\n"
			 "  outbound: []\n");
	assert_has(yaml, "disconnect_invalid: true\n  blocklist: []\n");
	assert_has(yaml, "static_host_map: {\"100.100.0.1\": [\"192.0.2.1:4242\"], "
			 "\"100.100.0.2\": [\"[2001:db8::1]:4243\"]}\n");
	assert_has(yaml, "  hosts: [\"100.100.0.1\", \"100.100.0.2\"]\n");
	assert_has(yaml, "am_lighthouse: false\n");
	assert_lacks(yaml, "group: worker");
	assert_lacks(yaml, "host: any");
}

static void test_worker_without_ports_takes_nothing_but_echoes(void **state)
{
	struct vpn_node node = some_node(VPN_WORKER);
	_cleanup_(freep) char *yaml = render(&node);

	(void)state;
	assert_has(yaml, "  inbound:\n    - {port: any, proto: icmp, group: gateway}\n  outbound");
}

static void test_checkers_and_gateways_only_reach_out_to_workers(void **state)
{
	struct vpn_node checker = some_node(VPN_CHECKER), gateway = some_node(VPN_GATEWAY);
	_cleanup_(freep) char *of_checker = render(&checker);
	_cleanup_(freep) char *of_gateway = render(&gateway);

	(void)state;
	assert_has(of_checker, "outbound:\n    - {port: any, proto: tcp, group: worker}\n");
	assert_has(of_gateway, "    - {port: any, proto: tcp, group: worker}\n");
	assert_lacks(of_checker, "group: checker");
	assert_lacks(of_gateway, "group: checker");
}

static void test_lighthouse_knows_the_others_and_relays(void **state)
{
	struct vpn_node node = some_node(VPN_LIGHTHOUSE);
	_cleanup_(freep) char *yaml = NULL;

	(void)state;
	node.address = 0x64640001;
	node.listen_port = 4242;
	yaml = render(&node);
	assert_has(yaml, "static_host_map: {\"100.100.0.2\": [\"[2001:db8::1]:4243\"]}\n");
	assert_has(yaml, "am_lighthouse: true\n  interval: 10\n  hosts: []\n");
	assert_has(yaml, "am_relay: true\n");
	assert_has(yaml, "  port: 4242\n");
	assert_has(yaml, "  outbound: []\n");
}

static void test_blocked_are_named(void **state)
{
	static const uint8_t blocked[2][VPN_FINGERPRINT_SIZE] = { { 0xab }, { 0xcd } };
	struct vpn_node node = some_node(VPN_CHECKER);
	_cleanup_(freep) char *yaml = NULL;

	(void)state;
	node.blocked = blocked;
	node.n_blocked = 2;
	yaml = render(&node);
	assert_has(yaml,
		   "  blocklist:\n"
		   "    - \"ab00000000000000000000000000000000000000000000000000000000000000\"\n"
		   "    - \"cd0000");
}

static void test_what_would_not_be_itself_in_yaml_is_refused(void **state)
{
	struct vpn_lighthouse bad = { 1, "host\": [x]:1" };
	struct vpn_node node;
	char *yaml;

	(void)state;
	node = some_node(VPN_WORKER);
	node.folder = "/a\"b";
	assert_int_equal(vpn_render(&node, &yaml), -EINVAL);
	node.folder = "relative";
	assert_int_equal(vpn_render(&node, &yaml), -EINVAL);
	node = some_node(VPN_WORKER);
	node.device = "a b";
	assert_int_equal(vpn_render(&node, &yaml), -EINVAL);
	node = some_node(VPN_WORKER);
	node.lighthouses = &bad;
	node.n_lighthouses = 1;
	assert_int_equal(vpn_render(&node, &yaml), -EINVAL);
	node = some_node(VPN_WORKER);
	node.mtu = 100;
	assert_int_equal(vpn_render(&node, &yaml), -EINVAL);
}

static void test_places(void **state)
{
	static const char *const good[] = { "a:1", "host.example:65535", "192.0.2.1:4242",
					    "[::1]:1" };
	static const char *const bad[] = { "",         "a",       "a:",    "a:0",
					   "a:01",     "a:65536", ":1",    "a b:1",
					   "a:1x",     "::1:1",   "[]:1",  "[::1:1",
					   "a:123456", "a\"b:1",  "[x]:1", "a]:1" };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(good); i++)
		assert_true(vpn_at_ok(good[i]));
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_false(vpn_at_ok(bad[i]));
	assert_int_equal(vpn_at_port("[::1]:4243"), 4243);
}

static void test_networks(void **state)
{
	static const char *const bad[] = { "",
					   "100.100.0.0",
					   "100.100.0.0/",
					   "100.100.0.1/16",
					   "100.100.0.0/7",
					   "100.100.0.0/29",
					   "8.8.0.0/16",
					   "100.0.0.0/8",
					   "100.100.0.0/16x",
					   "172.0.0.0/8",
					   "100.100.0.0/ 16" };
	uint32_t address, mask;
	char text[VPN_ADDRESS_SIZE];

	(void)state;
	assert_int_equal(vpn_network_parse("100.100.0.0/16", &address, &mask), 0);
	assert_int_equal(mask, 0xffff0000);
	vpn_address_text(address, text);
	assert_string_equal(text, "100.100.0.0");
	assert_int_equal(vpn_network_parse("10.0.0.0/8", &address, &mask), 0);
	assert_int_equal(vpn_network_parse("192.168.4.0/22", &address, &mask), 0);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_int_equal(vpn_network_parse(bad[i], &address, &mask), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_worker_takes_gateways_and_checkers_only),
		cmocka_unit_test(test_worker_without_ports_takes_nothing_but_echoes),
		cmocka_unit_test(test_checkers_and_gateways_only_reach_out_to_workers),
		cmocka_unit_test(test_lighthouse_knows_the_others_and_relays),
		cmocka_unit_test(test_blocked_are_named),
		cmocka_unit_test(test_what_would_not_be_itself_in_yaml_is_refused),
		cmocka_unit_test(test_places),
		cmocka_unit_test(test_networks),
	};

	return cmocka_run_group_tests_name("vpn", tests, NULL, NULL);
}
