/* bill_anchor.h - whether the network recorded on the chain what a bill states. */
#pragma once

#include "cmd/bill.h"
#include "cmd/client.h"
#include "cmd/options.h"

/* For a bill that holds, whose command has ANCHOR_ROWS: checks the record of each lease, and that the network tells
 * of no later one. Says what it found. 0 if all of the bill is there; or an exit status. */
_must_check_ int bill_anchor_verify(struct client *client, const struct option_table *table,
				    const struct options *options, const struct bill *bill);
