#include "security/nebula.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/sha.h>

enum { SIGNATURE_BYTES = 64, SEED_AND_PUBLIC = 64 };

struct nebula_authority {
	EVP_PKEY *key;
	struct nebula_claims claims;
	uint8_t fingerprint[NEBULA_FINGERPRINT_SIZE];
	char pem[NEBULA_PEM_SIZE];
};

/* ---- writing: protobuf, as Go's library spells it ---- */

enum wire_type { VARINT = 0, LENGTH = 2 };

/* Of RawNebulaCertificateDetails and RawNebulaCertificate. */
enum { NAME = 1, IPS, SUBNETS, GROUPS, NOT_BEFORE, NOT_AFTER, PUBLIC_KEY, IS_CA, ISSUER };
enum { DETAILS = 1, SIGNATURE };

struct writer {
	uint8_t *bytes;
	size_t len, size;
	bool full;
};

static void put_byte(struct writer *w, uint8_t byte)
{
	if (w->len < w->size)
		w->bytes[w->len++] = byte;
	else
		w->full = true;
}

static void put_varint(struct writer *w, uint64_t value)
{
	for (; value >= 0x80; value >>= 7)
		put_byte(w, (uint8_t)(value | 0x80));
	put_byte(w, (uint8_t)value);
}

static void put_bytes(struct writer *w, unsigned int field, const void *bytes, size_t len)
{
	put_varint(w, field << 3 | LENGTH);
	put_varint(w, len);
	for (size_t i = 0; i < len; i++)
		put_byte(w, ((const uint8_t *)bytes)[i]);
}

/* What is zero is not written. */
static void put_number(struct writer *w, unsigned int field, uint64_t value)
{
	if (value == 0)
		return;
	put_varint(w, field << 3 | VARINT);
	put_varint(w, value);
}

/* An address and its mask, packed. */
static void put_pair(struct writer *w, unsigned int field, uint32_t address, uint32_t mask)
{
	uint8_t bytes[10];
	struct writer pair = { .bytes = bytes, .size = sizeof(bytes) };

	put_varint(&pair, address);
	put_varint(&pair, mask);
	put_bytes(w, field, bytes, pair.len);
}

static int write_details(const struct nebula_claims *claims, struct writer *w)
{
	put_bytes(w, NAME, claims->name, strlen(claims->name));
	put_pair(w, IPS, claims->address, claims->mask);
	for (size_t i = 0; i < claims->n_groups; i++)
		put_bytes(w, GROUPS, claims->groups[i], strlen(claims->groups[i]));
	put_number(w, NOT_BEFORE, (uint64_t)claims->not_before_s);
	put_number(w, NOT_AFTER, (uint64_t)claims->not_after_s);
	put_bytes(w, PUBLIC_KEY, claims->public_key, sizeof(claims->public_key));
	put_number(w, IS_CA, claims->authority);
	if (!claims->authority)
		put_bytes(w, ISSUER, claims->issuer, sizeof(claims->issuer));
	return w->full ? -EMSGSIZE : 0;
}

static int write_certificate(const struct nebula_claims *claims,
			     const uint8_t signature[static SIGNATURE_BYTES],
			     struct nebula_certificate *ret_certificate)
{
	uint8_t details[NEBULA_BYTES_MAX];
	struct writer inner = { .bytes = details, .size = sizeof(details) };
	struct writer outer = { .bytes = ret_certificate->bytes,
				.size = sizeof(ret_certificate->bytes) };
	int r = write_details(claims, &inner);

	if (r < 0)
		return r;
	put_bytes(&outer, DETAILS, details, inner.len);
	put_bytes(&outer, SIGNATURE, signature, SIGNATURE_BYTES);
	ret_certificate->len = outer.len;
	return outer.full ? -EMSGSIZE : 0;
}

/* ---- reading ---- */

struct reader {
	const uint8_t *at, *end;
	bool bad;
};

static uint64_t take_varint(struct reader *r)
{
	uint64_t value = 0;

	for (unsigned int shift = 0; shift < 64 && r->at < r->end; shift += 7) {
		uint8_t byte = *r->at++;

		value |= (uint64_t)(byte & 0x7f) << shift;
		if (byte < 0x80)
			return value;
	}
	r->bad = true;
	return 0;
}

static struct reader take_bytes(struct reader *r)
{
	uint64_t len = take_varint(r);
	struct reader inner = { r->at, r->at, false };

	if (r->bad || len > (uint64_t)(r->end - r->at)) {
		r->bad = true;
		return inner;
	}
	inner.end = r->at = r->at + len;
	return inner;
}

