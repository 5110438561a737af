#include "fuzz.h"

#include <assert.h>

#include "security/keystore_file.h"

enum { CHEAP = 4096 };

static bool is_cheap(const struct keystore_file *file)
{
	if (file->scrypt.n > 0)
		return (uint64_t)file->scrypt.n * file->scrypt.r * file->scrypt.p <= CHEAP;
	return file->rounds <= CHEAP;
}

/* Costs are within their bounds whatever is read; only cheap files are opened. */
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	_cleanup_(secp_key_freep) struct secp_key *key = NULL;
	struct keystore_file file;
	const char *detail = NULL;

	if (keystore_file_read((const char *)bytes, len, &file, &detail) != 0) {
		assert(detail);
		return 0;
	}
	assert(file.scrypt.n > 0 || (file.rounds > 0 && file.rounds <= KEYSTORE_ROUNDS_MAX));
	assert((uint64_t)file.scrypt.n * file.scrypt.r * 128 <= KEYSTORE_SCRYPT_MEMORY_MAX);
	assert(file.scrypt.p <= KEYSTORE_SCRYPT_P_MAX);
	assert(file.salt_len > 0 && file.salt_len <= KEYSTORE_SALT_MAX);
	if (is_cheap(&file) &&
	    keystore_decrypt((const char *)bytes, len, "geheim", &key, NULL) == 0)
		assert(key);
	return 0;
}
