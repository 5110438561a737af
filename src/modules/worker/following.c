#include "modules/worker/following.h"

#include "modules/worker/desired.h"
#include "modules/worker/worker_state.h"

enum {
	PAGE = 5000,
	ONE_ARENA_BYTES = 8 << 20,
	SLACK_MS = 3000, /* others' clocks, and transactions that were long on their way */
};

/* By the clocks of those who wrote; on the job's thread, of which there is one. */
static int64_t touched_ms, seen_ms;

/* ---- changes ---- */

struct change {
	struct machine_id machine;
	int64_t generation; /* that is known here */
	struct fleet_machine now;
	const void *bytes; /* what it should run, where that is news; NULL */
	size_t len;
};

static int tx_change(struct tx *tx, void *arg)
{
	struct change *change = arg;
	int r = worker_fleet_read(tx, change->machine, &change->now);

	change->bytes = NULL;
	if (r != 0 || change->now.generation <= change->generation ||
	    !agents_linked(worker_state.agents, change->machine))
		return r;
	return desired_read(tx, change->machine, change->now.generation, &change->bytes,
			    &change->len);
}

static int take_change(const struct context *context, struct arena *arena,
		       struct machine_id machine)
{
	struct change change = { .machine = machine };
	int r;

	(void)fleet_generation_of(worker_state.fleet, machine, &change.generation);
	r = db_run(context->db, TX_READ, arena, tx_change, &change);
	if (r == ROUTE_E_NOT_FOUND) {
		fleet_remove(worker_state.fleet, machine);
		agents_drop(worker_state.agents, machine, "this machine was removed");
		return 0;
	}
	if (r == 0)
		r = fleet_put(worker_state.fleet, &change.now);
	if (r == 0 && change.bytes)
		agents_send(worker_state.agents, machine, change.bytes, change.len);
	return r;
}

struct touches {
	int64_t since_ms;
	struct worker_touch *items;
	size_t n;
};

static int tx_touches(struct tx *tx, void *arg)
{
	struct touches *touches = arg;

	return worker_store_touched(tx, touches->since_ms, PAGE, &touches->items, &touches->n);
}

static int follow_changes(const struct context *context, struct arena *arena)
{
	struct touches touches = { .since_ms = touched_ms - SLACK_MS };
	_cleanup_(arena_freep) struct arena *one = NULL;
	int r = arena_new(ONE_ARENA_BYTES, &one);

	if (r == 0)
		r = db_run(context->db, TX_READ, arena, tx_touches, &touches);
	for (size_t i = 0; r == 0 && i < touches.n; i++) {
		arena_reset(one);
		r = take_change(context, one, touches.items[i].machine);
		if (r == 0)
			touched_ms = touches.items[i].at_ms;
	}
	return r;
}

/* ---- signs of life ---- */

struct signs {
	int64_t since_ms;
	struct worker_seen *items;
	size_t n;
};

static int tx_signs(struct tx *tx, void *arg)
{
	struct signs *signs = arg;

	return worker_store_seen_since(tx, signs->since_ms, PAGE, &signs->items, &signs->n);
}

static int follow_signs(const struct context *context, struct arena *arena)
{
	struct signs signs = { .since_ms = seen_ms - SLACK_MS, .n = PAGE };
	int64_t now_ms = clock_now_ms(context->clock);
	int r = 0;

	while (r == 0 && signs.n == PAGE) {
		arena_reset(arena);
		r = db_run(context->db, TX_READ, arena, tx_signs, &signs);
		for (size_t i = 0; r == 0 && i < signs.n; i++) {
			int64_t ago_ms = now_ms - signs.items[i].at_ms;

			fleet_heard_elsewhere(worker_state.fleet, signs.items[i].machine,
					      signs.items[i].engine_up, ago_ms > 0 ? ago_ms : 0);
			signs.since_ms = seen_ms = signs.items[i].at_ms;
		}
	}
	fleet_sweep(worker_state.fleet);
	return r;
}

int worker_follow(const struct context *context, struct arena *arena)
{
	int r = duty_shared(context) ? follow_changes(context, arena) : 0;

	arena_reset(arena);
	return r != 0 || duty_held(context, NODES_DUTY) ? r : follow_signs(context, arena);
}
