/* What the proof module sees of the machines' sessions (worker.h). */
#include "modules/worker/worker.h"

#include "modules/worker/worker_state.h"

enum { MESSAGE_ARENA_BYTES = 2 * WIRE_MESSAGE_MAX };

int worker_proof_send(struct machine_id machine, const Wire__ToNode *message)
{
	_cleanup_(arena_freep) struct arena *arena = NULL;
	const void *bytes;
	size_t len;
	int r;

	if (!worker_linked(machine))
		return -ENOTCONN;
	r = arena_new(MESSAGE_ARENA_BYTES, &arena);
	if (r == 0)
		r = wire_encode_to_node(message, arena, &bytes, &len);
	if (r == 0)
		agents_send(worker_state.agents, machine, bytes, len);
	return r;
}

bool worker_linked(struct machine_id machine)
{
	return worker_state.agents && agents_linked(worker_state.agents, machine);
}

void worker_proof_listen(const struct worker_proof_listener *listener)
{
	agents_listen(worker_state.agents, listener);
}
