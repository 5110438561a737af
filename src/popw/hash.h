/* hash.h - SHA-256 (FIPS 180-4) over pieces: leaves, nodes, seeds and transcripts. Over OpenSSL. */
#pragma once

#include "base/base.h"

enum { HASH_SIZE = 32 };

struct hash {
	uint8_t bytes[HASH_SIZE];
};

struct hasher;

/* One for each thread; used again and again. -ENOMEM. */
_must_check_ int hasher_new(struct hasher **ret_hasher);
void hasher_free(struct hasher *hasher);

/* start, any number of adds, end. They cannot fail but for a broken libcrypto, which aborts. */
void hasher_start(struct hasher *hasher);
void hasher_add(struct hasher *hasher, const void *bytes, size_t len);
void hasher_end(struct hasher *hasher, struct hash *ret_hash);

/* All in one. */
void hasher_once(struct hasher *hasher, const void *bytes, size_t len, struct hash *ret_hash);

static inline bool hash_equal(const struct hash *a, const struct hash *b)
{
	return memcmp(a->bytes, b->bytes, HASH_SIZE) == 0;
}

static inline void hasher_freep(struct hasher **hasher)
{
	hasher_free(*hasher);
}
