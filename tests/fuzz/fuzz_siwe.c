#include "fuzz.h"

#include <assert.h>

#include "security/siwe.h"

/* What is read and can be written reads the same again. */
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	_cleanup_(arena_freep) struct arena *arena = NULL;
	struct siwe_message message, back;
	const char *detail = NULL, *text;

	if (arena_new(1 << 20, &arena) < 0)
		return 0;
	if (siwe_parse((const char *)bytes, len, arena, &message, &detail) != 0) {
		assert(detail);
		return 0;
	}
	if (message.n_resources > 0)
		return 0;
	assert(siwe_write(&message, arena, &text) == 0);
	assert(siwe_parse(text, strlen(text), arena, &back, NULL) == 0);
	assert(strcmp(message.domain, back.domain) == 0);
	assert(strcmp(message.uri, back.uri) == 0);
	assert(strcmp(message.nonce, back.nonce) == 0);
	assert(message.chain_id == back.chain_id);
	assert(message.issued_at_ms == back.issued_at_ms);
	assert(address_equal(&message.address, &back.address));
	return 0;
}
