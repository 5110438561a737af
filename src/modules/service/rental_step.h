/* rental_step.h - makes a rental and drives it: judge, act, write, in the caller's transaction.
 *
 * Safe to run at any moment, by anybody, as often as one likes: a step that finds nothing to do
 * changes nothing. Everything a move means (money, machine, history, event) is in one transaction. */
#pragma once

#include "api/route.h"
#include "modules/service/order.h"
#include "modules/service/rental.h"

enum { RENTALS_LIVE_MAX = 100 };

/* Places @order for @tenant at once: the commit holds the rental, its lease and what its machine is
 * to run. SERVICE_E_TOO_MANY, SERVICE_E_BALANCE, SERVICE_E_LEAVING, SERVICE_E_NO_CAPACITY (@ret_why,
 * in the arena, says why); after an outcome the transaction is to be rolled back. */
_must_check_ int rental_create(const struct context *context, struct tx *tx,
			       struct account_id tenant, const struct order *order,
			       struct rental_id *ret_id, const char **ret_why);

/* The same for a machine's trial, of the network's own account: at no cost, and over when
 * probe_deadline_ms have passed. SERVICE_E_NO_CAPACITY. */
_must_check_ int rental_create_probe(const struct context *context, struct tx *tx,
				     const struct order *order, struct rental_id *ret_id);

/* Takes at most one legal move. @ret_again: another may follow. ROUTE_E_NOT_FOUND. */
_must_check_ int rental_step(const struct context *context, struct tx *tx, struct rental_id id,
			     bool *ret_again);

/* Steps until the rental rests, a bounded number of times; what is left is due at once. */
_must_check_ int rental_settle(const struct context *context, struct tx *tx, struct rental_id id);

/* Ends the probe @id at once, for a tenant; its lease is removed. */
_must_check_ int rental_yield(const struct context *context, struct tx *tx, struct rental_id id);

/* Asks for a stop, for @reason, unless one was asked for before or the rental has ended. */
_must_check_ int rental_ask_stop(struct tx *tx, struct rental *rental, enum rental_reason reason);
