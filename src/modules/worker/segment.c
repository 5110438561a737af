#include "modules/worker/segment.h"

/* A row that meets no condition. */
static const struct segment_row padding = { .gpus = -1, .price = INT32_MAX };

void segment_set(struct segment *segment, uint32_t index, const struct segment_row *row)
{
	segment->gpus[index] = row->gpus;
	segment->cpu_milli[index] = row->cpu_milli;
	segment->memory_mib[index] = row->memory_mib;
	segment->disk_mib[index] = row->disk_mib;
	segment->price[index] = row->price;
	segment->slot[index] = row->slot;
}

static int grow_column(void *column, size_t size)
{
	void *old, *grown;

	memcpy(&old, column, sizeof(old));
	grown = reallocarray(old, size, sizeof(int32_t));
	if (!grown)
		return -ENOMEM;
	memcpy(column, &grown, sizeof(grown));
	return 0;
}

static int grow(struct segment *segment)
{
	size_t size = segment->size ? segment->size * 2 : MATCHER_BLOCK;

	if (grow_column(&segment->gpus, size) || grow_column(&segment->cpu_milli, size) ||
	    grow_column(&segment->memory_mib, size) || grow_column(&segment->disk_mib, size) ||
	    grow_column(&segment->price, size) || grow_column(&segment->slot, size))
		return -ENOMEM;
	for (size_t i = segment->size; i < size; i++)
		segment_set(segment, (uint32_t)i, &padding);
	segment->size = size;
	return 0;
}

int segment_add(struct segment *segment, const struct segment_row *row, uint32_t *ret_index)
{
	if (segment->n == segment->size && grow(segment) != 0)
		return -ENOMEM;
	*ret_index = (uint32_t)segment->n++;
	segment_set(segment, *ret_index, row);
	return 0;
}

bool segment_drop(struct segment *segment, uint32_t index)
{
	uint32_t last = (uint32_t)--segment->n;
	struct segment_row moved = {
		segment->gpus[last],     segment->cpu_milli[last], segment->memory_mib[last],
		segment->disk_mib[last], segment->price[last],     segment->slot[last],
	};

	segment_set(segment, last, &padding);
	if (index == last)
		return false;
	segment_set(segment, index, &moved);
	return true;
}

struct matcher_columns segment_columns(const struct segment *segment)
{
	return (struct matcher_columns){ segment->gpus,     segment->cpu_milli, segment->memory_mib,
					 segment->disk_mib, segment->price,     segment->n };
}

void segment_done(struct segment *segment)
{
	free(segment->gpus);
	free(segment->cpu_milli);
	free(segment->memory_mib);
	free(segment->disk_mib);
	free(segment->price);
	free(segment->slot);
}
