/* vpn_fetch.h - a machine's question to the control plane: what holds of me in the VPN now? Signed with the
 * machine's key (wire/sign.h); the answer's certificate must be for the key that was asked for, and says
 * itself what the machine is and until when. */
#pragma once

#include "base/arena.h"
#include "security/nebula.h"
#include "security/secp.h"
#include "security/vpn.h"

enum {
	VPN_FETCH_ARENA = 8 << 20,
	VPN_FETCH_TIMEOUT_MS = 5000,
	VPN_WHY_SIZE = 256,
};

struct vpn_question {
	const char *url; /* of the control plane */
	struct address network;
	const struct secp_key *key;
	uint8_t public_key[NEBULA_KEY_SIZE];
	int64_t now_ms;
};

/* Texts and lists in the arena. */
struct vpn_answer {
	enum vpn_kind kind;
	uint32_t address, mask;
	int64_t begins_at_ms, ends_at_ms;
	const char *certificate, *authority; /* PEM */
	struct vpn_lighthouse *lighthouses;
	size_t n_lighthouses;
	uint8_t (*blocked)[VPN_FINGERPRINT_SIZE];
	size_t n_blocked;
	int64_t ask_again_ms;
};

enum vpn_fetch_outcome {
	VPN_FETCH_NONE = 1, /* the network has no VPN */
	VPN_FETCH_REFUSED, /* this machine is not in it, or no longer */
	VPN_FETCH_LATER, /* nobody answered, or not as the API says: try again */
};

/* Waits for the answer. But for 0, @ret_why is why, with the remedy. Faults: -ENOMEM. */
_must_check_ int vpn_fetch(const struct vpn_question *question, struct arena *arena,
			   struct vpn_answer *ret_answer, char ret_why[static VPN_WHY_SIZE]);

/* The same of an answer's body. Outcome VPN_FETCH_LATER. */
_must_check_ int vpn_answer_read(const char *body, size_t len,
				 const uint8_t public_key[static NEBULA_KEY_SIZE],
				 struct arena *arena, struct vpn_answer *ret_answer,
				 char ret_why[static VPN_WHY_SIZE]);

/* What a certificate says, of a machine of this network. -EBADMSG. */
_must_check_ int vpn_certificate_read(const char *pem, struct vpn_answer *ret_answer,
				      uint8_t ret_public[static NEBULA_KEY_SIZE]);
