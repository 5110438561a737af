#include "modules/rewards/rewards.h"

#include "base/keccak.h"
#include "modules/rewards/accrual.h"
#include "modules/rewards/records.h"
#include "modules/rewards/rewards_world.h"
#include "rewards/epoch_text.h"

#define RECORDS_HEAD                            \
	"kaisar epoch records 1\nepoch 20000\n" \
	"worker_total 1000000000000000000000\n" \
	"checker_total 500000000000000000000\n" \
	"ratio_bp 3000\ncommission_bp 1000\nmax_stake 100000000000000000000\n"
#define ID(kind, last) "0x" kind "000000000000000000000000000000000000" last
#define FIGURES "900 700 64 10000 2000 256"

static void end_epoch(struct world *world)
{
	world->clock.ms = WORLD_FROM_MS + WORLD_EPOCH_MS + CLOSING_GRACE_MS;
}

/* The published payouts follow from the published records, and both hashes are theirs. */
static void assert_published(struct world *world, int64_t number)
{
	struct epoch_row row = row_of(world, number);
	char *records = text_of(world, number, TEXT_RECORDS);
	char *payouts = text_of(world, number, TEXT_PAYOUTS), *again;
	struct epoch_fault fault;
	uint8_t hash[32];
	size_t len;

	assert_int_equal(row.state, EPOCH_CLOSED);
	assert_int_equal(epoch_recompute(records, strlen(records), &again, &len, &fault), 0);
	assert_string_equal(payouts, again);
	keccak256(records, strlen(records), hash);
	assert_memory_equal(row.records.hash, hash, 32);
	keccak256(payouts, strlen(payouts), hash);
	assert_memory_equal(row.payouts.hash, hash, 32);
	free(records);
	free(payouts);
	free(again);
}

static void test_an_empty_epoch(void **state)
{
	struct world *world = *state;
	struct epoch_row row = row_of(world, WORLD_NUMBER);
	char *records;

	assert_int_equal(row.from_ms, WORLD_FROM_MS);
	assert_int_equal(row.until_ms, WORLD_FROM_MS + WORLD_EPOCH_MS);
	world->clock.ms = WORLD_FROM_MS + WORLD_EPOCH_MS + CLOSING_GRACE_MS - 1;
	assert_int_equal(settle(world), 0);
	assert_int_equal(row_of(world, WORLD_NUMBER).state, EPOCH_OPEN);
	assert_int_equal(row_of(world, WORLD_NUMBER + 1).state, EPOCH_OPEN);
	world->clock.ms++;
	assert_int_equal(settle(world), 0);
	assert_published(world, WORLD_NUMBER);
	records = text_of(world, WORLD_NUMBER, TEXT_RECORDS);
	assert_string_equal(records, RECORDS_HEAD "end\n");
	free(records);
	row = row_of(world, WORLD_NUMBER);
	assert_true(row.capacity.unallotted.units == row.capacity.allotted.units);
	assert_true(row.checking.unallotted.units == row.checking.allotted.units);
	assert_true(row.capacity.allotted.units == record_tokens(700).units);
	assert_int_equal(row.closed_at_ms, world->clock.ms);
	assert_int_equal(row_of(world, WORLD_NUMBER + 1).state, EPOCH_OPEN);
}

struct paid {
	struct account_id account;
	struct reward_payee payee;
	size_t n;
};

static int paid_fn(struct tx *tx, void *arg)
{
	struct reward_payee *payees, after = { .epoch = INT64_MAX };
	struct paid *paid = arg;
	int r = rewards_store_payees(tx, paid->account, 0, &after, 100, &payees, &paid->n);

	if (r == 0 && paid->n > 0)
		paid->payee = payees[0];
	return r;
}

static struct paid paid_to(struct world *world, uint8_t id)
{
	struct paid paid = { .account = account_of(id) };

	assert_int_equal(store_run(&world->store, TX_READ, paid_fn, &paid), 0);
	return paid;
}

