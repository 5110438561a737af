/* probes.h - checkers as users: the job "proof_probes".
 *
 * A machine that is idle and proved is chosen at random (proof_probe_ms on the average); service deploys a
 * container on it (service.h), panel_standing checkers drawn like a session's panel (panel.h, device 0 and
 * kind 0) each open an exec in it, have it repeat a word and count its GPUs. Ends exactly once:
 *
 *	passed        more than half of those drawn were answered
 *	failed        more than half were not; or the container did not run, or ended by itself
 *	no_majority   neither, when all said theirs or probe_deadline_ms passed
 *	worker_gone   the machine's link was broken at the end: its uptime shows that
 *	yielded       a tenant rented the machine meanwhile: what a probe holds is always theirs
 *	not_run       there is no such image, or it is wrong, says the machine
 *	interrupted   the control plane ended meanwhile
 *
 * After "failed" the machine's host stands as failed, whatever sessions say, until a probe passes: it is
 * probed again proof_retry_ms later, offered or not. No other end has consequences, and none has any for
 * checkers: what a container answers is a matter of the moment, like timing. So answers are not committed
 * to before they are told; nobody sees another's. */
#pragma once

#include "modules/checker/checker.h"

/* Ends what an earlier process left. */
_must_check_ int probes_start(const struct context *context, struct tx *tx);
void probes_stop(void);

_must_check_ int probes_run(const struct context *context, struct arena *arena);

/* On the loop. */
void probes_on_checker(const struct address *checker, const Wire__ToServer *message);

/* GET /v1/probes */
struct probes_query {
	struct address machine;
	int outcome;
	struct probe_id cursor;
	int64_t limit;
};
extern const struct field probes_fields[];
int probes_get(struct request *request, struct tx *tx, struct reply *reply);
