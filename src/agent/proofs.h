/* proofs.h - all that the agent does for Proof of Physical Work, behind one door: sessions (prover.h), after
 * tenants (precedence.h), the measuring of bandwidth (bandwidth.h), and polls (polls.h). */
#pragma once

#include "agent/precedence.h"

struct link;
struct proofs;

struct proofs_config {
	struct loop *loop;
	const struct clock *clock;
	struct address network;
	const struct secp_key *key; /* the machine's; outlives the proofs */
	const struct nvml *nvml; /* outlives the proofs */
	struct reconcile *reconcile;
	const char *folder, *program, *gpu_backend; /* prover.h */
	const char *listen_host; /* of the proof port; NULL: there is none */
	uint16_t listen_port;
};

/* Faults: of bandwidth_server_new. Copies the configuration; its texts outlive the proofs. */
_must_check_ int proofs_new(const struct proofs_config *config, struct proofs **ret_proofs);
void proofs_free(struct proofs *proofs);

/* Where answers go; before any message comes. */
void proofs_over(struct proofs *proofs, struct link *link);

/* The proof port; 0: none. */
uint16_t proofs_port(const struct proofs *proofs);

/* Messages of the control plane. */
void proofs_desired(struct proofs *proofs, const Wire__Desired *desired);
void proofs_message(struct proofs *proofs, const Wire__Proof *message);
void proofs_end(struct proofs *proofs, const Wire__ProofEnd *message);
void proofs_poll(struct proofs *proofs, const Wire__Poll *poll);

/* The link dropped. */
void proofs_drop(struct proofs *proofs);
