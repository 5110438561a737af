/* service_store.h - every SQL statement of the module. Results live in the transaction's arena. */
#pragma once

#include "io/db.h"
#include "modules/service/order.h"
#include "modules/service/rental.h"

/* ---- rentals ---- */

_must_check_ int store_rental_insert(struct tx *tx, const struct rental *rental,
				     const struct order *order);

/* ROUTE_E_NOT_FOUND. */
_must_check_ int store_rental(struct tx *tx, struct rental_id id, struct rental *ret_rental);
_must_check_ int store_order(struct tx *tx, struct rental_id id, struct order *ret_order);

/* Writes what may change, if nobody moved the rental since it was read (@rental->n_moves); -EAGAIN
 * otherwise: the transaction runs again. */
_must_check_ int store_rental_update(struct tx *tx, const struct rental *rental);

/* Counts one more move: guards, updates, and writes the history's row. */
struct rental_move {
	enum rental_state from, to;
	bool first; /* there is no from */
	int64_t at_ms;
	const char *reason, *caused_by, *detail;
};
_must_check_ int store_rental_move(struct tx *tx, struct rental *rental,
				   const struct rental_move *move);
_must_check_ int store_moves(struct tx *tx, struct rental_id id, struct rental_move **ret_moves,
			     size_t *ret_n);

_must_check_ int store_live_count(struct tx *tx, struct account_id tenant, int64_t *ret_n);

struct rental_page {
	struct account_id tenant;
	int state; /* -1: any */
	struct rental_id before; /* zeros: the youngest */
	int64_t limit;
};
_must_check_ int store_rentals(struct tx *tx, const struct rental_page *page,
			       struct rental **ret_rentals, size_t *ret_n);

/* ---- attempts ---- */

_must_check_ int store_attempt_insert(struct tx *tx, const struct rental *rental);
_must_check_ int store_attempt_machines(struct tx *tx, struct rental_id id, size_t max,
					struct machine_id *ret_machines, size_t *ret_n);

/* ---- what to look at ---- */

/* The rental is due; with a @stop reason, a live one is to be stopped for it (the first counts). */
_must_check_ int store_mark_due(struct tx *tx, struct rental_id id, enum rental_reason stop,
				int64_t now_ms);
_must_check_ int store_due(struct tx *tx, int64_t now_ms, size_t max, struct rental_id *ret_ids,
			   size_t *ret_n);
_must_check_ int store_defer(struct tx *tx, struct rental_id id, int64_t check_ms);

/* ---- templates ---- */

struct template_row {
	const char *name, *title, *description, *body;
};
/* @name NULL: all. */
_must_check_ int store_templates(struct tx *tx, const char *name, struct template_row **ret_rows,
				 size_t *ret_n);
