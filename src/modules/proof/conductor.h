/* conductor.h - one session from its first message to its one stated end.
 *
 * A pure state machine: what members and worker say comes in with the time, what they are to hear goes
 * out through ops, nothing else happens. It keeps the order of the protocol and its deadlines, and
 * never believes: a member's message that does not fit is dropped (who sends nothing that fits is
 * silent), a worker's ends the session. Each wait is bounded, so that it ends whatever anybody does:
 *
 *	commits   nonce_ms                        no_quorum
 *	nonces    nonce_ms, before each phase     no_quorum; CONDUCTOR_LATE_MS behind a quorum, but
 *						for the opening's, of which one may be missing
 *	phases    the session's own               worker_silent
 *	held      together_ms, once filled        it goes on
 *	opening   CONDUCTOR_OPEN_MS               worker_silent
 *	results   result_ms (and bandwidth_ms)    no_results, unless more than half of the panel
 *	reveals   result_ms                       the same
 *
 * Results are secret until all have committed to theirs, and count only as committed. */
#pragma once

#include "modules/proof/proof_end.h"
#include "popw/judge.h"

enum {
	CONDUCTOR_OPEN_MS = 60000,
	/* Members' clocks run from their own nonces on, so that waiting for a silent one would make the
	 * worker look slow. */
	CONDUCTOR_LATE_MS = 250,
	CONDUCTOR_MESSAGES_MAX = 16, /* of one member in one session; it needs seven */
};

struct conductor_plan {
	const struct session *session; /* signed; copied */
	const struct address *members; /* session->panel_size; copied */
	const struct secp_key *network; /* signs the sets of nonces; borrowed */
	const char *host; /* where members pull and push (summons.h); borrowed while it begins */
	uint16_t port, bandwidth_ms; /* port 0: they do not */
	int64_t nonce_ms, result_ms;
	int64_t together_ms; /* filled, it waits for conductor_release, but no longer; 0: it does not */
};

/* Must not call the conductor back. What cannot be sent is lost, which the deadlines see to. */
struct conductor_ops {
	void (*to_worker)(void *arg, enum message_kind kind, const void *bytes, size_t len);
	void (*to_member)(void *arg, unsigned int member, enum message_kind kind, const void *bytes,
			  size_t len);
	void *arg;
};

/* Lives as long as the conductor. Sets are of members by place. */
struct conductor_end {
	enum proof_end end;
	const char *phase; /* in which it ended: "fill"; "reveal" when it was judged */
	char detail[160]; /* for people; "" */
	uint32_t silent; /* did not give what they were asked for last; when judged: no result */
	/* Judged only: */
	const uint8_t *record;
	size_t record_len;
	struct verdict verdict;
};

struct conductor;

/* Sends SESSION to all. Times are of one clock that never steps back. -ENOMEM. */
_must_check_ int conductor_new(const struct conductor_plan *plan, const struct conductor_ops *ops,
			       int64_t now_ms, struct conductor **ret_conductor);
void conductor_free(struct conductor *conductor);

/* What it waits for, or where it ended, in a word: "fill". */
const char *conductor_phase(const struct conductor *conductor);

/* When at the latest it has what it waits for; 0: it is over. */
int64_t conductor_deadline(const struct conductor *conductor);

/* NULL while it goes on. Nothing is sent any more once it is set. */
const struct conductor_end *conductor_end(const struct conductor *conductor);

void conductor_member(struct conductor *conductor, unsigned int member, enum message_kind kind,
		      const void *bytes, size_t len, int64_t now_ms);
/* Its link broke: it is not waited for, and what it says later is dropped. */
void conductor_member_gone(struct conductor *conductor, unsigned int member, int64_t now_ms);

void conductor_worker(struct conductor *conductor, enum message_kind kind, const void *bytes,
		      size_t len, int64_t now_ms);
/* The worker will say no more; behind its OPEN this changes nothing. @reason: END_WORKER_GONE, or of
 * proof_end_of_worker. @detail: its words. */
void conductor_worker_ended(struct conductor *conductor, enum proof_end reason, const char *detail);

/* Devices that are proved together walk together: who has filled is held until all have. Otherwise one could
 * fill and walk for several, one after the other, for the time of filling does not count. */
bool conductor_awaits_fill(const struct conductor *conductor);
bool conductor_is_held(const struct conductor *conductor);
/* Whether it is held, and was for all its together_ms: those that it waits for are silent. */
bool conductor_held_out(const struct conductor *conductor, int64_t now_ms);
void conductor_release(struct conductor *conductor, int64_t now_ms);

/* Often: a deadline counts once a tick shows it. */
void conductor_tick(struct conductor *conductor, int64_t now_ms);
