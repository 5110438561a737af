/* service.h - rentals: a tenant's container from the order to its end, driven as a state machine.
 *
 * rental_step reads a rental, takes at most one legal move, and says whether another may follow; it
 * is run whenever something may have changed and now and then regardless. Crash at any point: the
 * next step goes on. Every end carries a reason, who caused it, and whether it is billed. */
#pragma once

#include "api/route.h"

enum service_outcome {
	SERVICE_E_STATE = ROUTE_E_MODULE, /* not in this state */
	SERVICE_E_NO_CAPACITY,
	SERVICE_E_BALANCE,
	SERVICE_E_TOO_MANY,
	SERVICE_E_TEMPLATE, /* unknown template */
	SERVICE_E_NOT_RUNNING,
	SERVICE_E_OFFLINE,
};

extern const struct module service_module;
