/* errand.h - what an agent's messages cause in the store: run on a thread of the agents' pool, for one
 * session at a time, in the order of their arrival.
 *
 * Usage records go to the charging queue (charging.h), those that follow each other together; the
 * letters behind them wait until they are charged. So a report that ends a lease never overtakes the
 * record before it. The errand waits without a thread: it comes back with the letters that are left,
 * for the next errand. Where the queue is full, records are dropped (the agent sends again what it has
 * no receipt for), and the session ends if one of them was a lease's last. */
#pragma once

#include "modules/worker/charging.h"
#include "modules/worker/fleet.h"
#include "modules/worker/worker.h"

/* One message of an agent, as it came; without bytes: "send the desired set". */
struct letter {
	struct letter *next;
	size_t len;
	uint8_t bytes[];
};

struct errand {
	const struct context *context;
	struct charging *charging;
	struct http_conn_id conn;
	uint8_t nonce[32];
	struct machine_id machine;
	struct letter *letters; /* owned; afterwards: those that are left */
	void (*back)(struct errand *errand); /* the end, on any thread; takes over the errand */
	void *owner;

	struct charge *charges; /* to be charged together */
	size_t n_charges; /* not charged yet */

	/* Afterwards. The session ends with @close_code unless that is 0. */
	uint16_t close_code;
	const char *close_reason; /* static */
};

/* Ends with @errand->back, perhaps later and on another thread. */
void errand_run(struct errand *errand);

/* For the charging queue. */
charging_done errand_charged;

void letters_free(struct letter *letters);
