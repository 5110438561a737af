/* appeals.h - second looks at what a session led to, within a day: one for each side, so that no side's appeal
 * takes away another's. The machine's owner gets a fresh session before the larger panel (schedule.h); so does the
 * network, where it found something else than the panel. The checkers that were marked wrong have one hearing
 * together: the transcript is verified again, which gives the same whoever asks, and each that had found what is
 * found then is cleared (the job "proof_appeals"). */
#pragma once

#include "modules/proof/proof_store.h"

/* ROUTE_E_NOT_FOUND; PROOF_E_NOT_CONCERNED, PROOF_E_RUNNING, PROOF_E_TOO_LATE, PROOF_E_APPEALED, PROOF_E_HEARD. */
_must_check_ int appeals_ask(const struct context *context, struct tx *tx, struct proof_id id,
			     struct account_id account);
/* The network itself, of the session that it settles. */
_must_check_ int appeals_ask_again(struct tx *tx, const struct proof_row *row, int64_t now_ms);

/* Until when the machine's owner may appeal against the session; 0: not, or not any more. */
_must_check_ int appeals_until(struct tx *tx, const struct proof_row *row, int64_t now_ms,
			       int64_t *ret_until_ms);

/* A fresh session for it begins; there is none in time; the session @row, held for one, is over. @again: nothing was
 * found, on nobody's account, so that it is held again, after waits that double, as long as there is time. */
_must_check_ int appeals_begun(struct tx *tx, struct appeal_row *appeal, struct proof_id session);
_must_check_ int appeals_expired(const struct context *context, struct tx *tx,
				 struct appeal_row *appeal);
_must_check_ int appeals_settled(const struct context *context, struct tx *tx,
				 const struct proof_row *row, bool again);
/* Whether its time is over. */
bool appeals_late(const struct appeal_row *appeal, int64_t now_ms);

_must_check_ int appeals_run(const struct context *context, struct arena *arena);