static void take_text(struct reader *r, char *ret_text, size_t size)
{
	struct reader text = take_bytes(r);
	size_t len = (size_t)(text.end - text.at);

	if (len >= size || memchr(text.at, 0, len)) {
		r->bad = true;
		return;
	}
	memcpy(ret_text, text.at, len);
	ret_text[len] = '\0';
}

static void take_exactly(struct reader *r, uint8_t *ret_bytes, size_t size)
{
	struct reader bytes = take_bytes(r);

	if ((size_t)(bytes.end - bytes.at) != size)
		r->bad = true;
	else
		memcpy(ret_bytes, bytes.at, size);
}

static void take_pair(struct reader *r, struct nebula_claims *claims)
{
	struct reader pair = take_bytes(r);

	claims->address = (uint32_t)take_varint(&pair);
	claims->mask = (uint32_t)take_varint(&pair);
	if (pair.bad)
		r->bad = true;
}

static void take_group(struct reader *r, struct nebula_claims *claims)
{
	if (claims->n_groups == NEBULA_GROUPS_MAX)
		r->bad = true;
	else
		take_text(r, claims->groups[claims->n_groups++], NEBULA_GROUP_MAX + 1);
}

static void take_details(struct reader *r, struct nebula_claims *claims)
{
	while (!r->bad && r->at < r->end) {
		switch (take_varint(r)) {
		case NAME << 3 | LENGTH:
			take_text(r, claims->name, sizeof(claims->name));
			break;
		case IPS << 3 | LENGTH:
			take_pair(r, claims);
			break;
		case GROUPS << 3 | LENGTH:
			take_group(r, claims);
			break;
		case NOT_BEFORE << 3 | VARINT:
			claims->not_before_s = (int64_t)take_varint(r);
			break;
		case NOT_AFTER << 3 | VARINT:
			claims->not_after_s = (int64_t)take_varint(r);
			break;
		case PUBLIC_KEY << 3 | LENGTH:
			take_exactly(r, claims->public_key, sizeof(claims->public_key));
			break;
		case IS_CA << 3 | VARINT:
			claims->authority = take_varint(r) == 1;
			break;
		case ISSUER << 3 | LENGTH:
			take_exactly(r, claims->issuer, sizeof(claims->issuer));
			break;
		default:
			r->bad = true;
		}
	}
}

/* @ret_details: the bytes that are signed, within @certificate. */
static int read_all(const struct nebula_certificate *certificate, struct nebula_claims *ret_claims,
		    uint8_t ret_signature[static SIGNATURE_BYTES], struct reader *ret_details)
{
	struct reader r = { certificate->bytes, certificate->bytes + certificate->len, false };
	struct nebula_certificate again;
	struct reader details;

	*ret_claims = (struct nebula_claims){ 0 };
	if (take_varint(&r) != (DETAILS << 3 | LENGTH))
		return -EBADMSG;
	*ret_details = details = take_bytes(&r);
	if (take_varint(&r) != (SIGNATURE << 3 | LENGTH))
		return -EBADMSG;
	take_exactly(&r, ret_signature, SIGNATURE_BYTES);
	take_details(&details, ret_claims);
	if (r.bad || details.bad)
		return -EBADMSG;
	/* The one spelling is what is written here. */
	if (write_certificate(ret_claims, ret_signature, &again) < 0 ||
	    again.len != certificate->len ||
	    memcmp(again.bytes, certificate->bytes, again.len) != 0)
		return -EBADMSG;
	return 0;
}

int nebula_read(const struct nebula_certificate *certificate, struct nebula_claims *ret_claims)
{
	uint8_t signature[SIGNATURE_BYTES];
	struct reader details;

	return read_all(certificate, ret_claims, signature, &details);
}

void nebula_fingerprint(const struct nebula_certificate *certificate,
			uint8_t ret_fingerprint[static NEBULA_FINGERPRINT_SIZE])
{
	SHA256(certificate->bytes, certificate->len, ret_fingerprint);
}

/* ---- as files ---- */

static const char *const pem_names[] = {
	[NEBULA_PEM_CERTIFICATE] = "NEBULA CERTIFICATE",
	[NEBULA_PEM_PUBLIC] = "NEBULA X25519 PUBLIC KEY",
	[NEBULA_PEM_SECRET] = "NEBULA X25519 PRIVATE KEY",
	[NEBULA_PEM_AUTHORITY] = "NEBULA ED25519 PRIVATE KEY",
};

int nebula_pem_write(enum nebula_pem kind, const void *bytes, size_t len,
		     char ret_text[static NEBULA_PEM_SIZE])
{
	BIO *bio = BIO_new(BIO_s_secmem());
	long text_len;
	char *text;
	int r = 0;

	if (!bio || PEM_write_bio(bio, pem_names[kind], "", bytes, (long)len) <= 0) {
		BIO_free(bio);
		return -ENOMEM;
	}
	text_len = BIO_get_mem_data(bio, &text);
	if (text_len < 0 || text_len >= NEBULA_PEM_SIZE) {
		r = -EMSGSIZE;
	} else {
		memcpy(ret_text, text, (size_t)text_len);
		ret_text[text_len] = '\0';
	}
	BIO_free(bio);
	return r;
}

