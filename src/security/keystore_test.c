#include "security/keystore.h"

#include <setjmp.h>
#include <stdarg.h>
#include <time.h>
#include <cmocka.h>

#include "base/codec.h"

static struct arena *arena;

static int set_up(void **state)
{
	(void)state;
	return arena_new(1 << 20, &arena);
}

static int tear_down(void **state)
{
	(void)state;
	arena_free(arena);
	return 0;
}

static int open_with(const char *json, const char *password)
{
	struct secp_key *key = NULL;
	const char *detail = NULL;
	int r;

	r = keystore_decrypt(json, strlen(json), password, &key, &detail);
	assert_int_equal(r == 0, key != NULL);
	assert_int_equal(r > 0, detail != NULL);
	secp_key_free(key);
	return r;
}

static void assert_holds(const char *json, const char *password, const char *expected)
{
	_cleanup_(secp_key_freep) struct secp_key *key = NULL;
	uint8_t secret[SECP_SECRET_SIZE];
	char text[2 * SECP_SECRET_SIZE + 1];

	assert_int_equal(keystore_decrypt(json, strlen(json), password, &key, NULL), 0);
	secp_key_secret(key, secret);
	hex_encode(secret, sizeof(secret), text);
	assert_string_equal(text, expected);
}

/* The two examples of the Web3 Secret Storage Definition. */
static const char official_password[] = "testpassword";
static const char official_secret[] =
	"7a28b5ba57c53603b0b07b56bba752f7784bf506fa95edc395f5cf6c7514fe9d";

static void test_official_pbkdf2(void **state)
{
	static const char json[] =
		"{\"crypto\":{\"cipher\":\"aes-128-ctr\","
		"\"cipherparams\":{\"iv\":\"6087dab2f9fdbbfaddc31a909735c1e6\"},"
		"\"ciphertext\":"
		"\"5318b4d5bcd28de64ee5559e671353e16f075ecae9f99c7a79a38af5f869aa46\","
		"\"kdf\":\"pbkdf2\",\"kdfparams\":{\"c\":262144,\"dklen\":32,\"prf\":\"hmac-"
		"sha256\","
		"\"salt\":\"ae3cd4e7013836a3df6bd7241b12db061dbe2c6785853cce422d148a624ce0bd\"},"
		"\"mac\":\"517ead924a9d0dc3124507e3393d175ce3ff7c1e96529c6c555ce9e51205e9b2\"},"
		"\"id\":\"3198bc9c-6672-5ab3-d995-4942343ae5b6\",\"version\":3}";

	(void)state;
	assert_holds(json, official_password, official_secret);
	assert_int_equal(open_with(json, "testpasswore"), KEYSTORE_E_PASSWORD);
}

static void test_official_scrypt(void **state)
{
	static const char json[] =
		"{\"crypto\":{\"cipher\":\"aes-128-ctr\","
		"\"cipherparams\":{\"iv\":\"83dbcc02d8ccb40e466191a123791e0e\"},"
		"\"ciphertext\":"
		"\"d172bf743a674da9cdad04534d56926ef8358534d458fffccd4e6ad2fbde479c\","
		"\"kdf\":\"scrypt\",\"kdfparams\":{\"dklen\":32,\"n\":262144,\"r\":1,\"p\":8,"
		"\"salt\":\"ab0c7876052600dd703518d6fc3fe8984592145b591fc8fb5c6d43190334ba19\"},"
		"\"mac\":\"2103ac29920d71da29f15d75b4a16dbe95cfd7ff8faea1056c33131d846e3097\"},"
		"\"id\":\"3198bc9c-6672-5ab3-d995-4942343ae5b6\",\"version\":3}";

	(void)state;
	assert_holds(json, official_password, official_secret);
}

/* As ethers 6 writes it: "Crypto", address without 0x. */
static const char ethers[] =
	"{\"address\":\"2c7536e3605d9c16a7a3d7b1898e529396a65c23\","
	"\"id\":\"2cc56ad0-2401-4559-a518-7c6bbf18ea9d\",\"version\":3,"
	"\"Crypto\":{\"cipher\":\"aes-128-ctr\","
	"\"cipherparams\":{\"iv\":\"cb0548b0bf38c0cd4181c747b449feb2\"},"
	"\"ciphertext\":\"584985da4150ab540bb6f296d7eebe921c395d212836e890d9dc7d338d35d093\","
	"\"kdf\":\"scrypt\",\"kdfparams\":{"
	"\"salt\":\"51c50ac92c6d926ecb057b092dd1227a2aa6615d2480ea813ca73ab01fb94915\","
	"\"n\":1024,\"dklen\":32,\"p\":1,\"r\":8},"
	"\"mac\":\"e761d373cb17aae58ab0bf19bf75194a56c0934dc6edb7363aeb9f8e0016e701\"}}";
static const char ethers_secret[] =
	"4c0883a69102937d6231471b5dbb6204fe5129617082792ae468d01a3f362318";

