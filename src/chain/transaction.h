/* transaction.h - transactions as they are signed and sent: EIP-1559 (type 2), and legacy ones bound to
 * their chain by EIP-155. Fees and values are wei, gas is gas. Sources: EIP-155, EIP-1559, EIP-2718,
 * EIP-2930 (access lists); the Yellow Paper for what is legacy. */
#pragma once

#include "base/arena.h"
#include "base/u256.h"
#include "security/secp.h"

enum {
	TRANSACTION_SIZE_MAX = 131072, /* bytes, signed: what nodes take into their pools */
	TRANSACTION_ACCESS_MAX = 256, /* addresses */
	TRANSACTION_KEYS_MAX = 1024, /* of one address */
};

/* By EIP-2294, so that v of a legacy transaction fits 64 bits. */
#define TRANSACTION_CHAIN_ID_MAX (UINT64_MAX / 2 - 36)

enum transaction_kind { TRANSACTION_LEGACY = 0, TRANSACTION_EIP1559 = 2 };

struct transaction_access {
	struct address address;
	const uint8_t (*keys)[32];
	size_t n_keys;
};

struct transaction {
	enum transaction_kind kind;
	uint64_t chain_id; /* not 0 */
	uint64_t nonce; /* below 2^64 - 1, EIP-2681 */
	struct u256 max_priority_fee; /* for each gas; legacy: 0 */
	struct u256 max_fee; /* for each gas, not below the one before; legacy: the gas price */
	uint64_t gas_limit;
	bool creates; /* a contract, and has no @to */
	struct address to;
	struct u256 value;
	const uint8_t *data;
	size_t data_len;
	const struct transaction_access *access; /* legacy: none */
	size_t n_access;
};

/* Ready to be sent, and what the chain will know it by. */
struct transaction_signed {
	const uint8_t *bytes;
	size_t len;
	uint8_t hash[32];
	struct address sender;
};

/* What is signed. -EINVAL: a field is not as said above; -E2BIG: longer than it may be; -ENOMEM. */
_must_check_ int transaction_digest(const struct transaction *transaction, struct arena *arena,
				    uint8_t ret_digest[static 32]);

/* The bytes are in @arena. The same key and transaction always give the same bytes. Faults like the
 * digest's, and those of secp_sign. */
_must_check_ int transaction_sign(const struct transaction *transaction, const struct secp_key *key,
				  struct arena *arena, struct transaction_signed *ret_signed);

/* The bytes whose hash transaction_digest is: what a signer is asked with. In @arena; faults like its. */
_must_check_ int transaction_unsigned(const struct transaction *transaction, struct arena *arena,
				      const uint8_t **ret_bytes, size_t *ret_len);

enum transaction_outcome {
	TRANSACTION_E_MALFORMED = 1, /* another type, not canonical, a field out of range */
	TRANSACTION_E_SIGNATURE, /* nobody's, or one with a high s */
};

/* Reads what was signed. @ret_transaction borrows its data from @bytes, as @ret_signed does; access
 * lists are in @arena. @ret_detail (may be NULL): what was wrong, a static text. -ENOMEM. */
_must_check_ int transaction_decode(const uint8_t *bytes, size_t len, struct arena *arena,
				    struct transaction *ret_transaction,
				    struct transaction_signed *ret_signed, const char **ret_detail);

/* Reads what transaction_unsigned wrote of an EIP-1559 transaction; borrowed like transaction_decode's.
 * TRANSACTION_E_MALFORMED, also for a legacy one. -ENOMEM. */
_must_check_ int transaction_decode_unsigned(const uint8_t *bytes, size_t len, struct arena *arena,
					     struct transaction *ret_transaction);
