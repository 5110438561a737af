/* anchor_roots.h - the roots of one kind that a network put onto the chain, all of them, as the contract has them. */
#pragma once

#include "cmd/anchor.h"

struct anchor_roots {
	struct anchor_place place; /* of this kind */
	struct anchor_root *list; /* in order */
	size_t n;
	uint64_t last; /* of all kinds: what is behind it was not final, or not there, yet */
};

/* Reads what the network publishes of all kinds, from the first root to the contract's last final one, and follows the
 * heads, which bind every root and its kind, to those that the contract holds by each endpoint: then none is missing
 * and none is another. 0, or an exit status with what is wrong said. */
_must_check_ int anchor_roots_read(struct client *client, const struct option_table *table,
				   const struct options *options, enum anchor_kind kind,
				   struct anchor_roots *ret_roots);
void anchor_roots_free(struct anchor_roots *roots);
