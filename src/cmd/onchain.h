/* onchain.h - how a command that sends a person's own transactions begins: its options, the chain, the contracts and
 * the wallet's key; and how it sends. What is on its way is kept in $KAISAR_HOME/chain/, so that a command
 * that was interrupted finishes it when it is run again. Functions that return an exit status have said why. */
#pragma once

#include "base/clock.h"
#include "chain/abi.h"
#include "chain/contracts.h"
#include "chain/transact.h"
#include "cmd/cli.h"

/* Rows for the table of commands that only look. */
#define ONCHAIN_LOOK_ROWS                                                                 \
	{ "rpc", 0, "URL", "a node of the chain (KAISAR_RPC)" },                          \
		{ "addresses", 0, "FILE", "where the contracts are (KAISAR_ADDRESSES)" }, \
		{ "wallet", 'w', "ADDRESS", "another wallet than the current one" },      \
		CLI_OUTPUT_ROW

/* Rows for the table of every command that sends. */
#define ONCHAIN_ROWS                                                                              \
	ONCHAIN_LOOK_ROWS,                                                                        \
		{ "password-file", 0, "PATH",                                                     \
		  "where its password is; else KAISAR_PASSWORD, else asked for" },                \
		{ "max-gas-cost", 0, "COIN", "what a transaction's gas may cost at most (1)" },   \
	{                                                                                         \
		"wait", 0, "SECONDS", "how long a transaction may take to get into a block (120)" \
	}

struct onchain {
	struct options options;
	enum out_format format;
	struct arena *arena;
	struct contracts contracts;
	struct rpc *rpc;
	struct secp_key *key;
	struct transact transact;
	int lock; /* -1, or: one command at a time sends with a wallet */
	const char *path; /* where what is on its way is kept */
	const char *what; /* it is */
	const char *resumed; /* NULL, or what was interrupted once and is done now, */
	struct transact_done resumed_done; /* thus */
};

/* Reads argv by @table, and finishes what was interrupted. Outcome OPTIONS_E_DONE: end with *@ret_exit. */
_must_check_ int onchain_begin(const struct option_table *table, int argc, char **argv,
			       struct onchain *ret_onchain, int *ret_exit);
/* The same for a command that sends nothing: no key, no password, and the wallet may be anybody's. */
_must_check_ int onchain_look(const struct option_table *table, int argc, char **argv,
			      struct onchain *ret_onchain, int *ret_exit);
/* The same within a command that has read its options (--rpc, --addresses): no wallet. An exit status; then there is
 * nothing to end. */
_must_check_ int onchain_attach(const struct options *options, struct onchain *ret_onchain);
void onchain_end(struct onchain *onchain);

const struct address *onchain_account(const struct onchain *onchain);

/* Where a contract is. An exit status where it is not on this chain. */
_must_check_ int onchain_contract(const struct onchain *onchain, enum contract contract,
				  struct address *ret_address);

/* Whether @to can have tokens: neither nobody's address nor one of the contracts, where they stay. An exit status;
 * @field names what is wrong. */
_must_check_ int onchain_receiver(const struct onchain *onchain, const char *field,
				  const struct address *to);

/* What a contract answers to @signature with @n arguments: one word, or by @type. An exit status. */
_must_check_ int onchain_word(struct onchain *onchain, const struct address *to,
			      const char *signature, const struct abi_value *arguments, size_t n,
			      struct u256 *ret_word);
_must_check_ int onchain_read(struct onchain *onchain, const struct address *to,
			      const char *signature, const struct abi_value *arguments, size_t n,
			      const char *type, struct abi_value *ret_value);

/* The latest block's time, seconds since 1970: contracts go by the chain's clock, which is not ours. An exit status. */
_must_check_ int onchain_now(struct onchain *onchain, uint64_t *ret_at_s);

/* @what, for people and for the next run: "deposit of 25.0 DUSD". An exit status. */
_must_check_ int onchain_send(struct onchain *onchain, const char *what, const struct address *to,
			      struct u256 value, const struct call_data *data,
			      struct transact_done *ret_done);

/* A contract's time, seconds since 1970, for people; what is later than the year 9999 is its end. */
void onchain_time(uint64_t at_s, char ret_text[static CLOCK_TEXT_SIZE]);

/* {"transaction", "block"}; NULL without memory. */
json_t *onchain_done(const struct transact_done *done);

/* ---- tokens ---- */

struct onchain_token {
	struct address address; /* zeros: the chain's coin */
	unsigned int decimals;
	char symbol[17];
};

_must_check_ int onchain_token(struct onchain *onchain, const struct address *address,
			       struct onchain_token *ret_token);

/* By --token's word: stablecoin, kai, or an address. An exit status. */
#define ONCHAIN_TOKEN_HELP "stablecoin (default), kai, or a token's address"
_must_check_ int onchain_token_named(struct onchain *onchain, const char *name,
				     struct onchain_token *ret_token);

bool onchain_is_coin(const struct onchain_token *token);

/* "25.0 DUSD"; NULL without memory. */
const char *onchain_amount(struct onchain *onchain, const struct onchain_token *token,
			   struct u256 amount);

/* What the wallet has of it. An exit status. */
_must_check_ int onchain_balance(struct onchain *onchain, const struct onchain_token *token,
				 struct u256 *ret_balance);

/* Whether the wallet has @amount; @field names what is too much. An exit status. */
_must_check_ int onchain_has(struct onchain *onchain, const struct onchain_token *token,
			     struct u256 amount, const char *field);

/* Lets @spender take @amount, where it may not yet. An exit status. */
_must_check_ int onchain_allow(struct onchain *onchain, const struct onchain_token *token,
			       const struct address *spender, struct u256 amount);
