/* abi.h - the contract ABI: types from their text, values written and read. Only what the standard
 * encoding gives is read (each tail right behind the one before, padding of zeros, nothing at the end),
 * so that reading and writing give the same bytes again, and reading takes time and memory in
 * proportion to the bytes. Source: Solidity's "Contract ABI Specification". */
#pragma once

#include "base/address.h"
#include "base/arena.h"
#include "base/u256.h"

enum {
	ABI_TEXT_MAX = 1024, /* of a type or a signature */
	ABI_DEPTH_MAX = 16, /* of types within types */
	ABI_SIZE_MAX = 1 << 20, /* bytes, encoded */
	ABI_SELECTOR_SIZE = 4,
};

enum abi_kind {
	ABI_UINT, /* @size bits */
	ABI_INT, /* @size bits, two's complement */
	ABI_ADDRESS,
	ABI_BOOL,
	ABI_FIXED_BYTES, /* @size of them, 1 to 32 */
	ABI_BYTES,
	ABI_STRING, /* bytes as they are: whether they are UTF-8 is the reader's to check */
	ABI_ARRAY, /* @size elements, at least 1 */
	ABI_LIST, /* any number of elements */
	ABI_TUPLE, /* @size members, at least 1 but for a function without arguments */
};

struct abi_type {
	enum abi_kind kind;
	uint32_t size;
	const struct abi_type *of; /* the element, or the members */
	bool dynamic;
	uint32_t head; /* bytes it takes in place: its offset's 32 where it is dynamic */
};

enum abi_outcome {
	ABI_E_MALFORMED = 1, /* what the function reads is not as the header says */
};

/* "uint256", "(address,bytes32[])[3]": canonical texts only, hence no "uint", no names, no spaces.
 * The type lives in @arena. -ENOMEM. */
_must_check_ int abi_type_parse(const char *text, size_t len, struct arena *arena,
				const struct abi_type **ret_type);

/* Bytes and items are borrowed. */
struct abi_value {
	uint8_t word[32]; /* all kinds that take one: as the EVM has it */
	const uint8_t *bytes; /* BYTES, STRING */
	size_t len;
	const struct abi_value *items; /* ARRAY, LIST, TUPLE */
	size_t n_items;
};

struct abi_value abi_number(struct u256 value);
struct abi_value abi_u64(uint64_t value);
struct abi_value abi_bool(bool value);
struct abi_value abi_address(const struct address *address);
struct abi_value abi_fixed_bytes(const void *bytes, size_t len); /* at most 32 */
struct abi_value abi_bytes(const void *bytes, size_t len);
struct abi_value abi_text(const char *text);
struct abi_value abi_items(const struct abi_value *items, size_t n);

/* Of values that were read by a type which has them there. */
struct u256 abi_as_number(const struct abi_value *value);
bool abi_as_bool(const struct abi_value *value);
struct address abi_as_address(const struct abi_value *value);

/* @value is a tuple's, @type its type: abi.encode(member, ...). Bytes in @arena. -EINVAL: the value is
 * not one of the type; -E2BIG: longer than ABI_SIZE_MAX; -ENOMEM. */
_must_check_ int abi_encode(const struct abi_type *type, const struct abi_value *value,
			    struct arena *arena, const uint8_t **ret_bytes, size_t *ret_len);

/* Reads what abi_encode writes. The value is in @arena and borrows from @bytes. -ENOMEM. */
_must_check_ int abi_decode(const struct abi_type *type, const uint8_t *bytes, size_t len,
			    struct arena *arena, struct abi_value *ret_value);

/* ---- functions, errors and events, by signatures like "transfer(address,uint256)" ---- */

/* The arguments' type, a tuple. -ENOMEM; ABI_E_MALFORMED. */
_must_check_ int abi_signature_parse(const char *signature, struct arena *arena,
				     const struct abi_type **ret_arguments);

/* What begins a call or an error, and an event's first topic. */
void abi_selector(const char *signature, uint8_t ret_selector[static ABI_SELECTOR_SIZE]);
void abi_topic(const char *signature, uint8_t ret_topic[static 32]);

/* A call's data. Faults like abi_encode's; -EINVAL for a signature that is none. */
_must_check_ int abi_encode_call(const char *signature, const struct abi_value *arguments, size_t n,
				 struct arena *arena, const uint8_t **ret_bytes, size_t *ret_len);

/* The arguments of what abi_encode_call, or "revert Error(...)", wrote; ABI_E_MALFORMED for another
 * selector, too. -EINVAL for a signature that is none. */
_must_check_ int abi_decode_call(const char *signature, const uint8_t *bytes, size_t len,
				 struct arena *arena, struct abi_value *ret_arguments);
