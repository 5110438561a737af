/* recompute_roots.h - whether the roots that pay an epoch follow from what was published before. */
#pragma once

#include "cmd/client.h"
#include "cmd/options.h"

/* For either kind: the sums under the root that has @epoch must be those under the root before it, and what each epoch
 * between gives by its records, less the published corrections; they must make the root; and with --rpc, a node of the
 * reader's own choice, and --addresses, both must be the contract's. Epochs that are missing are a fault without
 * --gaps. Says how it is on standard error; an exit status. */
int recompute_roots(struct client *client, const struct options *options, uint32_t epoch);
