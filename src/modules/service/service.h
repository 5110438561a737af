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
	SERVICE_E_LEAVING, /* the tenant asked the escrow contract to leave */
	SERVICE_E_TOO_MANY,
	SERVICE_E_TEMPLATE, /* unknown template */
	SERVICE_E_NOT_RUNNING,
	SERVICE_E_OFFLINE,
};

/* ---- probes: the network tries a machine ----
 *
 * A rental like any other to its machine, but the network's own (settings->network): of no list, no bill and
 * no reward, in force for probe_deadline_ms at most, and removed with its end. What it has counts as free: it
 * ends with the first rental that is placed on its machine, in the same transaction. */

/* Deploys settings->probe_image with @gpus GPUs on @machine, proved or not, priced or not.
 * SERVICE_E_NO_CAPACITY: there is no room, or a probe; nothing was changed. */
_must_check_ int service_probe_begin(const struct context *context, struct tx *tx,
				     struct machine_id machine, int64_t gpus,
				     struct rental_id *ret_rental);

/* Asks for its end. Twice, or when it is over: as once. */
_must_check_ int service_probe_end(const struct context *context, struct tx *tx,
				   struct rental_id rental);

struct service_probe {
	bool running, ended;
	const char *reason, *detail; /* of the end; in the arena or static */
	bool yielded; /* it ended because a tenant rented its machine */
	bool blamed; /* the end is the machine's fault */
	int64_t expires_ms;
};
/* ROUTE_E_NOT_FOUND. */
_must_check_ int service_probe_look(struct tx *tx, struct rental_id rental,
				    struct service_probe *ret_probe);

extern const struct module service_module;