/* @text with its first @from replaced by @to. */
static const char *replaced(const char *text, const char *from, const char *to)
{
	const char *at = strstr(text, from);
	char *result;

	assert_non_null(at);
	result = arena_printf(arena, "%.*s%s%s", (int)(at - text), text, to, at + strlen(from));
	assert_non_null(result);
	return result;
}

static void test_other_writers(void **state)
{
	(void)state;
	assert_holds(ethers, "geheim", ethers_secret);
	assert_holds(replaced(ethers, "Crypto", "crypto"), "geheim", ethers_secret);
	assert_holds(replaced(ethers, "\"2c75", "\"0x2C75"), "geheim", ethers_secret);
	assert_holds(
		replaced(ethers, "\"address\":\"2c7536e3605d9c16a7a3d7b1898e529396a65c23\",", ""),
		"geheim", ethers_secret);
	assert_holds(replaced(ethers, "\"version\"", "\"x-ethers\":{},\"version\""), "geheim",
		     ethers_secret);
}

static void test_passwords(void **state)
{
	char password[KEYSTORE_PASSWORD_MAX + 2];

	(void)state;
	assert_int_equal(open_with(ethers, ""), KEYSTORE_E_PASSWORD);
	assert_int_equal(open_with(ethers, "Geheim"), KEYSTORE_E_PASSWORD);
	assert_int_equal(open_with(ethers, "geheim "), KEYSTORE_E_PASSWORD);
	memset(password, 'a', sizeof(password));
	password[KEYSTORE_PASSWORD_MAX + 1] = 0;
	assert_int_equal(open_with(ethers, password), KEYSTORE_E_PASSWORD);
}

static void test_malformed(void **state)
{
	static const struct {
		const char *from, *to;
	} changes[] = {
		{ "\"version\":3", "\"version\":1" },
		{ "\"version\":3", "\"version\":\"3\"" },
		{ "\"version\":3", "\"version\":3.0" },
		{ "\"version\":3", "\"version\":3,\"version\":3" },
		{ "\"Crypto\":", "\"Crypto\":{},\"crypto\":" },
		{ "\"version\":3,", "" },
		{ "\"Crypto\"", "\"CRYPTO\"" },
		{ "\"Crypto\":{", "\"Crypto\":[],\"x\":{" },
		{ "\"2c75", "\"2c76" },
		{ "\"2c75", "\"0X2c75" },
		{ "\"2c7536e3605d9c16a7a3d7b1898e529396a65c23\"", "null" },
		{ "\"2c7536e3605d9c16a7a3d7b1898e529396a65c23\"", "7" },
		{ "aes-128-ctr", "aes-128-cbc" },
		{ "\"aes-128-ctr\"", "128" },
		{ "{\"iv\":", "{\"IV\":" },
		{ "cb0548b0", "cb0548" },
		{ "cb0548b0", "cb0548bz" },
		{ "\"cb0548b0bf38c0cd4181c747b449feb2\"", "0" },
		{ "584985da", "584985" },
		{ "584985da", "584985da00" },
		{ "e761d373", "e761d3" },
		{ "\"kdf\":\"scrypt\"", "\"kdf\":\"bcrypt\"" },
		{ "\"kdf\":\"scrypt\"", "\"kdf\":\"pbkdf2\"" },
		{ "\"kdf\":\"scrypt\"", "\"kdf\":null" },
		{ "\"kdfparams\":{", "\"kdfparams\":[],\"x\":{" },
		{ "\"dklen\":32", "\"dklen\":16" },
		{ "\"dklen\":32", "\"dklen\":64" },
		{ "\"dklen\":32", "\"dklen\":\"32\"" },
		{ "\"n\":1024", "\"n\":1000" },
		{ "\"n\":1024", "\"n\":0" },
		{ "\"n\":1024", "\"n\":1" },
		{ "\"n\":1024", "\"n\":-1024" },
		{ "\"n\":1024", "\"n\":1e3" },
		{ "\"n\":1024", "\"n\":99999999999999999999" },
		{ "\"n\":1024", "\"n\":[1024]" },
		{ "\"p\":1", "\"p\":0" },
		{ "\"r\":8", "\"r\":-8" },
		{ "\"r\":8", "\"r\":true" },
		{ "51c50ac9", "51c50ac" },
		{ "\"51c50ac92c6d926ecb057b092dd1227a2aa6615d2480ea813ca73ab01fb94915\"", "\"\"" },
		{ "}}", "}" },
		{ "}}", "}} x" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(changes); i++) {
		int r = open_with(replaced(ethers, changes[i].from, changes[i].to), "geheim");

		if (r != KEYSTORE_E_MALFORMED)
			print_error("change %zu, to %s\n", i, changes[i].to);
		assert_int_equal(r, KEYSTORE_E_MALFORMED);
	}
	assert_int_equal(open_with("", "x"), KEYSTORE_E_MALFORMED);
	assert_int_equal(open_with("[]", "x"), KEYSTORE_E_MALFORMED);
	assert_int_equal(open_with("null", "x"), KEYSTORE_E_MALFORMED);
}

static void test_too_long(void **state)
{
	char *json = arena_alloc(arena, KEYSTORE_JSON_MAX + 2);
	size_t len = strlen(ethers);

	(void)state;
	memset(json, ' ', KEYSTORE_JSON_MAX + 1);
	memcpy(json, ethers, len);
	assert_int_equal(open_with(json, "geheim"), KEYSTORE_E_MALFORMED);
	json[KEYSTORE_JSON_MAX] = 0;
	assert_holds(json, "geheim", ethers_secret);
}

/* What would take minutes or gigabytes is refused at once. */
static void test_costly(void **state)
{
	static const struct {
		const char *from, *to;
	} changes[] = {
		{ "\"n\":1024", "\"n\":1048576" },
		{ "\"n\":1024", "\"n\":4294967296" },
		{ "\"n\":1024", "\"n\":4611686018427387904" },
		{ "\"r\":8", "\"r\":8192" },
		{ "\"r\":8", "\"r\":9223372036854775807" },
		{ "\"p\":1", "\"p\":9" },
		{ "\"p\":1", "\"p\":9223372036854775807" },
		{ "\"kdf\":\"scrypt\",\"kdfparams\":{",
		  "\"kdf\":\"pbkdf2\",\"kdfparams\":{\"prf\":\"hmac-sha256\",\"c\":10000001," },
		{ "\"kdf\":\"scrypt\",\"kdfparams\":{",
		  "\"kdf\":\"pbkdf2\",\"kdfparams\":{\"prf\":\"hmac-sha256\",\"c\":4294967296," },
	};
	clock_t start = clock();

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(changes); i++)
		assert_int_equal(
			open_with(replaced(ethers, changes[i].from, changes[i].to), "geheim"),
			KEYSTORE_E_COSTLY);
	assert_true(clock() - start < CLOCKS_PER_SEC / 4);
}

