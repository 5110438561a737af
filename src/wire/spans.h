/* spans.h - parts of an hour in whole seconds: when a machine did not answer a checker, and when a majority
 * of checkers had no answer. Encoded: 4 bytes each, from and until, 2 bytes big-endian. Pure. */
#pragma once

#include "base/base.h"

enum { SPANS_MAX = 16, SPANS_HOUR_S = 3600, SPANS_BYTES_MAX = 4 * SPANS_MAX };

/* From the second @from_s on and before @until_s. */
struct span {
	uint16_t from_s, until_s;
};

/* In order; each has a second at least, and begins when the one before is over, or later. */
struct spans {
	struct span items[SPANS_MAX];
	size_t n;
};

/* Returns the length. */
size_t spans_encode(const struct spans *spans, uint8_t ret_bytes[static SPANS_BYTES_MAX]);

/* -EBADMSG: not such spans, or past @seconds. */
_must_check_ int spans_decode(const void *bytes, size_t len, int64_t seconds,
			      struct spans *ret_spans);

/* The seconds that are in at least @needed (1 or more) of the @n (below 32768) lists. Of more than SPANS_MAX
 * spans of them, the first. */
void spans_shared(const struct spans *lists, size_t n, size_t needed, struct spans *ret_spans);
