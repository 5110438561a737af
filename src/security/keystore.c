#include "security/keystore.h"

#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>

#include "base/codec.h"
#include "base/keccak.h"
#include "security/keystore_file.h"

enum { N_MIN = 1024, N_MAX = 524288, R = 8, P = 1, SALT_SIZE = 32 };

/* The derived key: the first half encrypts, the second authenticates. */
struct derived {
	uint8_t cipher[16], mac[16];
};

_Static_assert(sizeof(struct derived) == SCRYPT_KEY_SIZE, "both halves are filled at once");

static int derive(const struct keystore_file *file, const char *password,
		  struct derived *ret_derived)
{
	if (file->scrypt.n > 0)
		return scrypt_derive(password, file->salt, file->salt_len, &file->scrypt,
				     (uint8_t *)ret_derived);
	if (PKCS5_PBKDF2_HMAC(password, (int)strlen(password), file->salt, (int)file->salt_len,
			      file->rounds, EVP_sha256(), sizeof(*ret_derived),
			      (uint8_t *)ret_derived) == 1)
		return 0;
	ERR_clear_error();
	return -ENOMEM;
}

/* AES-128-CTR, the same both ways. */
static int apply_cipher(const struct derived *derived, const uint8_t iv[static 16],
			const uint8_t from[static SECP_SECRET_SIZE],
			uint8_t ret_to[static SECP_SECRET_SIZE])
{
	EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();
	bool done;
	int n;

	done = context &&
	       EVP_EncryptInit_ex(context, EVP_aes_128_ctr(), NULL, derived->cipher, iv) == 1 &&
	       EVP_EncryptUpdate(context, ret_to, &n, from, SECP_SECRET_SIZE) == 1 &&
	       n == SECP_SECRET_SIZE;
	EVP_CIPHER_CTX_free(context);
	if (done)
		return 0;
	ERR_clear_error();
	return -ENOMEM;
}

static void make_mac(const struct derived *derived,
		     const uint8_t ciphertext[static SECP_SECRET_SIZE], uint8_t ret_mac[static 32])
{
	uint8_t bytes[sizeof(derived->mac) + SECP_SECRET_SIZE];

	memcpy(bytes, derived->mac, sizeof(derived->mac));
	memcpy(bytes + sizeof(derived->mac), ciphertext, SECP_SECRET_SIZE);
	keccak256(bytes, sizeof(bytes), ret_mac);
	OPENSSL_cleanse(bytes, sizeof(bytes));
}

/* ---- decrypting ---- */

static int read_key(const struct keystore_file *file, const uint8_t secret[static SECP_SECRET_SIZE],
		    struct secp_key **ret_key, const char **ret_detail)
{
	_cleanup_(secp_key_freep) struct secp_key *key = NULL;
	int r;

	r = secp_key_from_secret(secret, &key);
	if (r == -EINVAL) {
		*ret_detail = "ciphertext: holds no secp256k1 key";
		return KEYSTORE_E_MALFORMED;
	}
	if (r < 0)
		return r;
	if (file->has_address && !address_equal(&file->address, secp_key_address(key))) {
		*ret_detail = "address: is not that of the key inside";
		return KEYSTORE_E_MALFORMED;
	}
	*ret_key = key;
	key = NULL;
	return 0;
}

static int open_file(const struct keystore_file *file, const char *password,
		     struct secp_key **ret_key, const char **ret_detail)
{
	uint8_t secret[SECP_SECRET_SIZE], mac[32];
	struct derived derived;
	int r;

	r = derive(file, password, &derived);
	if (r < 0)
		return r;
	make_mac(&derived, file->ciphertext, mac);
	if (CRYPTO_memcmp(mac, file->mac, sizeof(mac)) != 0) {
		*ret_detail = "the password is wrong";
		r = KEYSTORE_E_PASSWORD;
	}
	if (r == 0)
		r = apply_cipher(&derived, file->iv, file->ciphertext, secret);
	if (r == 0)
		r = read_key(file, secret, ret_key, ret_detail);
	OPENSSL_cleanse(&derived, sizeof(derived));
	OPENSSL_cleanse(secret, sizeof(secret));
	return r;
}

