/* vpn.h - a machine's place in the mesh VPN: who may reach whom, written as nebula's configuration.
 *
 *	from \ to	worker					checker, gateway, lighthouse
 *	gateway		the ports that tenants' containers publish	echo
 *	checker		the port where the network is measured	-
 *	worker, lighthouse	-					-
 *
 * Each side holds to it: what comes in is named by group, and nobody opens what nobody would take. A group
 * is in a certificate that the control plane signed, so no machine gives itself one. */
#pragma once

#include "base/base.h"

enum vpn_kind {
	VPN_WORKER = 1,
	VPN_CHECKER,
	VPN_GATEWAY,
	VPN_LIGHTHOUSE,
	VPN_KINDS_END,
};

/* By kind, NULL at 0: also the name of the group in its certificates. */
extern const char *const vpn_kind_words[VPN_KINDS_END];

enum {
	VPN_LIGHTHOUSES_MAX = 16,
	VPN_BLOCKED_MAX = 16384,
	VPN_FINGERPRINT_SIZE = 32,
	VPN_ADDRESS_SIZE = 16, /* "255.255.255.255" */
	VPN_AT_MAX = 260, /* "host:port" */
	/* What an Ethernet of 1500 bytes carries with room to spare; more, 8800, is faster where all paths
	 * between machines have it. */
	VPN_MTU = 1300,
	/* With the kernel's own sizes one stream got 300 Mb/s, with these 400 to 520. */
	VPN_BUFFER_BYTES = 10485760,
};

struct vpn_lighthouse {
	uint32_t address; /* in the VPN, host order */
	char at[VPN_AT_MAX + 1]; /* "host:port" on the internet; an IPv6 address in brackets */
};

struct vpn_node {
	enum vpn_kind kind;
	uint32_t address;
	const char *folder; /* absolute: ca.crt, node.crt and node.key lie there */
	const char *device; /* its network interface, at most 15 characters */
	uint16_t listen_port; /* UDP; 0: any free one, which suits all but lighthouses */
	unsigned int mtu; /* 576 to 9000 */
	const struct vpn_lighthouse *lighthouses; /* itself may be among them */
	size_t n_lighthouses;
	const uint8_t (*blocked)[VPN_FINGERPRINT_SIZE];
	size_t n_blocked;
	/* A worker's: what tenants' containers are published at, and where its network is measured; 0: nowhere. */
	uint16_t exposed_first, exposed_last;
	uint16_t proof_port;
};

/* "host:port": a host name, an IPv4 address, or an IPv6 address in brackets. */
bool vpn_at_ok(const char *at);
/* Of what is ok. */
uint16_t vpn_at_port(const char *at);

void vpn_address_text(uint32_t address, char ret_text[static VPN_ADDRESS_SIZE]);
/* "100.80.0.1". -EINVAL. */
_must_check_ int vpn_address_parse(const char *text, uint32_t *ret_address);
/* "100.80.0.0/16": a private or shared one with a prefix of 8 to 28, no bits behind it. -EINVAL. */
_must_check_ int vpn_network_parse(const char *text, uint32_t *ret_address, uint32_t *ret_mask);

/* YAML for nebula 1.6, which the caller frees. -EINVAL: a text would not be itself in YAML, or a number is
 * out of bounds; -ENOMEM. */
_must_check_ int vpn_render(const struct vpn_node *node, char **ret_yaml);
