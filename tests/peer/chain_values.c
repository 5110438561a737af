#include "chain_values.h"

#include "base/encode.h"
#include "chain/hex.h"
#include "chain/typed_value.h"

json_t *json_data(const void *bytes, size_t len)
{
	char *text = malloc(2 * len + 3);
	json_t *json = NULL;

	if (text) {
		hex_data(bytes, len, text);
		json = json_string(text);
	}
	free(text);
	return json;
}

int data_from_json(const json_t *json, struct arena *arena, const uint8_t **ret_bytes,
		   size_t *ret_len)
{
	size_t size = json_string_length(json) / 2;
	uint8_t *bytes = arena_alloc(arena, size + 1);

	if (!bytes)
		return -ENOMEM;
	*ret_bytes = bytes;
	if (!json_is_string(json))
		return -EINVAL;
	return hex_data_parse(json_string_value(json), json_string_length(json), bytes, size,
			      ret_len);
}

static const struct abi_type *member(const struct abi_type *type, size_t i)
{
	return type->kind == ABI_TUPLE ? type->of + i : type->of;
}

static int items_from_json(const struct abi_type *type, const json_t *json, struct arena *arena,
			   struct abi_value *ret_value)
{
	size_t n = json_array_size(json);
	struct abi_value *items = arena_array(arena, n + 1, sizeof(*items));
	int r = 0;

	if (!items)
		return -ENOMEM;
	if (!json_is_array(json) || (type->kind != ABI_LIST && n != type->size))
		return -EINVAL;
	for (size_t i = 0; i < n && r == 0; i++)
		r = value_from_json(member(type, i), json_array_get(json, i), arena, items + i);
	*ret_value = abi_items(items, n);
	return r;
}

int value_from_json(const struct abi_type *type, const json_t *json, struct arena *arena,
		    struct abi_value *ret_value)
{
	const char *detail;
	int r;

	if (type->kind >= ABI_ARRAY)
		return items_from_json(type, json, arena, ret_value);
	*ret_value = (struct abi_value){ 0 };
	if (type->kind == ABI_BYTES)
		return data_from_json(json, arena, &ret_value->bytes, &ret_value->len);
	if (type->kind == ABI_STRING) {
		*ret_value = abi_bytes(json_string_value(json), json_string_length(json));
		return json_is_string(json) ? 0 : -EINVAL;
	}
	r = typed_value_word(type, json, arena, ret_value->word, &detail);
	return r > 0 ? -EINVAL : r;
}

static json_t *number_to_json(const struct abi_type *type, const struct abi_value *value)
{
	bool negative = type->kind == ABI_INT && value->word[0] & 0x80;
	char text[U256_TEXT_SIZE + 1] = "-";
	uint8_t word[32];

	memcpy(word, value->word, sizeof(word));
	if (negative) {
		for (size_t i = 0; i < sizeof(word); i++)
			word[i] = (uint8_t)~word[i];
		u256_bytes(u256_add(u256_from_bytes(word), u256_from(1)), word);
	}
	u256_text(u256_from_bytes(word), text + negative);
	return json_string(text);
}

static json_t *items_to_json(const struct abi_type *type, const struct abi_value *value)
{
	json_t *array = json_array();

	for (size_t i = 0; i < value->n_items; i++)
		json_array_append_new(array, value_to_json(member(type, i), value->items + i));
	return array;
}

json_t *value_to_json(const struct abi_type *type, const struct abi_value *value)
{
	struct address address;

	switch (type->kind) {
	case ABI_UINT:
	case ABI_INT:
		return number_to_json(type, value);
	case ABI_ADDRESS:
		address = abi_as_address(value);
		return encode_address(&address);
	case ABI_BOOL:
		return json_boolean(abi_as_bool(value));
	case ABI_FIXED_BYTES:
		return json_data(value->word, type->size);
	case ABI_BYTES:
		return json_data(value->bytes, value->len);
	case ABI_STRING:
		return json_stringn((const char *)value->bytes, value->len);
	case ABI_ARRAY:
	case ABI_LIST:
	case ABI_TUPLE:
		return items_to_json(type, value);
	}
	return NULL;
}
