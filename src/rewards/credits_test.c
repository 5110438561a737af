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

/* The published text gives what the records gave when it was written. */
static void from_the_text(void **state _unused_)
{
	struct epoch_credit *credits, *again;
	struct epoch_fault fault;
	struct payouts payouts;
	struct arena *arena;
	struct epoch epoch;
	size_t n, n_again, len;
	char *text;

	assert_int_equal(arena_new(8 << 20, &arena), 0);
	assert_int_equal(epoch_read(records, strlen(records), arena, &epoch, &fault), 0);
	assert_int_equal(epoch_settle(&epoch, arena, &payouts), 0);
	assert_int_equal(credits_of(&epoch, &payouts, arena, &credits, &n), 0);
	assert_int_equal(payouts_write(&epoch, &payouts, (const uint8_t[32]){ 1 }, &text, &len), 0);
	assert_int_equal(credits_read(text, len, arena, &again, &n_again), 0);
	assert_int_equal(n_again, n);
	for (size_t i = 0; i < n; i++) {
		assert_int_equal(again[i].kind, credits[i].kind);
		assert_true(address_equal(&again[i].account, &credits[i].account));
		assert_true(again[i].amount.units == credits[i].amount.units);
	}
	free(text);
	arena_free(arena);
}

static void no_such_text(void **state _unused_)
{
	static const char *const texts[] = {
		"",
		"end\n",
		"kaisar epoch payouts 1\n",
		"worker " A40 "1 " A40 "a 1 1 2\n",
		"worker " A40 "1 " A40 "a 1 1 2 3\nend\n",
		"worker " A40 "1 " A40 "a 1 2\nend\n",
		"worker " A40 "1 " A40 "g 1 1 2\nend\n",
		"worker " A40 "1 " A40 "a 1 1 02\nend\n",
		"delegator " A40 "c 1\nend\n",
		"worker " A40 "1 " A40 "a 1 1 2\nepoch 7\nend\n",
		"worker " A40 "1 " A40 "a 1 1 2\n\nend\n",
		"worker " A40 "1 " A40 "a 1 1 2\nend\nend\n",
		"kaisar epoch payouts 1\nbonus 7\nend\n",
	};
	struct epoch_credit *credits;
	struct arena *arena;
	size_t n;

	assert_int_equal(arena_new(1 << 20, &arena), 0);
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
		if (credits_read(texts[i], strlen(texts[i]), arena, &credits, &n) != -EINVAL)
			fail_msg("taken: %s", texts[i]);
	arena_free(arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(owners_and_delegators),
					    cmocka_unit_test(from_the_text),
					    cmocka_unit_test(no_such_text) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