int nebula_pem_read(enum nebula_pem kind, const char *text, void *ret_bytes, size_t size,
		    size_t *ret_len)
{
	BIO *bio = BIO_new_mem_buf(text, -1);
	unsigned char *bytes = NULL;
	char *name = NULL, *header = NULL;
	long len = 0;
	int r = 0;

	if (!bio)
		return -ENOMEM;
	if (PEM_read_bio(bio, &name, &header, &bytes, &len) <= 0 || *header ||
	    strcmp(name, pem_names[kind]) != 0)
		r = -EBADMSG;
	else if ((size_t)len > size)
		r = -EMSGSIZE;
	else
		memcpy(ret_bytes, bytes, *ret_len = (size_t)len);
	OPENSSL_free(name);
	OPENSSL_free(header);
	OPENSSL_clear_free(bytes, (size_t)len);
	BIO_free(bio);
	return r;
}

/* ---- a machine's key ---- */

static int public_of(EVP_PKEY *key, uint8_t ret_public[static NEBULA_KEY_SIZE])
{
	size_t len = NEBULA_KEY_SIZE;

	return EVP_PKEY_get_raw_public_key(key, ret_public, &len) == 1 && len == NEBULA_KEY_SIZE
		       ? 0
		       : -EIO;
}

int nebula_keypair(uint8_t ret_secret[static NEBULA_KEY_SIZE],
		   uint8_t ret_public[static NEBULA_KEY_SIZE])
{
	EVP_PKEY *key = EVP_PKEY_Q_keygen(NULL, NULL, "X25519");
	size_t len = NEBULA_KEY_SIZE;
	int r = -EIO;

	if (key && EVP_PKEY_get_raw_private_key(key, ret_secret, &len) == 1)
		r = public_of(key, ret_public);
	EVP_PKEY_free(key);
	return r;
}

int nebula_public(const uint8_t secret[static NEBULA_KEY_SIZE],
		  uint8_t ret_public[static NEBULA_KEY_SIZE])
{
	EVP_PKEY *key = EVP_PKEY_new_raw_private_key(EVP_PKEY_X25519, NULL, secret,
						     NEBULA_KEY_SIZE);
	int r = key ? public_of(key, ret_public) : -EIO;

	EVP_PKEY_free(key);
	return r;
}

/* ---- the authority ---- */

static int sign_bytes(EVP_PKEY *key, const void *bytes, size_t len,
		      uint8_t ret_signature[static SIGNATURE_BYTES])
{
	EVP_MD_CTX *md = EVP_MD_CTX_new();
	size_t signature_len = SIGNATURE_BYTES;
	int r = -EIO;

	if (md && EVP_DigestSignInit(md, NULL, NULL, NULL, key) == 1 &&
	    EVP_DigestSign(md, ret_signature, &signature_len, bytes, len) == 1)
		r = 0;
	EVP_MD_CTX_free(md);
	return r;
}

static bool signature_holds(EVP_PKEY *key, const void *bytes, size_t len,
			    const uint8_t signature[static SIGNATURE_BYTES])
{
	EVP_MD_CTX *md = EVP_MD_CTX_new();
	bool holds = md && EVP_DigestVerifyInit(md, NULL, NULL, NULL, key) == 1 &&
		     EVP_DigestVerify(md, signature, SIGNATURE_BYTES, bytes, len) == 1;

	EVP_MD_CTX_free(md);
	return holds;
}

static int sign_claims(EVP_PKEY *key, const struct nebula_claims *claims,
		       struct nebula_certificate *ret_certificate)
{
	uint8_t details[NEBULA_BYTES_MAX], signature[SIGNATURE_BYTES];
	struct writer w = { .bytes = details, .size = sizeof(details) };
	int r = write_details(claims, &w);

	if (r == 0)
		r = sign_bytes(key, details, w.len, signature);
	return r == 0 ? write_certificate(claims, signature, ret_certificate) : r;
}

static int authority_take(struct nebula_authority *authority,
			  const struct nebula_certificate *certificate)
{
	nebula_fingerprint(certificate, authority->fingerprint);
	return nebula_pem_write(NEBULA_PEM_CERTIFICATE, certificate->bytes, certificate->len,
				authority->pem);
}

int nebula_authority_make(const struct nebula_claims *claims,
			  struct nebula_authority **ret_authority)
{
	_cleanup_(nebula_authority_freep) struct nebula_authority *authority = calloc(
		1, sizeof(*authority));
	struct nebula_certificate certificate;
	int r;

