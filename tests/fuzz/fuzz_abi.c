#include "fuzz.h"

#include <assert.h>

#include "chain/abi.h"

/* A type's text, a newline, and a value's bytes: what is read is written again as it was. */
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	_cleanup_(arena_freep) struct arena *arena = NULL;
	const uint8_t *newline = len > 0 ? memchr(bytes, '\n', len) : NULL, *written;
	const struct abi_type *type;
	struct abi_value value;
	size_t rest, n;
	int r;

	if (!newline || arena_new(64 << 20, &arena) < 0)
		return 0;
	if (abi_type_parse((const char *)bytes, (size_t)(newline - bytes), arena, &type) != 0)
		return 0;
	rest = len - (size_t)(newline + 1 - bytes);
	r = abi_decode(type, newline + 1, rest, arena, &value);
	assert(r == 0 || r == ABI_E_MALFORMED);
	if (r != 0)
		return 0;
	assert(abi_encode(type, &value, arena, &written, &n) == 0);
	assert(n == rest && memcmp(written, newline + 1, n) == 0);
	return 0;
}
