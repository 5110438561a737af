/* typed_data.h - what a wallet signs of structured data: keccak256(0x19 0x01, the domain's hash, the
 * struct's hash). Here structs of our own are hashed field by field, in the order in which the type's
 * text names them; typed_json.h reads what others describe. Source: EIP-712.
 *
 *	struct typed_struct mail = typed_begin("Mail(address to,string contents)");
 *	typed_address(&mail, &to);
 *	typed_text(&mail, "hello");
 *	typed_end(&mail, hash);
 *
 * A number of fields that is not the text's is the caller's mistake, which a test must find: the hash
 * is then nobody's. */
#pragma once

#include "base/address.h"
#include "base/u256.h"

enum { TYPED_FIELDS_MAX = 32 /* more end the program */ };

/* Its type's hash and its fields' words so far. */
struct typed_struct {
	uint8_t words[1 + TYPED_FIELDS_MAX][32];
	size_t n;
};

/* @type: encodeType, that is the struct's own text followed by those of the structs in it, by name. */
struct typed_struct typed_begin(const char *type);
void typed_word(struct typed_struct *fields, const uint8_t word[static 32]); /* bytes32, a struct */
void typed_number(struct typed_struct *fields, struct u256 value);
void typed_u64(struct typed_struct *fields, uint64_t value);
void typed_bool(struct typed_struct *fields, bool value);
void typed_address(struct typed_struct *fields, const struct address *address);
void typed_bytes(struct typed_struct *fields, const void *bytes, size_t len);
void typed_text(struct typed_struct *fields, const char *text);

/* An array of @n elements of a word each: numbers, addresses, hashes of structs. */
void typed_words(struct typed_struct *fields, const uint8_t (*words)[32], size_t n);
void typed_end(const struct typed_struct *fields, uint8_t ret_hash[static 32]);

/* Who a signature is for, so that it counts nowhere else. */
struct typed_domain {
	const char *name, *version;
	uint64_t chain_id;
	struct address contract;
};

void typed_domain_hash(const struct typed_domain *domain, uint8_t ret_hash[static 32]);

/* What is signed. */
void typed_digest(const uint8_t domain_hash[static 32], const uint8_t struct_hash[static 32],
		  uint8_t ret_digest[static 32]);
