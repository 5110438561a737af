/* reconcile_internal.h - the inside of reconcile.h, for its two files only. */
#pragma once

#include "agent/reconcile.h"

struct reconcile {
	struct reconcile_config config;
	struct lease_host host;
	struct lease *leases;
	uint64_t generation; /* of this session's last desired set; 0: none yet */
	bool told; /* the control plane said in this session what it wants */
	void *desired; /* bytes still to be kept */
	size_t desired_len;

	bool up;
	int64_t down_since_ms;
	struct engine_call *call; /* the list */
	struct engine_call *asking; /* for the version */
	struct engine_call *events;
	struct engine_call *removing; /* a container that belongs to no lease */
	struct loop_timer *round, *usage, *save;
};

/* A lease by the text of its label; NULL: none of ours. */
struct lease *reconcile_find_text(const struct reconcile *reconcile, const char *text);

/* Writes soon what is behind. */
void reconcile_save_soon(struct reconcile *reconcile);

/* ---- reconcile_engine.c: the engine's health, its events, and the rounds ---- */

void reconcile_begin_round(struct reconcile *reconcile);
void reconcile_engine_fault(void *arg, int fault);
void reconcile_round_soon(void *arg);
