/* typed_value.h - the atoms of typed data, read from JSON: what a field holds that is neither an array
 * nor a struct, as the word that is hashed for it. For typed_json.c. */
#pragma once

#include <jansson.h>

#include "chain/abi.h"

/* @atom: UINT, INT, ADDRESS, BOOL, FIXED_BYTES, BYTES or STRING. TYPED_E_MALFORMED with @ret_detail, a
 * static text; -ENOMEM. */
_must_check_ int typed_value_word(const struct abi_type *atom, const json_t *value,
				  struct arena *arena, uint8_t ret_word[static 32],
				  const char **ret_detail);
