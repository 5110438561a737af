#include "popw/session.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#include "base/codec.h"

/* The session of session_test.c, members 0, 2 and 31, each with a nonce of its own number. All values by
 * Python's hashlib and a ChaCha of twenty lines. */
static const char session_hex[] =
	"504f5057010101030008070605040302011817161514131211a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1"
	"a1a1a1a1a1a1a1a1a1a1a1a1a1a1a12827262524232221a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a3a3a3"
	"a3a3a3a3a3a3a3a3a3a3a3a3a3a3a3a3a3a4a4a4a4a4a4a4a4a4a4a4a4a4a4a4a4a4a4a4a4a5a5a5a5a5"
	"a5a5a5a5a5a5a5a5a5a5a5323103000f6666660500040000010000023900000001000020000000200000"
	"8f0040003f00204e000010270000e02e0000a6a6a6a6a6a6a6a6a6a6a6a6a6a6a6a6a6a6a6a6a6a6a6a6"
	"a6a6a6a6a6a6a6a6a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7"
	"a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7";

static const struct hash ones = { { 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1,
				    1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1 } };
static const struct hash twos = { { 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2,
				    2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2 } };

static int setup(void **state)
{
	struct hasher *hasher = NULL;

	assert_int_equal(hasher_new(&hasher), 0);
	*state = hasher;
	return 0;
}

static int teardown(void **state)
{
	hasher_free(*state);
	return 0;
}

static struct nonces example_nonces(void)
{
	struct nonces nonces = { .set = 0x80000005 };

	for (int i = 0; i < SESSION_PANEL_MAX; i++)
		memset(nonces.bytes[i], i, SESSION_NONCE_SIZE);
	return nonces;
}

static void assert_seed(const struct hash *seed, const char *expected)
{
	char hex[2 * HASH_SIZE + 1];

	hex_encode(seed->bytes, HASH_SIZE, hex);
	assert_string_equal(hex, expected);
}

static struct session example_session(void)
{
	uint8_t bytes[SESSION_SIZE];
	struct session session;

	assert_int_equal(hex_decode(session_hex, strlen(session_hex), bytes, sizeof(bytes)), 0);
	assert_int_equal(session_decode(bytes, sizeof(bytes), &session, NULL), 0);
	return session;
}

static void first_seeds_take_the_whole_session(void **state)
{
	struct nonces nonces = example_nonces();
	struct session session = example_session();
	struct hash seed;

	seed_data(*state, &session, &nonces, &seed);
	assert_seed(&seed, "7cd8b3c5d19b1b1533ccaa3389103d326e71aa9e4ffce3e79dd6567900c62e6c");
	seed_matrix(*state, &session, &twos, &ones, &nonces, &seed);
	assert_seed(&seed, "dc2243b878457f9e0fd242d8a3e5326e9d7999edd227e5226f5b6a54d6cc2202");
}

static void seeds_follow_from_seeds(void **state)
{
	struct nonces nonces = example_nonces();
	struct hash seed;

	seed_walk(*state, &ones, &nonces, &seed);
	assert_seed(&seed, "b6315de90a48687023b546c732f4713b711712e34f57e1b10c92cb8b4c76372a");
	seed_round(*state, &ones, &twos, &seed);
	assert_seed(&seed, "31a136dd8548149a2e11b36d1d73522aae84dbdbd6341f8e8191f4a7ee1efdd9");
	seed_opening(*state, &ones, &twos, &nonces, &seed);
	assert_seed(&seed, "3417b13880610e988bf2474548ccea40ed94b6c08ab3457778b268f14664cb6a");
}

static void opens_places_at_random(void **state _unused_)
{
	static const uint32_t places[][5] = {
		{ 0, 44435, 50, 355480, 126 },
		{ 1, 15295, 3, 122360, 8 },
		{ 127, 49589, 15, 396719, 38 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
		uint32_t first, second;

		opening_place(&ones, places[i][0], 65536, 57, &first, &second);
		assert_int_equal(first, places[i][1]);
		assert_int_equal(second, places[i][2]);
		opening_place(&ones, places[i][0], 1 << 19, 143, &first, &second);
		assert_int_equal(first, places[i][3]);
		assert_int_equal(second, places[i][4]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(first_seeds_take_the_whole_session),
		cmocka_unit_test(seeds_follow_from_seeds),
		cmocka_unit_test(opens_places_at_random),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
