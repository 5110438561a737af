#include "base/sha1.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#include "base/codec.h"

static void check(const void *bytes, size_t len, const char *expected)
{
	uint8_t digest[20];
	char text[41];

	sha1(bytes, len, digest);
	hex_encode(digest, sizeof(digest), text);
	assert_string_equal(text, expected);
}

/* RFC 3174 section 7.3, and the handshake of RFC 6455 section 1.3. */
static void known_answers(void **state _unused_)
{
	check("", 0, "da39a3ee5e6b4b0d3255bfef95601890afd80709");
	check("abc", 3, "a9993e364706816aba3e25717850c26c9cd0d89d");
	check("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq", 56,
	      "84983e441c3bd26ebaae4aa1f95129e5e54670f1");
	check("dGhlIHNhbXBsZSBub25jZQ==258EAFA5-E914-47DA-95CA-C5AB0DC85B11", 60,
	      "b37a4f2cc0624f1690f64606cf385945b2bec4ea");
}

/* Around the block's size the padding takes another path. */
static void block_edges(void **state _unused_)
{
	char bytes[128];

	memset(bytes, 'a', sizeof(bytes));
	check(bytes, 55, "c1c8bbdc22796e28c0e15163d20899b65621d65a");
	check(bytes, 63, "03f09f5b158a7a8cdad920bddc29b81c18a551f5");
	check(bytes, 64, "0098ba824b5c16427bd7a1122a5a442a25ec644d");
	check(bytes, 120, "f34c1488385346a55709ba056ddd08280dd4c6d6");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(known_answers),
		cmocka_unit_test(block_edges),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
