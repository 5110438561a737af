#include "fuzz.h"

#include <assert.h>

#include "chain/indexer_log.h"

enum { MAX = 8 };

/* What is read is what was asked for, in order, and gives the digest that it gives when it is told backwards. */
static void check(const struct log_list *list, const struct logs_asked *asked)
{
	for (size_t i = 0; i < list->n; i++) {
		const struct indexer_log *log = &list->logs[i];

		assert((uint64_t)log->block >= asked->first && (uint64_t)log->block <= asked->last);
		assert(address_equal(&log->address, asked->addresses));
		assert(log->index >= 0 && log->n_topics <= INDEXER_TOPICS_MAX);
		assert(log->len <= INDEXER_DATA_MAX);
		assert(i == 0 || log->block > log[-1].block ||
		       (log->block == log[-1].block && log->index > log[-1].index));
	}
}

static json_t *backwards(const json_t *answer)
{
	json_t *reversed = json_array();

	for (size_t i = json_array_size(answer); i-- > 0;)
		assert(json_array_append(reversed, json_array_get(answer, i)) == 0);
	return reversed;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	static const struct address address = { { 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11,
						  0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11,
						  0x11, 0x11, 0x11, 0x11, 0x11, 0x11 } };
	static const struct logs_asked asked = { 5, 9, &address, 1, MAX };
	_cleanup_(arena_freep) struct arena *arena = NULL;
	json_t *json = json_loadb((const char *)bytes, len, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL,
				  NULL);
	struct log_list list, again;
	uint8_t digest[32], other[32];
	json_t *reversed;
	const char *why;
	int r;

	if (!json || arena_new(16 << 20, &arena) < 0) {
		json_decref(json);
		return 0;
	}
	r = logs_read(json, &asked, arena, &list, &why);
	assert(r == 0 || r == LOGS_E_LIE || r == LOGS_E_TOO_MANY);
	if (r == 0) {
		check(&list, &asked);
		reversed = backwards(json);
		assert(logs_read(reversed, &asked, arena, &again, &why) == 0 && again.n == list.n);
		assert(logs_digest(&list, arena, digest) == 0);
		assert(logs_digest(&again, arena, other) == 0);
		assert(memcmp(digest, other, sizeof(digest)) == 0);
		json_decref(reversed);
	}
	json_decref(json);
	return 0;
}
