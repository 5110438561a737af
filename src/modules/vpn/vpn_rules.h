/* vpn_rules.h - the VPN module's rules, for its routes, jobs and tests. */
#pragma once

#include "modules/vpn/vpn_store.h"
#include "wire/sign.h"

enum {
	VPN_CLOCK_MS = 60000, /* a question is at most so old, and a certificate begins so early */
	VPN_KEYS_MAX =
		4, /* of one machine with a certificate at once: it may start anew now and then */
	VPN_WHY_MAX = 200,
	VPN_SWEEP_MS = 10000,
};

struct vpn_question {
	struct machine_id machine;
	uint8_t public_key[NEBULA_KEY_SIZE];
	int64_t at_ms;
	uint8_t signature[SIGNATURE_SIZE];
};

struct vpn_membership {
	struct vpn_row row;
	struct vpn_certificate_row certificate;
	bool fresh; /* the first certificate for this key */
	struct vpn_row *lighthouses;
	size_t n_lighthouses;
	struct vpn_fingerprint *blocked;
	size_t n_blocked;
};

/* What holds of the machine now. */
_must_check_ int vpn_ask(const struct context *context, struct tx *tx,
			 const struct vpn_question *question,
			 struct vpn_membership *ret_membership);

/* An operator's gateway or lighthouse; one that is there is given its new place. @place: "" of a gateway. */
_must_check_ int vpn_add(const struct context *context, struct tx *tx, struct machine_id machine,
			 enum vpn_kind kind, const char *place, struct vpn_row *ret_row);

/* Ends the membership of workers that were removed and of checkers that may verify no longer. */
_must_check_ int vpn_sweep(const struct context *context, struct arena *arena);
