#include "chain/transaction.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#include "base/codec.h"

static struct arena *arena;
static struct secp_key *key;

static int set_up(void **state _unused_)
{
	uint8_t secret[32];

	/* The first of the keys that test chains give out. */
	if (hex_decode("ac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80", 64,
		       secret, 32) < 0 ||
	    secp_key_from_secret(secret, &key) < 0)
		return -1;
	return arena_new(8 << 20, &arena);
}

static int tear_down(void **state _unused_)
{
	secp_key_free(key);
	arena_free(arena);
	return 0;
}

/* Signed by viem with that key. */
static const char eip1559[] =
	"02f8ab820d0a80843b9aca008506fc23ac00830186a0943535353535353535353535353535353535353535"
	"8084deadbeeff838f7941111111111111111111111111111111111111111e1a001010101010101010101"
	"01010101010101010101010101010101010101010101"
	"01a0c148da6c08d62e094df21d868b43977304695a835853609f3ae8cc6b0962d87ea04494e4376d9eb08c"
	"c097f2028abd945dbdda37e191c72432067d623ce6c251b0";
static const char eip1559_hash[] =
	"eb0dd46f48a124ab7e83c4674db94d6e67286a56e12696eb2ed7ad28cbdd7281";
static const char legacy[] =
	"f86e098504a817c800825208943535353535353535353535353535353535353535880de0b6b3a764000080"
	"821a37a075c75879615a8b33d331a04459b64001f326e5e5806b1ff885f575c95d43d06ea055e905f5b0c3"
	"95268f39d4cd5090437f8784f2b9bf4b9a19ce090fd4d111675e";
static const char legacy_hash[] =
	"76c727d233009b7bfcd2af8f27111c5a9d8d75a56b506d67ad2eb29db002647c";
/* The example of EIP-155, by the key 0x4646.... */
static const char eip155[] =
	"f86c098504a817c800825208943535353535353535353535353535353535353535880de0b6b3a764000080"
	"25a028ef61340bd939bc2195fe537567866003e1a15d3c71ff63e1590620aa636276a067cbe9d8997f761a"
	"ecb703304b3800ccf555c9f3dc64214b297fb1966a3b6d83";

static uint8_t *from_hex(const char *hex, size_t *ret_len)
{
	size_t len = strlen(hex) / 2;
	uint8_t *bytes = arena_alloc(arena, len);

	assert_non_null(bytes);
	assert_int_equal(hex_decode(hex, 2 * len, bytes, len), 0);
	*ret_len = len;
	return bytes;
}

static void assert_hex(const void *bytes, size_t len, const char *expected)
{
	char *text = arena_alloc(arena, 2 * len + 1);

	hex_encode(bytes, len, text);
	assert_string_equal(text, expected);
}

static struct transaction example(enum transaction_kind kind)
{
	static const uint8_t data[] = { 0xde, 0xad, 0xbe, 0xef };
	static uint8_t keys[1][32];
	static struct transaction_access access;
	struct transaction t = { .kind = kind, .chain_id = 3338 };

	memset(t.to.bytes, 0x35, sizeof(t.to.bytes));
	if (kind == TRANSACTION_LEGACY) {
		t.nonce = 9;
		t.max_fee = u256_from(20000000000);
		t.gas_limit = 21000;
		t.value = u256_from(1000000000000000000);
		return t;
	}
	t.max_priority_fee = u256_from(1000000000);
	t.max_fee = u256_from(30000000000);
	t.gas_limit = 100000;
	t.data = data;
	t.data_len = sizeof(data);
	memset(keys, 1, sizeof(keys));
	memset(access.address.bytes, 0x11, sizeof(access.address.bytes));
	access.keys = (const uint8_t(*)[32])keys;
	access.n_keys = 1;
	t.access = &access;
	t.n_access = 1;
	return t;
}

static void known_signatures(void **state _unused_)
{
	static const struct {
		enum transaction_kind kind;
		const char *bytes, *hash;
	} known[] = { { TRANSACTION_EIP1559, eip1559, eip1559_hash },
		      { TRANSACTION_LEGACY, legacy, legacy_hash } };

	for (size_t i = 0; i < ARRAY_SIZE(known); i++) {
		struct transaction t = example(known[i].kind), back;
		struct transaction_signed made, read;

		assert_int_equal(transaction_sign(&t, key, arena, &made), 0);
		assert_hex(made.bytes, made.len, known[i].bytes);
		assert_hex(made.hash, 32, known[i].hash);
		assert_int_equal(
			transaction_decode(made.bytes, made.len, arena, &back, &read, NULL), 0);
		assert_hex(read.hash, 32, known[i].hash);
		assert_true(address_equal(&read.sender, secp_key_address(key)));
		assert_int_equal(back.kind, t.kind);
		assert_true(back.chain_id == 3338 && back.nonce == t.nonce);
		assert_int_equal(back.gas_limit, t.gas_limit);
		assert_int_equal(u256_compare(&back.max_fee, &t.max_fee), 0);
		assert_int_equal(u256_compare(&back.value, &t.value), 0);
		assert_int_equal(back.data_len, t.data_len);
		assert_int_equal(back.n_access, t.n_access);
		assert_false(back.creates);
	}
}

static void known_sender(void **state _unused_)
{
	struct transaction t;
	struct transaction_signed read;
	struct address sender;
	size_t len;
	uint8_t *bytes = from_hex(eip155, &len);

	assert_int_equal(address_parse("0x9d8a62f656a8d1615c1294fd71e9cfb3e4855a4f", &sender), 0);
	assert_int_equal(transaction_decode(bytes, len, arena, &t, &read, NULL), 0);
	assert_int_equal(t.chain_id, 1);
	assert_true(address_equal(&read.sender, &sender));
}

