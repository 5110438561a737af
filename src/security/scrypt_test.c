#include "security/scrypt.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#include "base/codec.h"

static void assert_derives(const char *password, const char *salt, struct scrypt_cost cost,
			   const char *expected)
{
	uint8_t key[SCRYPT_KEY_SIZE];
	char text[2 * SCRYPT_KEY_SIZE + 1];

	assert_int_equal(scrypt_derive(password, (const uint8_t *)salt, strlen(salt), &cost, key),
			 0);
	hex_encode(key, sizeof(key), text);
	assert_string_equal(text, expected);
}

/* RFC 7914, section 12: the first half of its 64 bytes. */
static void test_rfc_vectors(void **state)
{
	(void)state;
	assert_derives("", "", (struct scrypt_cost){ 16, 1, 1 },
		       "77d6576238657b203b19ca42c18a0497f16b4844e3074ae8dfdffa3fede21442");
	assert_derives("password", "NaCl", (struct scrypt_cost){ 1024, 8, 16 },
		       "fdbabe1c9d3472007856e7190d01e9fe7c6ad7cbc8237830e77376634b373162");
}

/* Past the RFC's n < 2^(16 r), which OpenSSL refuses: the example of the Web3 Secret Storage
 * Definition, with the key that it states. */
static void test_past_the_rfc(void **state)
{
	static const char expected[] =
		"fac192ceb5fd772906bea3e118a69e8bbb5cc24229e20d8766fd298291bba6bd";
	const struct scrypt_cost cost = { 262144, 1, 8 };
	uint8_t salt[32], key[SCRYPT_KEY_SIZE];
	char text[2 * SCRYPT_KEY_SIZE + 1];

	(void)state;
	assert_int_equal(
		hex_decode("ab0c7876052600dd703518d6fc3fe8984592145b591fc8fb5c6d43190334ba19", 64,
			   salt, sizeof(salt)),
		0);
	assert_int_equal(scrypt_derive("testpassword", salt, sizeof(salt), &cost, key), 0);
	hex_encode(key, sizeof(key), text);
	assert_string_equal(text, expected);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rfc_vectors),
		cmocka_unit_test(test_past_the_rfc),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
