#include "rewards/epoch.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#include "rewards/epoch_fixture.h"

enum { EPOCHS = 400 };

static struct arena *arena;
static struct epoch_fixture fixture;

static struct payouts settle(const struct epoch *epoch)
{
	struct epoch_fault fault;
	struct payouts payouts;

	assert_int_equal(epoch_check(epoch, &fault), 0);
	assert_int_equal(epoch_settle(epoch, arena, &payouts), 0);
	return payouts;
}

static unsigned __int128 delegated(const struct payouts *payouts, struct epoch_delegators which)
{
	unsigned __int128 sum = 0;

	for (uint32_t i = 0; i < which.n; i++)
		sum += payouts->delegators[which.first + i].units;
	return sum;
}

static void check_pot(const struct pot *pot, unsigned __int128 given)
{
	assert_true(given + pot->unallotted.units == pot->allotted.units);
	assert_true(pot->unallotted.units == 0 || given == 0);
}

static void check_sums(const struct epoch *epoch, const struct payouts *payouts)
{
	unsigned __int128 capacity = 0, delivery = 0, checking = 0;

	for (size_t i = 0; i < epoch->n_workers; i++) {
		const struct worker_payout *payout = &payouts->workers[i];

		capacity += payout->capacity.units;
		delivery += payout->delivery.units;
		assert_true(payout->owner.units +
				    delegated(payouts, epoch->workers[i].delegators) ==
			    payout->capacity.units + payout->delivery.units);
	}
	for (size_t i = 0; i < epoch->n_checkers; i++) {
		checking += payouts->checkers[i].reward.units;
		assert_true(payouts->checkers[i].owner.units +
				    delegated(payouts, epoch->checkers[i].delegators) ==
			    payouts->checkers[i].reward.units);
	}
	assert_true(payouts->capacity.allotted.units + payouts->delivery.allotted.units ==
		    epoch->terms.worker_total.units);
	assert_true(payouts->checking.allotted.units == epoch->terms.checker_total.units);
	check_pot(&payouts->capacity, capacity);
	check_pot(&payouts->delivery, delivery);
	check_pot(&payouts->checking, checking);
}

static void sums_are_exact(void **state _unused_)
{
	struct random_seeded seeded;

	random_seeded_init(&seeded, 1);
	for (int i = 0; i < EPOCHS; i++) {
		struct payouts payouts;

		arena_reset(arena);
		epoch_fixture_fill(&seeded.random, &fixture);
		payouts = settle(&fixture.epoch);
		check_sums(&fixture.epoch, &payouts);
	}
}

/* Who was up longer, with all else the same, does not get less, and nobody else gets more by
 * more than the unit that rounding moves. */
static void more_work_is_no_less_reward(void **state _unused_)
{
	struct random_seeded seeded;

	random_seeded_init(&seeded, 2);
	for (int i = 0; i < EPOCHS; i++) {
		struct payouts before, after;

		arena_reset(arena);
		epoch_fixture_fill(&seeded.random, &fixture);
		if (fixture.epoch.n_workers == 0)
			continue;
		before = settle(&fixture.epoch);
		fixture.workers[0].uptime_s = EPOCH_SECONDS;
		after = settle(&fixture.epoch);
		assert_true(after.workers[0].capacity.units >= before.workers[0].capacity.units);
		for (size_t j = 1; j < fixture.epoch.n_workers && !before.capacity.unallotted.units;
		     j++)
			assert_true(after.workers[j].capacity.units <=
				    before.workers[j].capacity.units + 1);
	}
}

/* Twice every stake and Max_Stake, or half of every time: the same payouts. */
static void only_proportions_count(void **state _unused_)
{
	struct random_seeded seeded;

	random_seeded_init(&seeded, 3);
	for (int i = 0; i < EPOCHS; i++) {
		struct payouts before, after;

		arena_reset(arena);
		epoch_fixture_fill(&seeded.random, &fixture);
		fixture.epoch.terms.max_stake.units = (fixture.epoch.terms.max_stake.units | 3) >>
						      1;
		for (size_t j = 0; j < fixture.epoch.n_workers; j++) {
			fixture.workers[j].stake.units >>= 1;
			fixture.workers[j].uptime_s &= ~(uint64_t)1;
		}
		before = settle(&fixture.epoch);
		fixture.epoch.terms.max_stake.units *= 2;
		for (size_t j = 0; j < fixture.epoch.n_workers; j++) {
			fixture.workers[j].stake.units *= 2;
			fixture.workers[j].uptime_s /= 2;
		}
		after = settle(&fixture.epoch);
		assert_memory_equal(before.workers, after.workers,
				    fixture.epoch.n_workers * sizeof(*before.workers));
		assert_memory_equal(before.delegators, after.delegators,
				    fixture.epoch.n_delegators * sizeof(*before.delegators));
	}
}

static void banned_get_nothing(void **state _unused_)
{
	struct random_seeded seeded;

	random_seeded_init(&seeded, 4);
	for (int i = 0; i < EPOCHS; i++) {
		const struct epoch *epoch = &fixture.epoch;
		struct payouts payouts;

		arena_reset(arena);
		epoch_fixture_fill(&seeded.random, &fixture);
		payouts = settle(epoch);
		for (size_t j = 0; j < epoch->n_workers; j++)
			if (epoch->workers[j].banned)
				assert_true(payouts.workers[j].owner.units == 0 &&
					    delegated(&payouts, epoch->workers[j].delegators) == 0);
		for (size_t j = 0; j < epoch->n_checkers; j++)
			if (epoch->checkers[j].banned)
				assert_true(payouts.checkers[j].owner.units == 0);
	}
}