	if (!claims->name[0])
		return -EINVAL;
	if (!authority)
		return -ENOMEM;
	authority->claims = *claims;
	authority->claims.authority = true;
	authority->key = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
	if (!authority->key)
		return -EIO;
	r = public_of(authority->key, authority->claims.public_key);
	if (r == 0)
		r = sign_claims(authority->key, &authority->claims, &certificate);
	if (r == 0)
		r = authority_take(authority, &certificate);
	if (r < 0)
		return r;
	*ret_authority = authority;
	authority = NULL;
	return 0;
}

static int open_key(const char *key_pem, struct nebula_authority *authority)
{
	uint8_t secret[SEED_AND_PUBLIC], public[NEBULA_KEY_SIZE];
	size_t len;
	int r = nebula_pem_read(NEBULA_PEM_AUTHORITY, key_pem, secret, sizeof(secret), &len);

	if (r == 0 && len != sizeof(secret))
		r = -EBADMSG;
	if (r < 0)
		return r;
	authority->key = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, secret,
						      NEBULA_KEY_SIZE);
	r = authority->key ? public_of(authority->key, public) : -EIO;
	if (r == 0 && memcmp(public, secret + NEBULA_KEY_SIZE, sizeof(public)) != 0)
		r = -EBADMSG;
	OPENSSL_cleanse(secret, sizeof(secret));
	return r;
}

int nebula_authority_open(const char *key_pem, const char *certificate_pem,
			  struct nebula_authority **ret_authority)
{
	_cleanup_(nebula_authority_freep) struct nebula_authority *authority = calloc(
		1, sizeof(*authority));
	uint8_t signature[SIGNATURE_BYTES], public[NEBULA_KEY_SIZE];
	struct nebula_certificate certificate;
	struct reader details;
	int r;

	if (!authority)
		return -ENOMEM;
	r = open_key(key_pem, authority);
	if (r == 0)
		r = nebula_pem_read(NEBULA_PEM_CERTIFICATE, certificate_pem, certificate.bytes,
				    sizeof(certificate.bytes), &certificate.len);
	if (r == 0)
		r = read_all(&certificate, &authority->claims, signature, &details);
	if (r == 0)
		r = public_of(authority->key, public);
	if (r < 0)
		return r;
	if (!authority->claims.authority ||
	    memcmp(public, authority->claims.public_key, sizeof(public)) != 0 ||
	    !signature_holds(authority->key, details.at, (size_t)(details.end - details.at),
			     signature))
		return -EBADMSG;
	r = authority_take(authority, &certificate);
	if (r < 0)
		return r;
	*ret_authority = authority;
	authority = NULL;
	return 0;
}

void nebula_authority_free(struct nebula_authority *authority)
{
	if (!authority)
		return;
	EVP_PKEY_free(authority->key);
	free(authority);
}

int nebula_authority_key_pem(const struct nebula_authority *authority,
			     char ret_text[static NEBULA_PEM_SIZE])
{
	uint8_t secret[SEED_AND_PUBLIC];
	size_t len = NEBULA_KEY_SIZE;
	int r = -EIO;

	if (EVP_PKEY_get_raw_private_key(authority->key, secret, &len) == 1) {
		memcpy(secret + NEBULA_KEY_SIZE, authority->claims.public_key, NEBULA_KEY_SIZE);
		r = nebula_pem_write(NEBULA_PEM_AUTHORITY, secret, sizeof(secret), ret_text);
	}
	OPENSSL_cleanse(secret, sizeof(secret));
	return r;
}

const char *nebula_authority_pem(const struct nebula_authority *authority)
{
	return authority->pem;
}

const struct nebula_claims *nebula_authority_claims(const struct nebula_authority *authority)
{
	return &authority->claims;
}

/* As those who check it would refuse it. */
static bool may_sign(const struct nebula_claims *own, const struct nebula_claims *claims)
{
	return claims->name[0] && claims->mask == own->mask &&
	       (claims->address & own->mask) == (own->address & own->mask) &&
	       claims->not_before_s >= own->not_before_s &&
	       claims->not_after_s <= own->not_after_s &&
	       claims->not_before_s < claims->not_after_s;
}

int nebula_sign(const struct nebula_authority *authority, const struct nebula_claims *claims,
		struct nebula_certificate *ret_certificate)
{
	struct nebula_claims sealed = *claims;

	if (!may_sign(&authority->claims, claims))
		return -EINVAL;
	sealed.authority = false;
	memcpy(sealed.issuer, authority->fingerprint, sizeof(sealed.issuer));
	return sign_claims(authority->key, &sealed, ret_certificate);
}
