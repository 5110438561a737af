#include "chain/abi.h"

#include <assert.h>

#include "base/keccak.h"

enum { WORD = 32 };

static size_t padded(size_t len)
{
	return (len + WORD - 1) / WORD * WORD;
}

/* ---- values ---- */

struct abi_value abi_number(struct u256 number)
{
	struct abi_value value = { 0 };

	u256_bytes(number, value.word);
	return value;
}

struct abi_value abi_u64(uint64_t number)
{
	return abi_number(u256_from(number));
}

struct abi_value abi_bool(bool flag)
{
	return abi_u64(flag);
}

struct abi_value abi_address(const struct address *address)
{
	struct abi_value value = { 0 };

	memcpy(value.word + 12, address->bytes, sizeof(address->bytes));
	return value;
}

struct abi_value abi_fixed_bytes(const void *bytes, size_t len)
{
	struct abi_value value = { 0 };

	assert(len <= sizeof(value.word));
	memcpy(value.word, bytes, len);
	return value;
}

struct abi_value abi_bytes(const void *bytes, size_t len)
{
	return (struct abi_value){ .bytes = bytes, .len = len };
}

struct abi_value abi_text(const char *text)
{
	return abi_bytes(text, strlen(text));
}

struct abi_value abi_items(const struct abi_value *items, size_t n)
{
	return (struct abi_value){ .items = items, .n_items = n };
}

struct u256 abi_as_number(const struct abi_value *value)
{
	return u256_from_bytes(value->word);
}

bool abi_as_bool(const struct abi_value *value)
{
	return value->word[WORD - 1] != 0;
}

struct address abi_as_address(const struct abi_value *value)
{
	struct address address;

	memcpy(address.bytes, value->word + 12, sizeof(address.bytes));
	return address;
}

/* ---- words ---- */

static bool all_are(uint8_t byte, const uint8_t *bytes, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (bytes[i] != byte)
			return false;
	return true;
}

/* Whether a word holds a value of the type, and nothing beside it. */
static bool word_fits(const struct abi_type *type, const uint8_t word[static WORD])
{
	size_t spare;

	switch (type->kind) {
	case ABI_UINT:
		return all_are(0, word, WORD - type->size / 8);
	case ABI_INT:
		spare = WORD - type->size / 8;
		return all_are(word[spare] & 0x80 ? 0xff : 0, word, spare);
	case ABI_ADDRESS:
		return all_are(0, word, 12);
	case ABI_BOOL:
		return all_are(0, word, WORD - 1) && word[WORD - 1] <= 1;
	case ABI_FIXED_BYTES:
		return all_are(0, word + type->size, WORD - type->size);
	case ABI_BYTES:
	case ABI_STRING:
	case ABI_ARRAY:
	case ABI_LIST:
	case ABI_TUPLE:
		break;
	}
	return false;
}

static void put_size(uint8_t *at, size_t size)
{
	u256_bytes(u256_from(size), at);
}

/* A length or an offset. */
static bool get_size(const uint8_t word[static WORD], size_t *ret_size)
{
	struct u256 value = u256_from_bytes(word);

	if (u256_bits(value) > 32)
		return false;
	*ret_size = (size_t)value.limbs[0];
	return true;
}

/* ---- a tuple's members and an array's elements, which are written alike ---- */

static const struct abi_type *member(const struct abi_type *type, size_t i)
{
	return type->kind == ABI_TUPLE ? type->of + i : type->of;
}

static size_t heads_of(const struct abi_type *type, size_t n)
{
	size_t size = 0;

	if (type->kind != ABI_TUPLE)
		return n * type->of->head;
	for (size_t i = 0; i < n; i++)
		size += type->of[i].head;
	return size;
}

/* ---- writing ---- */

/* Of all that @value takes beside an offset to it. */
static int measure(const struct abi_type *type, const struct abi_value *value, size_t *ret_size)
{
	size_t size = type->kind == ABI_LIST ? WORD : 0;
	int r = 0;

	if (type->kind == ABI_BYTES || type->kind == ABI_STRING) {
		if (value->len > ABI_SIZE_MAX)
			return -E2BIG;
		*ret_size = WORD + padded(value->len);
		return 0;
	}
	if (type->kind < ABI_ARRAY) {
		*ret_size = WORD;
		return word_fits(type, value->word) ? 0 : -EINVAL;
	}
	if (type->kind != ABI_LIST && value->n_items != type->size)
		return -EINVAL;
	for (size_t i = 0; i < value->n_items && r == 0; i++) {
		size_t item;

		r = measure(member(type, i), value->items + i, &item);
		if (r < 0)
			return r;
		size += item + (member(type, i)->dynamic ? WORD : 0);
		if (size > ABI_SIZE_MAX)
			return -E2BIG;
	}
	*ret_size = size;
	return 0;
}

