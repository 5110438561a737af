/* draft.h - a session's beginning in the store: the panel drawn, the session signed, the row written. What goes
 * on is begun from the order once the transaction has committed. */
#pragma once

#include "modules/proof/proof_store.h"
#include "modules/proof/sessions.h"

struct draft {
	const struct worker_proof_device
		*device; /* NULL: a planted one, of a machine made up here */
	enum session_kind kind;
	bool cohort; /* with those of other machines */
	struct proof_id parent; /* of an appeal; zeros: none */
	const struct beacon *beacon;
	const struct checker_member *checkers; /* that may be drawn */
	size_t n_checkers;
};

enum draft_outcome { DRAFT_E_PANEL = 1 /* fewer than panel_least may check it */ };

_must_check_ int draft_session(const struct context *context, struct tx *tx,
			       const struct draft *draft, struct sessions_order *ret_order);
