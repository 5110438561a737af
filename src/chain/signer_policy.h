/* signer_policy.h - what the network's key signs: a few kinds of calls, each to one contract, so many a day, and of
 * money so much a day. Days are UTC's. Pure: what was signed before is handed in (signer_store.h keeps it).
 *
 *	{"chain_id": 3338, "kinds": {
 *	   "anchor": {"contract": "0x..", "max_gas": 100000, "max_fee_wei": 1000000000000, "calls_per_day": 400},
 *	   "settle": {..., "tokens": [{"token": "0x..", "units_per_day": "5000000000"}]},
 *	   "return": as settle, "propose": {.., "units_per_day": "2000000"}, "activate": as anchor}}
 *
 * A kind that is not named is not signed. Settlements and returns name sums that only grow: what one of them moves
 * is what it names above the most that was ever signed for the same tenant (and provider). So do proposals: what one
 * may pay out is what its total grows above the most that was ever signed for the same pot. */
#pragma once

#include "base/field.h"
#include "base/u256.h"
#include "chain/transaction.h"

enum signer_kind {
	SIGNER_ANCHOR, /* Anchor.anchor */
	SIGNER_SETTLE, /* Escrow.settle */
	SIGNER_RETURN, /* Escrow.giveBack */
	SIGNER_PROPOSE, /* Distributor.propose */
	SIGNER_ACTIVATE, /* Distributor.activate */
	SIGNER_KINDS_N
};

enum {
	SIGNER_POLICY_MAX = 64 << 10, /* bytes */
	SIGNER_TOKENS_MAX = 16,
	SIGNER_DAY_MS = 24 * 60 * 60 * 1000,
};

struct signer_token {
	struct address token;
	struct u256 units_per_day;
};

struct signer_rule {
	struct address contract;
	int64_t max_gas;
	int64_t max_fee_wei; /* for each gas */
	int64_t calls_per_day; /* 0: no such kind */
	/* Of settle and return; of propose one, the distributor in a token's place. */
	struct signer_token tokens[SIGNER_TOKENS_MAX];
	size_t n_tokens;
};

struct signer_policy {
	uint64_t chain_id;
	struct signer_rule rules[SIGNER_KINDS_N];
};

/* "anchor"; NULL past the last. */
const char *signer_kind_name(enum signer_kind kind);

/* FIELD_E_SYNTAX, FIELD_E_INVALID: @ret_error names the field and the rule. -ENOMEM. */
_must_check_ int signer_policy_read(const char *json, size_t len, struct arena *arena,
				    struct signer_policy *ret_policy,
				    struct field_error *ret_error);

enum signer_policy_outcome {
	SIGNER_E_REFUSED = 1, /* @ret_detail names the rule and the remedy */
};

/* A sum that a call names: for a tenant and a provider, a tenant and nobody, or, as an address, a pot's number. */
struct signer_claim {
	struct address tenant, provider;
	struct u256 total;
};

/* What one transaction is, for what is counted. */
struct signer_call {
	enum signer_kind kind;
	const struct signer_rule *rule;
	uint64_t nonce;
	uint8_t hash[32]; /* of contract and data: with other fees it is the same call */
	const struct signer_token *token; /* NULL: it moves no money */
	const struct signer_claim *claims; /* no two of the same pair */
	size_t n_claims;
};

/* Whether @policy allows it, whatever was signed before: kind, chain, contract, no value, gas, fees, and data that
 * the encoder of the one function of this kind would have written. The call is in @arena and borrows from
 * @policy. -ENOMEM. */
_must_check_ int signer_policy_check(const struct signer_policy *policy, const char *kind,
				     const struct transaction *transaction, struct arena *arena,
				     struct signer_call *ret_call, const char **ret_detail);

/* Of a kind, and of a kind and a token. */
struct signer_counters {
	int64_t calls_day, calls; /* days since 1970 */
	int64_t moved_day;
	struct u256 moved;
};

/* Counts a call that was not signed before; @before has, for each claim, the most that was ever signed. The
 * counters are changed on success only. A clock that goes back begins no day anew. -ENOMEM. */
_must_check_ int signer_policy_count(const struct signer_call *call, int64_t day,
				     const struct u256 *before, struct signer_counters *counters,
				     struct arena *arena, const char **ret_detail);
