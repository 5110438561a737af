/* keystore.h - a secret key in a file, encrypted with a password: Web3 Secret Storage version 3.
 * Writes scrypt (n 262144, r 8, p 1) or fewer rounds where asked; reads scrypt and pbkdf2 as geth,
 * ethers ("Crypto") and cast (no address) write them. Costs are bounded before any is spent. */
#pragma once

#include "base/arena.h"
#include "security/secp.h"

enum { KEYSTORE_JSON_MAX = 16384, KEYSTORE_PASSWORD_MAX = 1024 };

enum keystore_outcome {
	KEYSTORE_E_MALFORMED = 1, /* not a version 3 keystore, or a field is wrong */
	KEYSTORE_E_COSTLY, /* parameters past the bounds: scrypt 128*n*r <= 512 MiB,
					 * p <= 8, pbkdf2 <= 10,000,000 rounds */
	KEYSTORE_E_PASSWORD, /* the MAC does not match, or the password is too long */
};

/* @n: scrypt's cost, a power of two from 1024 to 524288; 262144 for people, less for tests. JSON in
 * @arena. -EINVAL: another n, or a password past KEYSTORE_PASSWORD_MAX. */
_must_check_ int keystore_encrypt(const struct secp_key *key, const char *password, uint32_t n,
				  struct random *random, struct arena *arena,
				  const char **ret_json);

/* @ret_detail (may be NULL): what was wrong, a static text. */
_must_check_ int keystore_decrypt(const char *json, size_t len, const char *password,
				  struct secp_key **ret_key, const char **ret_detail);
