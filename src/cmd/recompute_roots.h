/* recompute_roots.h - whether the roots that pay an epoch follow from what was published before. */
#pragma once

#include "cmd/client.h"

/* For either kind: the sums under the root that has @epoch must be those under the root before it, and what the epochs
 * between give by their records, less the published corrections; they must make the root; and with @rpc, a node of the
 * reader's own choice, the contract must have been proposed both. Says how it is on standard error; an exit status. */
int recompute_roots(struct client *client, const char *rpc, uint32_t epoch);
