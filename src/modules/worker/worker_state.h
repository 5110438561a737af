/* worker_state.h - what the module keeps while it runs, made by its start and freed by its stop: the
 * index and the agents' sessions. One a process. */
#pragma once

#include "modules/worker/agents.h"
#include "modules/worker/fleet.h"
#include "modules/worker/worker_store.h"

struct worker_state {
	const struct context *context; /* NULL: not started */
	struct fleet *fleet;
	struct agents *agents;
};

extern struct worker_state worker_state;

/* Reads the machine as the index wants it. ROUTE_E_NOT_FOUND. */
_must_check_ int worker_fleet_read(struct tx *tx, struct machine_id machine,
				   struct fleet_machine *ret_machine);

/* Once the transaction has committed, the index shows the machine as it is then. */
_must_check_ int worker_fleet_refresh(struct tx *tx, struct machine_id machine);

/* The same for a row that was just read, without reading it again. */
_must_check_ int worker_fleet_refresh_row(struct tx *tx, const struct worker_row *row);

/* Other instances are to look at it again: they find it in the store within a second or two. */
_must_check_ int worker_touch(struct tx *tx, struct machine_id machine);

/* Reads all machines into the index. */
_must_check_ int worker_fleet_fill(const struct context *context, struct arena *arena);
