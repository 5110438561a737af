/* licence.h - the subcommands of `kaisar licence`, and of `kaisar checker` what its operator does about licences.
 * argv[0] is the verb's own name; they return the exit status. */
#pragma once

#include "cmd/onchain.h"

/* The sale: what is for sale, and buying. */
int licence_rounds(int argc, char **argv);
int licence_buy(int argc, char **argv);

/* The owner's: what they have, as the network knows it, and where it counts. */
int licence_list(int argc, char **argv);
int licence_delegate(int argc, char **argv);
int licence_undelegate(int argc, char **argv);

/* The operator's. */
int licence_delegations(int argc, char **argv);
int licence_accept(int argc, char **argv);
int licence_refuse(int argc, char **argv);

/* ---- the sale's rounds; functions give an exit status ---- */

struct sale {
	struct address contract, licence;
	struct onchain_token coin, token; /* what it takes */
	uint64_t n_rounds, minted, cap;
};

struct sale_round {
	uint64_t number, start_s, end_s, cap, sold;
	uint64_t left; /* of the round and of all licences */
	uint64_t whitelist_bp, referral_bp; /* discounts, of 10,000 */
	struct u256 coin_price, token_price; /* 0: not sold for it */
	uint8_t whitelist[32]; /* the list's root; zeros: nobody is on it */
};

_must_check_ int sale_read(struct onchain *onchain, struct sale *ret_sale);
_must_check_ int sale_round(struct onchain *onchain, const struct sale *sale, uint64_t number,
			    struct sale_round *ret_round);

/* "open", "coming", "over" or "sold out", now. */
const char *sale_round_state(const struct sale_round *round);

/* The file at @path has an address on each line; the round's list has its own leaf of each. @ret_path: leads from the
 * wallet's to the round's root. An exit status: it is another list, or the wallet is not on it. */
struct merkle_hash;
_must_check_ int sale_whitelist(struct onchain *onchain, const struct sale *sale,
				const struct sale_round *round, const char *path,
				const struct merkle_hash **ret_path, size_t *ret_n);
