/* charging.h - the one queue through which the usage records of all sessions are charged, in batches.
 *
 * The thread that puts a record where none is at work charges it at once, and goes on with what others
 * put meanwhile, up to BILLING_RECORDS_MAX in one transaction, until nothing waits: an idle queue adds
 * no delay, and the busier it is, the larger its batches. Records are charged in the order in which
 * they were put. When a batch meets a fault, its records are tried one by one, so that one lease that
 * cannot be charged does not hold up the others. */
#pragma once

#include "modules/billing/billing.h"

enum {
	CHARGING_QUEUE_MAX = 4096, /* waiting */
	CHARGING_ALONE_MS = 10000, /* one by one at most so long: then it is the store that fails */
};

struct charge {
	struct charge *next;
	struct billing_record record; /* checked */
	void *owner;
};

/* After the commit, on the thread that charged; takes over @charge. @result: 0, with the record's
 * outcome, or a fault: nothing was charged. @arena is for the call. It must not wait. */
typedef void charging_done(struct charge *charge, int result, struct arena *arena);

struct charging;

_must_check_ int charging_new(const struct context *context, charging_done *done,
			      struct charging **ret_charging);

/* When no thread is inside charging_put. */
void charging_free(struct charging *charging);

/* Takes over @n charges, and may charge others' before it returns. -EAGAIN: the queue is full,
 * nothing was taken. */
_must_check_ int charging_put(struct charging *charging, struct charge *charges, size_t n);
