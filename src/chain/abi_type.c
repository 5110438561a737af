#include "chain/abi.h"

enum { WORD = 32, MEMBERS_MAX = 64 };

/* The text that is left. */
struct text {
	const char *at, *end;
};

static int parse_type(struct text *text, int depth, struct arena *arena, struct abi_type *ret_type);

static bool take(struct text *text, const char *word)
{
	size_t len = strlen(word);

	if ((size_t)(text->end - text->at) < len || memcmp(text->at, word, len) != 0)
		return false;
	text->at += len;
	return true;
}

static bool at_digit(const struct text *text)
{
	return text->at < text->end && *text->at >= '0' && *text->at <= '9';
}

/* A number from 1 to @max without leading zeros. */
static bool take_number(struct text *text, uint32_t max, uint32_t *ret_number)
{
	uint32_t number = 0;

	if (!at_digit(text) || *text->at == '0')
		return false;
	while (at_digit(text)) {
		number = number * 10 + (uint32_t)(*text->at++ - '0');
		if (number > max)
			return false;
	}
	*ret_number = number;
	return true;
}

static int parse_bits(struct text *text, enum abi_kind kind, struct abi_type *type)
{
	type->kind = kind;
	type->head = WORD;
	if (!take_number(text, 256, &type->size) || type->size % 8 != 0)
		return ABI_E_MALFORMED;
	return 0;
}

static int parse_elementary(struct text *text, struct abi_type *type)
{
	if (take(text, "uint"))
		return parse_bits(text, ABI_UINT, type);
	if (take(text, "int"))
		return parse_bits(text, ABI_INT, type);
	*type = (struct abi_type){ .head = WORD };
	if (take(text, "address")) {
		type->kind = ABI_ADDRESS;
	} else if (take(text, "bool")) {
		type->kind = ABI_BOOL;
	} else if (take(text, "string")) {
		type->kind = ABI_STRING;
		type->dynamic = true;
	} else if (take(text, "bytes")) {
		type->kind = at_digit(text) ? ABI_FIXED_BYTES : ABI_BYTES;
		type->dynamic = type->kind == ABI_BYTES;
		if (!type->dynamic && !take_number(text, 32, &type->size))
			return ABI_E_MALFORMED;
	} else {
		return ABI_E_MALFORMED;
	}
	return 0;
}

/* The members up to the parenthesis that closes; none only where @may_be_empty. */
static int parse_members(struct text *text, int depth, bool may_be_empty, struct arena *arena,
			 struct abi_type *ret_tuple)
{
	struct abi_type members[MEMBERS_MAX], *kept;
	struct abi_type tuple = { .kind = ABI_TUPLE };
	size_t head = 0;
	int r;

	if (may_be_empty && take(text, ")")) {
		*ret_tuple = tuple;
		return 0;
	}
	do {
		if (tuple.size == MEMBERS_MAX)
			return ABI_E_MALFORMED;
		r = parse_type(text, depth + 1, arena, members + tuple.size);
		if (r != 0)
			return r;
		tuple.dynamic |= members[tuple.size].dynamic;
		head += members[tuple.size++].head;
	} while (take(text, ","));
	if (!take(text, ")") || head > ABI_SIZE_MAX)
		return ABI_E_MALFORMED;
	kept = arena_array(arena, tuple.size, sizeof(*kept));
	if (!kept)
		return -ENOMEM;
	memcpy(kept, members, tuple.size * sizeof(*kept));
	tuple.of = kept;
	tuple.head = tuple.dynamic ? WORD : (uint32_t)head;
	*ret_tuple = tuple;
	return 0;
}

/* "[3]" or "[]" behind @type. */
static int parse_suffix(struct text *text, struct arena *arena, struct abi_type *type)
{
	struct abi_type *element = arena_alloc(arena, sizeof(*element));
	struct abi_type array = { .kind = ABI_LIST, .of = element, .dynamic = true, .head = WORD };

	if (!element)
		return -ENOMEM;
	*element = *type;
	if (!take(text, "]")) {
		array.kind = ABI_ARRAY;
		array.dynamic = element->dynamic;
		if (!take_number(text, ABI_SIZE_MAX / element->head, &array.size) ||
		    !take(text, "]"))
			return ABI_E_MALFORMED;
		if (!array.dynamic)
			array.head = array.size * element->head;
	}
	*type = array;
	return 0;
}

static int parse_type(struct text *text, int depth, struct arena *arena, struct abi_type *ret_type)
{
	struct abi_type type = { 0 };
	int r;

	if (depth > ABI_DEPTH_MAX)
		return ABI_E_MALFORMED;
	r = take(text, "(") ? parse_members(text, depth, false, arena, &type)
			    : parse_elementary(text, &type);
	for (; r == 0 && take(text, "["); depth++)
		r = depth < ABI_DEPTH_MAX ? parse_suffix(text, arena, &type) : ABI_E_MALFORMED;
	if (r == 0)
		*ret_type = type;
	return r;
}

static int keep(const struct abi_type *type, struct arena *arena, const struct abi_type **ret_type)
{
	struct abi_type *kept = arena_alloc(arena, sizeof(*kept));

	if (!kept)
		return -ENOMEM;
	*kept = *type;
	*ret_type = kept;
	return 0;
}

int abi_type_parse(const char *text, size_t len, struct arena *arena,
		   const struct abi_type **ret_type)
{
	struct text left = { text, text + len };
	struct abi_type type;
	int r;

	if (len > ABI_TEXT_MAX)
		return ABI_E_MALFORMED;
	r = parse_type(&left, 0, arena, &type);
	if (r == 0 && left.at != left.end)
		r = ABI_E_MALFORMED;
	return r != 0 ? r : keep(&type, arena, ret_type);
}

/* A name as Solidity has them, up to the parenthesis. */
static bool take_name(struct text *text)
{
	const char *begin = text->at;

	while (text->at < text->end && *text->at != '(') {
		char c = *text->at;
		bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' ||
			      c == '$';

		if (!letter && !(at_digit(text) && text->at > begin))
			return false;
		text->at++;
	}
	return text->at > begin;
}

int abi_signature_parse(const char *signature, struct arena *arena,
			const struct abi_type **ret_arguments)
{
	size_t len = strnlen(signature, ABI_TEXT_MAX + 1);
	struct text left = { signature, signature + len };
	struct abi_type type;
	int r;

	if (len > ABI_TEXT_MAX || !take_name(&left) || !take(&left, "("))
		return ABI_E_MALFORMED;
	r = parse_members(&left, 0, true, arena, &type);
	if (r == 0 && left.at != left.end)
		r = ABI_E_MALFORMED;
	return r != 0 ? r : keep(&type, arena, ret_arguments);
}
