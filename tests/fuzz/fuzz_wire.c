#include "fuzz.h"

#include <assert.h>

#include "wire/bounds.h"

/* The first byte chooses the reader. What it takes is within the bounds, encodes, and reads again. */
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	_cleanup_(arena_freep) struct arena *arena = NULL;
	Wire__ToServer *to_server;
	Wire__ToNode *to_node;
	const void *again;
	size_t again_len;

	if (len == 0 || arena_new(64 << 20, &arena) < 0)
		return 0;
	if (bytes[0] % 2 == 0) {
		if (wire_decode_to_server(bytes + 1, len - 1, arena, &to_server) != 0)
			return 0;
		assert(bounds_hold(&to_server->base));
		assert(wire_encode_to_server(to_server, arena, &again, &again_len) == 0);
		assert(wire_decode_to_server(again, again_len, arena, &to_server) == 0);
	} else {
		if (wire_decode_to_node(bytes + 1, len - 1, arena, &to_node) != 0)
			return 0;
		assert(bounds_hold(&to_node->base));
		assert(wire_encode_to_node(to_node, arena, &again, &again_len) == 0);
		assert(wire_decode_to_node(again, again_len, arena, &to_node) == 0);
	}
	return 0;
}