/* Into zeroed bytes that measure() found to be enough; gives how many it took. */
static size_t write_value(const struct abi_type *type, const struct abi_value *value, uint8_t *at)
{
	size_t begin = 0, head = 0, tail;

	if (type->kind == ABI_BYTES || type->kind == ABI_STRING) {
		put_size(at, value->len);
		if (value->len > 0)
			memcpy(at + WORD, value->bytes, value->len);
		return WORD + padded(value->len);
	}
	if (type->kind < ABI_ARRAY) {
		memcpy(at, value->word, WORD);
		return WORD;
	}
	if (type->kind == ABI_LIST) {
		put_size(at, value->n_items);
		begin = WORD;
	}
	at += begin;
	tail = heads_of(type, value->n_items);
	for (size_t i = 0; i < value->n_items; i++) {
		const struct abi_type *item = member(type, i);

		if (item->dynamic) {
			put_size(at + head, tail);
			tail += write_value(item, value->items + i, at + tail);
		} else {
			write_value(item, value->items + i, at + head);
		}
		head += item->head;
	}
	return begin + tail;
}

/* With @prefix bytes of room before them. */
static int encode_behind(size_t prefix, const struct abi_type *type, const struct abi_value *value,
			 struct arena *arena, uint8_t **ret_bytes, size_t *ret_len)
{
	uint8_t *bytes;
	size_t len;
	int r;

	if (type->kind != ABI_TUPLE)
		return -EINVAL;
	r = measure(type, value, &len);
	if (r < 0)
		return r;
	bytes = arena_alloc(arena, prefix + len);
	if (!bytes)
		return -ENOMEM;
	write_value(type, value, bytes + prefix);
	*ret_bytes = bytes;
	*ret_len = prefix + len;
	return 0;
}

int abi_encode(const struct abi_type *type, const struct abi_value *value, struct arena *arena,
	       const uint8_t **ret_bytes, size_t *ret_len)
{
	uint8_t *bytes;
	int r;

	r = encode_behind(0, type, value, arena, &bytes, ret_len);
	if (r == 0)
		*ret_bytes = bytes;
	return r;
}

/* ---- reading ---- */

/* What a value that is not in place may be read from: from where its offset leads to the end. */
struct region {
	const uint8_t *bytes;
	size_t len;
};

static int read_value(const struct abi_type *type, struct region region, struct arena *arena,
		      struct abi_value *ret_value, size_t *ret_taken);

static int read_bytes(struct region region, struct abi_value *ret_value, size_t *ret_taken)
{
	size_t len;

	if (region.len < WORD || !get_size(region.bytes, &len) || padded(len) > region.len - WORD ||
	    !all_are(0, region.bytes + WORD + len, padded(len) - len))
		return ABI_E_MALFORMED;
	*ret_value = abi_bytes(region.bytes + WORD, len);
	*ret_taken = WORD + padded(len);
	return 0;
}

/* One at @head, or where the offset there leads to, which has to be @tail. */
static int read_item(const struct abi_type *type, struct region region, size_t head, size_t *tail,
		     struct arena *arena, struct abi_value *ret_value)
{
	size_t offset, taken;
	int r;

	if (!type->dynamic)
		return read_value(type, (struct region){ region.bytes + head, type->head }, arena,
				  ret_value, &taken);
	if (!get_size(region.bytes + head, &offset) || offset != *tail)
		return ABI_E_MALFORMED;
	r = read_value(type, (struct region){ region.bytes + offset, region.len - offset }, arena,
		       ret_value, &taken);
	if (r == 0)
		*tail += taken;
	return r;
}

static int read_items(const struct abi_type *type, size_t n, struct region region,
		      struct arena *arena, struct abi_value *ret_value, size_t *ret_taken)
{
	size_t head = 0, tail;
	struct abi_value *items;
	int r = 0;

