#include "popw/summons.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static void make(struct hasher *hasher, struct summons *summons)
{
	*summons = (struct summons){
		.session = {
			.kind = SESSION_STANDBY,
			.device = SESSION_HOST,
			.flags = SESSION_HAS_MATRIX,
			.panel_size = 3,
			.work = { .k = 64, .n = 16, .m = 16, .rounds = 1, .open_tiles = 1 },
			.matrix_ms = 1000,
		},
		.port = 4711,
		.host = "host.example",
		.bandwidth_ms = 5000,
	};
	for (uint8_t i = 0; i < 3; i++)
		summons->members[i].bytes[0] = i + 1;
	session_panel_hash(hasher, summons->members, 3, &summons->session.panel);
}

static void comes_back(void **state _unused_)
{
	uint8_t bytes[SUMMONS_SIZE_MAX], again[SUMMONS_SIZE_MAX];
	struct summons summons, found;
	struct hasher *hasher;
	const char *detail = "";
	size_t len;

	assert_int_equal(hasher_new(&hasher), 0);
	make(hasher, &summons);
	len = summons_encode(&summons, bytes);
	assert_int_equal(len, SESSION_SIZE + 3 * 20 + 2 + 1 + strlen(summons.host) + 2);
	if (summons_decode(hasher, bytes, len, &found, &detail) != 0)
		fail_msg("%s", detail);
	assert_int_equal(found.port, 4711);
	assert_string_equal(found.host, "host.example");
	assert_int_equal(found.bandwidth_ms, 5000);
	assert_memory_equal(found.members, summons.members, sizeof(found.members));
	assert_int_equal(summons_encode(&found, again), len);
	assert_memory_equal(again, bytes, len);

	summons.port = summons.bandwidth_ms = 0;
	summons.host[0] = 0;
	len = summons_encode(&summons, bytes);
	assert_int_equal(summons_decode(hasher, bytes, len, &found, NULL), 0);
	hasher_free(hasher);
}

static int taken(struct hasher *hasher, const struct summons *summons)
{
	uint8_t bytes[SUMMONS_SIZE_MAX];
	struct summons found;

	return summons_decode(hasher, bytes, summons_encode(summons, bytes), &found, NULL);
}

static void what_does_not_hold_together_is_refused(void **state _unused_)
{
	uint8_t bytes[SUMMONS_SIZE_MAX + 1] = { 0 };
	struct summons summons, found;
	struct hasher *hasher;
	size_t len;

	assert_int_equal(hasher_new(&hasher), 0);
	make(hasher, &summons);
	len = summons_encode(&summons, bytes);
	for (size_t n = 0; n <= len + 1; n++)
		assert_int_equal(summons_decode(hasher, bytes, n, &found, NULL),
				 n == len ? 0 : SUMMONS_E_MALFORMED);
	summons.members[1].bytes[5] ^= 1;
	assert_int_equal(taken(hasher, &summons), SUMMONS_E_MALFORMED);
	make(hasher, &summons);
	summons.bandwidth_ms = 0;
	assert_int_equal(taken(hasher, &summons), SUMMONS_E_MALFORMED);
	make(hasher, &summons);
	summons.host[0] = 0;
	assert_int_equal(taken(hasher, &summons), SUMMONS_E_MALFORMED);
	make(hasher, &summons);
	summons.host[3] = '\n';
	assert_int_equal(taken(hasher, &summons), SUMMONS_E_MALFORMED);
	make(hasher, &summons);
	summons.session.panel_size = 0;
	assert_int_equal(taken(hasher, &summons), SUMMONS_E_MALFORMED);
	hasher_free(hasher);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(comes_back),
		cmocka_unit_test(what_does_not_hold_together_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
