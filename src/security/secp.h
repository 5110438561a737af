/* secp.h - secp256k1 keys of wallets, machines and the network: sign, recover, the address.
 * Over libsecp256k1; contexts are randomised; secrets are wiped when freed. */
#pragma once

#include "base/address.h"
#include "base/random.h"

enum { SECP_SECRET_SIZE = 32, SECP_SIGNATURE_SIZE = 65 };

struct secp_key;

/* -EIO: @random gives what cannot be random. */
_must_check_ int secp_key_generate(struct random *random, struct secp_key **ret_key);

/* -EINVAL: zero, or not below the group's order. */
_must_check_ int secp_key_from_secret(const uint8_t secret[static SECP_SECRET_SIZE],
				      struct secp_key **ret_key);
void secp_key_free(struct secp_key *key);

/* Keeps its memory out of swap, core dumps and child processes until it is freed. -ENOMEM, -EPERM: more than the
 * process may lock (RLIMIT_MEMLOCK). */
_must_check_ int secp_key_lock(struct secp_key *key);

void secp_key_secret(const struct secp_key *key, uint8_t ret_secret[static SECP_SECRET_SIZE]);
const struct address *secp_key_address(const struct secp_key *key);

/* r || s || v, v 27 or 28, low s, deterministic nonce (RFC 6979). Thread safe. */
_must_check_ int secp_sign(const struct secp_key *key, const uint8_t digest[static 32],
			   uint8_t ret_signature[static SECP_SIGNATURE_SIZE]);

/* The signer's address. v of 0, 1, 27, 28; high s is refused. Outcome: SECP_E_BAD. */
enum secp_outcome { SECP_E_BAD = 1 };
_must_check_ int secp_recover(const uint8_t digest[static 32],
			      const uint8_t signature[static SECP_SIGNATURE_SIZE],
			      struct address *ret_signer);

/* The digest of EIP-191 personal messages: keccak("\x19Ethereum Signed Message:\n" len text).
 * -ENOMEM. */
_must_check_ int eip191_digest(const void *text, size_t len, uint8_t ret_digest[static 32]);

static inline void secp_key_freep(struct secp_key **key)
{
	secp_key_free(*key);
}
