/* proof.h - Proof of Physical Work as the control plane runs it: whom it lets check whom, when, and what
 * follows. It relays; it does not judge: verdicts come from the panels' results (popw/judge.h), which
 * anyone can compute again from what it publishes. */
#pragma once

#include "modules/billing/billing.h"
#include "modules/worker/worker.h"

enum proof_outcome {
	PROOF_E_TOO_LATE = ROUTE_E_MODULE, /* appeals: a day after the session at most */
	PROOF_E_APPEALED, /* the machine's owner: once a session, and not against that appeal's */
	PROOF_E_HEARD, /* the checkers that were marked wrong: once a session, for all of them */
	PROOF_E_RUNNING, /* not over yet */
	PROOF_E_NOT_CONCERNED, /* neither the machine's owner nor a checker that was marked wrong */
	PROOF_E_NO_RECORD, /* it ended without being judged */
};

/* For an epoch's records, of the whole hours from @from_ms on and before @until_ms for which watchers were drawn. An
 * hour is up if more than half of them reported, and a majority of the reports has 95 % of the polls answered.
 * The figures are the means, each rounded down once, over the hours that are up or in which one of @jobs went on, an
 * hour with the figures that were proved when it was drawn. */
struct proof_epoch {
	int64_t uptime_s; /* of the hours that are up */
	int64_t hours; /* of which the means are; 0: they are zeros */
	struct worker_figures means;
};
_must_check_ int proof_epoch(const struct context *context, struct tx *tx,
			     struct machine_id machine, int64_t from_ms, int64_t until_ms,
			     const struct billing_job *jobs, size_t n_jobs,
			     struct proof_epoch *ret_epoch);

extern const struct module proof_module;
