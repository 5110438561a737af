#include "link/vpn_tunnels.h"

#include <setjmp.h>
#include <stdarg.h>
#include <time.h>
#include <cmocka.h>

/* As nebula 1.6.1 wrote them. */
static const char up[] =
	"{\"build\":\"1.6.1\",\"interface\":\"kai2\",\"level\":\"info\",\"msg\":\"Nebula interface "
	"is "
	"active\",\"network\":\"10.77.0.2/24\",\"udpAddr\":{\"ip\":\"::\",\"port\":55172}}\n";
static const char sent[] = "{\"handshake\":{\"stage\":1,\"style\":\"ix_psk0\"},\"initiatorIndex\":"
			   "1201725448,\"level\":"
			   "\"info\",\"msg\":\"Handshake message "
			   "sent\",\"udpAddrs\":[{\"ip\":\"10.9.9.1\",\"port\":4242}],"
			   "\"vpnIp\":\"10.77.0.1\"}\n";
static const char received[] =
	"{\"certName\":\"n1\",\"durationNs\":16163425,\"handshake\":{\"stage\":2,\"style\":"
	"\"ix_psk0\"},\"level\":\"info\",\"msg\":\"Handshake message "
	"received\",\"udpAddr\":{\"ip\":"
	"\"10.9.9.1\",\"port\":4242},\"vpnIp\":\"10.77.0.1\"}\n";
static const char answered[] =
	"{\"certName\":\"n3\",\"handshake\":{\"stage\":2,\"style\":\"ix_psk0\"},\"level\":\"info\","
	"\"msg\":\"Handshake message sent\",\"udpAddr\":{\"ip\":\"2001:db8::3\",\"port\":56582},"
	"\"vpnIp\":\"10.77.0.3\"}\n";
static const char dead[] =
	"{\"certName\":\"n1\",\"level\":\"info\",\"msg\":\"Tunnel status\",\"tunnelCheck\":"
	"{\"method\":\"active\",\"state\":\"dead\"},\"vpnIp\":\"10.77.0.1\"}\n";
static const char alive[] =
	"{\"certName\":\"n1\",\"level\":\"info\",\"msg\":\"Tunnel status\",\"tunnelCheck\":"
	"{\"method\":\"passive\",\"state\":\"alive\"},\"vpnIp\":\"10.77.0.1\"}\n";
static const char invalid[] =
	"{\"level\":\"info\",\"msg\":\"Remote certificate is no longer valid, tearing down the "
	"tunnel\",\"vpnIp\":\"10.77.0.3\"}\n";
static const char fatal[] =
	"{\"error\":\"operation not permitted\",\"level\":\"fatal\",\"msg\":\"Failed to "
	"get a tun/tap device\"}\n";

static struct vpn_tunnels tunnels;

static void hear(const char *text)
{
	vpn_tunnels_hear(&tunnels, text, strlen(text), 1000);
}

static int set_up(void **state)
{
	(void)state;
	tunnels = (struct vpn_tunnels){ 0 };
	return 0;
}

static void test_made_and_lost(void **state)
{
	(void)state;
	hear(up);
	assert_true(tunnels.up);
	hear(sent);
	assert_int_equal(tunnels.n, 0);
	hear(received);
	assert_int_equal(tunnels.n, 1);
	assert_int_equal(tunnels.items[0].address, 0x0a4d0001);
	assert_string_equal(tunnels.items[0].name, "n1");
	assert_string_equal(tunnels.items[0].at, "10.9.9.1:4242");
	hear(answered);
	assert_int_equal(tunnels.n, 2);
	assert_string_equal(tunnels.items[1].at, "[2001:db8::3]:56582");
	hear(received);
	assert_int_equal(tunnels.n, 2);
	hear(alive);
	assert_int_equal(tunnels.n, 2);
	hear(dead);
	assert_int_equal(tunnels.n, 1);
	assert_null(vpn_tunnels_find(&tunnels, 0x0a4d0001));
	hear(invalid);
	assert_int_equal(tunnels.n, 0);
	hear(answered);
	vpn_tunnels_clear(&tunnels);
	assert_int_equal(tunnels.n, 0);
	assert_false(tunnels.up);
}

static void test_in_pieces(void **state)
{
	(void)state;
	for (size_t i = 0; i < strlen(received); i++)
		vpn_tunnels_hear(&tunnels, &received[i], 1, 1000);
	assert_int_equal(tunnels.n, 1);
}

static void test_nonsense_is_passed_over(void **state)
{
	static char longer[2 * VPN_LINE_MAX];

	(void)state;
	hear("\n{}\n[]\n\"x\"\nnot json\n{\"msg\":1}\n");
	hear("{\"msg\":\"Handshake message "
	     "received\",\"vpnIp\":\"x\",\"handshake\":{\"stage\":2}}\n");
	memset(longer, 'x', sizeof(longer) - 1);
	hear(longer);
	hear("\n");
	hear(received);
	assert_int_equal(tunnels.n, 1);
}

static void test_trouble_is_the_last_error(void **state)
{
	(void)state;
	hear(fatal);
	assert_string_equal(tunnels.trouble,
			    "Failed to get a tun/tap device: operation not permitted");
	hear(up);
	assert_string_equal(tunnels.trouble, "");
}

static void test_no_more_than_fit(void **state)
{
	char line[512];

	(void)state;
	for (unsigned int i = 0; i < VPN_TUNNELS_MAX + 10; i++) {
		snprintf(line, sizeof(line),
			 "{\"handshake\":{\"stage\":2},\"msg\":\"Handshake message received\","
			 "\"vpnIp\":\"10.7.%u.%u\"}\n",
			 i / 256, i % 256);
		hear(line);
	}
	assert_int_equal(tunnels.n, VPN_TUNNELS_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_made_and_lost, set_up),
		cmocka_unit_test_setup(test_in_pieces, set_up),
		cmocka_unit_test_setup(test_nonsense_is_passed_over, set_up),
		cmocka_unit_test_setup(test_trouble_is_the_last_error, set_up),
		cmocka_unit_test_setup(test_no_more_than_fit, set_up),
	};

	return cmocka_run_group_tests_name("vpn_tunnels", tests, NULL, NULL);
}
