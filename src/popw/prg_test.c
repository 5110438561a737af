#include "popw/prg.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#include "popw/chacha.h"
#include "popw/level_world.h"

static const struct prg_key key = { { 1, 0x80000000, 3, 0xffffffff, 5, 6, 0xdeadbeef, 8 } };

/* The first block of ChaCha8 with a key and a nonce of zeros: draft-strombergson-chacha-test-vectors, TC1. */
static void check_published_block(void)
{
	static const uint8_t expected[PRG_BLOCK] = {
		0x3e, 0x00, 0xef, 0x2f, 0x89, 0x5f, 0x40, 0xd6, 0x7f, 0x5b, 0xb8, 0xe8, 0x1f,
		0x09, 0xa5, 0xa1, 0x2c, 0x84, 0x0e, 0xc3, 0xce, 0x9a, 0x7f, 0x3b, 0x18, 0x1b,
		0xe1, 0x88, 0xef, 0x71, 0x1a, 0x1e, 0x98, 0x4c, 0xe1, 0x72, 0xb9, 0x21, 0x6f,
		0x41, 0x9f, 0x44, 0x53, 0x67, 0x45, 0x6d, 0x56, 0x19, 0x31, 0x4a, 0x42, 0xa3,
		0xda, 0x86, 0xb0, 0x01, 0x38, 0x7b, 0xfd, 0xb8, 0x0e, 0x0c, 0xfe, 0x42,
	};
	uint8_t zeros[32] = {}, row[40 * PRG_BLOCK];
	struct prg_key zero_key;

	prg_key_from(zeros, &zero_key);
	prg_row(&zero_key, 0, 0, 0, 0, row, sizeof(row));
	assert_memory_equal(row, expected, sizeof(expected));
}

static void test_published_block(void **state)
{
	(void)state;
	at_every_level(check_published_block);
}

/* What the header says, word for word. */
static void block_by_the_book(uint32_t counter, uint32_t round, uint32_t tag, uint32_t row,
			      uint32_t ret_block[CHACHA_WORDS])
{
	uint32_t words[CHACHA_WORDS];

	chacha_begin(&key, words);
	words[12] = counter;
	words[13] = round;
	words[14] = tag;
	words[15] = row;
	chacha_core(words, 4, ret_block);
}

/* Every count of blocks up to several vectors, at odd addresses, from odd counters, nothing written around. */
static void check_lengths(void)
{
	uint8_t bytes[72 * PRG_BLOCK];
	uint32_t block[CHACHA_WORDS];

	for (size_t blocks = 0; blocks <= 67; blocks++) {
		uint8_t *row = bytes + 1 + blocks % 63;
		uint32_t counter = (uint32_t)(blocks * 7);

		memset(bytes, 0xee, sizeof(bytes));
		prg_row(&key, PRG_B, 77, 3, (uint64_t)counter * PRG_BLOCK, row, blocks * PRG_BLOCK);
		for (uint32_t i = 0; i < blocks; i++) {
			block_by_the_book(counter + i, 3, PRG_B, 77, block);
			assert_memory_equal(row + (size_t)i * PRG_BLOCK, block, PRG_BLOCK);
		}
		assert_int_equal(row[-1], 0xee);
		assert_int_equal(row[blocks * PRG_BLOCK], 0xee);
	}
}

static void test_lengths(void **state)
{
	(void)state;
	at_every_level(check_lengths);
}

/* Up to the last block of a row. */
static void check_far_offsets(void)
{
	uint8_t bytes[40 * PRG_BLOCK];
	uint32_t block[CHACHA_WORDS];
	uint64_t offset = (1ull << 38) - sizeof(bytes);

	prg_row(&key, PRG_BANDWIDTH, UINT32_MAX, UINT32_MAX, offset, bytes, sizeof(bytes));
	for (uint32_t i = 0; i < 40; i++) {
		block_by_the_book(UINT32_MAX - 39 + i, UINT32_MAX, PRG_BANDWIDTH, UINT32_MAX,
				  block);
		assert_memory_equal(bytes + (size_t)i * PRG_BLOCK, block, PRG_BLOCK);
	}
}

static void test_far_offsets(void **state)
{
	(void)state;
	at_every_level(check_far_offsets);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_published_block),
		cmocka_unit_test(test_lengths),
		cmocka_unit_test(test_far_offsets),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
