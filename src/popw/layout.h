/* layout.h - fixed layouts: fields one after another, integers little-endian, no padding. One
 * description of a layout serves both ways: it writes where @out is set and reads where @in is. Whoever
 * starts it has checked that there are enough bytes. */
#pragma once

#include "popw/hash.h"

struct layout {
	const uint8_t *in;
	uint8_t *out;
};

static inline void layout_bytes(struct layout *layout, void *field, size_t len)
{
	if (layout->out) {
		memcpy(layout->out, field, len);
		layout->out += len;
	} else {
		memcpy(field, layout->in, len);
		layout->in += len;
	}
}

static inline void layout_put(struct layout *layout, uint64_t value, size_t size)
{
	for (size_t i = 0; i < size; i++)
		*layout->out++ = (uint8_t)(value >> 8 * i);
}

static inline uint64_t layout_take(struct layout *layout, size_t size)
{
	uint64_t value = 0;

	for (size_t i = 0; i < size; i++)
		value |= (uint64_t)*layout->in++ << 8 * i;
	return value;
}

static inline void layout_u8(struct layout *layout, uint8_t *field)
{
	if (layout->out)
		layout_put(layout, *field, sizeof(*field));
	else
		*field = (uint8_t)layout_take(layout, sizeof(*field));
}

static inline void layout_u16(struct layout *layout, uint16_t *field)
{
	if (layout->out)
		layout_put(layout, *field, sizeof(*field));
	else
		*field = (uint16_t)layout_take(layout, sizeof(*field));
}

static inline void layout_u32(struct layout *layout, uint32_t *field)
{
	if (layout->out)
		layout_put(layout, *field, sizeof(*field));
	else
		*field = (uint32_t)layout_take(layout, sizeof(*field));
}

static inline void layout_u64(struct layout *layout, uint64_t *field)
{
	if (layout->out)
		layout_put(layout, *field, sizeof(*field));
	else
		*field = (uint64_t)layout_take(layout, sizeof(*field));
}

static inline void layout_hash(struct layout *layout, struct hash *field)
{
	layout_bytes(layout, field->bytes, HASH_SIZE);
}
