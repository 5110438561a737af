#include "security/keystore_file.h"

#include <jansson.h>

#include "base/codec.h"

struct reader {
	struct keystore_file *file;
	const char *detail;
};

static int refuse(struct reader *reader, const char *detail)
{
	reader->detail = detail;
	return KEYSTORE_E_MALFORMED;
}

static int too_costly(struct reader *reader, const char *detail)
{
	reader->detail = detail;
	return KEYSTORE_E_COSTLY;
}

/* Exactly @len bytes in hexadecimal. */
static bool read_hex(const json_t *object, const char *name, void *ret_bytes, size_t len)
{
	const json_t *value = json_object_get(object, name);

	return json_is_string(value) &&
	       hex_decode(json_string_value(value), json_string_length(value), ret_bytes, len) == 0;
}

static bool is_word(const json_t *object, const char *name, const char *word)
{
	const char *text = json_string_value(json_object_get(object, name));

	return text && strcmp(text, word) == 0;
}

/* -1 for what is not a positive integer. */
static int64_t read_number(const json_t *object, const char *name)
{
	const json_t *value = json_object_get(object, name);

	return json_is_integer(value) && json_integer_value(value) > 0 ? json_integer_value(value)
								       : -1;
}

static int read_salt(struct reader *reader, const json_t *params)
{
	const json_t *salt = json_object_get(params, "salt");
	size_t len = json_string_length(salt) / 2;

	if (len == 0 || len > KEYSTORE_SALT_MAX ||
	    !read_hex(params, "salt", reader->file->salt, len))
		return refuse(reader, "kdfparams.salt: must be 1 to 256 bytes in hexadecimal");
	reader->file->salt_len = len;
	return 0;
}

static int read_scrypt(struct reader *reader, const json_t *params)
{
	int64_t n = read_number(params, "n"), r = read_number(params, "r");
	int64_t p = read_number(params, "p"), memory;

	if (n < 2 || (n & (n - 1)) != 0)
		return refuse(reader, "kdfparams.n: must be a power of two");
	if (r < 1 || p < 1)
		return refuse(reader, "kdfparams.r, kdfparams.p: must be positive integers");
	if (p > KEYSTORE_SCRYPT_P_MAX)
		return too_costly(reader, "kdfparams.p: more than 8");
	if (__builtin_mul_overflow(n, r, &memory) || __builtin_mul_overflow(memory, 128, &memory) ||
	    memory > KEYSTORE_SCRYPT_MEMORY_MAX)
		return too_costly(reader, "kdfparams.n, kdfparams.r: take more than 512 MiB");
	reader->file->scrypt = (struct scrypt_cost){ (uint32_t)n, (uint32_t)r, (uint32_t)p };
	return read_salt(reader, params);
}

static int read_pbkdf2(struct reader *reader, const json_t *params)
{
	int64_t rounds = read_number(params, "c");

	if (!is_word(params, "prf", "hmac-sha256"))
		return refuse(reader, "kdfparams.prf: must be \"hmac-sha256\"");
	if (rounds < 1)
		return refuse(reader, "kdfparams.c: must be a positive integer");
	if (rounds > KEYSTORE_ROUNDS_MAX)
		return too_costly(reader, "kdfparams.c: more than 10,000,000");
	reader->file->rounds = (int)rounds;
	return read_salt(reader, params);
}

static int read_kdf(struct reader *reader, const json_t *crypto)
{
	const json_t *params = json_object_get(crypto, "kdfparams");

	if (read_number(params, "dklen") != SCRYPT_KEY_SIZE)
		return refuse(reader, "kdfparams.dklen: must be 32");
	if (is_word(crypto, "kdf", "scrypt"))
		return read_scrypt(reader, params);
	if (is_word(crypto, "kdf", "pbkdf2"))
		return read_pbkdf2(reader, params);
	return refuse(reader, "kdf: must be \"scrypt\" or \"pbkdf2\"");
}

static int read_crypto(struct reader *reader, const json_t *crypto)
{
	struct keystore_file *file = reader->file;

	if (!json_is_object(crypto))
		return refuse(reader, "crypto: is required");
	if (!is_word(crypto, "cipher", "aes-128-ctr"))
		return refuse(reader, "cipher: must be \"aes-128-ctr\"");
	if (!read_hex(json_object_get(crypto, "cipherparams"), "iv", file->iv, sizeof(file->iv)))
		return refuse(reader, "cipherparams.iv: must be 16 bytes in hexadecimal");
	if (!read_hex(crypto, "ciphertext", file->ciphertext, sizeof(file->ciphertext)))
		return refuse(reader, "ciphertext: must be 32 bytes in hexadecimal");
	if (!read_hex(crypto, "mac", file->mac, sizeof(file->mac)))
		return refuse(reader, "mac: must be 32 bytes in hexadecimal");
	return read_kdf(reader, crypto);
}

/* geth leaves "0x" away, others write it, cast writes no address. */
static int read_address(struct reader *reader, const json_t *root)
{
	const json_t *value = json_object_get(root, "address");
	const char *text = json_string_value(value);

	if (!value)
		return 0;
	if (text && strncmp(text, "0x", 2) == 0)
		text += 2;
	if (!text || hex_decode(text, strlen(text), reader->file->address.bytes,
				sizeof(reader->file->address.bytes)) < 0)
		return refuse(reader, "address: must be 40 hexadecimal digits");
	reader->file->has_address = true;
	return 0;
}

static int read_root(struct reader *reader, const json_t *root)
{
	const json_t *lower = json_object_get(root, "crypto");
	const json_t *upper = json_object_get(root, "Crypto");
	int r;

	if (read_number(root, "version") != 3)
		return refuse(reader, "version: must be 3");
	if (lower && upper)
		return refuse(reader, "crypto: is there twice");
	r = read_address(reader, root);
	return r != 0 ? r : read_crypto(reader, lower ? lower : upper);
}

int keystore_file_read(const char *json, size_t len, struct keystore_file *ret_file,
		       const char **ret_detail)
{
	struct keystore_file file = { 0 };
	struct reader reader = { .file = &file };
	json_t *root;
	int r;

	root = len <= KEYSTORE_JSON_MAX ? json_loadb(json, len, JSON_REJECT_DUPLICATES, NULL)
					: NULL;
	r = root ? read_root(&reader, root)
		 : refuse(&reader, "not a JSON object of at most 16 KiB");
	json_decref(root);
	if (r > 0 && ret_detail)
		*ret_detail = reader.detail;
	if (r == 0)
		*ret_file = file;
	return r;
}
