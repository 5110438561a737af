/* rate_limit.h - token buckets by key (a peer's address, an account), in fixed memory.
 *
 * A table of slots, found by a keyed hash; a full neighbourhood forgets its fullest bucket, the one
 * that matters least. Not thread safe: one owner. Pure: the caller says what time it is. */
#pragma once

#include "base/base.h"
#include "base/random.h"

struct rate_limit;

/* @rate a second, at most @burst at once, both above 0. */
_must_check_ int rate_limit_new(size_t slots, double rate, double burst, struct random *random,
				struct rate_limit **ret_limit);
void rate_limit_free(struct rate_limit *limit);

/* Takes one token of @key: false if there is none, and @ret_wait_ms says when there will be. */
bool rate_limit_take(struct rate_limit *limit, const void *key, size_t len, int64_t now_ms,
		     int64_t *ret_wait_ms);
