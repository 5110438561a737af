#include "chain/typed_data.h"

#include <assert.h>

#include "base/keccak.h"

void typed_word(struct typed_struct *fields, const uint8_t word[static 32])
{
	assert(fields->n < ARRAY_SIZE(fields->words));
	memcpy(fields->words[fields->n++], word, 32);
}

void typed_bytes(struct typed_struct *fields, const void *bytes, size_t len)
{
	uint8_t hash[32];

	keccak256(bytes, len, hash);
	typed_word(fields, hash);
}

struct typed_struct typed_begin(const char *type)
{
	struct typed_struct fields = { 0 };

	typed_text(&fields, type);
	return fields;
}

void typed_number(struct typed_struct *fields, struct u256 value)
{
	uint8_t word[32];

	u256_bytes(value, word);
	typed_word(fields, word);
}

void typed_u64(struct typed_struct *fields, uint64_t value)
{
	typed_number(fields, u256_from(value));
}

void typed_bool(struct typed_struct *fields, bool value)
{
	typed_u64(fields, value);
}

void typed_address(struct typed_struct *fields, const struct address *address)
{
	uint8_t word[32] = { 0 };

	memcpy(word + 12, address->bytes, sizeof(address->bytes));
	typed_word(fields, word);
}

void typed_text(struct typed_struct *fields, const char *text)
{
	typed_bytes(fields, text, strlen(text));
}

void typed_words(struct typed_struct *fields, const uint8_t (*words)[32], size_t n)
{
	typed_bytes(fields, words, n * sizeof(*words));
}

void typed_end(const struct typed_struct *fields, uint8_t ret_hash[static 32])
{
	keccak256(fields->words, fields->n * sizeof(fields->words[0]), ret_hash);
}

void typed_domain_hash(const struct typed_domain *domain, uint8_t ret_hash[static 32])
{
	struct typed_struct fields = typed_begin("EIP712Domain(string name,string version,"
						 "uint256 chainId,address verifyingContract)");

	typed_text(&fields, domain->name);
	typed_text(&fields, domain->version);
	typed_u64(&fields, domain->chain_id);
	typed_address(&fields, &domain->contract);
	typed_end(&fields, ret_hash);
}

void typed_digest(const uint8_t domain_hash[static 32], const uint8_t struct_hash[static 32],
		  uint8_t ret_digest[static 32])
{
	uint8_t bytes[2 + 32 + 32] = { 0x19, 0x01 };

	memcpy(bytes + 2, domain_hash, 32);
	memcpy(bytes + 34, struct_hash, 32);
	keccak256(bytes, sizeof(bytes), ret_digest);
}
