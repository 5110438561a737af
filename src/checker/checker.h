/* checker.h - a checker node in the network: verifies workers as a member of panels, asks the workers that
 * it is to watch whether they are there, and now and then behaves as a user. Needs no GPU.
 *
 * seats.h are its sessions, lookout.h the polls, users.h the test containers; here they meet the link and the
 * loop. */
#pragma once

#include "base/clock.h"
#include "base/random.h"
#include "link/state.h"

struct checker;
struct finding;
struct loop;

struct checker_config {
	struct loop *loop;
	const struct clock *clock;
	struct random *random;
	struct state *state; /* registered: config and key are there */
	const char *version; /* of this program */
	int (*twist)(struct finding *finding); /* finder.h; NULL but in tests of the network */
};

/* Starts; everything else happens on the loop. Faults: -ENOENT (not registered), -EBADMSG (state damaged),
 * -ENOMEM. The configuration's texts and objects outlive the checker. */
_must_check_ int checker_new(const struct checker_config *config, struct checker **ret_checker);

/* Why the control plane will not have this checker, for which the loop was stopped; NULL: it was not. */
const char *checker_refusal(const struct checker *checker);

/* On the loop, when it is about to be stopped: reports what was counted, and keeps it. */
void checker_stop(struct checker *checker);

/* After loop_run returned. Sessions that run are left: to their panels this member fell silent. */
void checker_free(struct checker *checker);
