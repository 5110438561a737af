#include "security/scrypt.h"

#include <endian.h>
#include <openssl/err.h>
#include <openssl/evp.h>

/* OpenSSL keeps to the RFC's n < 2^(16 r). Wallets of the first years wrote n 262144 with r 1, as
 * does the standard's own example: those are computed here. */
static bool openssl_takes(const struct scrypt_cost *cost)
{
	return cost->r >= 4 || cost->n < UINT64_C(1) << (16 * cost->r);
}

static int derive_by_openssl(const char *password, const uint8_t *salt, size_t salt_len,
			     const struct scrypt_cost *cost,
			     uint8_t ret_key[static SCRYPT_KEY_SIZE])
{
	/* A limit of 0 would mean 32 MiB. */
	uint64_t memory = 128 * (uint64_t)cost->r * (cost->n + cost->p + 16);

	if (EVP_PBE_scrypt(password, strlen(password), salt, salt_len, cost->n, cost->r, cost->p,
			   memory, ret_key, SCRYPT_KEY_SIZE) == 1)
		return 0;
	ERR_clear_error();
	return -ENOMEM;
}

/* ---- sections 3 to 6 of the RFC ---- */

static uint32_t rotate(uint32_t value, int bits)
{
	return value << bits | value >> (32 - bits);
}

static void quarter_round(uint32_t x[static 16], int a, int b, int c, int d)
{
	x[b] ^= rotate(x[a] + x[d], 7);
	x[c] ^= rotate(x[b] + x[a], 9);
	x[d] ^= rotate(x[c] + x[b], 13);
	x[a] ^= rotate(x[d] + x[c], 18);
}

static void salsa20_8(uint32_t block[static 16])
{
	uint32_t x[16];

	memcpy(x, block, sizeof(x));
	for (int round = 0; round < 8; round += 2) {
		quarter_round(x, 0, 4, 8, 12);
		quarter_round(x, 5, 9, 13, 1);
		quarter_round(x, 10, 14, 2, 6);
		quarter_round(x, 15, 3, 7, 11);
		quarter_round(x, 0, 1, 2, 3);
		quarter_round(x, 5, 6, 7, 4);
		quarter_round(x, 10, 11, 8, 9);
		quarter_round(x, 15, 12, 13, 14);
	}
	for (int i = 0; i < 16; i++)
		block[i] += x[i];
}

static void xor_words(uint32_t *to, const uint32_t *from, size_t words)
{
	for (size_t i = 0; i < words; i++)
		to[i] ^= from[i];
}

/* @block and @scratch: 32 * r words. */
static void block_mix(uint32_t *block, uint32_t *scratch, size_t r)
{
	uint32_t x[16];

	memcpy(x, block + (2 * r - 1) * 16, sizeof(x));
	for (size_t i = 0; i < 2 * r; i++) {
		xor_words(x, block + i * 16, 16);
		salsa20_8(x);
		/* Even ones to the front, odd ones behind them. */
		memcpy(scratch + (i / 2 + (i % 2) * r) * 16, x, sizeof(x));
	}
	memcpy(block, scratch, 32 * r * sizeof(*block));
}

/* @table: n blocks. */
static void ro_mix(uint32_t *block, uint32_t *scratch, uint32_t *table,
		   const struct scrypt_cost *cost)
{
	size_t words = 32 * (size_t)cost->r;

	for (size_t i = 0; i < cost->n; i++) {
		memcpy(table + i * words, block, words * sizeof(*block));
		block_mix(block, scratch, cost->r);
	}
	for (size_t i = 0; i < cost->n; i++) {
		size_t at = block[words - 16] & (cost->n - 1);

		xor_words(block, table + at * words, words);
		block_mix(block, scratch, cost->r);
	}
}

static void swap_words(uint32_t *words, size_t n)
{
	for (size_t i = 0; i < n; i++)
		words[i] = le32toh(words[i]);
}

/* One round of PBKDF2, as scrypt uses it before and after the mixing. */
static int stretch(const char *password, const void *salt, size_t salt_len, void *ret_bytes,
		   size_t len)
{
	if (PKCS5_PBKDF2_HMAC(password, (int)strlen(password), salt, (int)salt_len, 1, EVP_sha256(),
			      (int)len, ret_bytes) == 1)
		return 0;
	ERR_clear_error();
	return -ENOMEM;
}

static int derive_here(const char *password, const uint8_t *salt, size_t salt_len,
		       const struct scrypt_cost *cost, uint8_t ret_key[static SCRYPT_KEY_SIZE])
{
	size_t words = 32 * (size_t)cost->r, block_words = words * cost->p;
	size_t total = block_words + words + words * cost->n;
	uint32_t *blocks = calloc(total, sizeof(*blocks));
	uint32_t *scratch = blocks + block_words;
	int r;

	if (!blocks)
		return -ENOMEM;
	r = stretch(password, salt, salt_len, blocks, block_words * sizeof(*blocks));
	swap_words(blocks, block_words);
	for (size_t i = 0; r == 0 && i < cost->p; i++)
		ro_mix(blocks + i * words, scratch, scratch + words, cost);
	swap_words(blocks, block_words);
	if (r == 0)
		r = stretch(password, blocks, block_words * sizeof(*blocks), ret_key,
			    SCRYPT_KEY_SIZE);
	OPENSSL_cleanse(blocks, total * sizeof(*blocks));
	free(blocks);
	return r;
}

int scrypt_derive(const char *password, const uint8_t *salt, size_t salt_len,
		  const struct scrypt_cost *cost, uint8_t ret_key[static SCRYPT_KEY_SIZE])
{
	if (openssl_takes(cost))
		return derive_by_openssl(password, salt, salt_len, cost, ret_key);
	return derive_here(password, salt, salt_len, cost, ret_key);
}
