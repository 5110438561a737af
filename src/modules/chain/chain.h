/* chain.h - what the network does on the chain, for the modules that have something to record there, to pay or to
 * hear of.
 *
 * Calls of the network's key go through the outbox (chain/outbox.h), the key lies with the signer, a process of its
 * own. What the contracts logged is taken with indexer_take (chain/indexer.h), with the addresses of
 * chain_contracts.
 *
 * Records that are final are anchored: every anchor_every_ms those of a kind become the leaves of a Merkle tree
 * (chain/anchor_leaf.h), whose root goes onto the chain in a strict sequence of roots. The leaves are published,
 * and with them each record's path: whoever has the record checks it against the chain (chain/anchor_check.h).
 *
 * All of this is optional: without settings->chain, chain_enabled is false and nothing is recorded. */
#pragma once

#include "api/route.h"
#include "chain/anchor_leaf.h"

enum chain_outcome {
	CHAIN_E_NONE = ROUTE_E_MODULE, /* the network has no chain */
	CHAIN_E_KNOWN, /* a call of this name was added before */
	CHAIN_E_NOT_ANCHORED, /* the record is in no root yet */
	CHAIN_E_SILENT, /* too few endpoints say the same: ask again later */
};

/* From the module's start on, the same until its stop. */
bool chain_enabled(void);
const struct contracts *chain_contracts(void); /* NULL: not enabled */

/* The network's key is to call @contract with @data, once for each @name ever. @kind is what the signer knows it
 * as. CHAIN_E_KNOWN; CHAIN_E_NONE. */
_must_check_ int chain_call(const struct context *context, struct tx *tx, const char *name,
			    const char *kind, const struct address *contract, const uint8_t *data,
			    size_t len);

/* What @contract answers in the last final block to a call that only reads, as many endpoints as must agree say;
 * -EMSGSIZE: more than @max. For jobs that are .outside, without a transaction. CHAIN_E_SILENT; CHAIN_E_NONE. */
_must_check_ int chain_read(const struct address *contract, const uint8_t *data, size_t len,
			    void *ret_bytes, size_t max, size_t *ret_len);

/* What keeps providers from being paid, with the remedy; "" when nothing does. Operators are told of changes, and
 * see it beside what else is wrong with the chain. */
_must_check_ int chain_settlement_seen(const struct context *context, struct arena *arena,
				       const char *problem);

/* The record called @id is final and has this digest; it goes into a coming root of its kind. The same again is
 * nothing; -EEXIST: the same id with another digest. Without a chain nothing is done. */
_must_check_ int chain_leaf(const struct context *context, struct tx *tx, enum anchor_kind kind,
			    const uint8_t id[static 32], const uint8_t digest[static 32]);

/* What the registry contract says of a machine of @owner's, as far as it is final, for people; null without a chain:
 * {"state": "registered", "foreign" (to another owner, or as something else) or "unregistered", "reason": why, with
 * the remedy, or "", "owner", "specification", "transaction", "block"}, the last four null if unregistered. */
_must_check_ int chain_registration(struct tx *tx, const struct address *machine,
				    const struct address *owner, enum machine_kind kind,
				    json_t **ret_json);

/* What keeps rewards from being paid, or "": shown to operators, and told to them like the chain's own problems. */
_must_check_ int chain_payouts(const struct context *context, struct arena *arena,
			       const char *problem);

extern const struct module chain_module;
