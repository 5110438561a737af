#include "base/keccak.h"

enum { RATE = 136 };

static const uint64_t round_constants[24] = {
	0x0000000000000001, 0x0000000000008082, 0x800000000000808a, 0x8000000080008000,
	0x000000000000808b, 0x0000000080000001, 0x8000000080008081, 0x8000000000008009,
	0x000000000000008a, 0x0000000000000088, 0x0000000080008009, 0x000000008000000a,
	0x000000008000808b, 0x800000000000008b, 0x8000000000008089, 0x8000000000008003,
	0x8000000000008002, 0x8000000000000080, 0x000000000000800a, 0x800000008000000a,
	0x8000000080008081, 0x8000000000008080, 0x0000000080000001, 0x8000000080008008,
};

/* Rho's rotations and pi's lane order, following the one cycle that pi makes of lanes 1 to 24. */
static const uint8_t rotation[24] = { 1,  3,  6,  10, 15, 21, 28, 36, 45, 55, 2,  14,
				      27, 41, 56, 8,  25, 43, 62, 18, 39, 61, 20, 44 };
static const uint8_t lane[24] = { 10, 7,  11, 17, 18, 3, 5,  16, 8,  21, 24, 4,
				  15, 23, 19, 13, 12, 2, 20, 14, 22, 9,  6,  1 };

static uint64_t rotate(uint64_t x, unsigned int n)
{
	return x << n | x >> (64 - n);
}

static void permute(uint64_t a[static 25])
{
	for (size_t round = 0; round < 24; round++) {
		uint64_t column[5], carried;

		for (size_t x = 0; x < 5; x++)
			column[x] = a[x] ^ a[x + 5] ^ a[x + 10] ^ a[x + 15] ^ a[x + 20];
		for (size_t x = 0; x < 5; x++) {
			uint64_t d = column[(x + 4) % 5] ^ rotate(column[(x + 1) % 5], 1);

			for (size_t y = 0; y < 25; y += 5)
				a[x + y] ^= d;
		}
		carried = a[1];
		for (size_t i = 0; i < 24; i++) {
			uint64_t next = a[lane[i]];

			a[lane[i]] = rotate(carried, rotation[i]);
			carried = next;
		}
		for (size_t y = 0; y < 25; y += 5) {
			uint64_t row[5];

			memcpy(row, a + y, sizeof(row));
			for (size_t x = 0; x < 5; x++)
				a[x + y] = row[x] ^ (~row[(x + 1) % 5] & row[(x + 2) % 5]);
		}
		a[0] ^= round_constants[round];
	}
}

static void absorb(uint64_t a[static 25], const uint8_t block[static RATE])
{
	for (size_t i = 0; i < RATE / 8; i++) {
		uint64_t word = 0;

		for (size_t b = 0; b < 8; b++)
			word |= (uint64_t)block[8 * i + b] << (8 * b);
		a[i] ^= word;
	}
	permute(a);
}

void keccak256(const void *bytes, size_t len, uint8_t ret_digest[static 32])
{
	const uint8_t *p = bytes;
	uint8_t last[RATE] = { 0 };
	uint64_t a[25] = { 0 };

	for (; len >= RATE; p += RATE, len -= RATE)
		absorb(a, p);
	if (len > 0)
		memcpy(last, p, len);
	last[len] = 0x01;
	last[RATE - 1] |= 0x80;
	absorb(a, last);
	for (size_t i = 0; i < 32; i++)
		ret_digest[i] = (uint8_t)(a[i / 8] >> (8 * (i % 8)));
}
