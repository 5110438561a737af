/* licences.h - on a network with a chain, which licences count for which checker: what the Licence contract's
 * final events say, each once and in the chain's order.
 *
 *	Minted       somebody bought it; the sale's Purchased says in which round
 *	Transfer     it is another's
 *	Proposed     its owner delegates it to a machine
 *	Accepted     the machine's operator says yes: from here on it counts
 *	Refused      the operator says no
 *	Undelegated  its owner took it back, or it changed hands: from here on it does not
 *	Deregistered its machine is no checker on the registry any more: it does not, until that is Registered again
 *
 * Each change of what counts is in the checker's row when the transaction is that took the log: who has none left
 * is drawn for nothing new. A machine need not be known here for that. */
#pragma once

#include "chain/contract_event.h"
#include "chain/indexer.h"
#include "modules/checker/checker.h"

/* With a chain: what checkers' rows say is what was taken, whatever was set before there was one. */
_must_check_ int licences_start(const struct context *context);

/* One event of Licence, Sale or Registry, in the transaction that moves on behind its log. */
_must_check_ int licences_take(const struct context *context, struct tx *tx,
			       const struct contract_event *event);

/* Takes what there is, on a network with a chain. Outside of a transaction. */
_must_check_ int licences_follow(const struct context *context, struct arena *arena);
