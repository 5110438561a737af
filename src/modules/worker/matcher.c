#include "modules/worker/matcher.h"

/* The compiler's own vectors: AVX2 where the processor has it. The sanitizers' start-up code cannot
 * run behind such a resolver. */
#if defined(__x86_64__) && !defined(__SANITIZE_ADDRESS__) && !defined(__clang__)
#define VECTORS __attribute__((target_clones("avx2", "default"), optimize("O3")))
#else
#define VECTORS
#endif

VECTORS static void mark_block(const struct matcher_columns *c, size_t at,
			       const struct matcher_need *need, uint8_t *restrict ret_fits)
{
	const int32_t *gpus = c->gpus + at, *cpu = c->cpu_milli + at, *memory = c->memory_mib + at;
	const int32_t *disk = c->disk_mib + at, *price = c->price + at;
	const struct matcher_need want = *need;

	for (size_t i = 0; i < MATCHER_BLOCK; i++)
		ret_fits[i] = (uint8_t)((gpus[i] >= want.gpus) & (cpu[i] >= want.cpu_milli) &
					(memory[i] >= want.memory_mib) &
					(disk[i] >= want.disk_mib) & (price[i] <= want.price_max));
}

static size_t collect(const uint8_t *fits, size_t at, size_t max, uint32_t *ret_rows)
{
	size_t n = 0;

	for (size_t i = 0; i < MATCHER_BLOCK; i += sizeof(uint64_t)) {
		uint64_t eight;

		memcpy(&eight, fits + i, sizeof(eight));
		if (eight == 0)
			continue;
		for (size_t k = i; k < i + sizeof(eight) && n < max; k++)
			if (fits[k])
				ret_rows[n++] = (uint32_t)(at + k);
	}
	return n;
}

size_t matcher_scan(const struct matcher_columns *columns, const struct matcher_need *need,
		    size_t start, size_t max, uint32_t *ret_rows)
{
	size_t blocks = (columns->n + MATCHER_BLOCK - 1) / MATCHER_BLOCK;
	size_t n = 0;
	uint8_t fits[MATCHER_BLOCK];

	for (size_t b = 0; b < blocks && n < max; b++) {
		size_t at = (start / MATCHER_BLOCK + b) % blocks * MATCHER_BLOCK;

		mark_block(columns, at, need, fits);
		n += collect(fits, at, max - n, ret_rows + n);
	}
	return n;
}

uint64_t matcher_weight(const struct matcher_candidate *candidate, int64_t cheapest)
{
	/* 1024 at the cheapest price, 256 at twice that. */
	uint64_t ratio = (uint64_t)cheapest * 1024 / (uint64_t)candidate->price;
	uint64_t weight = ratio * ratio / 1024 * (uint64_t)(candidate->quality + 1);

	return 1 + weight * 100 / (100 + (uint64_t)candidate->latency_ms);
}

size_t matcher_choose(const struct matcher_candidate *candidates, size_t n, uint64_t random)
{
	int64_t cheapest = INT64_MAX;
	uint64_t sum = 0, point;

	for (size_t i = 0; i < n; i++)
		if (candidates[i].price < cheapest)
			cheapest = candidates[i].price;
	for (size_t i = 0; i < n; i++)
		sum += matcher_weight(&candidates[i], cheapest);
	point = (uint64_t)((unsigned __int128)random * sum >> 64);
	for (size_t i = 0; i < n; i++) {
		uint64_t weight = matcher_weight(&candidates[i], cheapest);

		if (point < weight)
			return i;
		point -= weight;
	}
	return n - 1;
}
