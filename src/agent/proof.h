/* proof.h - one session at work on this machine, from SESSION to its end: for prover.c only.
 *
 *	waits for nonces k -> works (its deadline: the session's, for that phase) -> waits for the next ...
 *	-> opened: the child is gone, checkers measure and judge -> over
 *
 * What the child says is held against the session before it goes out, and signed here: the machine's key
 * stays in the agent. */
#pragma once

#include "agent/nvml.h"
#include "agent/proof_child.h"
#include "popw/summons.h"
#include "wire/wire.h"

struct proof;

struct proof_host {
	struct loop *loop;
	struct hasher *hasher;
	const struct secp_key *key; /* the machine's */
	struct address network;
	const char *program, *folder;
	uint64_t nonces_ms, slack_ms;
	/* -EAGAIN: try again soon. */
	int (*send)(void *arg, const Wire__ToServer *message);
	/* All was said and opened; the child goes. */
	void (*on_opened)(void *arg, struct proof *proof);
	void (*on_child_gone)(void *arg, struct proof *proof);
	/* It is over, and no child is left. Frees it. */
	void (*on_gone)(void *arg, struct proof *proof);
	void *arg;
};

struct proof {
	struct proof *next;
	const struct proof_host *host;
	struct summons summons;
	struct hash digest;
	const struct nvml_gpu *gpu; /* NULL: host or disk */
	struct proof_child *child; /* NULL once it is gone */
	struct loop_timer *deadline;
	uint8_t k; /* enum session_nonce: of the phase at hand */
	bool working; /* its nonces came */
	bool opened, over;
	bool yielding; /* its child was told to go, for a tenant's sake */
	uint32_t roots; /* of this phase, so far */
};

/* Takes a session that was checked, and starts its child. The proof is there in any case but -ENOMEM's; it
 * may be over at once. */
_must_check_ int proof_new(const struct proof_host *host, const struct summons *summons,
			   const struct nvml_gpu *gpu, const char *backend,
			   struct proof **ret_proof);
void proof_free(struct proof *proof);

/* MESSAGE_NONCES. What does not belong here is logged and left. */
void proof_nonces(struct proof *proof, const void *bytes, size_t len);

/* Ends it; on_gone follows, later. @reason is told to the control plane; NULL: it knows. */
void proof_end(struct proof *proof, const char *reason, const char *detail);

/* Tells of a session that is none: refused. */
void proof_refuse(const struct proof_host *host, const uint8_t session[static 16],
		  const char *reason, const char *detail);