static void test_every_digit_of_mac_counts(void **state)
{
	char *json = arena_text(arena, ethers, strlen(ethers));
	char *mac = strstr(json, "\"mac\":\"") + 7;

	(void)state;
	for (size_t i = 0; i < 64; i += 9) {
		char was = mac[i];

		mac[i] = was == '0' ? '1' : '0';
		assert_int_equal(open_with(json, "geheim"), KEYSTORE_E_PASSWORD);
		mac[i] = was;
	}
}

static void test_round_trip(void **state)
{
	_cleanup_(secp_key_freep) struct secp_key *key = NULL;
	uint8_t secret[SECP_SECRET_SIZE];
	char text[2 * SECP_SECRET_SIZE + 1];
	const char *json, *again, *id;

	(void)state;
	assert_int_equal(secp_key_generate(&random_system, &key), 0);
	secp_key_secret(key, secret);
	hex_encode(secret, sizeof(secret), text);
	assert_int_equal(keystore_encrypt(key, "p\xc3\xa4ss", 1024, &random_system, arena, &json),
			 0);
	assert_holds(json, "p\xc3\xa4ss", text);
	assert_null(strstr(json, text));
	assert_int_equal(open_with(json, "pass"), KEYSTORE_E_PASSWORD);
	id = strstr(json, "\"id\":\"");
	assert_non_null(id);
	assert_int_equal(id[6 + 14], '4');
	assert_non_null(memchr("89ab", id[6 + 19], 4));
	/* Nothing of one file is seen again in the next. */
	assert_int_equal(keystore_encrypt(key, "p\xc3\xa4ss", 1024, &random_system, arena, &again),
			 0);
	assert_string_not_equal(json, again);
}

static void test_unwritable(void **state)
{
	_cleanup_(secp_key_freep) struct secp_key *key = NULL;
	char password[KEYSTORE_PASSWORD_MAX + 2];
	const char *json;

	(void)state;
	assert_int_equal(secp_key_generate(&random_system, &key), 0);
	assert_int_equal(keystore_encrypt(key, "x", 512, &random_system, arena, &json), -EINVAL);
	assert_int_equal(keystore_encrypt(key, "x", 1025, &random_system, arena, &json), -EINVAL);
	assert_int_equal(keystore_encrypt(key, "x", 1 << 20, &random_system, arena, &json),
			 -EINVAL);
	memset(password, 'a', sizeof(password));
	password[KEYSTORE_PASSWORD_MAX + 1] = 0;
	assert_int_equal(keystore_encrypt(key, password, 1024, &random_system, arena, &json),
			 -EINVAL);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_official_pbkdf2), TEST(test_official_scrypt),
		TEST(test_other_writers),   TEST(test_passwords),
		TEST(test_malformed),       TEST(test_too_long),
		TEST(test_costly),          TEST(test_every_digit_of_mac_counts),
		TEST(test_round_trip),      TEST(test_unwritable),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
