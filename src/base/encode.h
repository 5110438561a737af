/* encode.h - what base knows, as the API's JSON spells it. Each returns a new value, or NULL without
 * memory (which json_pack and the _new functions of jansson pass on). */
#pragma once

#include <jansson.h>

#include "base/address.h"
#include "base/amount.h"
#include "base/field.h"

/* "2026-11-22T17:05:53Z"; null for 0, which is no time. */
json_t *encode_time(int64_t ms);
json_t *encode_address(const struct address *address);
json_t *encode_amount(struct amount amount);

/* "0x" and two lower-case digits for each of at most ENCODE_BYTES_MAX bytes. */
enum { ENCODE_BYTES_MAX = 128 };
json_t *encode_bytes(const void *bytes, size_t len);
json_t *encode_texts(const struct field_texts *texts);
json_t *encode_ints(const struct field_ints *ints);
