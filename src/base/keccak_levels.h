/* keccak_levels.h - keccak256_each by what the machine has, for keccak.c and its test: every level
 * gives the same bits. */
#pragma once

#include "base/base.h"

#if defined(__x86_64__)
/* As many of the messages as fill vectors; they return how many. */
size_t keccak256_each_avx2(const uint8_t *messages, size_t len, size_t n, uint8_t *ret_digests);
size_t keccak256_each_avx512(const uint8_t *messages, size_t len, size_t n, uint8_t *ret_digests);
#endif
