/* outbox_turn.h - the parts of a turn: what the chain is like, what becomes of calls that were sent, and of
 * those that wait. Inside chain/ only. */
#pragma once

#include "chain/outbox_store.h"

struct turn {
	const struct outbox_config *config;
	struct arena *arena; /* the turn's rows; what a step takes is given back after it */
	struct outbox_health *health;
	int64_t now_ms;
	int64_t next_nonce;
	bool looked; /* what follows is known */
	int64_t count; /* of the sender's transactions, mined */
	int64_t max_fee, priority_fee; /* that would do now */
	bool stop; /* nothing more is signed in this turn */
};

/* Keeps the first of a turn. */
_printf_(2, 3) void turn_problem(struct turn *turn, const char *format, ...);

/* All: faults are the store's, the signer's, -ENOMEM. That the chain is away is a problem. */
_must_check_ int turn_look(struct turn *turn);
_must_check_ int turn_live(struct turn *turn, struct outbox_row *row);
/* Outcome OUTBOX_E_DENIED: the signer will not sign it; nothing of its kind may pass it. */
_must_check_ int turn_queued(struct turn *turn, struct outbox_row *row);

/* A queued call that was signed before: whether one of its variants was mined all the same, or cannot be said
 * not to have been. Endpoints that may be believed alone may have lied when its nonce was taken from it. */
_must_check_ int turn_recover(struct turn *turn, struct outbox_row *row, bool *ret_waits);

/* ---- inside ---- */

/* What all endpoints say of a number: the highest that as many as must agree do not fall short of, so that one
 * that lies, or lags, moves it nowhere. */
struct answers {
	size_t n, refusals, reverts;
	bool agreed, reverted; /* enough gave numbers; for enough the contract refused */
	int64_t number;
	struct rpc_error error; /* of the last that refused */
};
/* Takes @params over; NULL is -ENOMEM. */
_must_check_ int turn_ask_all(struct turn *turn, const char *method, json_t *params,
			      int (*read)(const json_t *answer, uint64_t *ret_number),
			      struct answers *ret_answers);

/* What the fees were @raised from, NULL for a first variant: at least an eighth more, as nodes ask of a
 * replacement. False, with the problem said: they would be above the limit. */
bool turn_fees(struct turn *turn, const struct variant_row *raised, int64_t *ret_max_fee,
	       int64_t *ret_priority_fee);

/* Signs a variant of @row (whose nonce and gas are set), writes both, and sends it. OUTBOX_E_DENIED: the
 * signer will not; OUTBOX_E_AWAY: it cannot now, or fees are too high. Nothing was written then, and the
 * problem is said. */
_must_check_ int turn_sign(struct turn *turn, struct outbox_row *row,
			   const struct variant_row *raised);

/* Sends bytes that are durable. */
_must_check_ int turn_send(struct turn *turn, const struct outbox_row *row, const uint8_t *bytes,
			   size_t len);

/* Writes @row. */
_must_check_ int turn_write(struct turn *turn, struct outbox_row *row);
