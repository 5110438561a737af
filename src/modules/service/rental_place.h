/* rental_place.h - a rental's attempt on a machine: resources, money, and what to run, together. */
#pragma once

#include "api/route.h"
#include "modules/service/order.h"
#include "modules/service/rental.h"

/* Takes a machine that was not tried before for @rental, opens the lease's account and tells the
 * machine what to run. Fills in the placement in @rental, which the caller writes.
 * A probe that was on the machine ends. SERVICE_E_NO_CAPACITY, SERVICE_E_BALANCE, SERVICE_E_LEAVING: @rental
 * is as it was and nothing is held. */
_must_check_ int rental_place(const struct context *context, struct tx *tx, struct rental *rental,
			      const struct order *order);

/* Why rental_place found nothing: JSON text in the arena. */
_must_check_ int rental_place_why(const struct context *context, struct tx *tx,
				  const struct order *order, const char **ret_why);