static void test_what_counts(void **state)
{
	static const struct rig rigs[] = {
		{ 1, WORKER_PROVED, WORKER_PROVED, .job_seconds = 7200, .hours = 26 },
		{ 2, WORKER_FAILED, WORKER_PROVED, .job_seconds = 60, .hours = 3, .own_job = true },
		{ 3, WORKER_PROVED, WORKER_FAILED, .hours = 11, .boasts = true },
		{ 4, WORKER_UNPROVED, WORKER_PROVED, .job_seconds = 5 },
	};
	struct world *world = *state;
	struct paid paid;
	char *records;

	for (size_t i = 0; i < ARRAY_SIZE(rigs); i++)
		add_rig(world, &rigs[i]);
	add_checker(world, 7, 9, 1, false);
	add_checker(world, 8, 9, 0, true);
	add_checker(world, 9, 0, 0, false);
	end_epoch(world);
	assert_int_equal(settle(world), 0);
	assert_published(world, WORLD_NUMBER);
	records = text_of(world, WORLD_NUMBER, TEXT_RECORDS);
	assert_string_equal(
		records,
		RECORDS_HEAD "worker " ID("01", "01") " " ID(
			"aa",
			"01") " 86400 7200 0 " FIGURES " ok\n"
			      "worker " ID("01", "02") " " ID(
				      "aa",
				      "02") " 7200 0 0 0 0 0 0 0 0 ok\n"
					    "worker " ID("01", "03") " " ID(
						    "aa",
						    "03") " 36000 0 0 900 700 40 0 500 128 ok\n"
							  "worker " ID("01", "04") " " ID(
								  "aa",
								  "04") " 0 0 0 0 0 0 0 0 0 ok\n"
									"checker " ID("02", "07") " " ID(
										"aa",
										"07") " 2000 9 1 "
										      "ok\n"
										      "checker " ID("02", "08") " " ID(
											      "aa",
											      "08") " 2000 9 0 banned\nend\n");
	free(records);
	paid = paid_to(world, 1);
	assert_int_equal(paid.n, 1);
	assert_true(paid.payee.second.units == record_tokens(300).units);
	assert_true(paid.payee.for_owner.units == paid.payee.first.units + paid.payee.second.units);
	assert_true(paid_to(world, 7).payee.first.units == record_tokens(500).units);
	assert_int_equal(paid_to(world, 7).payee.kind, PAYEE_CHECKER);
	assert_true(paid_to(world, 2).payee.for_owner.units == 0);
	assert_int_equal(paid_to(world, 9).n, 0);
}

/* A job goes on over the end of an epoch: each of its seconds is in one epoch's records. */
static void test_seconds_count_once(void **state)
{
	static const struct rig rig = { 1, WORKER_PROVED, WORKER_PROVED, .job_seconds = 1000,
					.hours = 100 };
	static const int64_t seconds[] = { 1000, 4000, 3500, 5000 },
			     counted[] = { 1000, 3000, 0, 1000 };
	struct world *world = *state;
	char expected[128], *records;

	add_rig(world, &rig);
	for (int64_t i = 0; i < (int64_t)ARRAY_SIZE(seconds); i++) {
		set_job_seconds(world, 1, seconds[i]);
		world->clock.ms = WORLD_FROM_MS + (i + 1) * WORLD_EPOCH_MS + CLOSING_GRACE_MS;
		assert_int_equal(settle(world), 0);
		records = text_of(world, WORLD_NUMBER + i, TEXT_RECORDS);
		snprintf(expected, sizeof(expected), "00 %" PRId64 " 0 900 ", counted[i]);
		assert_non_null(strstr(records, expected));
		free(records);
	}
}

static void assert_record(struct world *world, int64_t number, const char *part)
{
	char *records = text_of(world, number, TEXT_RECORDS);

	if (!strstr(records, part))
		fail_msg("no \"%s\" in %s", part, records);
	free(records);
}

/* A card that is there for the last two of twelve hours is paid for two of them. */
static void test_what_came_late_is_paid_from_then_on(void **state)
{
	struct world *world = *state;
	struct epoch_row row;

	add_rig(world, &(struct rig){ 1, WORKER_PROVED, WORKER_UNPROVED });
	add_rig(world, &(struct rig){ 2, WORKER_PROVED, WORKER_PROVED });
	add_hours(world, 1, 0, 10, true);
	prove_gpu(world, 1);
	add_hours(world, 1, 10, 2, true);
	add_hours(world, 2, 0, 12, true);
	end_epoch(world);
	assert_int_equal(settle(world), 0);
	assert_record(world, WORLD_NUMBER, " 43200 0 0 900 700 64 1666 2000 256 ok\n");
	assert_record(world, WORLD_NUMBER, " 43200 0 0 " FIGURES " ok\n");
	/* 2 A + B + 3 C + D + E: 2800 and what the cards are worth. */
	row = row_of(world, WORLD_NUMBER);
	assert_true(paid_to(world, 1).payee.first.units ==
		    (row.capacity.allotted.units * 7798 + 40598 / 2) / 40598);
}

