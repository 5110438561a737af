/* lease.h - one lease on this machine: what is wanted, what the engine says, and the next step.
 *
 *	ABSENT -> create (pull if the image is missing) -> CREATED -> start -> RUNNING -> EXITED
 *
 * Level-triggered: lease_step looks at both and does at most one thing, whose answer leads to the next
 * step. A lease ends once (EXITED or FAILED) and never runs again; its container is kept while the
 * lease is wanted, and removed when it is not. One call to the engine is in flight at a time, besides
 * the one that reads its log. An engine that does not answer, answers nonsense or contradicts itself is
 * in trouble: it is asked again with the owner's next round, never at once. */
#pragma once

#include "agent/container.h"
#include "agent/engine.h"
#include "agent/logbook.h"
#include "agent/meter.h"
#include "link/state.h"
#include "base/id.h"
#include "wire/wire.h"

struct lease;
struct pull;

enum {
	LEASE_STEPS_MAX = 16, /* from one round of the owner to the next */
	LEASE_TROUBLES_MAX = 3, /* then what does not run yet has failed */
	LEASE_WAIT_MS = 15000, /* at most, for what is to go first */
};

/* What all leases share. */
struct lease_host {
	struct engine *engine;
	struct state *state;
	int logs; /* the folder of logbooks */
	const struct clock *clock;
	struct container_host container;

	/* What lease_state tells has changed. */
	void (*on_change)(void *arg, struct lease *lease);
	/* There is a record to send. It is on the disk. */
	void (*on_usage)(void *arg, struct lease *lease);
	/* There are new lines, or the log is complete. */
	void (*on_lines)(void *arg, struct lease *lease);
	/* The engine did not answer: what it did is unknown. */
	void (*on_engine_fault)(void *arg, int fault);
	/* It is to be looked at again soon. */
	void (*on_trouble)(void *arg);
	/* What must not start beside a container that is still to go. */
	bool (*must_wait)(void *arg);
	void *arg;
};

enum lease_seen {
	SEEN_UNKNOWN, /* the engine was not asked, or did not answer */
	SEEN_ABSENT,
	SEEN_CREATED,
	SEEN_RUNNING,
	SEEN_EXITED,
};

struct lease {
	struct lease *next; /* of the owner's list */
	const struct lease_host *host;
	struct lease_id id;
	struct rental_id rental;
	char name[CONTAINER_NAME_SIZE];
	Wire__Lease *wanted; /* owned; NULL: not wanted, or not known whether */
	bool dropped; /* the control plane does not want it any longer */
	uint64_t generation; /* of what was wanted last */
	uint32_t stop_timeout_s;

	enum lease_seen seen;
	struct engine_call *call; /* in flight */
	bool stale; /* something happened meanwhile: look again */
	bool pulled; /* this attempt pulled already */
	unsigned int steps; /* taken since the last round */
	unsigned int troubles; /* before it ran */
	int64_t waits_since_ms; /* monotonic; 0: it does not wait for others to go */
	struct pull *pull; /* while pulling */
	struct engine_call *follow; /* reads the container's log */

	Wire__Phase phase;
	char reason[32], detail[512];
	int32_t exit_code;
	struct container_state container; /* as inspected last; .id "" before it was created */
	int64_t ended_at_ms;
	bool logged; /* ended, and all of its log is in the book */
	struct meter meter;
	struct logbook *book;

	bool unsaved; /* the record on disk is behind */
	bool unreported; /* the control plane was not told yet */
};

/* Not known before. */
_must_check_ int lease_new(const struct lease_host *host, const struct lease_id *id,
			   const struct rental_id *rental, struct lease **ret_lease);
/* Cancels what is in flight; touches neither container nor disk. */
void lease_free(struct lease *lease);

/* Takes what the control plane wants over (NULL: nothing any longer). Copies. -ENOMEM. */
_must_check_ int lease_want(struct lease *lease, const Wire__Lease *wanted);

/* Takes over what the engine says: an inspection, or NULL for a container that is not there. */
void lease_see(struct lease *lease, const struct container_state *container);

/* The engine is away: nothing is known. */
void lease_unsee(struct lease *lease);

/* Ends a lease that does not run yet. */
void lease_fail(struct lease *lease, const char *reason, const char *detail);

static inline bool lease_ended(const struct lease *lease)
{
	return lease->phase == WIRE__PHASE__PHASE_EXITED ||
	       lease->phase == WIRE__PHASE__PHASE_FAILED;
}

/* Makes a usage record as of now, keeps it and shows it to on_usage. */
void lease_meter(struct lease *lease);
void lease_settle(struct lease *lease, uint64_t sequence);

/* Nobody wants it, and its container runs, or may. */
static inline bool lease_leaving(const struct lease *lease)
{
	return lease->dropped &&
	       (lease->seen == SEEN_RUNNING || (lease->call && lease->seen != SEEN_EXITED));
}

/* Nothing of it is left to do: not wanted, no container, no usage owed. */
static inline bool lease_done(const struct lease *lease)
{
	return lease->dropped && !lease->call && lease->seen == SEEN_ABSENT &&
	       !meter_owes(&lease->meter);
}

/* ---- lease_step.c: the calls to the engine, and the next of them ---- */

/* Asks the engine about the container, now or after the call in flight. */
void lease_look(struct lease *lease);

/* Takes the next step if there is one. */
void lease_step(struct lease *lease);

/* A round of the owner's begins: steps that went in circles may be tried again. */
void lease_round(struct lease *lease);

/* ---- for the lease's other files ---- */

/* A line of our own in the log. */
void lease_say(struct lease *lease, const char *what, const char *detail);
void lease_enter(struct lease *lease, Wire__Phase phase);
/* Once; the first end counts. */
void lease_end(struct lease *lease, Wire__Phase phase, const char *reason, const char *detail);
bool lease_wants_run(const struct lease *lease);

/* ---- lease_record.c ---- */

/* Writes the record if it is behind; a failure is logged and tried again later. */
void lease_save(struct lease *lease);
/* Reads one back by its file's name. -EBADMSG, ... */
_must_check_ int lease_load(const struct lease_host *host, const char *file,
			    struct lease **ret_lease);
/* Deletes record and log. */
void lease_forget(struct lease *lease);

/* Room for a LeaseState and what it points to. */
struct lease_report {
	Wire__LeaseState state;
	Wire__Port ports[WIRE_PORTS_MAX], *port_list[WIRE_PORTS_MAX];
};

/* Points into @lease and @ret_report. */
void lease_state(struct lease *lease, struct lease_report *ret_report);

/* ---- lease_log.c ---- */

/* Reads the container's output into the book, from where the book ends. */
void lease_follow(struct lease *lease);
/* Says how it ended, once the container's last line is there. */
void lease_finish_log(struct lease *lease);

/* ---- pull.c ---- */

/* Bytes of all layers as far as the engine tells. */
void pull_progress(const struct pull *pull, uint64_t *ret_bytes, uint64_t *ret_total_bytes);
_must_check_ int pull_start(struct lease *lease, const char *image, engine_fn *fn);
void pull_free(struct pull *pull);
/* Which reason a refusal of the engine is. */
const char *pull_reason(const char *image, const struct engine_reply *reply);
