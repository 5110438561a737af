/* scrypt.h - the key derivation of RFC 7914, for keystores. */
#pragma once

#include "base/base.h"

enum { SCRYPT_KEY_SIZE = 32 };

struct scrypt_cost {
	uint32_t n; /* a power of two, from 2 */
	uint32_t r, p; /* from 1; memory is 128 * n * r bytes */
};

/* Takes about 0.7 s at n 262144, r 8, p 1. The caller bounds the cost. -ENOMEM. */
_must_check_ int scrypt_derive(const char *password, const uint8_t *salt, size_t salt_len,
			       const struct scrypt_cost *cost,
			       uint8_t ret_key[static SCRYPT_KEY_SIZE]);
