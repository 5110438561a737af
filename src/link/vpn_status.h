/* vpn_status.h - how a machine's VPN does, as the keeper writes it for people: a JSON object with kind,
 * address, expires_at, lighthouses, tunnels, nebula, and problem: what is wrong, with the remedy; "". */
#pragma once

#include <jansson.h>

#include "link/vpn_fetch.h"
#include "link/vpn_tunnels.h"

struct vpn_status {
	const struct vpn_answer *answer; /* what was told last; its kind is 0 before */
	const struct vpn_tunnels *tunnels;
	bool running; /* nebula */
	unsigned int starts;
	int result; /* of the last question: 0 or enum vpn_fetch_outcome */
	bool asked;
	const char *why; /* of that, where it is not 0 */
	int64_t asked_at_ms; /* answered last; 0: never */
	int64_t now_ms, started_at_ms;
};

/* NULL without memory. */
json_t *vpn_status_json(const struct vpn_status *status);
