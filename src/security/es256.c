#include "security/es256.h"

#include <openssl/bio.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/sha.h>

#include "base/codec.h"

enum { COORDINATE_SIZE = 32, KID_BYTES = 12, PEM_MAX = 16384 };

struct es256_key {
	EVP_PKEY *pkey;
	uint8_t x[COORDINATE_SIZE], y[COORDINATE_SIZE];
	char kid[ES256_KID_SIZE];
};

static void es256_key_freep(struct es256_key **key)
{
	es256_key_free(*key);
}

static void bio_freep(BIO **bio)
{
	BIO_free(*bio);
}

static void md_ctx_freep(EVP_MD_CTX **context)
{
	EVP_MD_CTX_free(*context);
}

static void ecdsa_sig_freep(ECDSA_SIG **signature)
{
	ECDSA_SIG_free(*signature);
}

/* What OpenSSL says to nobody is not left for the thread's next caller to trip over. */
static int refuse(int fault)
{
	ERR_clear_error();
	return fault;
}

static int read_coordinate(const EVP_PKEY *pkey, const char *name,
			   uint8_t ret_bytes[static COORDINATE_SIZE])
{
	BIGNUM *number = NULL;
	int n;

	if (!EVP_PKEY_get_bn_param(pkey, name, &number))
		return -EINVAL;
	n = BN_bn2binpad(number, ret_bytes, COORDINATE_SIZE);
	BN_free(number);
	return n == COORDINATE_SIZE ? 0 : -EINVAL;
}

/* RFC 7638: SHA-256 over the required members in the order of their names. */
static void make_kid(struct es256_key *key)
{
	char x[64], y[64], jwk[256];
	uint8_t digest[SHA256_DIGEST_LENGTH];
	int n;

	base64url_encode(key->x, sizeof(key->x), x);
	base64url_encode(key->y, sizeof(key->y), y);
	n = snprintf(jwk, sizeof(jwk),
		     "{\"crv\":\"P-256\",\"kty\":\"EC\",\"x\":\"%s\",\"y\":\"%s\"}", x, y);
	SHA256((const uint8_t *)jwk, (size_t)n, digest);
	base64url_encode(digest, KID_BYTES, key->kid);
}

/* Takes @pkey over, also when it fails. */
static int key_wrap(EVP_PKEY *pkey, struct es256_key **ret_key)
{
	_cleanup_(es256_key_freep) struct es256_key *key = calloc(1, sizeof(*key));
	char group[64];

	if (!key) {
		EVP_PKEY_free(pkey);
		return -ENOMEM;
	}
	key->pkey = pkey;
	if (!EVP_PKEY_is_a(pkey, "EC") ||
	    !EVP_PKEY_get_group_name(pkey, group, sizeof(group), NULL) ||
	    strcmp(group, "prime256v1") != 0)
		return refuse(-EINVAL);
	if (read_coordinate(pkey, OSSL_PKEY_PARAM_EC_PUB_X, key->x) < 0 ||
	    read_coordinate(pkey, OSSL_PKEY_PARAM_EC_PUB_Y, key->y) < 0)
		return refuse(-EINVAL);
	make_kid(key);
	*ret_key = key;
	key = NULL;
	return 0;
}

int es256_key_generate(struct es256_key **ret_key)
{
	EVP_PKEY *pkey = EVP_EC_gen("P-256");

	if (!pkey)
		return refuse(-EIO);
	return key_wrap(pkey, ret_key);
}

/* Without this an encrypted PEM would ask for its password on the terminal. */
static int no_password(char *buffer, int size, int writing, void *data)
{
	(void)buffer;
	(void)size;
	(void)writing;
	(void)data;
	return -1;
}

static bool is_consistent(EVP_PKEY *pkey)
{
	EVP_PKEY_CTX *context = EVP_PKEY_CTX_new(pkey, NULL);
	bool consistent = context && EVP_PKEY_check(context) == 1;

	EVP_PKEY_CTX_free(context);
	return consistent;
}

int es256_key_from_pem(const char *pem, size_t len, struct es256_key **ret_key)
{
	_cleanup_(bio_freep) BIO *bio = NULL;
	EVP_PKEY *pkey;

	if (len > PEM_MAX)
		return -EINVAL;
	bio = BIO_new_mem_buf(pem, (int)len);
	if (!bio)
		return refuse(-ENOMEM);
	pkey = PEM_read_bio_PrivateKey(bio, NULL, no_password, NULL);
	if (!pkey)
		return refuse(-EINVAL);
	if (!is_consistent(pkey)) {
		EVP_PKEY_free(pkey);
		return refuse(-EINVAL);
	}
	return key_wrap(pkey, ret_key);
}

