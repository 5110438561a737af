/* server_chain.h - which chain a control plane records on, by its options. */
#pragma once

#include "api/settings.h"
#include "chain/contracts.h"
#include "chain/rpc.h"
#include "cmd/options.h"

#define SERVER_CHAIN_ROWS                                                                  \
	{ "chain-rpc", 0, "URL", "an endpoint of the chain; may be repeated (no chain)" }, \
		{ "chain-agree", 0, "N",                                                   \
		  "endpoints that must say the same (more than half of them)" },           \
		{ "chain-addresses", 0, "FILE",                                            \
		  "where the contracts are, as contracts/deploy/deploy.js wrote it" },     \
		{ "chain-stablecoin", 0, "ADDRESS",                                        \
		  "what tenants deposit, 6 decimals (the demonstration's Dollar)" },       \
		{ "chain-kai-price", 0, "AMOUNT",                                          \
		  "what a deposited KAI is credited as; none is without it" },             \
	{                                                                                  \
		"chain-signer", 0, "SOCKET", "of `kaisar signer run`, which holds the key" \
	}

struct server_chain {
	struct contracts contracts;
	const char *urls[RPC_ENDPOINTS_MAX];
	struct chain_settings settings;
};

/* @ret_settings, which live in @chain: NULL where the options name no chain. 0, or an exit status with what
 * is wrong printed. */
_must_check_ int server_chain_read(const struct options *options, const struct option_table *table,
				   struct server_chain *chain,
				   const struct chain_settings **ret_settings);
