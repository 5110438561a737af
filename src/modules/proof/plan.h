/* plan.h - what a session asks of a device. Pure. */
#pragma once

#include "modules/worker/worker.h"
#include "popw/class.h"

/* Fills in flags, class, work and deadlines of @session, whose kind is set. A rented device is asked for one
 * small product only, exact and soon: its tenant must not notice. */
void plan_device(const struct settings *settings, const struct worker_proof_device *device,
		 struct session *session);

/* A transcript for checkers to be tested with: small, on the CPU. */
void plan_planted(struct session *session);

/* How long a GPU that has filled its memory waits for the machine's others; 0: it does not. */
int64_t plan_together(const struct settings *settings, const struct session *session);

/* How many members a session of @kind wants. */
size_t plan_panel(const struct settings *settings, enum session_kind kind);

/* A wait with the mean @mean_ms that has no memory, as far as two random words make one: whoever has just
 * been checked may be checked again at once. */
_must_check_ int plan_wait(struct random *random, int64_t mean_ms, int64_t *ret_ms);

/* Until a device that failed @failures times in a row is checked again. */
int64_t plan_retry(int64_t retry_ms, int64_t failures);
