#include "fuzz.h"

#include <assert.h>

#include "chain/rlp.h"

enum { DEPTH_MAX = 64 };

/* What is read is written again as it was. */
static void rewrite(struct rlp_reader reader, int depth, struct rlp_writer *writer)
{
	while (!rlp_at_end(&reader)) {
		struct rlp_reader items;
		const uint8_t *bytes;
		size_t len, list;

		if (rlp_next_is_list(&reader)) {
			if (depth == DEPTH_MAX || rlp_read_list(&reader, &items) != 0)
				break;
			list = rlp_list_begin(writer);
			rewrite(items, depth + 1, writer);
			rlp_list_end(writer, list);
		} else {
			if (rlp_read_bytes(&reader, &bytes, &len) != 0)
				break;
			rlp_bytes(writer, bytes, len);
		}
	}
	if (reader.left > 0)
		writer->full = true;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	uint8_t *buffer = malloc(len + !len);
	struct rlp_reader reader = { bytes, len };
	struct rlp_writer writer = rlp_begin(buffer, len);
	struct u256 number;
	size_t written;

	if (!buffer)
		return 0;
	rewrite(reader, 0, &writer);
	if (rlp_end(&writer, &written) == 0)
		assert(written == len && (len == 0 || memcmp(buffer, bytes, len) == 0));
	if (rlp_read_u256(&reader, &number) == 0)
		assert(reader.left < len);
	free(buffer);
	return 0;
}
