/* proof_store.h - every SQL statement of the module. Texts and lists live in the transaction's arena. */
#pragma once

#include "modules/checker/checker.h"
#include "modules/proof/beacon.h"
#include "modules/proof/proof.h"
#include "modules/proof/proof_end.h"
#include "popw/session.h"
#include "wire/sign.h"

/* ---- sessions ---- */

/* Who may ask for a second look at a session, each once. */
enum appeal_side {
	APPEAL_OWNER = 1, /* of the machine */
	APPEAL_CHECKERS, /* all that were marked wrong, together */
	APPEAL_NETWORK, /* the control plane, which found something else than the panel */
	APPEAL_SIDES_END,
};

enum appeal_state {
	APPEAL_NONE, /* nobody asked */
	APPEAL_QUEUED,
	APPEAL_LIVE, /* its session goes on */
	APPEAL_UPHELD, /* the same was found again */
	APPEAL_OVERTURNED, /* something else was found, which stands now */
	APPEAL_UNDECIDED, /* it was looked at, and nothing was found */
	APPEAL_EXPIRED, /* no look came to anything in time */
	APPEAL_STATES_END,
};

/* "queued": stable, for programs. */
const char *appeal_state_word(enum appeal_state state);
/* -EIO: it is none of them. */
_must_check_ int appeal_state_of(const char *word, enum appeal_state *ret_state);

/* As a session's row tells it. */
struct proof_appeal {
	enum appeal_state state;
	struct proof_id session; /* that was held for it last; zeros: none */
};

struct proof_row {
	struct proof_id id, parent; /* parent: of an appeal; zeros: none */
	struct machine_id machine;
	struct account_id owner;
	int64_t device, kind, attempt; /* as popw/session.h counts them */
	const char *uuid, *model;
	bool planted, rented, cohort;
	struct lease_id lease; /* rented */
	int64_t slot, chain, wanted;
	struct hash beacon;
	const void *candidates;
	size_t candidates_len;
	uint8_t session[SESSION_SIZE];
	bool live;
	const char *reason, *phase, *detail; /* proof_end_word */
	const char *outcome, *verdict; /* "passed", verdict_text; "" */
	int64_t own_bits;
	bool disagreement;
	int64_t started_ms, ended_ms;
	struct proof_appeal appeals[APPEAL_SIDES_END]; /* by side; read only */
};

struct proof_member {
	struct address checker;
	struct account_id account;
	int64_t licences;
	int64_t mark; /* enum checker_mark; 0: none */
};

_must_check_ int proof_store_add(struct tx *tx, const struct proof_row *row,
				 const struct proof_member *members, size_t n);

/* ROUTE_E_NOT_FOUND. */
_must_check_ int proof_store_get(struct tx *tx, struct proof_id id, struct proof_row *ret_row);
_must_check_ int proof_store_members(struct tx *tx, struct proof_id id,
				     struct proof_member **ret_members, size_t *ret_n);
/* ROUTE_E_NOT_FOUND. */
_must_check_ int proof_store_record(struct tx *tx, struct proof_id id, const void **ret_bytes,
				    size_t *ret_len);

/* Writes how the live session ended: reason to disagreement, and ended_ms. ROUTE_E_NOT_FOUND: it is over. */
_must_check_ int proof_store_end(struct tx *tx, const struct proof_row *row);
_must_check_ int proof_store_record_add(struct tx *tx, struct proof_id id, const void *bytes,
					size_t len);
_must_check_ int proof_store_mark(struct tx *tx, struct proof_id id, size_t member, int64_t mark);

/* Of a session that is live; one that is over keeps its own. */
_must_check_ int proof_store_phase(struct tx *tx, struct proof_id id, const char *phase);
/* Every live session ends as interrupted in the phase that was written last; the appeal for which it was held is
 * queued again. */
_must_check_ int proof_store_interrupt(struct tx *tx, int64_t now_ms);

struct proof_page {
	const struct machine_id *machine; /* NULL: any */
	const char *outcome; /* NULL: any; else an outcome, a reason, or "live" */
	bool all; /* planted ones, too */
	bool disagreements; /* only those */
	bool planted; /* only those, when they are over: before, nobody is told */
	struct proof_id before; /* zeros: from the newest on */
	int64_t limit;
};

/* Newest first. */
_must_check_ int proof_store_list(struct tx *tx, const struct proof_page *page,
				  struct proof_row **ret_rows, size_t *ret_n);
/* The device's last session that was judged, and agreed with. ROUTE_E_NOT_FOUND. */
_must_check_ int proof_store_judged_last(struct tx *tx, struct machine_id machine, int64_t device,
					 const char *uuid, struct proof_row *ret_row);
/* Sessions that the device had. */
_must_check_ int proof_store_attempts(struct tx *tx, struct machine_id machine, int64_t device,
				      const char *uuid, int64_t *ret_n);

/* ---- appeals ---- */

struct appeal_row {
	struct proof_id proof; /* against which */
	enum appeal_side side;
	enum appeal_state state;
	struct account_id by; /* zeros: the network */
	int64_t asked_ms, due_ms; /* due_ms: not before is its next session */
	int64_t decided_ms; /* 0: not yet */
	struct proof_id session; /* the last that was held for it; zeros: none */
	int64_t sessions;
	/* of the session appealed against; only read */
	struct machine_id machine;
	struct account_id owner;
	int64_t device;
	const char *uuid;
};

