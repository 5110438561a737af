/* watch.h - who asks which machine whether it is there, hour by hour: the job "proof_watch", and the relay of
 * polls and reports on the loop.
 *
 * Every machine that is watched (vigil.h), linked or not, is polled by panel_standing checkers, drawn for
 * each hour (watchers.h): from poll_after_ms after the start of the process on, when whoever lost its link with the
 * process before has had the time to come back. A checker may ask the machines it watches and those of its live
 * sessions, POLLS_A_SECOND at most; an answer is passed on once. What it reports is in uptimes.h. */
#pragma once

#include "modules/checker/checker.h"
#include "modules/worker/worker.h"

_must_check_ int watch_start(const struct context *context);
/* From now on this instance watches. */
void watch_begin(void);
void watch_stop(void);

_must_check_ int watch_run(const struct context *context, struct arena *arena);

/* On the loop. */
void watch_on_up(const struct address *checker);
void watch_on_down(const struct address *checker);
void watch_on_checker(const struct address *checker, const Wire__ToServer *message);
void watch_on_worker(struct machine_id machine, const Wire__ToServer *message);
