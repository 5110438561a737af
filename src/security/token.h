/* token.h - access tokens: JWT signed with ES256 (RFC 7519, RFC 7518), which a gateway checks with
 * the public key alone; and opaque secrets (refresh tokens, API keys, join tokens), stored hashed. */
#pragma once

#include "base/address.h"
#include "base/arena.h"
#include "base/random.h"

struct es256_key;

_must_check_ int es256_key_generate(struct es256_key **ret_key);
_must_check_ int es256_key_from_pem(const char *pem, size_t len, struct es256_key **ret_key);

/* The private key as PKCS#8 PEM, the public one as SPKI PEM; texts in @arena. */
_must_check_ int es256_key_to_pem(const struct es256_key *key, struct arena *arena,
				  const char **ret_pem);
_must_check_ int es256_key_public_pem(const struct es256_key *key, struct arena *arena,
				      const char **ret_pem);

/* The public key's coordinates, for a JWK set; and its id: base64url of the first 12 bytes of the
 * JWK thumbprint (RFC 7638). */
enum { ES256_KID_SIZE = 17 };
void es256_key_public(const struct es256_key *key, uint8_t ret_x[static 32],
		      uint8_t ret_y[static 32], char ret_kid[static ES256_KID_SIZE]);
void es256_key_free(struct es256_key *key);

struct token_claims {
	struct account_id subject;
	uint8_t session[16];
	uint32_t permissions; /* as granted at sign-in: bit 1 << enum permission */
	int64_t issued_at_ms; /* whole seconds on the wire */
	int64_t expires_at_ms;
};

enum { TOKEN_MAX = 1024 };

/* "header.payload.signature", in @arena: claims iss, sub (EIP-55), sid (hex), prm, iat, exp. */
_must_check_ int token_mint(const struct es256_key *key, const char *issuer,
			    const struct token_claims *claims, struct arena *arena,
			    const char **ret_token);

enum token_outcome { TOKEN_E_BAD = 1, TOKEN_E_EXPIRED };

/* Checks header (alg ES256, typ JWT, kid), signature, issuer and times. */
_must_check_ int token_check(const struct es256_key *key, const char *issuer, const char *token,
			     int64_t now_ms, struct token_claims *ret_claims);

/* 32 random bytes as base64url behind @prefix ("ksr_"): what is given out once. */
enum { SECRET_TEXT_SIZE = 64, SECRET_HASH_SIZE = 32 };
_must_check_ int secret_make(struct random *random, const char *prefix,
			     char ret_text[static SECRET_TEXT_SIZE]);

/* SHA-256 of the text: what is stored. The text has 256 random bits, so no salt is needed. */
void secret_hash(const char *text, uint8_t ret_hash[static SECRET_HASH_SIZE]);
