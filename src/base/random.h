/* random.h - randomness is passed in: the kernel's for real, a seeded sequence for tests. */
#pragma once

#include "base/base.h"

struct random {
	/* Fills all @len bytes or fails with -errno. */
	int (*fill)(struct random *random, void *ret_bytes, size_t len);
};

/* getrandom(2); safe from any thread. */
extern struct random random_system;

static inline _must_check_ int random_fill(struct random *random, void *ret_bytes, size_t len)
{
	return random->fill(random, ret_bytes, len);
}

/* Uniform in [0, bound), bound > 0, without modulo bias. */
_must_check_ int random_below(struct random *random, uint64_t bound, uint64_t *ret_value);

/* Repeatable, for tests and simulation only: splitmix64 from a seed. */
struct random_seeded {
	struct random random;
	uint64_t state;
};

void random_seeded_init(struct random_seeded *seeded, uint64_t seed);
