/* chain_values.h - ABI values as the tests' JSON has them: numbers as decimal strings, bytes as "0x" data,
 * lists and tuples as arrays. */
#pragma once

#include <jansson.h>

#include "chain/abi.h"

/* -EINVAL: not one of the type; -ENOMEM. */
_must_check_ int value_from_json(const struct abi_type *type, const json_t *json,
				 struct arena *arena, struct abi_value *ret_value);

/* NULL without memory. */
json_t *value_to_json(const struct abi_type *type, const struct abi_value *value);

json_t *json_data(const void *bytes, size_t len);

/* "0x" data of any length into @arena. -EINVAL, -ENOMEM. */
_must_check_ int data_from_json(const json_t *json, struct arena *arena, const uint8_t **ret_bytes,
				size_t *ret_len);
