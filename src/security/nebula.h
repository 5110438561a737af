/* nebula.h - the keys and certificates of Nebula 1.6 (github.com/slackhq/nebula: cert/cert.proto), the mesh
 * VPN that the network's machines are joined by.
 *
 * A certificate is a protobuf message: details (name, address, groups, times, the holder's X25519 key,
 * its issuer's fingerprint), and an Ed25519 signature over their bytes. Whoever checks one writes the
 * details again and checks that, so there is one spelling: fields in order, nothing unknown, and no other
 * is read here. Addresses are IPv4 in host order. */
#pragma once

#include "base/base.h"

enum {
	NEBULA_KEY_SIZE = 32,
	NEBULA_FINGERPRINT_SIZE = 32,
	NEBULA_NAME_MAX = 63,
	NEBULA_GROUP_MAX = 31,
	NEBULA_GROUPS_MAX = 8,
	NEBULA_BYTES_MAX = 768, /* of a certificate */
	NEBULA_PEM_SIZE = 1280,
};

/* What a certificate says. */
struct nebula_claims {
	char name[NEBULA_NAME_MAX + 1];
	uint32_t address, mask; /* an authority's: the network within which it signs */
	char groups[NEBULA_GROUPS_MAX][NEBULA_GROUP_MAX + 1];
	size_t n_groups;
	int64_t not_before_s, not_after_s;
	uint8_t public_key[NEBULA_KEY_SIZE]; /* X25519; an authority's: Ed25519 */
	bool authority;
	uint8_t issuer[NEBULA_FINGERPRINT_SIZE]; /* an authority's: unused */
};

struct nebula_certificate {
	uint8_t bytes[NEBULA_BYTES_MAX];
	size_t len;
};

/* SHA-256: what blocklists name. */
void nebula_fingerprint(const struct nebula_certificate *certificate,
			uint8_t ret_fingerprint[static NEBULA_FINGERPRINT_SIZE]);

/* Reads without checking who signed. -EBADMSG: not a certificate, or not in the one spelling. */
_must_check_ int nebula_read(const struct nebula_certificate *certificate,
			     struct nebula_claims *ret_claims);

/* ---- as files ---- */

enum nebula_pem {
	NEBULA_PEM_CERTIFICATE,
	NEBULA_PEM_PUBLIC, /* X25519 */
	NEBULA_PEM_SECRET, /* X25519 */
	NEBULA_PEM_AUTHORITY, /* Ed25519: seed and public key, 64 bytes */
};

/* -ENOMEM; -EMSGSIZE: @len bytes do not fit. */
_must_check_ int nebula_pem_write(enum nebula_pem kind, const void *bytes, size_t len,
				  char ret_text[static NEBULA_PEM_SIZE]);
/* The first block in @text must be of @kind. -EBADMSG; -EMSGSIZE: more than @size bytes. */
_must_check_ int nebula_pem_read(enum nebula_pem kind, const char *text, void *ret_bytes,
				 size_t size, size_t *ret_len);

/* ---- a machine's key ---- */

/* -EIO: OpenSSL gives none. */
_must_check_ int nebula_keypair(uint8_t ret_secret[static NEBULA_KEY_SIZE],
				uint8_t ret_public[static NEBULA_KEY_SIZE]);
_must_check_ int nebula_public(const uint8_t secret[static NEBULA_KEY_SIZE],
			       uint8_t ret_public[static NEBULA_KEY_SIZE]);

/* ---- the authority ---- */

struct nebula_authority;

/* A new one, for certificates within @claims' network and times; its key is made here. -EINVAL: no name. */
_must_check_ int nebula_authority_make(const struct nebula_claims *claims,
				       struct nebula_authority **ret_authority);
/* -EBADMSG: damaged, or not of each other. */
_must_check_ int nebula_authority_open(const char *key_pem, const char *certificate_pem,
				       struct nebula_authority **ret_authority);
void nebula_authority_free(struct nebula_authority *authority);

/* The key goes nowhere but into its file. */
_must_check_ int nebula_authority_key_pem(const struct nebula_authority *authority,
					  char ret_text[static NEBULA_PEM_SIZE]);
const char *nebula_authority_pem(const struct nebula_authority *authority);
const struct nebula_claims *nebula_authority_claims(const struct nebula_authority *authority);

/* Sets the issuer. The same claims give the same bytes. -EINVAL: outside the authority's network or times,
 * or no name. From any thread. */
_must_check_ int nebula_sign(const struct nebula_authority *authority,
			     const struct nebula_claims *claims,
			     struct nebula_certificate *ret_certificate);

static inline void nebula_authority_freep(struct nebula_authority **authority)
{
	nebula_authority_free(*authority);
}
