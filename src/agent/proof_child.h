/* proof_child.h - the process that proves, `kaisar popw prove`, and its frames (popw/prover.h): memory and
 * work are its own, the agent only carries what it says. */
#pragma once

#include "popw/prover.h"

struct loop;
struct proof_child;

enum { PROOF_CHILD_RETRY_MS = 50 }; /* until a message that was not taken is shown again */

struct proof_child_config {
	struct loop *loop;
	const char *program; /* absolute */
	const char *backend; /* "cuda", "opencl", "cpu", "disk" */
	unsigned int device; /* as the driver counts */
	const char *folder; /* where "disk" keeps its data set */
	size_t message_max; /* longer ones are nonsense; at most PROVER_FRAME_MAX */

	/* It says something. @bytes may be changed, to be signed. -EAGAIN: not now; it is shown again, as it
	 * came, and the child waits meanwhile. Negative otherwise: nothing more is shown, the child is killed. */
	int (*on_message)(void *arg, enum message_kind kind, uint8_t *bytes, size_t len);
	/* It is gone; free it, here or later. @status: its exit status, or -1; @detail: its last word, or what
	 * was wrong with it. */
	void (*on_end)(void *arg, int status, const char *detail);
	void *arg;
};

/* Runs it. The texts are borrowed during the call. Faults: of process_new. */
_must_check_ int proof_child_new(const struct proof_child_config *config,
				 struct proof_child **ret_child);

/* -EAGAIN: it does not read; -EPIPE, -ENOMEM. */
_must_check_ int proof_child_say(struct proof_child *child, enum message_kind kind,
				 const void *bytes, size_t len);

/* Lets tenants' processes go before it. */
void proof_child_nice(struct proof_child *child);

/* Nothing more is shown; on_end follows. */
void proof_child_kill(struct proof_child *child);
void proof_child_free(struct proof_child *child);
