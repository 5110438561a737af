/* server_keys.h - the control plane's own keys, kept in a folder only its user may read: the token
 * key (ES256), the network key (secp256k1) and the VPN's authority (Ed25519). Made at the first start, never made anew if one is
 * there but cannot be read: a lost network key would make every open bill unverifiable. */
#pragma once

#include "base/random.h"
#include "security/nebula.h"
#include "security/secp.h"
#include "security/token.h"

struct server_keys {
	struct es256_key *token;
	struct secp_key *network;
	struct nebula_authority *vpn;
};

/* Reads or makes DIR/token.pem, DIR/network.key and DIR/vpn.pem (mode 0600, in a folder of mode 0700).
 * @vpn: of a new authority the network's address, mask and time in seconds. */
_must_check_ int server_keys_load(const char *dir, struct random *random,
				  const struct nebula_claims *vpn, struct server_keys *ret_keys);
void server_keys_done(struct server_keys *keys);
