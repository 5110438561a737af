#include "base/keccak_levels.h"

#if defined(__x86_64__)

typedef uint64_t eight_words __attribute__((vector_size(64)));

#define KECCAK_LANE eight_words
#define KECCAK_ELEMENTS 8
#define KECCAK_TARGET __attribute__((target("avx512f,avx512vl")))
#include "base/keccak_vector.inc"

KECCAK_TARGET size_t keccak256_each_avx512(const uint8_t *messages, size_t len, size_t n,
					   uint8_t *ret_digests)
{
	return hash_all_together(messages, len, n, ret_digests);
}

#endif
