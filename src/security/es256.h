/* es256.h - signatures by an es256_key (token.h) as JOSE writes them (RFC 7518 section 3.4):
 * r || s over SHA-256, 32 bytes each. Inside security/ only. */
#pragma once

#include "security/token.h"

enum { ES256_SIGNATURE_SIZE = 64 };

_must_check_ int es256_sign(const struct es256_key *key, const void *bytes, size_t len,
			    uint8_t ret_signature[static ES256_SIGNATURE_SIZE]);

/* Outcome TOKEN_E_BAD. */
_must_check_ int es256_verify(const struct es256_key *key, const void *bytes, size_t len,
			      const uint8_t signature[static ES256_SIGNATURE_SIZE]);
