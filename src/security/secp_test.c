#include "security/secp.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#include "base/codec.h"

static void unhex(const char *text, void *ret_bytes, size_t len)
{
	assert_int_equal(hex_decode(text, strlen(text), ret_bytes, len), 0);
}

static struct secp_key *key_of(const char *hex)
{
	uint8_t secret[SECP_SECRET_SIZE];
	struct secp_key *key = NULL;

	unhex(hex, secret, sizeof(secret));
	assert_int_equal(secp_key_from_secret(secret, &key), 0);
	return key;
}

static void assert_address(const struct address *address, const char *expected)
{
	char text[ADDRESS_TEXT_SIZE];

	address_text(address, text);
	assert_string_equal(text, expected);
}

/* Addresses that every wallet derives from these secrets. */
static void test_address_of_secret(void **state)
{
	static const struct {
		const char *secret, *address;
	} vectors[] = {
		{ "ac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80",
		  "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266" },
		{ "4c0883a69102937d6231471b5dbb6204fe5129617082792ae468d01a3f362318",
		  "0x2c7536E3605D9C16a7a3D7b1898e529396a65c23" },
		{ "0000000000000000000000000000000000000000000000000000000000000001",
		  "0x7E5F4552091A69125d5DfCb7b8C2659029395Bdf" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(vectors); i++) {
		_cleanup_(secp_key_freep) struct secp_key *key = key_of(vectors[i].secret);

		assert_address(secp_key_address(key), vectors[i].address);
	}
}

static void test_secret_out_of_range(void **state)
{
	static const char *const secrets[] = {
		"0000000000000000000000000000000000000000000000000000000000000000",
		"fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141", /* the order */
		"ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(secrets); i++) {
		uint8_t secret[SECP_SECRET_SIZE];
		struct secp_key *key = NULL;

		unhex(secrets[i], secret, sizeof(secret));
		assert_int_equal(secp_key_from_secret(secret, &key), -EINVAL);
		assert_null(key);
	}
}

/* Secret 1 over SHA-256("Satoshi Nakamoto"): the RFC 6979 vector that Bitcoin's libraries share. */
static void test_deterministic_nonce(void **state)
{
	_cleanup_(secp_key_freep) struct secp_key *key = key_of(
		"0000000000000000000000000000000000000000000000000000000000000001");
	uint8_t digest[32], expected[64], signature[SECP_SIGNATURE_SIZE];

	(void)state;
	unhex("a0dc65ffca799873cbea0ac274015b9526505daaaed385155425f7337704883e", digest, 32);
	unhex("934b1ea10a4b3c1757e2b0c017d0b6143ce3c9a7e6a4a49860d7a6ab210ee3d8"
	      "2442ce9d2b916064108014783e923ec36b49743e2ffa1c4496f01a512aafd9e5",
	      expected, 64);
	assert_int_equal(secp_sign(key, digest, signature), 0);
	assert_memory_equal(signature, expected, 64);
	assert_true(signature[64] == 27 || signature[64] == 28);
}

/* The example in web3.js's documentation of personal messages. */
static const char personal_secret[] =
	"4c0883a69102937d6231471b5dbb6204fe5129617082792ae468d01a3f362318";
static const char personal_signature[] =
	"b91467e570a6466aa9e9876cbcd013baba02900b8979d43fe208a4a4f339f5fd"
	"6007e74cd82e037b800186422fc2da167c747ef045e5d18a5f5d4300f8e1a0291c";

static void test_personal_message(void **state)
{
	_cleanup_(secp_key_freep) struct secp_key *key = key_of(personal_secret);
	uint8_t digest[32], expected[32], signature[65], expected_signature[65];
	struct address signer;

	(void)state;
	assert_int_equal(eip191_digest("Some data", 9, digest), 0);
	unhex("1da44b586eb0729ff70a73c326926f6ed5a25f5b056e7f47fbc6e58d86871655", expected, 32);
	assert_memory_equal(digest, expected, 32);
	assert_int_equal(secp_sign(key, digest, signature), 0);
	unhex(personal_signature, expected_signature, 65);
	assert_memory_equal(signature, expected_signature, 65);
	assert_int_equal(secp_recover(digest, signature, &signer), 0);
	assert_address(&signer, "0x2c7536E3605D9C16a7a3D7b1898e529396a65c23");
}

static void test_recover_accepts_v(void **state)
{
	uint8_t digest[32], signature[65];
	struct address signer;

	(void)state;
	assert_int_equal(eip191_digest("Some data", 9, digest), 0);
	unhex(personal_signature, signature, 65);
	signature[64] = 1;
	assert_int_equal(secp_recover(digest, signature, &signer), 0);
	assert_address(&signer, "0x2c7536E3605D9C16a7a3D7b1898e529396a65c23");
	for (unsigned int v = 0; v < 256; v++) {
		int expected = v <= 1 || v == 27 || v == 28 ? 0 : SECP_E_BAD;

		signature[64] = (uint8_t)v;
		assert_int_equal(secp_recover(digest, signature, &signer), expected);
	}
}

/* order - s, which any observer can make from a valid signature. */
static void negate_s(uint8_t s[static 32])
{
	uint8_t order[32];
	int borrow = 0;

	unhex("fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141", order, 32);
	for (int i = 31; i >= 0; i--) {
		int digit = order[i] - s[i] - borrow;

		borrow = digit < 0;
		s[i] = (uint8_t)digit;
	}
}

static void test_recover_refuses(void **state)
{
	uint8_t digest[32], good[65], bad[65];
	struct address signer;

	(void)state;
	assert_int_equal(eip191_digest("Some data", 9, digest), 0);
	unhex(personal_signature, good, 65);

	memcpy(bad, good, 65);
	negate_s(bad + 32);
	bad[64] ^= 7; /* 28 to 27: the twin that recovers the same address */
	assert_int_equal(secp_recover(digest, bad, &signer), SECP_E_BAD);

	memcpy(bad, good, 65);
	memset(bad, 0, 32);
	assert_int_equal(secp_recover(digest, bad, &signer), SECP_E_BAD);
	memcpy(bad, good, 65);
	memset(bad + 32, 0, 32);
	assert_int_equal(secp_recover(digest, bad, &signer), SECP_E_BAD);
	memcpy(bad, good, 65);
	memset(bad, 0xff, 32);
	assert_int_equal(secp_recover(digest, bad, &signer), SECP_E_BAD);
}

/* r past the order: a curve's point, but no v of Ethereum's says it. */
static void test_recover_refuses_overflowed_r(void **state)
{
	static const uint8_t vs[] = { 2, 3, 29, 30 };
	uint8_t digest[32] = { 1 }, signature[65] = { [63] = 1 };
	struct address signer;

	(void)state;
	for (uint8_t r = 1; r < 32; r++) {
		signature[31] = r;
		for (size_t i = 0; i < ARRAY_SIZE(vs); i++) {
			signature[64] = vs[i];
			assert_int_equal(secp_recover(digest, signature, &signer), SECP_E_BAD);
		}
	}
}

static void test_random_keys_round_trip(void **state)
{
	struct random_seeded seeded;

	(void)state;
	random_seeded_init(&seeded, 7);
	for (int i = 0; i < 32; i++) {
		_cleanup_(secp_key_freep) struct secp_key *key = NULL, *again = NULL;
		uint8_t digest[32], signature[65], secret[32];
		struct address signer;

		assert_int_equal(secp_key_generate(&seeded.random, &key), 0);
		secp_key_secret(key, secret);
		assert_int_equal(secp_key_from_secret(secret, &again), 0);
		assert_true(address_equal(secp_key_address(key), secp_key_address(again)));
		assert_int_equal(random_fill(&seeded.random, digest, 32), 0);
		assert_int_equal(secp_sign(key, digest, signature), 0);
		assert_int_equal(secp_recover(digest, signature, &signer), 0);
		assert_true(address_equal(&signer, secp_key_address(key)));
		digest[0] ^= 1;
		if (secp_recover(digest, signature, &signer) == 0)
			assert_false(address_equal(&signer, secp_key_address(key)));
	}
}

static int fill_zeros(struct random *random, void *ret_bytes, size_t len)
{
	(void)random;
	memset(ret_bytes, 0, len);
	return 0;
}

static int fill_nothing(struct random *random, void *ret_bytes, size_t len)
{
	(void)random;
	(void)ret_bytes;
	(void)len;
	return -ENOSYS;
}

static void test_broken_random(void **state)
{
	struct random zeros = { fill_zeros }, none = { fill_nothing };
	struct secp_key *key = NULL;

	(void)state;
	assert_int_equal(secp_key_generate(&zeros, &key), -EIO);
	assert_int_equal(secp_key_generate(&none, &key), -ENOSYS);
	assert_null(key);
}

/* Whether the kernel has @flag for the memory at @address (proc(5), smaps). */
static bool memory_has(const void *address, const char *flag)
{
	FILE *file = fopen("/proc/self/smaps", "r");
	bool inside = false, found = false;
	unsigned long from, to;
	char line[512];

	assert_non_null(file);
	while (fgets(line, sizeof(line), file)) {
		if (sscanf(line, "%lx-%lx ", &from, &to) == 2)
			inside = (uintptr_t)address >= from && (uintptr_t)address < to;
		if (inside && strncmp(line, "VmFlags:", 8) == 0)
			found = strstr(line + 8, flag) != NULL;
	}
	fclose(file);
	return found;
}

/* Sanitizers lock no memory, whoever asks. */
static void test_locked_memory(void **state)
{
	_cleanup_(secp_key_freep) struct secp_key *key = key_of(
		"ac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80");

	(void)state;
	assert_false(memory_has(key, " dd"));
	assert_int_equal(secp_key_lock(key), 0);
	assert_true(memory_has(key, " dd")); /* not in core dumps */
	assert_true(memory_has(key, " wf")); /* nor in children */
#ifndef __SANITIZE_ADDRESS__
	assert_true(memory_has(key, " lo"));
#endif
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_address_of_secret),
		cmocka_unit_test(test_secret_out_of_range),
		cmocka_unit_test(test_deterministic_nonce),
		cmocka_unit_test(test_personal_message),
		cmocka_unit_test(test_recover_accepts_v),
		cmocka_unit_test(test_recover_refuses),
		cmocka_unit_test(test_recover_refuses_overflowed_r),
		cmocka_unit_test(test_random_keys_round_trip),
		cmocka_unit_test(test_broken_random),
		cmocka_unit_test(test_locked_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
