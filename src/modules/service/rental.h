/* rental.h - one rental: its states, the legal moves between them, and the judgement of what comes
 * next. Pure: the judgement reads what it is given and touches nothing, rental_step.h acts.
 *
 * queued -> pulling -> starting -> running -> stopping -> stopped, with pulling left out where the
 * image is present; back to queued when an attempt failed before anything ran. */
#pragma once

#include "api/settings.h"
#include "base/moves.h"
#include "modules/service/rental_reason.h"
#include "modules/worker/worker.h"

enum rental_state {
	RENTAL_QUEUED,
	RENTAL_PULLING,
	RENTAL_STARTING,
	RENTAL_RUNNING,
	RENTAL_STOPPING,
	RENTAL_STOPPED,
	RENTAL_FAILED,
	RENTAL_LOST,
};

extern const struct moves rental_moves;

enum { RENTAL_PORTS_MAX = 16, RENTAL_ATTEMPTS_MAX = 3 };

/* Times in milliseconds UTC; 0: not yet. Texts are never NULL and live in the arena of the
 * transaction that read the rental. */
struct rental {
	struct rental_id id;
	struct account_id tenant;
	enum rental_state state;
	enum rental_reason reason; /* of the end, or of the last attempt that failed */
	enum rental_reason stop; /* a stop is asked for, and why */
	const char *detail;
	int64_t n_moves; /* so many rows in the history; guards each write */
	int64_t attempts; /* leases made so far */
	bool placed; /* lease, machine and rate_hour are set */
	struct lease_id lease;
	struct machine_id machine;
	struct amount rate_hour;
	struct worker_port ports[RENTAL_PORTS_MAX];
	size_t n_ports;
	bool exited; /* exit_code is set */
	int64_t exit_code;
	bool pinned; /* only one machine is wanted */
	bool probe; /* the network's own, to try a machine: costs nothing, is removed at its end */
	int64_t stop_timeout_ms, term_ms; /* as ordered; term 0: none */
	int64_t created_ms;
	int64_t phase_ms; /* since when in this state */
	int64_t placed_ms, started_ms, ended_ms;
	int64_t expires_ms; /* of a probe from the beginning, else from the start of the container */
	bool kept; /* the ended container is still on its machine */
	int64_t deleted_ms;
	int64_t check_ms; /* to be looked at then, whatever happens; 0: never */
};

enum rental_act {
	RENTAL_REST, /* nothing to do before check_ms */
	RENTAL_ADVANCE, /* to the state .to */
	RENTAL_RETRY, /* the attempt failed for .reason: elsewhere again, or the end */
	RENTAL_END, /* to the final state .to for .reason at .ended_ms */
	RENTAL_DISCARD, /* the ended container was kept long enough */
};

struct rental_verdict {
	enum rental_act act;
	enum rental_state to;
	enum rental_reason reason;
	const char *detail; /* never NULL */
	int64_t ended_ms;
	int64_t check_ms;
	enum rental_reason stop; /* ADVANCE to stopping: why */
};

bool rental_ended(const struct rental *rental);

/* The container ran, so that its use may be billed and its data may be missed. */
bool rental_ran(const struct rental *rental);

/* "none", "metering" or "closed". */
const char *rental_billing(const struct rental *rental);

/* @actual: what its machine says of its lease; not read once the rental has ended. */
void rental_judge(const struct rental *rental, const struct worker_actual *actual,
		  const struct settings *settings, int64_t now_ms,
		  struct rental_verdict *ret_verdict);
