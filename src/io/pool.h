/* pool.h - a bounded number of threads behind a bounded queue, for work that may block. */
#pragma once

#include "base/base.h"

struct pool;

/* @threads and @queue_limit at least 1. @name shows in logs and in the threads' names. */
_must_check_ int pool_new(const char *name, unsigned int threads, size_t queue_limit,
			  struct pool **ret_pool);

/* Runs @fn(@arg) on one of the threads. -EAGAIN when the queue is full, -ESHUTDOWN when stopping. */
_must_check_ int pool_submit(struct pool *pool, void (*fn)(void *arg), void *arg);

/* Entries waiting now. */
size_t pool_waiting(struct pool *pool);

/* Finishes what is queued, then ends the threads. */
void pool_free(struct pool *pool);
