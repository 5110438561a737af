/* keccak.h - Keccak-256 with Ethereum's padding (0x01), which no OpenSSL 3.0 offers.
 * Source: the Keccak reference, version 3.0; rate 1088, capacity 512. */
#pragma once

#include "base/base.h"

void keccak256(const void *bytes, size_t len, uint8_t ret_digest[static 32]);
