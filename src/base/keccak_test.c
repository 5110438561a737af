#include "base/keccak.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#include "base/codec.h"
#include "base/keccak_levels.h"
#include "base/random.h"

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

enum { N = 21, LEN_MAX = 3 * KECCAK_RATE + 1 };

/* What is hashed together is what is hashed alone, bit for bit. */
static void assert_each(const uint8_t *messages, size_t len,
			size_t (*each)(const uint8_t *, size_t, size_t, uint8_t *), size_t at_least)
{
	uint8_t digests[N][KECCAK_SIZE], alone[KECCAK_SIZE];
	size_t done = each(messages, len, N, digests[0]);

	assert_in_range(done, at_least, N);
	for (size_t i = 0; i < done; i++) {
		keccak256(messages + i * len, len, alone);
		assert_memory_equal(digests[i], alone, sizeof(alone));
	}
}

static size_t each(const uint8_t *messages, size_t len, size_t n, uint8_t *ret_digests)
{
	keccak256_each(messages, len, n, ret_digests);
	return n;
}

static void together_as_alone(void **state _unused_)
{
	static uint8_t messages[N * LEN_MAX];
	struct random_seeded seeded;

	random_seeded_init(&seeded, 1600);
	assert_int_equal(random_fill(&seeded.random, messages, sizeof(messages)), 0);
	for (size_t len = 0; len <= LEN_MAX; len++) {
		assert_each(messages, len, each, N);
#if defined(__x86_64__)
		if (__builtin_cpu_supports("avx2"))
			assert_each(messages, len, keccak256_each_avx2, N - N % 4);
		if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl"))
			assert_each(messages, len, keccak256_each_avx512, N - N % 8);
#endif
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(known_answers),
		cmocka_unit_test(block_edges),
		cmocka_unit_test(together_as_alone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