/* Nor does it pay for jobs of before, whether the hours of these are up or not; hours of neither say nothing. */
static void test_jobs_weigh_their_hours(void **state)
{
	struct world *world = *state;

	add_rig(world, &(struct rig){ 1, WORKER_PROVED, WORKER_UNPROVED, .job_seconds = 9 * 3600 });
	add_hours(world, 1, 0, 12, false);
	set_job_time(world, 1, 0, 9);
	prove_gpu(world, 1);
	add_hours(world, 1, 12, 1, true);
	add_hours(world, 1, 13, 4, false);
	end_epoch(world);
	assert_int_equal(settle(world), 0);
	assert_record(world, WORLD_NUMBER, " 3600 32400 0 900 700 64 1000 2000 256 ok\n");
}

/* Seconds of an epoch that does not say what the machine was are in the next that does. */
static void test_seconds_wait_for_figures(void **state)
{
	static const struct rig rig = { 1, WORKER_PROVED, WORKER_PROVED, .job_seconds = 77 };
	struct world *world = *state;

	add_rig(world, &rig);
	end_epoch(world);
	assert_int_equal(settle(world), 0);
	assert_record(world, WORLD_NUMBER, " 0 0 0 0 0 0 0 0 0 ok\n");
	add_hours(world, 1, 24, 1, true);
	world->clock.ms += WORLD_EPOCH_MS;
	assert_int_equal(settle(world), 0);
	assert_record(world, WORLD_NUMBER + 1, " 3600 77 0 " FIGURES " ok\n");
}

/* Who has the machine next has no seconds of who had it before, who finds what it left. */
static void test_seconds_stay_with_their_owner(void **state)
{
	static const uint8_t owners[] = { 1, 5, 1 };
	static const char *const parts[] = { " 86400 1000 0 ", " 86400 0 0 ", " 86400 200 0 " };
	struct world *world = *state;

	add_rig(world, &(struct rig){ 1, WORKER_PROVED, WORKER_PROVED, .job_seconds = 1000,
				      .hours = 100 });
	for (int64_t i = 0; i < 3; i++) {
		set_owner(world, 1, owners[i]);
		world->clock.ms = WORLD_FROM_MS + (i + 1) * WORLD_EPOCH_MS + CLOSING_GRACE_MS;
		assert_int_equal(settle(world), 0);
		assert_record(world, WORLD_NUMBER + i, parts[i]);
		set_job_seconds(world, 1, 1200);
	}
}

/* A job that is over, and can have no more records, is not read again. */
static void test_old_jobs_are_left(void **state)
{
	struct world *world = *state;

	add_rig(world, &(struct rig){ 1, WORKER_PROVED, WORKER_PROVED, .job_seconds = 7200,
				      .hours = 100 });
	set_job_time(world, 1, 1, 2);
	for (int64_t i = 0; i < 3; i++) {
		world->clock.ms = WORLD_FROM_MS + (i + 1) * WORLD_EPOCH_MS + CLOSING_GRACE_MS;
		assert_int_equal(settle(world), 0);
		assert_record(world, WORLD_NUMBER + i, i == 0 ? " 7200 0 900" : " 0 0 900");
	}
	assert_int_equal(store_number(&world->store, "SELECT seconds AS n FROM reward_jobtimes"),
			 0);
	assert_int_equal(store_number(&world->store, "SELECT from_ms AS n FROM reward_jobtimes"),
			 WORLD_FROM_MS + 2 * WORLD_EPOCH_MS);
}

static void test_terms_stay(void **state)
{
	struct world *world = *state;
	struct epoch_row row;

	world->settings.epoch_workers_tokens = 1;
	world->settings.epoch_ms = WORLD_EPOCH_MS *
				   7; /* 20000 is in week 2857, which began on 19999 */
	world->clock.ms = WORLD_FROM_MS + WORLD_EPOCH_MS + CLOSING_GRACE_MS;
	assert_int_equal(settle(world), 0);
	assert_published(world, WORLD_NUMBER);
	assert_int_equal(row_of(world, WORLD_NUMBER).workers_tokens, 1000);
	row = row_of(world, WORLD_NUMBER + 1);
	assert_int_equal(row.workers_tokens, 1);
	assert_int_equal(row.from_ms, WORLD_FROM_MS + WORLD_EPOCH_MS);
	assert_int_equal(row.until_ms, 2858 * 7 * WORLD_EPOCH_MS);
}

