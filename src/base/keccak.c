#include "base/keccak.h"

#include "base/keccak_levels.h"

#define KECCAK_LANE uint64_t
#define KECCAK_TARGET
#include "base/keccak_permute.inc"

static void absorb(uint64_t a[static 25], const uint8_t block[static KECCAK_RATE])
{
	for (size_t i = 0; i < KECCAK_RATE / 8; i++) {
		uint64_t word = 0;

		for (size_t b = 0; b < 8; b++)
			word |= (uint64_t)block[8 * i + b] << (8 * b);
		a[i] ^= word;
	}
	keccak_permute(a);
}

void keccak256(const void *bytes, size_t len, uint8_t ret_digest[static 32])
{
	const uint8_t *p = bytes;
	uint8_t last[KECCAK_RATE] = { 0 };
	uint64_t a[25] = { 0 };

	for (; len >= KECCAK_RATE; p += KECCAK_RATE, len -= KECCAK_RATE)
		absorb(a, p);
	if (len > 0)
		memcpy(last, p, len);
	last[len] = 0x01;
	last[KECCAK_RATE - 1] |= 0x80;
	absorb(a, last);
	for (size_t i = 0; i < 32; i++)
		ret_digest[i] = (uint8_t)(a[i / 8] >> (8 * (i % 8)));
}

static size_t hash_together(const uint8_t *messages, size_t len, size_t n, uint8_t *ret_digests)
{
#if defined(__x86_64__)
	if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl"))
		return keccak256_each_avx512(messages, len, n, ret_digests);
	if (__builtin_cpu_supports("avx2"))
		return keccak256_each_avx2(messages, len, n, ret_digests);
#endif
	return 0;
}

void keccak256_each(const void *messages, size_t len, size_t n, uint8_t *ret_digests)
{
	const uint8_t *p = messages;

	for (size_t i = hash_together(p, len, n, ret_digests); i < n; i++)
		keccak256(p + i * len, len, ret_digests + i * KECCAK_SIZE);
}
