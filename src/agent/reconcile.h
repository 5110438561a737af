/* reconcile.h - all leases of this machine, and the engine's health: keeps what is there equal to what
 * is wanted.
 *
 * What the engine says is learnt from its events at once, and from a list of all our containers when it
 * comes (back) up, on each change of what is wanted, and every RECONCILE_EVERY_MS. Containers that carry
 * our network's label and that nobody wants are removed, but only after the control plane has said in
 * this session what it wants: missing data destroys nothing. */
#pragma once

#include "agent/lease.h"

struct reconcile;

enum {
	RECONCILE_EVERY_MS = 10000,
	RECONCILE_RETRY_MS = 1000, /* while the engine is away */
	RECONCILE_ENGINE_DOWN_MS = 60000, /* then leases that do not run yet fail */
	RECONCILE_SAVE_MS = 20, /* records that may be a little behind are written together */
};

struct reconcile_config {
	struct loop *loop;
	struct engine *engine;
	struct state *state;
	const struct clock *clock;
	struct container_host container;
	void (*on_change)(void *arg, struct lease *lease); /* lease_state tells something new */
	void (*on_usage)(void *arg, struct lease *lease); /* a record is to be sent */
	void (*on_lines)(void *arg, struct lease *lease); /* its log goes on, or is complete */
	void (*on_engine)(void *arg, bool up);
	void *arg;
};

/* Loads what is on disk, then begins to look at the engine. Copies the configuration. What is damaged
 * is left out, and comes back with the control plane's next word; -EPROTONOSUPPORT: some of it is of a
 * later version. */
_must_check_ int reconcile_new(const struct reconcile_config *config,
			       struct reconcile **ret_reconcile);
/* Leaves containers and disk as they are. */
void reconcile_free(struct reconcile *reconcile);

/* Takes over all that the control plane wants. An older generation than the last of this session is
 * ignored. -ENOMEM: some of it could not be taken; the next one puts it right. */
_must_check_ int reconcile_desired(struct reconcile *reconcile, const Wire__Desired *desired);
/* Of the last one that was taken over and is on disk. */
uint64_t reconcile_generation(const struct reconcile *reconcile);
/* A new session with the control plane: generations may begin anew. */
void reconcile_new_session(struct reconcile *reconcile);

void reconcile_usage_every(struct reconcile *reconcile, uint32_t usage_ms);
void reconcile_settle(struct reconcile *reconcile, const struct lease_id *lease, uint64_t sequence);

bool reconcile_engine_up(const struct reconcile *reconcile);
/* The first lease; go on by .next. */
struct lease *reconcile_leases(const struct reconcile *reconcile);
/* NULL: not here. */
struct lease *reconcile_find(const struct reconcile *reconcile, const uint8_t id[static 16]);
