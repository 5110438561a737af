#include "base/keccak.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#include "base/codec.h"

static void check(const void *bytes, size_t len, const char *expected)
{
	uint8_t digest[32];
	char text[65];

	keccak256(bytes, len, digest);
	hex_encode(digest, sizeof(digest), text);
	assert_string_equal(text, expected);
}

/* The Keccak team's and Ethereum's known answers. */
static void known_answers(void **state _unused_)
{
	check("", 0, "c5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470");
	check("abc", 3, "4e03657aea45a94fc7d47ba826c8d667c0d1e6e33a64a036ec44f58fa12d6c45");
	check("hello", 5, "1c8aff950685c2ed4bc3174f3472287b56d9517b9c948127319a09a7a36deac8");
}

/* Around the block size the padding takes another path; each length must differ from its
 * neighbours, and one byte from its absence. */
static void block_edges(void **state _unused_)
{
	uint8_t bytes[300] = { 0 }, digest[32], before[32] = { 0 };

	for (size_t len = 130; len <= 275; len++) {
		keccak256(bytes, len, digest);
		assert_memory_not_equal(digest, before, sizeof(digest));
		memcpy(before, digest, sizeof(before));
	}
	memset(bytes, 0xa3, 200);
	check(bytes, 200, "3a57666b048777f2c953dc4456f45a2588e1cb6f2da760122d530ac2ce607d4a");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(known_answers),
		cmocka_unit_test(block_edges),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