/* ---- being away ---- */

/* Back in the third epoch after the one in which it went away. What came late has its grace from there on; then
 * all are closed in their order, and a job's seconds are in one of them. */
static void test_epochs_that_passed_unseen(void **state)
{
	static const struct rig rig = { 1, WORKER_PROVED, WORKER_PROVED, .job_seconds = 1000,
					.hours = 5 };
	struct world *world = *state;

	add_rig(world, &rig);
	world->clock.ms = WORLD_FROM_MS + 3 * WORLD_EPOCH_MS + 1;
	closing_begin(&world->context);
	assert_int_equal(settle(world), 0);
	for (int64_t i = 0; i <= 3; i++) {
		struct epoch_row row = row_of(world, WORLD_NUMBER + i);

		assert_int_equal(row.state, EPOCH_OPEN);
		assert_int_equal(row.from_ms, WORLD_FROM_MS + i * WORLD_EPOCH_MS);
		assert_int_equal(row.until_ms, WORLD_FROM_MS + (i + 1) * WORLD_EPOCH_MS);
	}
	set_job_seconds(world, 1, 4000);
	world->clock.ms += CLOSING_GRACE_MS - 1;
	assert_int_equal(settle(world), 0);
	assert_int_equal(row_of(world, WORLD_NUMBER).state, EPOCH_OPEN);
	world->clock.ms++;
	assert_int_equal(settle(world), 0);
	for (int64_t i = 0; i < 3; i++) {
		assert_published(world, WORLD_NUMBER + i);
		assert_record(world, WORLD_NUMBER + i,
			      i == 0 ? " 14400 4000 0 900 " : " 0 0 0 0 0 0 0 0 0 ok");
	}
	assert_true(row_of(world, WORLD_NUMBER).delivery.unallotted.units == 0);
	assert_true(row_of(world, WORLD_NUMBER + 1).delivery.unallotted.units ==
		    record_tokens(300).units);
	assert_int_equal(row_of(world, WORLD_NUMBER + 3).state, EPOCH_OPEN);
	/* Nobody waits for more of them than can be closed soon. */
	world->clock.ms += (CLOSING_MISSED_MAX + 2) * WORLD_EPOCH_MS;
	assert_int_equal(settle(world), 0);
	assert_int_equal(store_number(&world->store, "SELECT COUNT(*) AS n FROM reward_epochs"), 5);
	assert_published(world, WORLD_NUMBER + 3);
}

/* ---- dying ---- */

enum { RIGS = 2 * CLOSING_MACHINES + 2, CHECKERS = 3 };

static void compare(struct world *world, const char *records, const char *payouts)
{
	char *theirs = text_of(world, WORLD_NUMBER, TEXT_RECORDS);

	assert_string_equal(theirs, records);
	free(theirs);
	theirs = text_of(world, WORLD_NUMBER, TEXT_PAYOUTS);
	assert_string_equal(theirs, payouts);
	free(theirs);
	assert_int_equal(store_number(&world->store, "SELECT COUNT(*) AS n FROM reward_payees"),
			 RIGS + CHECKERS);
	assert_int_equal(
		store_number(&world->store, "SELECT SUM(seconds) AS n FROM reward_jobtimes"),
		RIGS * (RIGS + 1) / 2);
}

/* Dies at the @n-th statement or commit of the closing, and goes on: gives whether there was one. */
static bool die_at(struct world *world, enum db_fault_place place, unsigned int n)
{
	size_t deaths;

	forget(world);
	end_epoch(world);
	db_fault_at(world->store.db, place, n, -EIO);
	deaths = settle(world);
	db_fault_at(world->store.db, place, 0, 0);
	assert_true(deaths <= 1);
	return deaths == 1;
}