/* Whatever byte is changed, it is refused or somebody else's, and so is every cut. */
static void changed_and_cut(void **state _unused_)
{
	const char *const all[] = { eip1559, legacy };

	for (size_t k = 0; k < ARRAY_SIZE(all); k++) {
		size_t len;
		uint8_t *bytes = from_hex(all[k], &len);
		struct transaction_signed read;
		struct transaction t;

		for (size_t i = 0; i < len; i++) {
			const char *detail = NULL;
			int r;

			bytes[i] ^= 0x04;
			r = transaction_decode(bytes, len, arena, &t, &read, &detail);
			assert_true(r >= 0 && (r > 0) == (detail != NULL));
			if (r == 0)
				assert_false(address_equal(&read.sender, secp_key_address(key)));
			bytes[i] ^= 0x04;
			assert_int_equal(transaction_decode(bytes, i, arena, &t, &read, NULL),
					 TRANSACTION_E_MALFORMED);
		}
		assert_int_equal(transaction_decode(bytes, len + 1, arena, &t, &read, NULL),
				 TRANSACTION_E_MALFORMED);
	}
}

static void high_s_is_refused(void **state _unused_)
{
	/* The group's order less the example's s, and the other parity. */
	static const char high[] =
		"f86c098504a817c800825208943535353535353535353535353535353535353535880de0b6b3a7"
		"64000080"
		"26a028ef61340bd939bc2195fe537567866003e1a15d3c71ff63e1590620aa636276a098341626"
		"678089e51348fccfb4c7ff31e5597f492be43e72a92eb59c46c5d3be";
	struct transaction_signed read;
	struct transaction t;
	size_t len;
	uint8_t *bytes = from_hex(high, &len);

	assert_int_equal(transaction_decode(bytes, len, arena, &t, &read, NULL),
			 TRANSACTION_E_SIGNATURE);
}

static void unsignable(void **state _unused_)
{
	static uint8_t data[TRANSACTION_SIZE_MAX + 1];
	struct transaction good = example(TRANSACTION_EIP1559), t;
	struct transaction_signed made;

	t = good;
	t.chain_id = 0;
	assert_int_equal(transaction_sign(&t, key, arena, &made), -EINVAL);
	t.chain_id = TRANSACTION_CHAIN_ID_MAX + 1;
	assert_int_equal(transaction_sign(&t, key, arena, &made), -EINVAL);
	t = good;
	t.nonce = UINT64_MAX;
	assert_int_equal(transaction_sign(&t, key, arena, &made), -EINVAL);
	t = good;
	t.max_fee = u256_from(999999999);
	assert_int_equal(transaction_sign(&t, key, arena, &made), -EINVAL);
	t = good;
	t.kind = TRANSACTION_LEGACY;
	assert_int_equal(transaction_sign(&t, key, arena, &made), -EINVAL);
	t = good;
	t.kind = 1;
	assert_int_equal(transaction_sign(&t, key, arena, &made), -EINVAL);
	t = good;
	t.data = data;
	t.data_len = sizeof(data);
	assert_int_equal(transaction_sign(&t, key, arena, &made), -E2BIG);
	t.data_len = TRANSACTION_SIZE_MAX - 100;
	assert_int_equal(transaction_sign(&t, key, arena, &made), -E2BIG);
	t.data_len = TRANSACTION_SIZE_MAX - 300;
	assert_int_equal(transaction_sign(&t, key, arena, &made), 0);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

/* What is hashed for a signature is read back as what it was; a legacy one is not. */
static void unsigned_ones_are_read_again(void **state _unused_)
{
	struct transaction transaction, back;
	struct transaction_signed ready;
	uint8_t digest[32], digest_back[32];
	const uint8_t *bytes, *signed_bytes;
	size_t len, signed_len;

	signed_bytes = from_hex(eip1559, &signed_len);
	assert_int_equal(
		transaction_decode(signed_bytes, signed_len, arena, &transaction, &ready, NULL), 0);
	assert_int_equal(transaction_unsigned(&transaction, arena, &bytes, &len), 0);
	assert_int_equal(transaction_decode_unsigned(bytes, len, arena, &back), 0);
	assert_int_equal(transaction_digest(&transaction, arena, digest), 0);
	assert_int_equal(transaction_digest(&back, arena, digest_back), 0);
	assert_memory_equal(digest, digest_back, sizeof(digest));
	assert_int_equal(transaction_decode_unsigned(bytes, len - 1, arena, &back),
			 TRANSACTION_E_MALFORMED);
	assert_int_equal(transaction_decode_unsigned(signed_bytes, signed_len, arena, &back),
			 TRANSACTION_E_MALFORMED);
	signed_bytes = from_hex(legacy, &signed_len);
	assert_int_equal(
		transaction_decode(signed_bytes, signed_len, arena, &transaction, &ready, NULL), 0);
	assert_int_equal(transaction_unsigned(&transaction, arena, &bytes, &len), 0);
	assert_int_equal(transaction_decode_unsigned(bytes, len, arena, &back),
			 TRANSACTION_E_MALFORMED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(known_signatures),  TEST(known_sender), TEST(changed_and_cut),
		TEST(high_s_is_refused), TEST(unsignable),   TEST(unsigned_ones_are_read_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