int keystore_decrypt(const char *json, size_t len, const char *password, struct secp_key **ret_key,
		     const char **ret_detail)
{
	struct keystore_file file;
	const char *detail = NULL;
	int r;

	r = keystore_file_read(json, len, &file, &detail);
	if (r == 0 && strnlen(password, KEYSTORE_PASSWORD_MAX + 1) > KEYSTORE_PASSWORD_MAX) {
		detail = "the password is longer than 1024 bytes";
		r = KEYSTORE_E_PASSWORD;
	}
	if (r == 0)
		r = open_file(&file, password, ret_key, &detail);
	if (r > 0 && ret_detail)
		*ret_detail = detail;
	return r;
}

/* ---- encrypting ---- */

/* Version 4: 122 random bits. */
static void uuid_text(uint8_t bytes[static 16], char ret_text[static 37])
{
	char hex[33];

	bytes[6] = (bytes[6] & 0x0f) | 0x40;
	bytes[8] = (bytes[8] & 0x3f) | 0x80;
	hex_encode(bytes, 16, hex);
	snprintf(ret_text, 37, "%.8s-%.4s-%.4s-%.4s-%.12s", hex, hex + 8, hex + 12, hex + 16,
		 hex + 20);
}

static int write_json(const struct keystore_file *file, const char *uuid, struct arena *arena,
		      const char **ret_json)
{
	char address[41], iv[33], ciphertext[65], salt[2 * SALT_SIZE + 1], mac[65];
	char *json;

	hex_encode(file->address.bytes, 20, address);
	hex_encode(file->iv, 16, iv);
	hex_encode(file->ciphertext, 32, ciphertext);
	hex_encode(file->salt, SALT_SIZE, salt);
	hex_encode(file->mac, 32, mac);
	json = arena_printf(arena,
			    "{\"address\":\"%s\",\"crypto\":{\"cipher\":\"aes-128-ctr\","
			    "\"ciphertext\":\"%s\",\"cipherparams\":{\"iv\":\"%s\"},"
			    "\"kdf\":\"scrypt\",\"kdfparams\":{\"dklen\":32,\"n\":%" PRIu32
			    ",\"p\":%d,\"r\":%d,\"salt\":\"%s\"},\"mac\":\"%s\"},"
			    "\"id\":\"%s\",\"version\":3}",
			    address, ciphertext, iv, file->scrypt.n, P, R, salt, mac, uuid);
	if (!json)
		return -ENOMEM;
	*ret_json = json;
	return 0;
}

static int seal(const struct secp_key *key, const char *password, struct keystore_file *file)
{
	uint8_t secret[SECP_SECRET_SIZE];
	struct derived derived;
	int r;

	r = derive(file, password, &derived);
	if (r < 0)
		return r;
	secp_key_secret(key, secret);
	r = apply_cipher(&derived, file->iv, secret, file->ciphertext);
	make_mac(&derived, file->ciphertext, file->mac);
	OPENSSL_cleanse(&derived, sizeof(derived));
	OPENSSL_cleanse(secret, sizeof(secret));
	return r;
}

int keystore_encrypt(const struct secp_key *key, const char *password, uint32_t n,
		     struct random *random, struct arena *arena, const char **ret_json)
{
	struct keystore_file file = { .scrypt = { n, R, P },
				      .salt_len = SALT_SIZE,
				      .address = *secp_key_address(key) };
	uint8_t uuid_bytes[16];
	char uuid[37];
	int r;

	if (n < N_MIN || n > N_MAX || (n & (n - 1)) != 0 ||
	    strnlen(password, KEYSTORE_PASSWORD_MAX + 1) > KEYSTORE_PASSWORD_MAX)
		return -EINVAL;
	r = random_fill(random, file.salt, SALT_SIZE);
	if (r == 0)
		r = random_fill(random, file.iv, sizeof(file.iv));
	if (r == 0)
		r = random_fill(random, uuid_bytes, sizeof(uuid_bytes));
	if (r == 0)
		r = seal(key, password, &file);
	if (r < 0)
		return r;
	uuid_text(uuid_bytes, uuid);
	return write_json(&file, uuid, arena, ret_json);
}
