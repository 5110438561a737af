/* sessions.h - the sessions that go on now: brings what nodes say to the right conductor and what
 * conductors say to the nodes, on the loop. At most proof_at_once. One set a process.
 *
 * A session's way: begun (from any thread) -> live (on the loop) -> ended, waiting to be settled (on a background
 * thread) -> gone. One that cannot be settled is tried again after a wait, up to a minute, and neither keeps others
 * from being settled nor takes a place (up to proof_at_once of them); its machine is not checked meanwhile. */
#pragma once

#include "modules/proof/conductor.h"
#include "modules/proof/phantom.h"
#include "modules/worker/worker.h"

struct sessions_order {
	struct session session; /* signed */
	struct address members[SESSION_PANEL_MAX];
	struct address owner; /* of the machine */
	char host[256];
	uint16_t port; /* 0: bandwidth is not measured */
	bool cohort; /* walks together with the others of its cohort */
	bool planted; /* the worker is a phantom with @key */
	struct secp_key *key; /* taken over on success */
	enum phantom_flaw flaw;
};

struct sessions_ended {
	const struct sessions_order *order;
	const struct conductor_end *end;
};

_must_check_ int sessions_start(const struct context *context);
/* After loop and pools. */
void sessions_stop(void);

/* Places that are free. */
size_t sessions_room(void);
/* Whether, beside what goes on and the @n of @drafted, a machine of @owner may have @wanted places: an owner's
 * machines have a quarter of all, and all machines that are not proved together half (sessions for appeals among
 * them), or one machine what it needs. */
bool sessions_fair(const struct sessions_order *drafted, size_t n, const struct address *owner,
		   enum session_kind kind, size_t wanted);
/* The first half of that: an owner whose machines have @taken places. */
bool sessions_owner_fair(const struct settings *settings, size_t taken, size_t wanted);
/* How many places all machines that are not proved have together. */
size_t sessions_unproved_most(const struct settings *settings);
/* Whether one of this machine goes on, or is not settled. */
bool sessions_busy(const struct address *machine);
/* What one waits for now, in a word that lives for ever: "fill"; "": it is not among those that go on. */
const char *sessions_phase(struct proof_id id);
/* Those that wait for something else than was said with sessions_noted last; at most @max. */
struct sessions_phase {
	struct proof_id id;
	const char *phase; /* lives for ever */
};
size_t sessions_moved(struct sessions_phase *ret_phases, size_t max);
void sessions_noted(const struct sessions_phase *phases, size_t n);
/* When it has that at the latest, by the clock of the world; 0: unknown. */
int64_t sessions_phase_until(struct proof_id id);
/* Whether a session of @machine with the member @checker goes on. */
bool sessions_between(const struct address *machine, const struct address *checker);

/* From any thread. -EAGAIN: no room; -ENOMEM; -ESHUTDOWN. */
_must_check_ int sessions_begin(const struct sessions_order *order);

/* The oldest that ended, which is settled by the caller from now on; false: there is none to be tried now. */
bool sessions_take(struct sessions_ended *ret_ended);
/* It is gone; or, not @settled, will be taken again when its wait is over. */
void sessions_give(const struct sessions_ended *ended, bool settled);

/* What nodes say; on the loop. */
void sessions_on_checker(const struct address *checker, const Wire__ToServer *message);
void sessions_on_checker_down(const struct address *checker);
void sessions_on_worker(struct machine_id machine, const Wire__ToServer *message);
void sessions_on_worker_down(struct machine_id machine);
