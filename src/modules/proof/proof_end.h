/* proof_end.h - why a session is over: one stated end each, and whose doing it is. A table, so that what
 * follows from an end is one look-up. */
#pragma once

#include "base/base.h"

enum proof_end {
	END_NONE, /* it goes on */
	END_JUDGED,
	END_NO_QUORUM, /* too few members gave nonces */
	END_NO_RESULTS, /* too few members gave results */
	END_WORKER_SILENT, /* past a phase's deadline */
	END_WORKER_GONE, /* its link broke before it was through */
	END_MALFORMED, /* the worker said what the session does not have there */
	END_YIELDED, /* to a tenant */
	END_NO_DEVICE,
	END_NO_MEMORY,
	END_BUSY,
	END_NO_NONCES, /* the worker says that it heard none in time */
	END_BROKEN, /* its prover failed */
	END_REFUSED,
	END_INTERRUPTED, /* the control plane ended in between */
	END_FAULT, /* the control plane's own */
	END_COUNT,
};

/* On whose account it goes. */
enum proof_blame {
	BLAME_NONE, /* tried again soon */
	BLAME_PANEL, /* the same, and the silent members are marked */
	BLAME_WORKER, /* the device failed */
	/* The worker's, perhaps by accident, or for a tenant: failed if it happens too often in a row, or
	 * once it knew what is opened. */
	BLAME_LINK,
	BLAME_VERDICT, /* the verdict says */
};

/* "worker_silent": stable, for programs. */
const char *proof_end_word(enum proof_end end);
/* The end that the word says; END_NONE: it says none. */
enum proof_end proof_end_of(const char *word);
enum proof_blame proof_end_blame(enum proof_end end);

/* What a worker may give as its reason (wire.h's WIRE_PROOF_*); any other word is END_BROKEN. */
enum proof_end proof_end_of_worker(const char *reason);
