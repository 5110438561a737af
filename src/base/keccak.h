/* keccak.h - Keccak-256 with Ethereum's padding (0x01), which no OpenSSL 3.0 offers.
 * Source: the Keccak reference, version 3.0; rate 1088, capacity 512. */
#pragma once

#include "base/base.h"

enum { KECCAK_SIZE = 32, KECCAK_RATE = 136 /* bytes in a block */ };

void keccak256(const void *bytes, size_t len, uint8_t ret_digest[static KECCAK_SIZE]);

/* The digests of @n messages of @len bytes each, one behind the other, and so are the digests. With
 * AVX2 or AVX-512 several at once: a message takes a quarter or less of what it takes alone. */
void keccak256_each(const void *messages, size_t len, size_t n, uint8_t *ret_digests);
