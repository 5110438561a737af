/* agents.h - the agents' sessions: one WebSocket for each machine, bound to its key.
 *
 * A session begins with a challenge; the agent's hello must carry a signature over it by the key of a
 * machine that joined. A newer session of a machine replaces the older one. Messages are decoded on
 * the loop; what needs the store goes to the agents' pool in order, one errand in flight for each
 * session, behind a bounded queue: past its end the session is closed, and the level-triggered
 * protocol puts right what was lost. Heartbeats touch memory only. */
#pragma once

#include "modules/worker/fleet.h"
#include "modules/worker/worker.h"

struct streams;

enum {
	AGENTS_MAX = 16384,
	AGENTS_GREETING_MAX = 2048, /* of them not greeted yet */
	AGENT_HELLO_MS = 10000, /* to say hello */
	AGENT_LETTERS_MAX = 64, /* waiting for the store, and their bytes */
	AGENT_LETTERS_BYTES_MAX = 4 << 20,
	AGENT_RESEND_MS = 2000, /* a desired set that was not taken over is sent again so often */
};

struct agents;

_must_check_ int agents_new(const struct context *context, struct fleet *fleet,
			    struct agents **ret_agents);

/* After the loop has stopped. */
void agents_free(struct agents *agents);

/* One encoded ToNode to the machine's session, if there is one. From any thread. */
void agents_send(struct agents *agents, struct machine_id machine, const void *bytes, size_t len);

/* Closes the machine's session, if there is one. From any thread. */
void agents_drop(struct agents *agents, struct machine_id machine, const char *reason);

/* From any thread. */
bool agents_linked(struct agents *agents, struct machine_id machine);

/* Before the first session. */
void agents_listen(struct agents *agents, const struct worker_proof_listener *listener);

/* Greeted sessions. From any thread. */
size_t agents_count(struct agents *agents);

/* The streams of the machine's session; NULL without one. On the loop. */
struct streams *agents_streams(struct agents *agents, struct machine_id machine);

/* GET /v1/agent. */
extern const struct ws_route agents_route;