static void test_a_death_anywhere(void **state)
{
	struct world *world = *state;
	char *records, *payouts;
	unsigned int n;

	for (uint8_t i = 1; i <= RIGS; i++)
		add_rig(world, &(struct rig){ i, WORKER_PROVED, WORKER_PROVED, .job_seconds = i,
					      .hours = 2 });
	for (uint8_t i = 1; i <= CHECKERS; i++)
		add_checker(world, i, i, 0, false);
	end_epoch(world);
	assert_int_equal(settle(world), 0);
	assert_published(world, WORLD_NUMBER);
	records = text_of(world, WORLD_NUMBER, TEXT_RECORDS);
	payouts = text_of(world, WORLD_NUMBER, TEXT_PAYOUTS);
	assert_true(row_of(world, WORLD_NUMBER).payouts.pages > 1);
	for (n = 1; die_at(world, DB_FAULT_COMMIT, n); n++)
		compare(world, records, payouts);
	assert_true(n > 5);
	for (n = 1; die_at(world, DB_FAULT_STATEMENT, n); n += n < 20 ? 1 : 29)
		compare(world, records, payouts);
	assert_true(n > 500);
	free(records);
	free(payouts);
}

/* Two that work on the same epoch: the second step changes nothing. */
/* ---- credits ---- */

static void close_two_machines(struct world *world)
{
	static const struct rig rigs[] = {
		{ 1, WORKER_PROVED, WORKER_PROVED, .hours = 26 },
		{ 2, WORKER_PROVED, WORKER_PROVED, .hours = 5 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rigs); i++)
		add_rig(world, &rigs[i]);
	end_epoch(world);
	assert_int_equal(settle(world), 0);
}

/* By other rules the same records come to something else: what was published is what is paid. */
static void test_credits_are_what_was_published(void **state)
{
	struct world *world = *state;

	close_two_machines(world);
	store_exec(&world->store,
		   "UPDATE reward_pages SET text = replace(text, ' 86400 ', ' 43200 ')"
		   " WHERE kind = 1");
	assert_int_equal(accrual_step(&world->context), 0);
	assert_int_equal(store_number(&world->store, "SELECT COUNT(*) AS n FROM reward_credits"),
			 2);
	assert_int_equal(accrual_step(&world->context), ACCRUAL_IDLE);
}

static void problem_of(struct world *world, char problem[static ACCRUAL_PROBLEM_MAX])
{
	assert_int_equal(accrual_look(&world->context, world->store.arena, problem), 0);
	arena_reset(world->store.arena);
}

static void test_credits_that_stop_are_a_problem(void **state)
{
	struct world *world = *state;
	char problem[ACCRUAL_PROBLEM_MAX];

	close_two_machines(world);
	store_exec(&world->store,
		   "UPDATE reward_pages SET text = replace(text, '0', '1') WHERE kind = 2");
	assert_int_equal(accrual_step(&world->context), -EINVAL);
	world->clock.ms += 600000 - 1;
	problem_of(world, problem);
	assert_string_equal(problem, "");
	world->clock.ms++;
	problem_of(world, problem);
	assert_non_null(strstr(problem, "epoch 20000"));
	assert_non_null(strstr(problem, "reward_pages"));
	store_exec(&world->store, "UPDATE reward_epochs SET credited = 1 WHERE epoch = 20000");
	problem_of(world, problem);
	assert_string_equal(problem, "");
}

static int twice_fn(struct tx *tx, void *arg)
{
	struct epoch_row *rows = arg;
	int r = rewards_store_move(tx, &rows[0], &rows[1]);

	return r != 0 ? r : rewards_store_move(tx, &rows[0], &rows[1]);
}

static void test_nothing_twice(void **state)
{
	struct world *world = *state;
	struct epoch_row rows[2];

	rows[0] = rows[1] = row_of(world, WORLD_NUMBER);
	rows[1].state = EPOCH_WORKERS;
	assert_int_equal(store_run(&world->store, TX_WRITE, twice_fn, rows), -ESTALE);
	assert_int_equal(row_of(world, WORLD_NUMBER).state, EPOCH_OPEN);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WORLD_TEST(test_an_empty_epoch),
		WORLD_TEST(test_what_counts),
		WORLD_TEST(test_seconds_count_once),
		WORLD_TEST(test_what_came_late_is_paid_from_then_on),
		WORLD_TEST(test_jobs_weigh_their_hours),
		WORLD_TEST(test_seconds_wait_for_figures),
		WORLD_TEST(test_seconds_stay_with_their_owner),
		WORLD_TEST(test_old_jobs_are_left),
		WORLD_TEST(test_terms_stay),
		WORLD_TEST(test_epochs_that_passed_unseen),
		WORLD_TEST(test_a_death_anywhere),
		WORLD_TEST(test_nothing_twice),
		WORLD_TEST(test_credits_are_what_was_published),
		WORLD_TEST(test_credits_that_stop_are_a_problem),
	};

	return world_run(tests, ARRAY_SIZE(tests));
}
