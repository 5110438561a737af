#include "chain/typed_value.h"

#include "base/keccak.h"
#include "chain/hex.h"
#include "chain/typed_json.h"

static int parse_digits(const char *text, size_t len, struct u256 *ret_value)
{
	if (len > 1 && text[1] == 'x')
		return hex_quantity_parse(text, len, ret_value);
	return u256_parse(text, len, ret_value);
}

/* A sign, and how far from zero. */
static bool read_number(const json_t *value, bool *ret_negative, struct u256 *ret_size)
{
	const char *text = json_string_value(value);
	size_t len = json_string_length(value);
	json_int_t integer = json_integer_value(value);

	if (json_is_integer(value)) {
		*ret_negative = integer < 0;
		*ret_size = u256_from(integer < 0 ? -(uint64_t)integer : (uint64_t)integer);
		return true;
	}
	if (!text || len == 0)
		return false;
	*ret_negative = text[0] == '-';
	if (*ret_negative)
		return u256_parse(text + 1, len - 1, ret_size) == 0 && !u256_is_zero(*ret_size);
	return parse_digits(text, len, ret_size) == 0;
}

static struct u256 negated(struct u256 value)
{
	for (size_t i = 0; i < ARRAY_SIZE(value.limbs); i++)
		value.limbs[i] = ~value.limbs[i];
	return u256_add(value, u256_from(1));
}

/* Below 2^bits; signed ones from -2^(bits - 1) to below 2^(bits - 1). */
static bool is_in_bounds(const struct abi_type *atom, bool negative, struct u256 size)
{
	struct u256 half = { 0 };
	int order;

	if (atom->kind == ABI_UINT)
		return !negative && u256_bits(size) <= atom->size;
	half.limbs[(atom->size - 1) / 64] = (uint64_t)1 << (atom->size - 1) % 64;
	order = u256_compare(&size, &half);
	return negative ? order <= 0 : order < 0;
}

static bool read_word(const struct abi_type *atom, const json_t *value, uint8_t ret_word[static 32])
{
	struct u256 size;
	bool negative;

	if (!read_number(value, &negative, &size) || !is_in_bounds(atom, negative, size))
		return false;
	u256_bytes(negative ? negated(size) : size, ret_word);
	return true;
}

static bool read_address(const json_t *value, uint8_t ret_word[static 32])
{
	const char *text = json_string_value(value);
	struct address address;

	if (!text || strlen(text) != json_string_length(value) || address_parse(text, &address) < 0)
		return false;
	memset(ret_word, 0, 12);
	memcpy(ret_word + 12, address.bytes, sizeof(address.bytes));
	return true;
}

static bool read_fixed_bytes(const struct abi_type *atom, const json_t *value,
			     uint8_t ret_word[static 32])
{
	memset(ret_word, 0, 32);
	return json_is_string(value) &&
	       hex_data_exact(json_string_value(value), json_string_length(value), ret_word,
			      atom->size) == 0;
}

static int hash_bytes(const json_t *value, struct arena *arena, uint8_t ret_word[static 32],
		      const char **ret_detail)
{
	size_t text_len = json_string_length(value), len;
	uint8_t *bytes = arena_alloc(arena, text_len / 2 + 1);

	if (!bytes)
		return -ENOMEM;
	if (!json_is_string(value) ||
	    hex_data_parse(json_string_value(value), text_len, bytes, text_len / 2, &len) < 0) {
		*ret_detail = "bytes are not \"0x\" and two digits for each";
		return TYPED_E_MALFORMED;
	}
	keccak256(bytes, len, ret_word);
	return 0;
}

static bool read_atom(const struct abi_type *atom, const json_t *value, uint8_t ret_word[static 32],
		      const char **ret_detail)
{
	switch (atom->kind) {
	case ABI_UINT:
	case ABI_INT:
		*ret_detail = "a number is none, or past its type's bounds";
		return read_word(atom, value, ret_word);
	case ABI_ADDRESS:
		*ret_detail = "an address is none, or its capitals are wrong";
		return read_address(value, ret_word);
	case ABI_FIXED_BYTES:
		*ret_detail = "bytes of a fixed number are not \"0x\" and exactly their digits";
		return read_fixed_bytes(atom, value, ret_word);
	case ABI_BOOL:
		*ret_detail = "a bool is neither true nor false";
		memset(ret_word, 0, 32);
		ret_word[31] = json_is_true(value);
		return json_is_boolean(value);
	default:
		*ret_detail = "a string is none";
		keccak256(json_string_value(value), json_string_length(value), ret_word);
		return json_is_string(value);
	}
}

int typed_value_word(const struct abi_type *atom, const json_t *value, struct arena *arena,
		     uint8_t ret_word[static 32], const char **ret_detail)
{
	if (atom->kind == ABI_BYTES)
		return hash_bytes(value, arena, ret_word, ret_detail);
	return read_atom(atom, value, ret_word, ret_detail) ? 0 : TYPED_E_MALFORMED;
}
