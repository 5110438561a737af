/* address.h - the 20 bytes that name a wallet or a machine, and their spelling by EIP-55. */
#pragma once

#include "base/base.h"

struct address {
	uint8_t bytes[20];
};

/* Who acts and pays: the address of a wallet. */
struct account_id {
	struct address address;
};

/* A provider's machine: the address of the key it made when it joined. */
struct machine_id {
	struct address address;
};

enum { ADDRESS_TEXT_SIZE = 43 };

/* "0x" and 40 digits, capitals by EIP-55. */
void address_text(const struct address *address, char ret_text[static ADDRESS_TEXT_SIZE]);

/* Accepts all lower case, all upper case, or a correct EIP-55 spelling; -EINVAL otherwise. */
_must_check_ int address_parse(const char *text, struct address *ret_address);

/* Accepts the EIP-55 spelling only. */
_must_check_ int address_parse_checksummed(const char *text, struct address *ret_address);

static inline bool address_equal(const struct address *a, const struct address *b)
{
	return memcmp(a->bytes, b->bytes, sizeof(a->bytes)) == 0;
}

static inline bool account_equal(struct account_id a, struct account_id b)
{
	return address_equal(&a.address, &b.address);
}

static inline bool machine_equal(struct machine_id a, struct machine_id b)
{
	return address_equal(&a.address, &b.address);
}
