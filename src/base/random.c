#include "base/random.h"

#include <sys/random.h>

static int system_fill(struct random *random _unused_, void *ret_bytes, size_t len)
{
	unsigned char *p = ret_bytes;

	while (len > 0) {
		ssize_t n = getrandom(p, len, 0);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		p += n;
		len -= (size_t)n;
	}
	return 0;
}

struct random random_system = { .fill = system_fill };

int random_below(struct random *random, uint64_t bound, uint64_t *ret_value)
{
	uint64_t limit = UINT64_MAX - UINT64_MAX % bound, value;

	do {
		int r = random_fill(random, &value, sizeof(value));

		if (r < 0)
			return r;
	} while (value >= limit);
	*ret_value = value % bound;
	return 0;
}

/* Steele, Lea, Flood: Fast splittable pseudorandom number generators (2014). */
static uint64_t splitmix64(uint64_t *state)
{
	uint64_t z = (*state += 0x9e3779b97f4a7c15u);

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
	return z ^ (z >> 31);
}

static int seeded_fill(struct random *random, void *ret_bytes, size_t len)
{
	struct random_seeded *seeded = (struct random_seeded *)random;
	unsigned char *p = ret_bytes;

	for (size_t i = 0; i < len; i += 8) {
		uint64_t word = splitmix64(&seeded->state);

		memcpy(p + i, &word, size_min(8, len - i));
	}
	return 0;
}

void random_seeded_init(struct random_seeded *seeded, uint64_t seed)
{
	*seeded = (struct random_seeded){ .random = { seeded_fill }, .state = seed };
}
