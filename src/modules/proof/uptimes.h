/* uptimes.h - checkers' reports of hours on their way into the store.
 *
 * One counts from who was drawn for its hour until that hour is over (hours.h), whenever it comes: also after the
 * control plane was away. The loop only queues; who was drawn, and whether the signature is the checker's, is
 * looked up by the job, which tells the checker what it may forget. Where there is no room nothing is said: then
 * the checker reports it again. */
#pragma once

#include "modules/checker/checker.h"

_must_check_ int uptimes_start(const struct context *context);
void uptimes_stop(void);

/* On the loop. Whether it waits now: not what cannot be a report, nor where there is no room. */
bool uptimes_take(const struct address *checker, const Wire__Uptime *said);

/* In the job "proof_watch". What a fault keeps from the store waits for the next turn. */
_must_check_ int uptimes_run(const struct context *context, struct arena *arena);
