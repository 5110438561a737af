/* loop.h - the one thread that owns every socket, and how other threads reach it.
 *
 * A loop is libuv's, plus a queue through which any thread hands it work. Everything named "on the
 * loop" runs on the thread that called loop_run and must not block. */
#pragma once

#include "base/base.h"

struct loop;
struct uv_loop_s;

/* Ignores SIGPIPE from here on, for the whole process. */
_must_check_ int loop_new(struct loop **ret_loop);

/* After loop_run returned. Closes what is still open. */
void loop_free(struct loop *loop);

/* Runs until loop_stop and until nothing is left to close. */
_must_check_ int loop_run(struct loop *loop);

/* From any thread, and from signal watchers. */
void loop_stop(struct loop *loop);

/* Whether the calling thread is inside loop_run of this loop. */
bool loop_is_current(const struct loop *loop);

/* Runs @fn(@arg) on the loop soon, in the order of posting from one thread. From any thread.
 * -ENOMEM; -ESHUTDOWN once the loop has stopped (then @fn never runs). */
_must_check_ int loop_post(struct loop *loop, void (*fn)(void *arg), void *arg);

/* A timer on the loop: @fn first after @first_ms, then every @every_ms (0: once). Owned by the
 * loop until loop_timer_free, which may be called from @fn. On the loop only. */
struct loop_timer;
_must_check_ int loop_timer_new(struct loop *loop, uint64_t first_ms, uint64_t every_ms,
				void (*fn)(void *arg), void *arg, struct loop_timer **ret_timer);
void loop_timer_free(struct loop_timer *timer);

/* Calls @fn on the loop for SIGTERM and SIGINT, each time. */
_must_check_ int loop_on_signal(struct loop *loop, void (*fn)(void *arg, int signal), void *arg);

/* libuv's own loop, for io/ and agent/. */
struct uv_loop_s *loop_uv(struct loop *loop);
