/* keystore_file.h - what a version 3 keystore says, read and bounded before any work is spent on
 * it. Inside security/ and its fuzz target only. */
#pragma once

#include "security/keystore.h"
#include "security/scrypt.h"

enum {
	KEYSTORE_SALT_MAX = 256,
	KEYSTORE_SCRYPT_P_MAX = 8,
	KEYSTORE_ROUNDS_MAX = 10000000,
};

#define KEYSTORE_SCRYPT_MEMORY_MAX (INT64_C(512) << 20)

struct keystore_file {
	struct scrypt_cost scrypt; /* n 0: pbkdf2 */
	int rounds; /* of pbkdf2 */
	uint8_t salt[KEYSTORE_SALT_MAX];
	size_t salt_len;
	uint8_t iv[16];
	uint8_t ciphertext[SECP_SECRET_SIZE];
	uint8_t mac[32];
	bool has_address;
	struct address address;
};

/* Outcomes KEYSTORE_E_MALFORMED, KEYSTORE_E_COSTLY, with @ret_detail. -ENOMEM. */
_must_check_ int keystore_file_read(const char *json, size_t len, struct keystore_file *ret_file,
				    const char **ret_detail);
