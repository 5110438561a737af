/* stats.h - what a container uses, from two of the engine's answers. */
#pragma once

#include <jansson.h>

#include "base/base.h"

struct stats {
	int64_t at_ms;
	uint64_t cpu_ns; /* so far */
	uint64_t memory_bytes, memory_limit_bytes, pids, rx_bytes, tx_bytes;
};

/* -EBADMSG: not such an answer. */
_must_check_ int stats_parse(const json_t *answer, int64_t at_ms, struct stats *ret_stats);

enum { STATS_TEXT_SIZE = 256 };

/* One JSON object: {"at_ms","cpu_permille","memory_bytes","memory_limit_bytes","pids","rx_bytes",
 * "tx_bytes"}; 1000 is one core, busy since @before. */
void stats_text(const struct stats *before, const struct stats *now,
		char ret_text[static STATS_TEXT_SIZE]);
