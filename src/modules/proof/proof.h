/* proof.h - Proof of Physical Work as the control plane runs it: whom it lets check whom, when, and what
 * follows. It relays; it does not judge: verdicts come from the panels' results (popw/judge.h), which
 * anyone can compute again from what it publishes. */
#pragma once

#include "api/route.h"

enum proof_outcome {
	PROOF_E_TOO_LATE = ROUTE_E_MODULE, /* appeals: a day after the session at most */
	PROOF_E_APPEALED, /* once a session */
	PROOF_E_RUNNING, /* not over yet */
	PROOF_E_NOT_CONCERNED, /* neither the machine's owner nor a checker that was marked wrong */
	PROOF_E_NO_RECORD, /* it ended without being judged */
};

/* Seconds of whole hours from @from_ms on and before @until_ms of which more than half of the machine's
 * watchers reported, and a majority of them saw at least 95 % of their polls answered. For an epoch's
 * records. */
_must_check_ int proof_uptime(const struct context *context, struct tx *tx,
			      struct machine_id machine, int64_t from_ms, int64_t until_ms,
			      int64_t *ret_seconds);

extern const struct module proof_module;
