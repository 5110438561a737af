#include "wire/spans.h"

size_t spans_encode(const struct spans *spans, uint8_t ret_bytes[static SPANS_BYTES_MAX])
{
	uint8_t *to = ret_bytes;

	for (size_t i = 0; i < spans->n; i++) {
		*to++ = (uint8_t)(spans->items[i].from_s >> 8);
		*to++ = (uint8_t)spans->items[i].from_s;
		*to++ = (uint8_t)(spans->items[i].until_s >> 8);
		*to++ = (uint8_t)spans->items[i].until_s;
	}
	return (size_t)(to - ret_bytes);
}

int spans_decode(const void *bytes, size_t len, int64_t seconds, struct spans *ret_spans)
{
	struct spans spans = { .n = len / 4 };
	const uint8_t *from = bytes;
	unsigned int free_s = 0;

	if (len % 4 != 0 || len > SPANS_BYTES_MAX)
		return -EBADMSG;
	for (size_t i = 0; i < spans.n; i++, from += 4) {
		struct span span = { (uint16_t)(from[0] << 8 | from[1]),
				     (uint16_t)(from[2] << 8 | from[3]) };

		if (span.from_s < free_s || span.until_s <= span.from_s || span.until_s > seconds)
			return -EBADMSG;
		free_s = span.until_s;
		spans.items[i] = span;
	}
	*ret_spans = spans;
	return 0;
}

void spans_shared(const struct spans *lists, size_t n, size_t needed, struct spans *ret_spans)
{
	int16_t steps[SPANS_HOUR_S + 1] = {
		0
	}; /* how many more have this second than the one before */
	struct spans shared = { 0 };
	size_t have = 0;
	bool in = false;

	for (size_t i = 0; i < n; i++)
		for (size_t j = 0; j < lists[i].n; j++) {
			steps[lists[i].items[j].from_s]++;
			steps[lists[i].items[j].until_s]--;
		}
	for (uint16_t second = 0; second <= SPANS_HOUR_S; second++) {
		have = (size_t)((int64_t)have + steps[second]);
		if (in == (have >= needed))
			continue;
		in = !in;
		if (in && shared.n == SPANS_MAX)
			break;
		if (in)
			shared.items[shared.n].from_s = second;
		else
			shared.items[shared.n++].until_s = second;
	}
	*ret_spans = shared;
}
