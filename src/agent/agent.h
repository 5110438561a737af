/* agent.h - a provider's machine in the network: keeps the control plane's leases running on the
 * container engine, tells what is, meters it, carries logs, exec and stats, and proves what it has. */
#pragma once

#include "base/clock.h"
#include "base/random.h"
#include "security/secp.h"

#include "link/state.h"

struct agent;
struct loop;

struct agent_config {
	struct loop *loop;
	const struct clock *clock;
	struct random *random;
	struct state *state; /* joined: config and key are there */
	const char *folder; /* of the state, to tell how much disk is free */
	const char *socket; /* of the container engine */
	const char *cdi_folder; /* of the GPUs' CDI files; NULL: /etc/cdi and /var/run/cdi */
	const char *version; /* of this program */
	const char *gpu_backend; /* that proves GPUs: prover.h; NULL: what the machine has */
	const char *prover; /* the program that proves, as docs/popw.md says; NULL: this one */
	const char *proof_host; /* numeric: where checkers measure bandwidth; NULL: nowhere */
	uint16_t proof_port; /* 0: any free one */
	const char *proof_address; /* told for it; NULL: @address */
	const char *address; /* where published ports are reached; NULL: not told */
};

/* Starts; everything else happens on the loop. Faults: -ENOENT (not joined), -EBADMSG (state damaged),
 * of the proof port (-EADDRINUSE, ...), -ENOMEM. The configuration's texts and objects outlive the agent. */
_must_check_ int agent_new(const struct agent_config *config, struct agent **ret_agent);

/* Why the control plane will not have this machine, for which the loop was stopped; NULL: it was not. */
const char *agent_refusal(const struct agent *agent);

/* Leaves the containers running. */
void agent_free(struct agent *agent);
