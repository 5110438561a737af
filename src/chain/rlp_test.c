#include "chain/rlp.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static void assert_wrote(const struct rlp_writer *writer, const char *expected, size_t expected_len)
{
	size_t len;

	assert_int_equal(rlp_end(writer, &len), 0);
	assert_int_equal(len, expected_len);
	assert_memory_equal(writer->bytes, expected, len);
}

#define assert_rlp(writer, literal) assert_wrote(writer, literal, sizeof(literal) - 1)

/* Ethereum's own examples. */
static void known_strings(void **state _unused_)
{
	uint8_t buffer[128];
	struct rlp_writer writer;

	writer = rlp_begin(buffer, sizeof(buffer));
	rlp_bytes(&writer, "dog", 3);
	assert_rlp(&writer, "\x83"
			    "dog");
	writer = rlp_begin(buffer, sizeof(buffer));
	rlp_bytes(&writer, "", 0);
	rlp_u64(&writer, 0);
	rlp_bytes(&writer, "\0", 1);
	rlp_u64(&writer, 15);
	rlp_u64(&writer, 1024);
	assert_rlp(&writer, "\x80\x80\0\x0f\x82\x04\0");
	writer = rlp_begin(buffer, sizeof(buffer));
	rlp_bytes(&writer, "Lorem ipsum dolor sit amet, consectetur adipisicing elit", 56);
	assert_rlp(&writer, "\xb8\x38"
			    "Lorem ipsum dolor sit amet, consectetur adipisicing elit");
}

static void put_empty_list(struct rlp_writer *writer)
{
	rlp_list_end(writer, rlp_list_begin(writer));
}

static void known_lists(void **state _unused_)
{
	uint8_t buffer[128];
	struct rlp_writer writer = rlp_begin(buffer, sizeof(buffer));
	size_t all, two, one;

	all = rlp_list_begin(&writer);
	rlp_bytes(&writer, "cat", 3);
	rlp_bytes(&writer, "dog", 3);
	rlp_list_end(&writer, all);
	assert_rlp(&writer, "\xc8\x83"
			    "cat\x83"
			    "dog");
	/* [ [], [[]], [ [], [[]] ] ] */
	writer = rlp_begin(buffer, sizeof(buffer));
	all = rlp_list_begin(&writer);
	put_empty_list(&writer);
	one = rlp_list_begin(&writer);
	put_empty_list(&writer);
	rlp_list_end(&writer, one);
	two = rlp_list_begin(&writer);
	put_empty_list(&writer);
	one = rlp_list_begin(&writer);
	put_empty_list(&writer);
	rlp_list_end(&writer, one);
	rlp_list_end(&writer, two);
	rlp_list_end(&writer, all);
	assert_rlp(&writer, "\xc7\xc0\xc1\xc0\xc3\xc0\xc1\xc0");
}

/* A buffer of just the size is enough; any smaller one is refused, and nothing is written past it. */
static void small_buffers(void **state _unused_)
{
	for (size_t size = 0; size <= 62; size++) {
		uint8_t *buffer = malloc(size + !size), sixty[59] = { 0 };
		struct rlp_writer writer = rlp_begin(buffer, size);
		size_t list = rlp_list_begin(&writer), len;

		rlp_bytes(&writer, sixty, sizeof(sixty) - 1);
		rlp_list_end(&writer, list);
		assert_int_equal(rlp_end(&writer, &len), size < 62 ? -ENOSPC : 0);
		free(buffer);
	}
}

static void reads_what_was_written(void **state _unused_)
{
	uint8_t buffer[4096], bytes[1500], read[20];
	struct rlp_writer writer = rlp_begin(buffer, sizeof(buffer));
	struct u256 most = { { UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX } }, wide;
	size_t list = rlp_list_begin(&writer), len;
	struct rlp_reader reader, items;
	const uint8_t *back;
	uint64_t number;

	memset(bytes, 0xab, sizeof(bytes));
	rlp_bytes(&writer, bytes, sizeof(bytes));
	rlp_u256(&writer, most);
	rlp_u64(&writer, 128);
	rlp_bytes(&writer, bytes, 20);
	rlp_list_end(&writer, list);
	assert_int_equal(rlp_end(&writer, &len), 0);
	reader = (struct rlp_reader){ buffer, len };
	assert_int_equal(rlp_read_bytes(&reader, &back, &len), RLP_E_MALFORMED);
	assert_int_equal(rlp_read_list(&reader, &items), 0);
	assert_true(rlp_at_end(&reader));
	assert_int_equal(rlp_read_list(&items, &reader), RLP_E_MALFORMED);
	assert_int_equal(rlp_read_bytes(&items, &back, &len), 0);
	assert_int_equal(len, sizeof(bytes));
	assert_memory_equal(back, bytes, len);
	assert_int_equal(rlp_read_u64(&items, &number), RLP_E_MALFORMED);
	assert_int_equal(rlp_read_u256(&items, &wide), 0);
	assert_int_equal(u256_compare(&wide, &most), 0);
	assert_int_equal(rlp_read_u64(&items, &number), 0);
	assert_int_equal(number, 128);
	assert_int_equal(rlp_read_exactly(&items, read, 19), RLP_E_MALFORMED);
	assert_int_equal(rlp_read_exactly(&items, read, 20), 0);
	assert_true(rlp_at_end(&items));
	assert_int_equal(rlp_read_bytes(&items, &back, &len), RLP_E_MALFORMED);
}

/* Another spelling of what has one, and what is cut. */
static void refused(void **state _unused_)
{
	static const struct {
		const char *bytes;
		size_t len;
	} bad[] = {
		{ "\x81\x7f", 2 }, /* is its own byte */
		{ "\x81", 1 },
		{ "\x83"
		  "do",
		  3 },
		{ "\xb8", 1 },
		{ "\xb8\x01\xff", 3 }, /* fits the short form */
		{ "\xb9\0\x38", 3 }, /* a leading zero */
		{ "\xbf\xff\xff\xff\xff\xff\xff\xff\xff", 9 },
	};
	static const struct {
		const char *bytes;
		size_t len;
	} bad_lists[] = {
		{ "\xc1", 1 },
		{ "\xf8\x01\x80", 3 },
		{ "\xff\xff\xff\xff\xff\xff\xff\xff\xff", 9 },
		{ "\xf9\0\x38", 3 },
	};
	struct rlp_reader items;
	const uint8_t *bytes;
	struct u256 value;
	size_t len;

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct rlp_reader reader = { (const uint8_t *)bad[i].bytes, bad[i].len };

		assert_int_equal(rlp_read_bytes(&reader, &bytes, &len), RLP_E_MALFORMED);
		assert_int_equal(reader.left, bad[i].len);
	}
	for (size_t i = 0; i < ARRAY_SIZE(bad_lists); i++) {
		struct rlp_reader reader = { (const uint8_t *)bad_lists[i].bytes,
					     bad_lists[i].len };

		assert_int_equal(rlp_read_list(&reader, &items), RLP_E_MALFORMED);
	}
	assert_int_equal(rlp_read_u256(&(struct rlp_reader){ (const uint8_t *)"\0", 1 }, &value),
			 RLP_E_MALFORMED);
	assert_int_equal(
		rlp_read_u256(&(struct rlp_reader){ (const uint8_t *)"\x82\0\x01", 3 }, &value),
		RLP_E_MALFORMED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(known_strings), cmocka_unit_test(known_lists),
		cmocka_unit_test(small_buffers), cmocka_unit_test(reads_what_was_written),
		cmocka_unit_test(refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
