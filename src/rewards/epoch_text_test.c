#include "rewards/epoch_text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#include "rewards/epoch_fixture.h"

static struct arena *arena;

static void example_of_the_document(void **state _unused_)
{
	_cleanup_(freep) char *payouts = NULL;
	struct epoch_fault fault;
	size_t len;

	assert_int_equal(
		epoch_recompute(epoch_example, strlen(epoch_example), &payouts, &len, &fault), 0);
	assert_int_equal(strlen(payouts), len);
	assert_ptr_equal(strstr(payouts, "kaisar epoch payouts 1\nepoch 7\nrecords "), payouts);
	assert_string_equal(strstr(payouts, "capacity"), epoch_example_payouts);
}

static void text_and_back(void **state _unused_)
{
	static struct epoch_fixture fixture;
	struct random_seeded seeded;

	random_seeded_init(&seeded, 5);
	for (int i = 0; i < 200; i++) {
		_cleanup_(freep) char *text = NULL, *again = NULL;
		struct epoch_fault fault = { "" };
		size_t len, again_len;
		struct epoch epoch;

		arena_reset(arena);
		epoch_fixture_fill(&seeded.random, &fixture);
		assert_int_equal(epoch_write(&fixture.epoch, &text, &len), 0);
		assert_int_equal(epoch_read(text, len, arena, &epoch, &fault), 0);
		assert_int_equal(epoch_check(&epoch, &fault), 0);
		assert_int_equal(epoch_write(&epoch, &again, &again_len), 0);
		assert_string_equal(text, again);
		assert_int_equal(len, again_len);
	}
}

/* The example with the first @from replaced by @to. */
static void refuses(const char *from, const char *to, const char *because)
{
	const char *at = strstr(epoch_example, from);
	struct epoch_fault fault = { "" };
	struct epoch epoch;
	char text[4096];

	assert_non_null(at);
	snprintf(text, sizeof(text), "%.*s%s%s", (int)(at - epoch_example), epoch_example, to,
		 at + strlen(from));
	arena_reset(arena);
	assert_int_equal(epoch_read(text, strlen(text), arena, &epoch, &fault), EPOCH_E_INVALID);
	assert_string_equal(fault.text, because);
}

static void refuses_by_line(void **state _unused_)
{
	refuses("records 1", "records 2", "line 1: must be \"kaisar epoch records 1\"");
	refuses("epoch 7", "epoch 07", "line 2: epoch must be a whole number from 0 to 4294967295");
	refuses("epoch 7", "epoch  7", "line 2: must be \"epoch\" and a value");
	refuses("ratio_bp 3000", "ratio_bp 10001",
		"line 5: ratio_bp must be a whole number from 0 to 10000");
	refuses("commission_bp 1000\n", "", "line 6: must be \"commission_bp\" and a value");
	refuses("max_stake 1000", "max_stake 0",
		"line 7: max_stake must be a whole number from 1 to 2^96 - 1");
	refuses(" 3600 3600 ", " 3600 ", "line 8: a worker has 12 values, not 11");
	refuses(" 3600 3600 ", " 1209601 3600 ",
		"line 8: uptime_s must be a whole number from 0 to 1209600");
	refuses(" ok", " OK", "line 8: standing must be ok or banned");
	refuses("a 3600", "A 3600", "line 8: owner must be 0x and 40 lower-case hex digits");
	refuses(" ok", " ok ok ok ok ok", "line 8: more than 16 words");
	refuses("0002 0x", "0001 0x", "line 9: id must come after the one before it, and once");
	refuses("000d 2", "000b 2", "line 11: account must come after the one before it, and once");
	refuses("000d 2", "000d 2\r", "line 11: stake must be a whole number from 1 to 2^96 - 1");
	refuses("checker 0x", "Checker 0x",
		"line 13: must begin with worker, checker, delegator or end");
	refuses("checker 0x0000000000000000000000000000000000000005", "worker 0x0",
		"line 15: workers must come before checkers");
	refuses("max_stake 1000\n", "max_stake 1000\ndelegator 0x0 1\n",
		"line 8: a delegator must follow a worker or a checker");
	refuses("end\n", "", "line 16: the text ends without a line \"end\"");
	refuses("end\n", "end", "line 16: the text ends without a line \"end\"");
	refuses("end\n", "end\n\n", "line 16: the last line must be \"end\"");
}

static void hostile_lengths_are_refused(void **state _unused_)
{
	struct epoch_fault fault = { "" };
	struct epoch epoch;

	arena_reset(arena);
	assert_int_equal(epoch_read("", 0, arena, &epoch, &fault), EPOCH_E_INVALID);
	assert_int_equal(epoch_read("\0\n\0", 3, arena, &epoch, &fault), EPOCH_E_INVALID);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(example_of_the_document),
		cmocka_unit_test(text_and_back),
		cmocka_unit_test(refuses_by_line),
		cmocka_unit_test(hostile_lengths_are_refused),
	};
	int r;

	if (arena_new(1 << 20, &arena) < 0)
		return 1;
	r = cmocka_run_group_tests(tests, NULL, NULL);
	arena_free(arena);
	return r;
}
