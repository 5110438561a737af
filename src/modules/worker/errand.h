/* errand.h - what an agent's messages cause in the store: run on a thread of the agents' pool, for one
 * session at a time, in the order of their arrival. */
#pragma once

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
	struct http_conn_id conn;
	uint8_t nonce[32];
	struct machine_id machine;
	struct letter *letters; /* owned */

	/* Afterwards. The session ends with @close_code unless that is 0. */
	uint16_t close_code;
	const char *close_reason; /* static */
};

void errand_run(struct errand *errand);
void letters_free(struct letter *letters);
