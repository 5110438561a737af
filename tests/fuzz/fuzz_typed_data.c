#include "fuzz.h"

#include <assert.h>

#include "base/base.h"
#include "chain/typed_json.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	_cleanup_(arena_freep) struct arena *arena = NULL;
	uint8_t digest[32], again[32];
	const char *detail = NULL;
	int r;

	if (arena_new(16 << 20, &arena) < 0)
		return 0;
	r = typed_json_digest((const char *)bytes, len, arena, digest, &detail);
	/* No fault, and a reason exactly where it is refused. */
	assert(r >= 0 && (r > 0) == (detail != NULL));
	if (r != 0)
		return 0;
	assert(typed_json_digest((const char *)bytes, len, arena, again, NULL) == 0);
	assert(memcmp(digest, again, sizeof(digest)) == 0);
	return 0;
}
