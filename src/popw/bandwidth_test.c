#include "popw/bandwidth.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static const uint8_t key[BANDWIDTH_KEY_SIZE] = { 1, 2, 3 };

static void messages_have_their_layout(void **state _unused_)
{
	uint8_t bytes[BANDWIDTH_HELLO_SIZE], answered[BANDWIDTH_ANSWER_SIZE];
	uint8_t again[BANDWIDTH_HELLO_SIZE];
	struct bandwidth_answer answer;
	struct bandwidth_hello hello;

	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)i;
	memcpy(bytes + 16, "\x1f\0\0\0", 4);
	assert_int_equal(bandwidth_hello_decode(bytes, sizeof(bytes), &hello), 0);
	assert_int_equal(hello.session.bytes[15], 15);
	assert_int_equal(hello.member, 31);
	assert_int_equal(hello.nonce[0], 20);
	bandwidth_hello_encode(&hello, again);
	assert_memory_equal(again, bytes, sizeof(bytes));
	assert_int_equal(bandwidth_hello_decode(bytes, sizeof(bytes) - 1, &hello),
			 BANDWIDTH_E_MALFORMED);
	bytes[16] = SESSION_PANEL_MAX;
	assert_int_equal(bandwidth_hello_decode(bytes, sizeof(bytes), &hello),
			 BANDWIDTH_E_MALFORMED);

	memcpy(answered, bytes, sizeof(answered));
	assert_int_equal(bandwidth_answer_decode(answered, sizeof(answered), &answer), 0);
	assert_int_equal(answer.bytes, 0x0706050403020100);
	assert_int_equal(answer.hash.bytes[31], 39);
	bandwidth_answer_encode(&answer, again);
	assert_memory_equal(again, answered, sizeof(answered));
	assert_int_equal(bandwidth_answer_decode(answered, 41, &answer), BANDWIDTH_E_MALFORMED);
}

static void only_the_next_bytes_count(void **state _unused_)
{
	static uint8_t first[BANDWIDTH_CHUNK], second[BANDWIDTH_CHUNK];
	struct bandwidth_stream worker, member, other;

	bandwidth_stream_init(&worker, key, 3);
	bandwidth_stream_init(&member, key, 3);
	bandwidth_stream_init(&other, key, 4);
	bandwidth_next(&worker, first);
	bandwidth_next(&worker, second);
	assert_int_equal(bandwidth_check(&member, first, sizeof(first)), 0);
	assert_int_equal(bandwidth_check(&member, second, sizeof(second)), 0);
	assert_int_equal(bandwidth_check(&other, first, sizeof(first)), BANDWIDTH_E_MALFORMED);

	bandwidth_stream_init(&member, key, 3);
	assert_int_equal(bandwidth_check(&member, second, sizeof(second)), BANDWIDTH_E_MALFORMED);
	bandwidth_stream_init(&member, key, 3);
	assert_int_equal(bandwidth_check(&member, first, 4096), BANDWIDTH_E_MALFORMED);
	first[sizeof(first) - 1] ^= 1;
	assert_int_equal(bandwidth_check(&member, first, sizeof(first)), BANDWIDTH_E_MALFORMED);
}

/* However they are cut, the same bytes give the same answer. */
static void equal_counts_are_equal_bytes(void **state _unused_)
{
	struct bandwidth_count given, taken;
	struct bandwidth_answer a, b;

	assert_int_equal(bandwidth_count_init(&given), 0);
	assert_int_equal(bandwidth_count_init(&taken), 0);
	bandwidth_count_add(&given, "abcdef", 6);
	bandwidth_count_add(&taken, "abc", 3);
	bandwidth_count_add(&taken, "def", 3);
	bandwidth_count_end(&given, &a);
	bandwidth_count_end(&taken, &b);
	assert_true(bandwidth_answer_equal(&a, &b));
	assert_int_equal(a.bytes, 6);
	b.hash.bytes[0] ^= 1;
	assert_false(bandwidth_answer_equal(&a, &b));
	b = a;
	b.bytes++;
	assert_false(bandwidth_answer_equal(&a, &b));
	bandwidth_count_done(&given);
	bandwidth_count_done(&taken);
}

static void rates_are_kilobits(void **state _unused_)
{
	assert_int_equal(bandwidth_kbps(125000000, 1000000), 1000000);
	assert_int_equal(bandwidth_kbps(UINT64_MAX, 1), UINT32_MAX);
	assert_int_equal(bandwidth_kbps(5, 0), 0);
	assert_int_equal(bandwidth_limit_ms(5000), 6000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(messages_have_their_layout),
		cmocka_unit_test(only_the_next_bytes_count),
		cmocka_unit_test(equal_counts_are_equal_bytes),
		cmocka_unit_test(rates_are_kilobits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