/* A side that asked before is a fault. */
_must_check_ int appeal_store_add(struct tx *tx, const struct appeal_row *row);
/* Its state, due_ms, decided_ms, session and sessions. ROUTE_E_NOT_FOUND. */
_must_check_ int appeal_store_set(struct tx *tx, const struct appeal_row *row);
/* ROUTE_E_NOT_FOUND: the side did not ask. */
_must_check_ int appeal_store_get(struct tx *tx, struct proof_id proof, enum appeal_side side,
				  struct appeal_row *ret_row);
/* Those that are queued and due at @now_ms, of checkers or of the others: by session, beginning behind @after and
 * round to it, so that none that waits keeps others from being looked at. */
_must_check_ int appeal_store_queued(struct tx *tx, bool of_checkers, int64_t now_ms,
				     struct proof_id after, size_t max,
				     struct appeal_row **ret_rows, size_t *ret_n);

/* ---- the beacon ---- */

_must_check_ int proof_store_chain_add(struct tx *tx, const struct beacon_chain *chain,
				       const struct hash *seed);
/* Those that do not end before @slot, the earliest first, at most two; and the seed of the first. */
_must_check_ int proof_store_chains(struct tx *tx, int64_t slot, int64_t slots,
				    struct beacon_chain ret_chains[static 2], struct hash *ret_seed,
				    size_t *ret_n);

/* Whether the cohort of @slot began; and that it does, in place of what began before. */
_must_check_ int proof_store_cohort(struct tx *tx, int64_t slot, bool *ret_begun);
_must_check_ int proof_store_cohort_begin(struct tx *tx, int64_t slot, int64_t now_ms);

/* ---- uptime ---- */

struct proof_uptime {
	struct machine_id machine;
	struct address checker;
	int64_t hour, polls, answered;
	struct spans away;
	uint8_t signature[SIGNATURE_SIZE];
};

/* Whether its checker was drawn, and the hour is open. */
_must_check_ int proof_store_uptime_awaited(struct tx *tx, const struct proof_uptime *uptime,
					    bool *ret_awaited);
/* A later report of the same hour counts if it saw more, and while the hour is open. */
_must_check_ int proof_store_uptime_add(struct tx *tx, const struct proof_uptime *uptime);
/* What was reported, by checker. */
_must_check_ int proof_store_uptimes(struct tx *tx, struct machine_id machine, int64_t hour,
				     struct proof_uptime **ret_uptimes, size_t *ret_n);

struct proof_watcher {
	struct machine_id machine;
	struct address checker;
	struct account_id account;
};

enum proof_hour_state { HOUR_OPEN = 1, HOUR_OVER, HOUR_EXCUSED };

/* Of one machine in an hour, by checker; of all, by machine and checker, at most @max of those behind @after. */
_must_check_ int proof_store_watchers(struct tx *tx, struct machine_id machine, int64_t hour,
				      struct proof_watcher **ret_watchers, size_t *ret_n);
_must_check_ int proof_store_watchers_page(struct tx *tx, int64_t hour,
					   const struct proof_watcher *after, size_t max,
					   struct proof_watcher **ret_watchers, size_t *ret_n);
/* New ones, machine by machine. Their machines' hours are open with the first. */
_must_check_ int proof_store_watchers_add(struct tx *tx, int64_t hour,
					  const struct proof_watcher *watchers, size_t n);
/* What is proved of the machine in an hour that is there. Said once: later figures change nothing. */
_must_check_ int proof_store_hour_figures(struct tx *tx, struct machine_id machine, int64_t hour,
					  const struct worker_figures *figures);

/* Hours from @from on and before @until for which watchers were drawn, the earliest first. */
struct proof_watched {
	int64_t hour;
	bool up; /* see proof_epoch */
	bool figured; /* it is known what was proved then */
	struct worker_figures figures;
};
_must_check_ int proof_store_hours_watched(struct tx *tx, struct machine_id machine, int64_t from,
					   int64_t until, size_t max,
					   struct proof_watched **ret_hours, size_t *ret_n);

/* ROUTE_E_NOT_FOUND: nobody was drawn. */
_must_check_ int proof_store_hour(struct tx *tx, struct machine_id machine, int64_t hour,
				  enum proof_hour_state *ret_state);
_must_check_ int proof_store_hour_set(struct tx *tx, struct machine_id machine, int64_t hour,
				      enum proof_hour_state state);

struct proof_hour {
	struct machine_id machine;
	int64_t hour;
};

/* The open ones up to @hour, the earliest first. */
_must_check_ int proof_store_hours_open(struct tx *tx, int64_t hour, size_t max,
					struct proof_hour **ret_hours, size_t *ret_n);
/* Those of them in which nobody found the machine away are over. */
_must_check_ int proof_store_hours_quiet(struct tx *tx, int64_t hour);
/* Forgets hours before @hour, but those that excused a bill or are still open: of one part of the machines. */
enum { HOURS_PARTS = 16 };
_must_check_ int proof_store_hours_purge(struct tx *tx, int64_t hour, unsigned int part);
