/* prover.h - this machine's side of Proof of Physical Work: takes the network's sessions, one at a time for
 * each device, has a child process prove them, and gives way to tenants.
 *
 * Whatever goes wrong with a session ends it, told by a ProofEnd with one of wire.h's reasons. Nothing runs
 * on when the link drops or the agent ends. */
#pragma once

#include "agent/nvml.h"
#include "popw/summons.h"
#include "wire/wire.h"

struct loop;
struct prover;

enum {
	PROVER_SESSIONS_MAX = 160, /* at work, or opened and not judged yet */
	PROVER_NONCES_MS = 120000, /* for the panel's next nonces */
	PROVER_SLACK_MS = 10000, /* beyond a phase's own time, for the way to the panel */
	PROVER_OPEN_MS = 120000, /* to compute the openings again */
	PROVER_JUDGED_MS = 600000, /* from OPEN to the word that it is judged */
};

/* What tenants want of a device. */
enum prover_tenants {
	TENANTS_NONE,
	TENANTS_BESIDE, /* on the machine, but not of this device */
	TENANTS_ON_IT,
};

struct prover_config {
	struct loop *loop;
	struct address network;
	const struct secp_key *key; /* the machine's; outlives the prover */
	const struct nvml *nvml; /* outlives the prover */
	const char *program; /* of the child; NULL: this one */
	const char *folder; /* where the disk is measured */
	const char *
		gpu_backend; /* for GPUs: "cuda", "opencl", "cpu"; NULL: cuda where its driver is, else
				  * opencl */
	uint64_t nonces_ms, slack_ms; /* 0: as above */

	/* -EAGAIN: the link is full; -ENOTCONN. */
	int (*send)(void *arg, const Wire__ToServer *message);
	/* @gpu: its uuid; NULL: of host or disk, of which TENANTS_ON_IT says that a container is to start. */
	enum prover_tenants (*tenants)(void *arg, const char *gpu);
	/* OPEN was sent: the panel may measure bandwidth now. */
	void (*on_opened)(void *arg, const struct summons *summons);
	/* A session of which on_opened told is over. */
	void (*on_over)(void *arg, const struct proof_id *id);
	/* No child is left of those that gave way. */
	void (*on_yielded)(void *arg);
	void *arg;
};

/* Copies the configuration; its texts outlive the prover. -ENOMEM. */
_must_check_ int prover_new(const struct prover_config *config, struct prover **ret_prover);
/* Kills what runs. */
void prover_free(struct prover *prover);

/* Messages of the control plane. */
void prover_message(struct prover *prover, const Wire__Proof *message);
void prover_message_end(struct prover *prover, const Wire__ProofEnd *message);

/* A container with these GPUs is about to start: what they prove, and what host and disk prove, ends now,
 * but for the small sessions of rented devices. All that goes on is made nicer. */
void prover_yield(struct prover *prover, char *const *gpus, size_t n_gpus);
/* Whether a child that was told to give way is not gone yet. */
bool prover_yielding(const struct prover *prover);

/* The link dropped: all sessions end. */
void prover_drop(struct prover *prover);

/* The 16 bytes of NVML's "GPU-xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx". -EINVAL. */
_must_check_ int prover_uuid(const char *text, uint8_t ret_uuid[static SESSION_UUID_SIZE]);
