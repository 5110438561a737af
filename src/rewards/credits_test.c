#include "rewards/credits.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "rewards/epoch_text.h"

/* The example of docs/rewards.md, but that one owner has both checkers. */
#define A40 "0x000000000000000000000000000000000000000"
static const char records[] =
	"kaisar epoch records 1\nepoch 7\nworker_total 1001\nchecker_total 1000\nratio_bp 3000\n"
	"commission_bp 1000\nmax_stake 1000\n"
	"worker " A40 "1 " A40 "a 3600 3600 0 100 100 16 750 1000 64 ok\n"
	"worker " A40 "2 " A40 "b 7200 0 1000 100 100 16 750 1000 64 ok\n"
	"delegator " A40 "c 1\ndelegator " A40 "d 2\n"
	"worker " A40 "3 " A40 "a 7200 7200 1000 100 100 16 750 1000 64 banned\n"
	"checker " A40 "4 " A40 "a 2000 450 50 ok\ndelegator " A40 "c 2000\n"
	"checker " A40 "5 " A40 "a 1000 90 0 ok\nend\n";

static void owners_and_delegators(void **state _unused_)
{
	static const struct {
		enum epoch_credit_kind kind;
		uint8_t account;
		int64_t units;
	} expected[] = {
		{ CREDIT_LIQUID, 0xa, 440 }, { CREDIT_LIQUID, 0xb, 505 },
		{ CREDIT_LIQUID, 0xc, 19 },  { CREDIT_LIQUID, 0xd, 37 },
		{ CREDIT_VESTED, 0xa, 910 }, { CREDIT_VESTED, 0xc, 90 },
	};
	struct epoch_credit *credits;
	struct epoch_fault fault;
	struct payouts payouts;
	struct arena *arena;
	struct epoch epoch;
	size_t n;

	assert_int_equal(arena_new(8 << 20, &arena), 0);
	assert_int_equal(epoch_read(records, strlen(records), arena, &epoch, &fault), 0);
	assert_int_equal(epoch_settle(&epoch, arena, &payouts), 0);
	assert_int_equal(credits_of(&epoch, &payouts, arena, &credits, &n), 0);
	assert_int_equal(n, ARRAY_SIZE(expected));
	for (size_t i = 0; i < n; i++) {
		assert_int_equal(credits[i].kind, expected[i].kind);
		assert_int_equal(credits[i].account.bytes[19], expected[i].account);
		assert_true(credits[i].amount.units == (unsigned __int128)expected[i].units);
	}
	arena_free(arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(owners_and_delegators) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
