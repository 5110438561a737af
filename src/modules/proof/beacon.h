/* beacon.h - numbers that nobody could choose for a purpose: a hash chain to which the control plane commits
 * long before it uses it.
 *
 * Time is cut into slots of beacon_slot_ms, numbered since 1970. A chain covers BEACON_SLOTS of them from
 * @first on; its head is published and signed before. The value of slot s is such that s - first + 1 hashes
 * lead to the head:
 *
 *	H(value of s) = value of s - 1,   H(value of first) = head
 *
 * The next chain is published when a quarter of this one is left. Only the values of slots that have begun are
 * ever told. What this does not give: the control plane itself knows the values to come. Until a chain's
 * blocks take the beacon's place, it is trusted not to tell them. */
#pragma once

#include "api/route.h"
#include "popw/hash.h"
#include "wire/sign.h"

enum { BEACON_SLOTS = 4096 };

struct beacon_chain {
	int64_t first; /* slot */
	struct hash head;
	uint8_t signature[SIGNATURE_SIZE]; /* the network's, over beacon_digest */
	int64_t published_ms;
};

struct beacon {
	int64_t slot;
	struct hash value;
	struct beacon_chain chain;
	bool has_next;
	struct beacon_chain next;
};

/* H("popw1/beacon" || network, 20 || first, 8 || slots, 8 || head), little-endian. */
void beacon_digest(struct hasher *hasher, const struct address *network,
		   const struct beacon_chain *chain, struct hash *ret_digest);

/* Publishes what is due: the first chain, and the next long before the end. */
_must_check_ int beacon_renew(const struct context *context, struct tx *tx);

/* Of now. ROUTE_E_UNAVAILABLE: no chain covers it; beacon_renew puts that right. */
_must_check_ int beacon_now(const struct context *context, struct tx *tx,
			    struct beacon *ret_beacon);

/* The value of the slot in which @at_ms, not after now, lies; where no chain had begun, the head of the next. */
_must_check_ int beacon_then(const struct context *context, struct tx *tx, int64_t at_ms,
			     struct hash *ret_value);