static int copy_out(BIO *bio, struct arena *arena, const char **ret_text)
{
	char *bytes, *text;
	long len = BIO_get_mem_data(bio, &bytes);

	text = len > 0 ? arena_text(arena, bytes, (size_t)len) : NULL;
	if (!text)
		return -ENOMEM;
	*ret_text = text;
	return 0;
}

int es256_key_to_pem(const struct es256_key *key, struct arena *arena, const char **ret_pem)
{
	_cleanup_(bio_freep) BIO *bio = BIO_new(BIO_s_mem());

	if (!bio)
		return refuse(-ENOMEM);
	if (!PEM_write_bio_PKCS8PrivateKey(bio, key->pkey, NULL, NULL, 0, NULL, NULL))
		return refuse(-EIO);
	return copy_out(bio, arena, ret_pem);
}

int es256_key_public_pem(const struct es256_key *key, struct arena *arena, const char **ret_pem)
{
	_cleanup_(bio_freep) BIO *bio = BIO_new(BIO_s_mem());

	if (!bio)
		return refuse(-ENOMEM);
	if (!PEM_write_bio_PUBKEY(bio, key->pkey))
		return refuse(-EIO);
	return copy_out(bio, arena, ret_pem);
}

void es256_key_public(const struct es256_key *key, uint8_t ret_x[static 32],
		      uint8_t ret_y[static 32], char ret_kid[static ES256_KID_SIZE])
{
	memcpy(ret_x, key->x, sizeof(key->x));
	memcpy(ret_y, key->y, sizeof(key->y));
	memcpy(ret_kid, key->kid, sizeof(key->kid));
}

void es256_key_free(struct es256_key *key)
{
	if (!key)
		return;
	EVP_PKEY_free(key->pkey);
	free(key);
}

static int der_to_raw(const uint8_t *der, size_t len,
		      uint8_t ret_signature[static ES256_SIGNATURE_SIZE])
{
	const uint8_t *end = der;
	_cleanup_(ecdsa_sig_freep) ECDSA_SIG *pair = d2i_ECDSA_SIG(NULL, &end, (long)len);

	if (!pair || end != der + len)
		return refuse(-EIO);
	if (BN_bn2binpad(ECDSA_SIG_get0_r(pair), ret_signature, 32) != 32 ||
	    BN_bn2binpad(ECDSA_SIG_get0_s(pair), ret_signature + 32, 32) != 32)
		return refuse(-EIO);
	return 0;
}

int es256_sign(const struct es256_key *key, const void *bytes, size_t len,
	       uint8_t ret_signature[static ES256_SIGNATURE_SIZE])
{
	_cleanup_(md_ctx_freep) EVP_MD_CTX *context = EVP_MD_CTX_new();
	uint8_t der[80];
	size_t der_len = sizeof(der);

	if (!context)
		return refuse(-ENOMEM);
	if (EVP_DigestSignInit(context, NULL, EVP_sha256(), NULL, key->pkey) != 1 ||
	    EVP_DigestSign(context, der, &der_len, bytes, len) != 1)
		return refuse(-EIO);
	return der_to_raw(der, der_len, ret_signature);
}

/* Writes at most 72 bytes. */
static int raw_to_der(const uint8_t signature[static ES256_SIGNATURE_SIZE],
		      uint8_t ret_der[static 80], size_t *ret_len)
{
	_cleanup_(ecdsa_sig_freep) ECDSA_SIG *pair = ECDSA_SIG_new();
	BIGNUM *r = BN_bin2bn(signature, 32, NULL);
	BIGNUM *s = BN_bin2bn(signature + 32, 32, NULL);
	int len;

	if (!pair || !r || !s || !ECDSA_SIG_set0(pair, r, s)) {
		BN_free(r);
		BN_free(s);
		return refuse(-ENOMEM);
	}
	len = i2d_ECDSA_SIG(pair, &ret_der);
	if (len <= 0)
		return refuse(-EIO);
	*ret_len = (size_t)len;
	return 0;
}

int es256_verify(const struct es256_key *key, const void *bytes, size_t len,
		 const uint8_t signature[static ES256_SIGNATURE_SIZE])
{
	_cleanup_(md_ctx_freep) EVP_MD_CTX *context = EVP_MD_CTX_new();
	uint8_t der[80];
	size_t der_len;
	int r;

	if (!context)
		return refuse(-ENOMEM);
	r = raw_to_der(signature, der, &der_len);
	if (r < 0)
		return r;
	if (EVP_DigestVerifyInit(context, NULL, EVP_sha256(), NULL, key->pkey) != 1)
		return refuse(-EIO);
	if (EVP_DigestVerify(context, der, der_len, bytes, len) != 1)
		return refuse(TOKEN_E_BAD);
	return 0;
}
