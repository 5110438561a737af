/* cohort.h - the machines whose idle GPUs are checked at the same instant, so that one GPU cannot answer
 * for two machines. panel.h says which slots have a cohort and who is in it. */
#pragma once

#include "modules/proof/panel.h"
#include "modules/worker/worker.h"

struct cohort_machine {
	struct machine_id machine;
	struct hash ticket; /* panel_cohort_ticket */
	const struct worker_proof_device *gpus; /* all that are idle, proved and linked */
	size_t n;
};

/* Those of the slot with @value, the lowest ticket first; in the transaction's arena. */
_must_check_ int cohort_list(const struct context *context, struct tx *tx, struct hasher *hasher,
			     const struct hash *value, struct cohort_machine **ret_machines,
			     size_t *ret_n);
