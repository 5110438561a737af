/* cheat_test.c - thousands of sessions in which a machine does less than it says. Who leaves out a share of the
 * work passes as often as the openings miss it and no more; what is wrong in many places never passes. */
#include "popw/cheat_device.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#include "popw/cheat_world.h"

enum {
	SHARE_SESSIONS = 600, /* of each share of each such cheat */
	WORK_SESSIONS = 250, /* of each other way to do less */
	FEW_OPENINGS = 6, /* so that some pass */
	MANY_OPENINGS = 48, /* so that none does */
};

struct tally {
	struct campaign *campaign;
	unsigned int accepted;
	double expected;
};

/* ---- doing less ---- */

/* By Bernstein's inequality a verifier that is right strays from what is expected further than this
 * once in 10,000 runs. */
static double tolerance(double variance)
{
	double log = 9.9; /* ln (2 * 10,000) */

	return log / 3 + sqrt(log * log / 9 + 2 * log * variance);
}

static void less(struct tally *tally, const char *name, enum cheat_kind kind,
		 uint32_t share_permille, unsigned int openings, unsigned int sessions)
{
	struct session wanted = campaign_plan(openings);
	struct campaign *campaign = tally->campaign;
	double expected = 0, variance = 0;
	unsigned int passed = 0;

	cheat_device_set(campaign->cheat, kind, share_permille);
	for (unsigned int i = 0; i < sessions; i++) {
		double p;

		campaign_session(campaign, &wanted);
		campaign_prove(campaign, &campaign->rehearsal->transcript.session);
		p = cheat_device_passes(campaign->cheat, &wanted);
		expected += p;
		variance += p * (1 - p);
		passed += campaign_accepted(campaign);
	}
	tally->accepted += passed;
	tally->expected += expected;
	print_message("%-18s %5.1f %%  %u openings each  %u of %u accepted, expected %.1f\n", name,
		      share_permille / 10., openings, passed, sessions, expected);
	if (openings == MANY_OPENINGS) {
		assert_true(expected < 1e-6);
		assert_int_equal(passed, 0);
		return;
	}
	assert_true(fabs(passed - expected) <= tolerance(variance));
}

static void test_shares(void **state)
{
	static const uint32_t shares[] = { 50, 100, 200, 400 };
	struct tally *tally = *state;

	for (size_t i = 0; i < ARRAY_SIZE(shares); i++) {
		less(tally, "tiles skipped", CHEAT_TILES_SKIPPED, shares[i], FEW_OPENINGS,
		     SHARE_SESSIONS);
		less(tally, "walks skipped", CHEAT_WALKS_SKIPPED, shares[i], FEW_OPENINGS,
		     SHARE_SESSIONS);
		less(tally, "items missing", CHEAT_ITEMS_MISSING, shares[i], FEW_OPENINGS,
		     SHARE_SESSIONS);
	}
}

static void test_less_work(void **state)
{
	struct tally *tally = *state;

	less(tally, "rounds truncated", CHEAT_ROUNDS_TRUNCATED, 500, MANY_OPENINGS, WORK_SESSIONS);
	less(tally, "int4 inputs", CHEAT_INT4, 1000, MANY_OPENINGS, WORK_SESSIONS);
	less(tally, "rounded outputs", CHEAT_ROUNDED, 1000, MANY_OPENINGS, WORK_SESSIONS);
	less(tally, "short sums", CHEAT_SHORT_SUMS, 1000, MANY_OPENINGS, WORK_SESSIONS);
	less(tally, "half the memory", CHEAT_ITEMS_MISSING, 500, MANY_OPENINGS, WORK_SESSIONS);
	less(tally, "no walk at all", CHEAT_WALKS_SKIPPED, 1000, MANY_OPENINGS, WORK_SESSIONS);
	less(tally, "walks merged", CHEAT_WALKS_MERGED, 1000, FEW_OPENINGS, WORK_SESSIONS);
	less(tally, "epochs unchained", CHEAT_EPOCHS_UNCHAINED, 1000, MANY_OPENINGS, WORK_SESSIONS);
	less(tally, "epochs reordered", CHEAT_EPOCHS_REORDERED, 1000, MANY_OPENINGS, WORK_SESSIONS);
	less(tally, "forged roots", CHEAT_FORGED_ROOTS, 1000, MANY_OPENINGS, WORK_SESSIONS);
}

/* The device is honest when it is told to be: what is refused above is the cheat. */
static void test_nothing(void **state)
{
	struct campaign *campaign = ((struct tally *)*state)->campaign;
	struct session wanted = campaign_plan(MANY_OPENINGS);

	cheat_device_set(campaign->cheat, CHEAT_NOTHING, 0);
	campaign_session(campaign, &wanted);
	campaign_prove(campaign, &campaign->rehearsal->transcript.session);
	assert_true(campaign_accepted(campaign));
	assert_true(cheat_device_passes(campaign->cheat, &wanted) == 1);
}

static int begin(void **state)
{
	static struct tally tally;

	tally = (struct tally){ .campaign = campaign_new(20261122) };
	*state = &tally;
	return 0;
}

static int end(void **state)
{
	const struct tally *tally = *state;

	print_message("%u sessions, %u accepted where chance expects %.1f\n",
		      tally->campaign->sessions, tally->accepted, tally->expected);
	campaign_free(tally->campaign);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_nothing),
		cmocka_unit_test(test_shares),
		cmocka_unit_test(test_less_work),
	};

	return cmocka_run_group_tests(tests, begin, end);
}
