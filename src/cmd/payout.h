/* payout.h - what accounts do about their rewards on the chain: claim what a root in effect names, and give vKAI up for
 * KAI over time (which grants.h then shows and releases). Each is a whole command. */
#pragma once

#include "cmd/onchain.h"

int payout_claim(int argc, char **argv);
int payout_unlock(int argc, char **argv);

/* ---- for grants.c, too ---- */

/* Begins, has @command done, and ends; an exit status. */
int payout_run(const struct option_table *table, int (*command)(struct onchain *), int argc,
	       char **argv);

/* The account that a command is about: --account, or the wallet's. An exit status. */
_must_check_ int payout_who(const struct onchain *onchain, struct address *ret_account);

/* "12.5 KAI"; NULL without memory. */
const char *payout_tokens(struct onchain *onchain, struct u256 units, const char *symbol);