static void pots_without_scores_stay(void **state _unused_)
{
	struct epoch_worker worker = { .uptime_s = 60, .figures = { .gpu_milli = 750 } };
	struct epoch epoch = { .terms = { .worker_total = { 101 },
					  .checker_total = { 7 },
					  .ratio_bp = 5000,
					  .max_stake = { 1 } } };
	struct payouts payouts;

	arena_reset(arena);
	payouts = settle(&epoch);
	assert_true(payouts.capacity.unallotted.units == 51);
	assert_true(payouts.delivery.unallotted.units == 50);
	assert_true(payouts.checking.unallotted.units == 7);
	epoch.workers = &worker;
	epoch.n_workers = 1;
	payouts = settle(&epoch);
	assert_true(payouts.workers[0].owner.units == 51);
	assert_true(payouts.capacity.unallotted.units == 0);
	assert_true(payouts.delivery.unallotted.units == 50);
}

/* The largest values that pass the check do not overflow. */
static void bounds_fit_the_arithmetic(void **state _unused_)
{
	struct epoch epoch = { .terms = { .worker_total = { TOKENS_MAX },
					  .checker_total = { TOKENS_MAX },
					  .ratio_bp = 5000,
					  .max_stake = { TOKENS_MAX } },
			       .n_workers = EPOCH_WORKERS_MAX };
	struct payouts payouts;

	arena_reset(arena);
	epoch.workers = arena_array(arena, epoch.n_workers, sizeof(*epoch.workers));
	assert_non_null(epoch.workers);
	for (size_t i = 0; i < epoch.n_workers; i++) {
		epoch.workers[i] = (struct epoch_worker){
			.uptime_s = EPOCH_SECONDS,
			.jobtime_s = (uint64_t)256 * EPOCH_SECONDS,
			.stake = { TOKENS_MAX },
			.figures = { 10000000, 10000000, 10000000, 10000000, 1000000000, 10000000 },
		};
		epoch.workers[i].id.bytes[0] = (uint8_t)(i >> 16);
		epoch.workers[i].id.bytes[1] = (uint8_t)(i >> 8);
		epoch.workers[i].id.bytes[2] = (uint8_t)i;
	}
	payouts = settle(&epoch);
	check_sums(&epoch, &payouts);
}

static void check_refuses(const char *needle)
{
	struct epoch_fault fault = { "" };

	assert_int_equal(epoch_check(&fixture.epoch, &fault), EPOCH_E_INVALID);
	if (!strstr(fault.text, needle))
		fail_msg("\"%s\" does not say \"%s\"", fault.text, needle);
}

static void small_epoch(void)
{
	memset(&fixture, 0, sizeof(fixture));
	fixture.epoch = (struct epoch){
		.terms.max_stake = { 1 },
		.workers = fixture.workers,
		.checkers = fixture.checkers,
		.delegators = fixture.delegators,
		.n_workers = 2,
		.n_delegators = 2,
	};
	fixture.workers[1].id.bytes[19] = 1;
	fixture.workers[1].delegators = (struct epoch_delegators){ 0, 2 };
	fixture.delegators[0].stake.units = fixture.delegators[1].stake.units = 1;
	fixture.delegators[1].account.bytes[19] = 1;
}

static void records_out_of_bounds_are_named(void **state _unused_)
{
	struct epoch_fault fault;

	small_epoch();
	assert_int_equal(epoch_check(&fixture.epoch, &fault), 0);
	fixture.workers[1].uptime_s = EPOCH_SECONDS + 1;
	check_refuses("01: uptime_s must be a whole number from 0 to 1209600");
	small_epoch();
	fixture.epoch.terms.ratio_bp = 10001;
	check_refuses("the terms: ratio_bp");
	small_epoch();
	fixture.epoch.terms.max_stake.units = 0;
	check_refuses("max_stake must be a whole number from 1 to 2^96 - 1");
	small_epoch();
	fixture.workers[1].id.bytes[19] = 0;
	check_refuses("must come after the one before it");
	small_epoch();
	fixture.delegators[1].account.bytes[19] = 0;
	check_refuses("delegator 0x0000000000000000000000000000000000000000: must come after");
	small_epoch();
	fixture.delegators[0].stake.units = 0;
	check_refuses("stake must be");
	small_epoch();
	fixture.workers[1].delegators.n = 1;
	check_refuses("1 delegators belong to no record");
	small_epoch();
	fixture.workers[1].delegators.n = 3;
	check_refuses("must follow those of the one before");
	small_epoch();
	fixture.epoch.n_workers = EPOCH_WORKERS_MAX + 1;
	check_refuses("at most 200000 workers");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sums_are_exact),
		cmocka_unit_test(more_work_is_no_less_reward),
		cmocka_unit_test(only_proportions_count),
		cmocka_unit_test(banned_get_nothing),
		cmocka_unit_test(pots_without_scores_stay),
		cmocka_unit_test(bounds_fit_the_arithmetic),
		cmocka_unit_test(records_out_of_bounds_are_named),
	};
	int r;

	if (arena_new(EPOCH_WORKERS_MAX * sizeof(struct epoch_worker) + PAYOUTS_ARENA_BYTES,
		      &arena) < 0)
		return 1;
	r = cmocka_run_group_tests(tests, NULL, NULL);
	arena_free(arena);
	return r;
}
