#include "security/rate_limit.h"

#include <math.h>

enum { NEIGHBOURS = 8 };

struct bucket {
	uint64_t key; /* 0: empty */
	int64_t at_ms;
	double tokens;
};

struct rate_limit {
	struct bucket *buckets;
	size_t n;
	double rate, burst;
	uint64_t seed;
};

int rate_limit_new(size_t slots, double rate, double burst, struct random *random,
		   struct rate_limit **ret_limit)
{
	struct rate_limit *limit = calloc(1, sizeof(*limit));
	int r = -ENOMEM;

	if (!limit)
		return r;
	limit->n = slots < NEIGHBOURS ? NEIGHBOURS : slots;
	limit->rate = rate;
	limit->burst = burst;
	limit->buckets = calloc(limit->n, sizeof(*limit->buckets));
	if (limit->buckets)
		r = random_fill(random, &limit->seed, sizeof(limit->seed));
	if (r < 0) {
		rate_limit_free(limit);
		return r;
	}
	*ret_limit = limit;
	return 0;
}

void rate_limit_free(struct rate_limit *limit)
{
	if (!limit)
		return;
	free(limit->buckets);
	free(limit);
}

/* FNV-1a from a secret start, then a finaliser: enough that slots cannot be aimed at blindly. */
static uint64_t hash(const struct rate_limit *limit, const void *key, size_t len)
{
	const unsigned char *p = key;
	uint64_t h = 0xcbf29ce484222325u ^ limit->seed;

	for (size_t i = 0; i < len; i++)
		h = (h ^ p[i]) * 0x100000001b3u;
	h = (h ^ (h >> 33)) * (0xff51afd7ed558ccdu ^ limit->seed << 1);
	h ^= h >> 29;
	return h ? h : 1;
}

static double refilled(const struct rate_limit *limit, const struct bucket *bucket, int64_t now_ms)
{
	double passed = (double)(now_ms - bucket->at_ms) / 1000.0;

	return fmin(limit->burst, bucket->tokens + fmax(0.0, passed) * limit->rate);
}

static struct bucket *find(struct rate_limit *limit, uint64_t key, int64_t now_ms)
{
	struct bucket *fullest = NULL;

	for (size_t i = 0; i < NEIGHBOURS; i++) {
		struct bucket *bucket = &limit->buckets[(key + i) % limit->n];

		if (bucket->key == key)
			return bucket;
		if (bucket->key == 0) {
			fullest = bucket;
			break;
		}
		if (!fullest || refilled(limit, bucket, now_ms) > refilled(limit, fullest, now_ms))
			fullest = bucket;
	}
	*fullest = (struct bucket){ .key = key, .at_ms = now_ms, .tokens = limit->burst };
	return fullest;
}

bool rate_limit_take(struct rate_limit *limit, const void *key, size_t len, int64_t now_ms,
		     int64_t *ret_wait_ms)
{
	struct bucket *bucket = find(limit, hash(limit, key, len), now_ms);

	bucket->tokens = refilled(limit, bucket, now_ms);
	bucket->at_ms = now_ms;
	if (bucket->tokens >= 1.0) {
		bucket->tokens -= 1.0;
		return true;
	}
	*ret_wait_ms = (int64_t)ceil((1.0 - bucket->tokens) / limit->rate * 1000.0);
	return false;
}
