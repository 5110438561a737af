/* health.h - how the chain does, as this process saw it last, and the operators' events about it: one when
 * something has been wrong for chain_alarm_ms, one when all has been well again for as long. Numbers in a
 * problem's text may change without another event. Thread safe. */
#pragma once

#include "modules/chain/chain_state.h"

enum health_part {
	HEALTH_OUTBOX,
	HEALTH_INDEXER,
	HEALTH_ANCHORS,
	HEALTH_ENDPOINTS,
	HEALTH_PAYOUTS,
	HEALTH_SETTLEMENT,
	HEALTH_PARTS_N
};
enum { HEALTH_TEXT_MAX = 512 };

struct health_now {
	struct outbox_health outbox;
	struct indexer_health indexer;
	char anchors[HEALTH_TEXT_MAX]; /* "" */
	char payouts[HEALTH_TEXT_MAX];
	char settlement[HEALTH_TEXT_MAX]; /* of providers; "" */
};

/* Zeros of what was not seen yet. */
void health_now(struct health_now *ret_now);

/* What a turn saw. Faults are the store's: then the event is written by the next turn. */
_must_check_ int health_outbox(const struct context *context, struct arena *arena,
			       const struct outbox_health *health);
_must_check_ int health_indexer(const struct context *context, struct arena *arena,
				const struct indexer_health *health);
_must_check_ int health_anchors(const struct context *context, struct arena *arena,
				const char *problem);

_must_check_ int health_payouts(const struct context *context, struct arena *arena,
				const char *problem);
_must_check_ int health_settlement(const struct context *context, struct arena *arena,
				   const char *problem);

/* The same of one part, "" when it is well. */
_must_check_ int health_see(const struct context *context, struct arena *arena,
			    enum health_part part, const char *problem);

void health_forget(void);
