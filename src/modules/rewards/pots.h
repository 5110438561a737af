/* pots.h - what the contract Distributor did, as its final events say it, each taken once and in the chain's order: how
 * its pots stand, what becomes of our roots, and who was paid. */
#pragma once

#include "modules/rewards/rewards_store_roots.h"

/* Takes what there is, on a network with a chain. Outside of a transaction. */
_must_check_ int pots_follow(const struct context *context, struct arena *arena);
