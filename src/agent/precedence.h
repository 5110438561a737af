/* precedence.h - tenants before checks: what the control plane desires is held back until the proofs that
 * are in its way have ended and their processes are gone. */
#pragma once

#include "agent/prover.h"
#include "agent/reconcile.h"

struct precedence;

enum {
	PRECEDENCE_WAIT_MS = 5000
}; /* then the tenant's container starts beside what does not die */

/* Loop, reconcile and prover outlive it. -ENOMEM. */
_must_check_ int precedence_new(struct loop *loop, struct reconcile *reconcile,
				struct prover *prover, struct precedence **ret_precedence);
void precedence_free(struct precedence *precedence);

/* Hands it to the reconciler, now or when the way is free; a later one takes its place. */
void precedence_desired(struct precedence *precedence, const Wire__Desired *desired);

/* The way is free: prover.h's on_yielded. */
void precedence_go_on(struct precedence *precedence);

/* The link dropped: what is held is forgotten, for it is said again. */
void precedence_drop(struct precedence *precedence);

/* For prover.h: @gpu's uuid; NULL: the whole machine. */
enum prover_tenants precedence_tenants(const struct reconcile *reconcile, const char *gpu);
