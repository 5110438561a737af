#include "fuzz.h"

#include <assert.h>

#include "chain/transaction.h"

/* What is read has a sender, and signed by a key of ours it is written as what was read, but for the
 * signature. */
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	static struct secp_key *key;
	static const uint8_t secret[SECP_SECRET_SIZE] = { [31] = 1 };
	_cleanup_(arena_freep) struct arena *arena = NULL;
	struct transaction transaction, back;
	struct transaction_signed read, made, again;
	uint8_t digest[32], digest_back[32];
	const char *detail = NULL;

	if ((!key && secp_key_from_secret(secret, &key) < 0) || arena_new(8 << 20, &arena) < 0)
		return 0;
	if (transaction_decode(bytes, len, arena, &transaction, &read, &detail) != 0) {
		assert(detail);
		return 0;
	}
	/* Another signature may be a byte or two longer. */
	if (transaction_sign(&transaction, key, arena, &made) < 0) {
		assert(len > TRANSACTION_SIZE_MAX - 8);
		return 0;
	}
	assert(transaction_decode(made.bytes, made.len, arena, &back, &again, NULL) == 0);
	assert(address_equal(&again.sender, secp_key_address(key)));
	assert(transaction_digest(&transaction, arena, digest) == 0);
	assert(transaction_digest(&back, arena, digest_back) == 0);
	assert(memcmp(digest, digest_back, sizeof(digest)) == 0);
	return 0;
}
