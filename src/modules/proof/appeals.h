/* appeals.h - second looks at what a session led to, within a day, once a session. The machine's owner gets a
 * fresh session before the larger panel (schedule.h); a checker that was marked wrong has the transcript verified
 * again, and is cleared where it had found what is found then (the job "proof_appeals"). */
#pragma once

#include "modules/proof/proof_store.h"

/* ROUTE_E_NOT_FOUND; PROOF_E_NOT_CONCERNED, PROOF_E_RUNNING, PROOF_E_TOO_LATE, PROOF_E_APPEALED. */
_must_check_ int appeals_ask(const struct context *context, struct tx *tx, struct proof_id id,
			     struct account_id account);

_must_check_ int appeals_run(const struct context *context, struct arena *arena);
