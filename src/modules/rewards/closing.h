/* closing.h - how epochs begin and end, one durable step after the other: open, the machines' records (a
 * page of them at a time), the checkers', the payouts, closed. Each step reads where the epoch stands,
 * works, and writes both in one transaction that counts only if the epoch still stands there: so whoever
 * is killed anywhere goes on where it was, and nothing is written twice. */
#pragma once

#include "modules/rewards/rewards_store.h"

enum {
	CLOSING_MACHINES = 64, /* records a step */
	CLOSING_PAGE_BYTES = 16 << 10, /* of text */
	CLOSING_GRACE_MS = 3600 * 1000, /* for reports that come late; a tenth of a shorter epoch */
	CLOSING_MISSED_MAX =
		64, /* epochs that passed while the process was away: else there are none */
};

/* From which moment on what is late can come: the grace of an epoch that ended before begins there. */
void closing_begin(const struct context *context);

/* An ended epoch is closed from then on. */
int64_t closing_due_ms(const struct epoch_row *epoch);

/* The next step of what is due now. CLOSING_IDLE: nothing is. Faults leave the store as it was, and the
 * next call tries again. */
enum closing_outcome { CLOSING_IDLE = 1 };
_must_check_ int closing_step(const struct context *context);

extern const struct job rewards_jobs[];
