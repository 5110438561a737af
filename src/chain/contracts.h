/* contracts.h - the network's contracts (contracts/src): where they are on a chain, as contracts/deploy/deploy.js
 * wrote it, and the data of calls to them. What they say is in contract_event.h. */
#pragma once

#include "base/address.h"
#include "base/arena.h"
#include "base/u256.h"

enum contract {
	CONTRACT_ANCHOR,
	CONTRACT_DISTRIBUTOR,
	CONTRACT_DOLLAR, /* the demonstration's stablecoin: not on every chain */
	CONTRACT_ESCROW,
	CONTRACT_LICENCE,
	CONTRACT_REGISTRY,
	CONTRACT_SALE,
	CONTRACT_TIMELOCK,
	CONTRACT_TOKEN,
	CONTRACT_VESTED_TOKEN,
	CONTRACTS_N
};

struct contract_place {
	bool there;
	struct address address;
	uint64_t block; /* which made it: nothing of it is in earlier ones */
};

struct contracts {
	uint64_t chain_id;
	struct contract_place at[CONTRACTS_N];
};

enum {
	CONTRACTS_FILE_MAX = 64 << 10, /* bytes */
	CONTRACTS_SETTLEMENTS_MAX = 256, /* in one call */
};

/* "Escrow"; NULL past the last. */
const char *contract_name(enum contract contract);

enum contracts_outcome {
	CONTRACTS_E_MALFORMED = 1,
};

/* The addresses file: all that is in it is known and as deploy.js writes it, and every contract is there.
 * CONTRACTS_E_MALFORMED: @ret_detail (in @arena) says what is wrong, with the remedy. -ENOMEM. */
_must_check_ int contracts_read(const char *json, size_t len, struct arena *arena,
				struct contracts *ret_contracts, const char **ret_detail);

/* ---- calls; their bytes are in the arena; -ENOMEM ---- */

struct call_data {
	const uint8_t *bytes;
	size_t len;
};

/* Anchor.Kind. */
enum anchor_kind { ANCHOR_USAGE, ANCHOR_PROOFS, ANCHOR_AUDIT, ANCHOR_PAYOUTS, ANCHOR_KINDS_N };

struct anchor_root {
	uint64_t sequence; /* from 1 on */
	enum anchor_kind kind;
	uint8_t root[32];
	uint32_t leaves;
	uint8_t content[32]; /* keccak256 of the published leaves */
};
_must_check_ int call_anchor(const struct anchor_root *root, struct arena *arena,
			     struct call_data *ret_data);

/* What binds @root to all before it; the head before the first is zeros. */
void anchor_head_next(const uint8_t head[static 32], const struct anchor_root *root,
		      uint8_t ret_head[static 32]);

/* Anchor.latest, which only reads, and its answer. CONTRACTS_E_MALFORMED. */
struct anchor_latest {
	uint64_t sequence; /* 0: none yet */
	uint64_t at_s;
	enum anchor_kind kind;
	uint8_t head[32];
};
_must_check_ int call_latest(const struct address *publisher, struct arena *arena,
			     struct call_data *ret_data);
_must_check_ int call_latest_answer(const uint8_t *bytes, size_t len,
				    struct anchor_latest *ret_latest);

/* Escrow.settle: what each tenant ever paid each provider, and the fee in it. -EINVAL: none, or more than
 * CONTRACTS_SETTLEMENTS_MAX. */
struct settlement {
	struct address tenant, provider;
	struct u256 charged, fee;
};
_must_check_ int call_settle(const struct address *token, const struct settlement *items, size_t n,
			     struct arena *arena, struct call_data *ret_data);

/* Escrow.giveBack: @total is all that was ever given back to the tenant. */
_must_check_ int call_give_back(const struct address *token, const struct address *tenant,
				struct u256 total, struct arena *arena, struct call_data *ret_data);

/* Registry.Kind. */
enum machine_kind { MACHINE_NONE, MACHINE_WORKER, MACHINE_CHECKER, MACHINE_KINDS_N };

/* Distributor.Kind. */
enum reward_kind { REWARD_LIQUID, REWARD_VESTED, REWARD_KINDS_N };

/* Distributor.propose and activate. */
_must_check_ int call_propose(enum reward_kind kind, uint64_t epoch, const uint8_t root[static 32],
			      struct u256 total, struct arena *arena, struct call_data *ret_data);
_must_check_ int call_activate(enum reward_kind kind, struct arena *arena,
			       struct call_data *ret_data);
