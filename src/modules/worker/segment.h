/* segment.h - the offers of one model in one price band: plain columns for the matcher, grown by
 * doubling, kept dense by moving the last row into a gap. Not thread safe. */
#pragma once

#include "modules/worker/matcher.h"

struct segment {
	int32_t *gpus, *cpu_milli, *memory_mib, *disk_mib, *price;
	uint32_t *slot; /* which machine */
	size_t n, size;
};

struct segment_row {
	int32_t gpus, cpu_milli, memory_mib, disk_mib, price;
	uint32_t slot;
};

/* Appends. -ENOMEM. */
_must_check_ int segment_add(struct segment *segment, const struct segment_row *row,
			     uint32_t *ret_index);
void segment_set(struct segment *segment, uint32_t index, const struct segment_row *row);

/* Removes a row. True: the last row moved to @index. */
bool segment_drop(struct segment *segment, uint32_t index);

struct matcher_columns segment_columns(const struct segment *segment);
void segment_done(struct segment *segment);
