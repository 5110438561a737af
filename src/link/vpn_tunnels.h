/* vpn_tunnels.h - which tunnels nebula has, from the lines that it logs (logging.format json, 1.6): it tells
 * in no other way without opening a port. What it does not log is not known here: a tunnel that it gave up
 * in silence stays until something replaces it, or nebula ends. */
#pragma once

#include "base/base.h"
#include "security/vpn.h"

enum { VPN_TUNNELS_MAX = 1024, VPN_LINE_MAX = 4096, VPN_TROUBLE_SIZE = 160 };

struct vpn_tunnel {
	uint32_t address; /* in the VPN */
	char name[64]; /* by its certificate: the other machine's address */
	char at[64]; /* on the internet, "192.0.2.1:4242"; "" through a relay */
	int64_t since_ms;
};

struct vpn_tunnels {
	struct vpn_tunnel items[VPN_TUNNELS_MAX]; /* by age, the oldest first; more are not kept */
	size_t n;
	char trouble[VPN_TROUBLE_SIZE]; /* the last error that nebula told; "" */
	bool up; /* its interface is there */
	bool changed; /* the owner resets it */
	char line[VPN_LINE_MAX];
	size_t line_len;
};

/* More of what nebula wrote. Lines longer than VPN_LINE_MAX are passed over. */
void vpn_tunnels_hear(struct vpn_tunnels *tunnels, const char *bytes, size_t len, int64_t now_ms);

/* Nebula has ended. The trouble stays. */
void vpn_tunnels_clear(struct vpn_tunnels *tunnels);

const struct vpn_tunnel *vpn_tunnels_find(const struct vpn_tunnels *tunnels, uint32_t address);
