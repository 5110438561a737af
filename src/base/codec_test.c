#include "base/codec.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#include "base/random.h"

static void round_trips(void **state _unused_)
{
	struct random_seeded seeded;

	random_seeded_init(&seeded, 7);
	for (size_t len = 0; len < 200; len++) {
		uint8_t bytes[200], back[200];
		char text[512];
		size_t n;

		assert_int_equal(random_fill(&seeded.random, bytes, len), 0);
		hex_encode(bytes, len, text);
		assert_int_equal(hex_decode(text, strlen(text), back, len), 0);
		assert_memory_equal(bytes, back, len);
		base64url_encode(bytes, len, text);
		assert_int_equal(strlen(text), base64url_size(len));
		assert_int_equal(base64url_decode(text, strlen(text), back, sizeof(back), &n), 0);
		assert_int_equal(n, len);
		assert_memory_equal(bytes, back, len);
	}
	for (int i = 0; i < 1000; i++) {
		uint8_t id[16], back[16];
		char text[BASE32_ID_LEN + 1];

		assert_int_equal(random_fill(&seeded.random, id, sizeof(id)), 0);
		base32_id_encode(id, text);
		assert_int_equal(base32_id_decode(text, strlen(text), back), 0);
		assert_memory_equal(id, back, sizeof(id));
	}
}

static void one_spelling_only(void **state _unused_)
{
	static const char *const bad[] = {
		"A", "AAAAA", "AB==", "A+AA", "A/AA", "AA A", "AB", "AAB"
	};
	uint8_t bytes[16];
	size_t n;

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_int_equal(base64url_decode(bad[i], strlen(bad[i]), bytes, sizeof(bytes), &n),
				 -EINVAL);
	assert_int_equal(base64url_decode("AAAA", 4, bytes, 2, &n), -ENOSPC);
	assert_int_equal(hex_decode("0", 1, bytes, 1), -EINVAL);
	assert_int_equal(hex_decode("0g", 2, bytes, 1), -EINVAL);
	assert_int_equal(hex_decode("00", 2, bytes, 2), -EINVAL);
	/* 130 bits: the first digit may only be 0 to 7; upper case and look-alikes are other ids. */
	assert_int_equal(base32_id_decode("80000000000000000000000000", 26, bytes), -EINVAL);
	assert_int_equal(base32_id_decode("0000000000000000000000000A", 26, bytes), -EINVAL);
	assert_int_equal(base32_id_decode("0000000000000000000000000o", 26, bytes), -EINVAL);
	assert_int_equal(base32_id_decode("0000000000000000000000000", 25, bytes), -EINVAL);
	assert_int_equal(base32_id_decode("7zzzzzzzzzzzzzzzzzzzzzzzzz", 26, bytes), 0);
}

static void known_answers(void **state _unused_)
{
	char text[32];

	/* RFC 4648, section 10, in base64url without padding. */
	base64url_encode("foobar", 6, text);
	assert_string_equal(text, "Zm9vYmFy");
	base64url_encode("fooba", 5, text);
	assert_string_equal(text, "Zm9vYmE");
	base64url_encode("\xfb\xff", 2, text);
	assert_string_equal(text, "-_8");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(round_trips),
		cmocka_unit_test(one_spelling_only),
		cmocka_unit_test(known_answers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