	tail = heads_of(type, n);
	if (tail > region.len)
		return ABI_E_MALFORMED;
	items = arena_array(arena, n, sizeof(*items));
	if (!items)
		return -ENOMEM;
	for (size_t i = 0; i < n && r == 0; i++) {
		r = read_item(member(type, i), region, head, &tail, arena, items + i);
		head += member(type, i)->head;
	}
	if (r != 0)
		return r;
	*ret_value = abi_items(items, n);
	*ret_taken = tail;
	return 0;
}

static int read_list(const struct abi_type *type, struct region region, struct arena *arena,
		     struct abi_value *ret_value, size_t *ret_taken)
{
	size_t n, taken;
	int r;

	/* Each element takes a word at least, so that a wrong count allocates nothing. */
	if (region.len < WORD || !get_size(region.bytes, &n) || n > (region.len - WORD) / WORD)
		return ABI_E_MALFORMED;
	r = read_items(type, n, (struct region){ region.bytes + WORD, region.len - WORD }, arena,
		       ret_value, &taken);
	if (r == 0)
		*ret_taken = WORD + taken;
	return r;
}

static int read_value(const struct abi_type *type, struct region region, struct arena *arena,
		      struct abi_value *ret_value, size_t *ret_taken)
{
	struct abi_value value = { 0 };

	if (type->kind == ABI_BYTES || type->kind == ABI_STRING)
		return read_bytes(region, ret_value, ret_taken);
	if (type->kind == ABI_LIST)
		return read_list(type, region, arena, ret_value, ret_taken);
	if (type->kind == ABI_ARRAY || type->kind == ABI_TUPLE)
		return read_items(type, type->size, region, arena, ret_value, ret_taken);
	if (region.len < WORD || !word_fits(type, region.bytes))
		return ABI_E_MALFORMED;
	memcpy(value.word, region.bytes, WORD);
	*ret_value = value;
	*ret_taken = WORD;
	return 0;
}

int abi_decode(const struct abi_type *type, const uint8_t *bytes, size_t len, struct arena *arena,
	       struct abi_value *ret_value)
{
	struct abi_value value;
	size_t taken;
	int r;

	if (type->kind != ABI_TUPLE || len > ABI_SIZE_MAX)
		return ABI_E_MALFORMED;
	r = read_value(type, (struct region){ bytes, len }, arena, &value, &taken);
	if (r != 0)
		return r;
	if (taken != len)
		return ABI_E_MALFORMED;
	*ret_value = value;
	return 0;
}

/* ---- signatures ---- */

void abi_topic(const char *signature, uint8_t ret_topic[static 32])
{
	keccak256(signature, strlen(signature), ret_topic);
}

void abi_selector(const char *signature, uint8_t ret_selector[static ABI_SELECTOR_SIZE])
{
	uint8_t topic[32];

	abi_topic(signature, topic);
	memcpy(ret_selector, topic, ABI_SELECTOR_SIZE);
}

int abi_encode_call(const char *signature, const struct abi_value *arguments, size_t n,
		    struct arena *arena, const uint8_t **ret_bytes, size_t *ret_len)
{
	struct abi_value value = abi_items(arguments, n);
	const struct abi_type *type;
	uint8_t *bytes;
	int r;

	r = abi_signature_parse(signature, arena, &type);
	if (r != 0)
		return r > 0 ? -EINVAL : r;
	r = encode_behind(ABI_SELECTOR_SIZE, type, &value, arena, &bytes, ret_len);
	if (r < 0)
		return r;
	abi_selector(signature, bytes);
	*ret_bytes = bytes;
	return 0;
}

int abi_decode_call(const char *signature, const uint8_t *bytes, size_t len, struct arena *arena,
		    struct abi_value *ret_arguments)
{
	uint8_t selector[ABI_SELECTOR_SIZE];
	const struct abi_type *type;
	int r;

	r = abi_signature_parse(signature, arena, &type);
	if (r != 0)
		return r > 0 ? -EINVAL : r;
	abi_selector(signature, selector);
	if (len < sizeof(selector) || memcmp(bytes, selector, sizeof(selector)) != 0)
		return ABI_E_MALFORMED;
	return abi_decode(type, bytes + sizeof(selector), len - sizeof(selector), arena,
			  ret_arguments);
}
