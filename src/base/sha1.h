/* sha1.h - SHA-1 (RFC 3174), which WebSocket's handshake asks for and nothing else should.
 * OpenSSL's needs the whole of OpenSSL set up first: 2 MiB for an agent that has no other use for it. */
#pragma once

#include "base/base.h"

void sha1(const void *bytes, size_t len, uint8_t ret_digest[static 20]);
