#include "popw/item.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#include "popw/chacha.h"
#include "popw/level_world.h"

enum { ITEMS = 37 };

static const struct prg_key key = { { 11, 22, 0x80000000, 44, 0xffffffff, 66, 77, 88 } };

/* What the header says, word for word. */
static void item_by_the_book(uint32_t double_rounds, uint32_t index, struct item *ret_item)
{
	for (uint32_t lane = 0; lane < ITEM_LANES; lane++) {
		uint32_t words[CHACHA_WORDS];

		chacha_begin(&key, words);
		words[12] = index;
		words[13] = lane;
		words[14] = PRG_ITEM;
		words[15] = 0;
		chacha_core(words, double_rounds, ret_item->words + CHACHA_WORDS * lane);
	}
}

static void check_fill(void)
{
	static const uint32_t double_rounds[] = { 1, 2, 13, 256 };
	struct item items[ITEMS + 1], expected, untouched;

	memset(&untouched, 0xee, sizeof(untouched));
	for (size_t r = 0; r < ARRAY_SIZE(double_rounds); r++) {
		for (size_t n = 0; n <= ITEMS; n++) {
			uint32_t first = (uint32_t)(n * 1000);

			items[n] = untouched;
			item_fill(&key, double_rounds[r], first, n, items);
			for (uint32_t i = 0; i < n; i++) {
				item_by_the_book(double_rounds[r], first + i, &expected);
				assert_memory_equal(&items[i], &expected, ITEM_BYTES);
			}
			assert_memory_equal(&items[n], &untouched, ITEM_BYTES);
		}
	}
}

static void test_fill(void **state)
{
	(void)state;
	at_every_level(check_fill);
}

/* Any order, the same twice, the last there can be. */
static void check_gather(void)
{
	uint32_t indices[ITEMS] = { 5, 5, 0, UINT32_MAX, 1 };
	struct item items[ITEMS], expected;
	uint64_t random = 1;

	for (size_t i = 5; i < ITEMS; i++)
		indices[i] = (uint32_t)next_random(&random);
	for (size_t n = 0; n <= ITEMS; n++) {
		memset(items, 0, sizeof(items));
		item_gather(&key, 3, indices, n, items);
		for (size_t i = 0; i < n; i++) {
			item_by_the_book(3, indices[i], &expected);
			assert_memory_equal(&items[i], &expected, ITEM_BYTES);
		}
	}
}

static void test_gather(void **state)
{
	(void)state;
	at_every_level(check_gather);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_fill),
		cmocka_unit_test(test_gather),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
