#include "modules/service/rental.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

enum { NOW_MS = 1700000000 };

static const struct settings settings = {
	.keep_stopped_ms = 86400000,
	.place_deadline_ms = 30000,
	.pull_deadline_ms = 600000,
	.start_deadline_ms = 60000,
	.stop_deadline_ms = 15000,
};

static struct rental rental_in(enum rental_state state)
{
	struct rental rental = {
		.state = state,
		.detail = "",
		.attempts = 1,
		.placed = true,
		.stop_timeout_ms = 10000,
		.created_ms = NOW_MS - 1000,
		.phase_ms = NOW_MS - 1000,
		.placed_ms = NOW_MS - 1000,
	};

	if (state >= RENTAL_RUNNING)
		rental.started_ms = NOW_MS - 500;
	if (state >= RENTAL_STOPPED) {
		rental.ended_ms = NOW_MS - 100;
		rental.kept = true;
	}
	if (state == RENTAL_STOPPING)
		rental.stop = RENTAL_STOPPED_BY_TENANT;
	return rental;
}

static struct worker_actual says(enum worker_phase phase, const char *reason)
{
	return (struct worker_actual){ .phase = phase,
				       .reason = reason,
				       .detail = "",
				       .online = true,
				       .seen_at_ms = NOW_MS - 10,
				       .started_at_ms = NOW_MS - 500 };
}

static struct rental_verdict judge(const struct rental *rental, const struct worker_actual *actual,
				   int64_t now_ms)
{
	struct rental_verdict verdict;

	rental_judge(rental, actual, &settings, now_ms, &verdict);
	return verdict;
}

static void assert_move(struct rental_verdict verdict, enum rental_act act, enum rental_state to,
			enum rental_reason reason)
{
	assert_int_equal(verdict.act, act);
	assert_int_equal(verdict.to, to);
	assert_string_equal(rental_reason_row(verdict.reason)->name,
			    rental_reason_row(reason)->name);
}

static void the_table_has_the_legal_moves(void **state _unused_)
{
	static const char *const legal[] = {
		"queued queued",   "queued pulling",   "queued starting",  "queued stopped",
		"queued failed",   "pulling queued",   "pulling starting", "pulling stopped",
		"pulling failed",  "starting queued",  "starting running", "starting stopped",
		"starting failed", "running stopping", "running stopped",  "running failed",
		"running lost",    "stopping stopped", "stopping lost",
	};
	size_t n = 0;

	for (int from = 0; from < (int)rental_moves.n; from++)
		for (int to = 0; to < (int)rental_moves.n; to++)
			n += moves_allow(&rental_moves, from, to);
	assert_int_equal(n, ARRAY_SIZE(legal));
	for (size_t i = 0; i < ARRAY_SIZE(legal); i++) {
		char from[16], to[16];

		assert_int_equal(sscanf(legal[i], "%15s %15s", from, to), 2);
		assert_true(moves_allow(&rental_moves, moves_find(&rental_moves, from),
					moves_find(&rental_moves, to)));
	}
}

static void every_reason_has_a_name_and_a_cause(void **state _unused_)
{
	for (int i = 1; i < RENTAL_REASONS; i++) {
		const struct rental_reason_row *row = rental_reason_row((enum rental_reason)i);

		assert_true(*row->name && *row->detail && strcmp(row->caused_by, "none") != 0);
		assert_int_equal(rental_reason_find(row->name), i);
		/* A tenant's own doing is not tried again elsewhere. */
		assert_false(row->retried && strcmp(row->caused_by, "tenant") == 0);
	}
	assert_int_equal(rental_reason_reported("stopped_by_tenant", false, RENTAL_START_FAILED),
			 RENTAL_START_FAILED);
	assert_int_equal(rental_reason_reported("no such", false, RENTAL_START_FAILED),
			 RENTAL_START_FAILED);
	assert_int_equal(rental_reason_reported("pull_failed", false, RENTAL_START_FAILED),
			 RENTAL_PULL_FAILED);
	assert_int_equal(rental_reason_reported("pull_failed", true, RENTAL_CONTAINER_GONE),
			 RENTAL_CONTAINER_GONE);
}

/* ---- no verdict breaks the table, whatever is reported when ---- */

static void check_verdict(const struct rental *rental, const struct rental_verdict *verdict)
{
	const struct rental_reason_row *reason = rental_reason_row(verdict->reason);

	assert_non_null(verdict->detail);
	switch (verdict->act) {
	case RENTAL_ADVANCE:
		assert_true(moves_allow(&rental_moves, rental->state, verdict->to));
		assert_true(verdict->to <= RENTAL_STOPPING);
		break;
	case RENTAL_RETRY:
		assert_true(moves_allow(&rental_moves, rental->state, RENTAL_QUEUED));
		assert_true(rental->attempts < RENTAL_ATTEMPTS_MAX && !rental->pinned);
		assert_true(reason->retried && !rental_ran(rental));
		break;
	case RENTAL_END:
		assert_true(moves_allow(&rental_moves, rental->state, verdict->to));
		assert_true(moves_final(&rental_moves, verdict->to));
		assert_true(*reason->name && *verdict->detail);
		assert_true(verdict->ended_ms >= rental->created_ms);
		break;
	case RENTAL_DISCARD:
		assert_true(rental_ended(rental) && rental->kept);
		break;
	case RENTAL_REST:
		/* Who rests before the end is looked at again. */
		assert_true(verdict->check_ms > NOW_MS || rental_ended(rental));
		break;
	}
}

/* One of @n, cut off @left. */
static unsigned int pick(unsigned int *left, unsigned int n)
{
	unsigned int picked = *left % n;

	*left /= n;
	return picked;
}

static void no_verdict_is_illegal(void **state _unused_)
{
	static const char *const reasons[] = {
		"", "image_not_found", "pull_failed", "engine_down", "out_of_memory", "nonsense"
	};
	static const enum rental_reason stops[] = { RENTAL_REASON_NONE, RENTAL_STOPPED_BY_TENANT,
						    RENTAL_LEFT_ESCROW };
	static const int64_t ages_ms[] = { 0, 20000, 700000, 100000000 };

	for (unsigned int i = 0; i < 8 * 7 * 6 * 3 * 4 * 2 * 2 * 2; i++) {
		unsigned int left = i;
		struct rental rental = rental_in((enum rental_state)pick(&left, 8));
		enum worker_phase phase = (enum worker_phase)pick(&left, 7);
		struct worker_actual actual = says(phase, reasons[pick(&left, 6)]);
		enum rental_reason stop = stops[pick(&left, 3)];
		struct rental_verdict verdict;

		if (!rental.stop)
			rental.stop = stop;
		rental.phase_ms = NOW_MS - ages_ms[pick(&left, 4)];
		rental.created_ms = rental.placed_ms = rental.phase_ms;
		if (rental_ran(&rental))
			rental.started_ms = rental.placed_ms;
		rental.attempts = pick(&left, 2) ? 1 : RENTAL_ATTEMPTS_MAX;
		rental.pinned = pick(&left, 2);
		actual.lost = pick(&left, 2);
		verdict = judge(&rental, &actual, NOW_MS);
		check_verdict(&rental, &verdict);
	}
}

/* ---- what each report means ---- */

static void reports_move_it_forward_one_state_at_a_time(void **state _unused_)
{
	struct worker_actual pulling = says(WORKER_PHASE_PULLING, "");
	struct worker_actual running = says(WORKER_PHASE_RUNNING, "");
	struct rental rental = rental_in(RENTAL_QUEUED);

	assert_move(judge(&rental, &pulling, NOW_MS), RENTAL_ADVANCE, RENTAL_PULLING, 0);
	assert_move(judge(&rental, &running, NOW_MS), RENTAL_ADVANCE, RENTAL_STARTING, 0);
	rental.state = RENTAL_PULLING;
	assert_int_equal(judge(&rental, &pulling, NOW_MS).act, RENTAL_REST);
	assert_move(judge(&rental, &running, NOW_MS), RENTAL_ADVANCE, RENTAL_STARTING, 0);
	rental.state = RENTAL_STARTING;
	/* An agent that starts again pulls again: not a step back. */
	assert_int_equal(judge(&rental, &pulling, NOW_MS).act, RENTAL_REST);
	assert_move(judge(&rental, &running, NOW_MS), RENTAL_ADVANCE, RENTAL_RUNNING, 0);
}

static void what_never_ran_is_tried_elsewhere(void **state _unused_)
{
	struct worker_actual failed = says(WORKER_PHASE_FAILED, "pull_failed");
	struct worker_actual missing = says(WORKER_PHASE_FAILED, "image_not_found");
	struct worker_actual silent = says(WORKER_PHASE_NONE, "");
	struct rental rental = rental_in(RENTAL_PULLING);

	assert_move(judge(&rental, &failed, NOW_MS), RENTAL_RETRY, RENTAL_QUEUED,
		    RENTAL_PULL_FAILED);
	assert_move(judge(&rental, &missing, NOW_MS), RENTAL_END, RENTAL_FAILED,
		    RENTAL_IMAGE_NOT_FOUND);
	assert_move(judge(&rental, &silent, NOW_MS + 600000), RENTAL_RETRY, RENTAL_QUEUED,
		    RENTAL_PULL_TIMEOUT);
	silent.lost = true;
	assert_move(judge(&rental, &silent, NOW_MS), RENTAL_RETRY, RENTAL_QUEUED,
		    RENTAL_WORKER_LOST);
	rental.pinned = true;
	assert_move(judge(&rental, &failed, NOW_MS), RENTAL_END, RENTAL_FAILED, RENTAL_PULL_FAILED);
	rental.pinned = false;
	rental.attempts = RENTAL_ATTEMPTS_MAX;
	assert_move(judge(&rental, &failed, NOW_MS), RENTAL_END, RENTAL_FAILED, RENTAL_PULL_FAILED);
}

static void what_ran_ends_where_it_ran(void **state _unused_)
{
	struct worker_actual exited = says(WORKER_PHASE_EXITED, "exited");
	struct worker_actual gone = says(WORKER_PHASE_FAILED, "container_gone");
	struct worker_actual lost = says(WORKER_PHASE_RUNNING, "");
	struct rental rental = rental_in(RENTAL_RUNNING);

	exited.ended_at_ms = NOW_MS - 77;
	assert_move(judge(&rental, &exited, NOW_MS), RENTAL_END, RENTAL_STOPPED, RENTAL_EXITED);
	assert_int_equal(judge(&rental, &exited, NOW_MS).ended_ms, NOW_MS - 77);
	exited.reason = "out_of_memory";
	assert_move(judge(&rental, &exited, NOW_MS), RENTAL_END, RENTAL_STOPPED,
		    RENTAL_OUT_OF_MEMORY);
	assert_move(judge(&rental, &gone, NOW_MS), RENTAL_END, RENTAL_FAILED,
		    RENTAL_CONTAINER_GONE);
	lost.lost = true;
	assert_move(judge(&rental, &lost, NOW_MS), RENTAL_END, RENTAL_LOST, RENTAL_WORKER_LOST);
	assert_int_equal(judge(&rental, &lost, NOW_MS).ended_ms, lost.seen_at_ms);
}

static void a_stop_waits_for_the_machine_but_not_for_ever(void **state _unused_)
{
	struct worker_actual running = says(WORKER_PHASE_RUNNING, "");
	struct worker_actual exited = says(WORKER_PHASE_EXITED, "stopped");
	struct rental rental = rental_in(RENTAL_RUNNING);
	int64_t deadline_ms = NOW_MS - 1000 + 10000 + 15000;

	rental.stop = RENTAL_BALANCE_EXHAUSTED;
	assert_move(judge(&rental, &running, NOW_MS), RENTAL_ADVANCE, RENTAL_STOPPING, 0);
	assert_int_equal(judge(&rental, &running, NOW_MS).stop, RENTAL_BALANCE_EXHAUSTED);
	rental.state = RENTAL_STOPPING;
	assert_int_equal(judge(&rental, &running, NOW_MS).act, RENTAL_REST);
	assert_int_equal(judge(&rental, &running, NOW_MS).check_ms, deadline_ms);
	assert_move(judge(&rental, &exited, NOW_MS), RENTAL_END, RENTAL_STOPPED,
		    RENTAL_BALANCE_EXHAUSTED);
	assert_move(judge(&rental, &running, deadline_ms), RENTAL_END, RENTAL_STOPPED,
		    RENTAL_STOP_TIMEOUT);
	assert_int_equal(judge(&rental, &running, deadline_ms).ended_ms, rental.phase_ms);
}

static void a_term_ends_it(void **state _unused_)
{
	struct worker_actual running = says(WORKER_PHASE_RUNNING, "");
	struct rental rental = rental_in(RENTAL_RUNNING);

	rental.expires_ms = NOW_MS + 60000;
	assert_int_equal(judge(&rental, &running, NOW_MS).check_ms, NOW_MS + 60000);
	assert_int_equal(judge(&rental, &running, NOW_MS + 60000).stop, RENTAL_TERM_ENDED);
}

/* What was reported before the stop was asked for counts: it ran, so it is billed. */
static void a_report_comes_before_a_stop(void **state _unused_)
{
	struct worker_actual running = says(WORKER_PHASE_RUNNING, "");
	struct worker_actual starting = says(WORKER_PHASE_STARTING, "");
	struct rental rental = rental_in(RENTAL_STARTING);

	rental.stop = RENTAL_STOPPED_BY_TENANT;
	assert_move(judge(&rental, &running, NOW_MS), RENTAL_ADVANCE, RENTAL_RUNNING, 0);
	assert_move(judge(&rental, &starting, NOW_MS), RENTAL_END, RENTAL_STOPPED,
		    RENTAL_STOPPED_BY_TENANT);
}

static void a_machine_cannot_invent_time(void **state _unused_)
{
	struct worker_actual exited = says(WORKER_PHASE_EXITED, "exited");
	struct rental rental = rental_in(RENTAL_RUNNING);

	exited.ended_at_ms = NOW_MS + 3600000;
	assert_true(judge(&rental, &exited, NOW_MS).ended_ms <= NOW_MS + 5000);
	exited.ended_at_ms = 5;
	assert_int_equal(judge(&rental, &exited, NOW_MS).ended_ms, rental.started_ms);
}

static void an_ended_container_is_kept_for_a_while(void **state _unused_)
{
	struct rental rental = rental_in(RENTAL_STOPPED);
	int64_t until_ms = rental.ended_ms + settings.keep_stopped_ms;

	assert_int_equal(judge(&rental, NULL, NOW_MS).check_ms, until_ms);
	assert_int_equal(judge(&rental, NULL, until_ms).act, RENTAL_DISCARD);
	rental.deleted_ms = NOW_MS;
	assert_int_equal(judge(&rental, NULL, NOW_MS).act, RENTAL_DISCARD);
	rental.kept = false;
	assert_int_equal(judge(&rental, NULL, NOW_MS).act, RENTAL_REST);
	assert_int_equal(judge(&rental, NULL, NOW_MS).check_ms, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_table_has_the_legal_moves),
		cmocka_unit_test(every_reason_has_a_name_and_a_cause),
		cmocka_unit_test(no_verdict_is_illegal),
		cmocka_unit_test(reports_move_it_forward_one_state_at_a_time),
		cmocka_unit_test(what_never_ran_is_tried_elsewhere),
		cmocka_unit_test(what_ran_ends_where_it_ran),
		cmocka_unit_test(a_stop_waits_for_the_machine_but_not_for_ever),
		cmocka_unit_test(a_term_ends_it),
		cmocka_unit_test(a_report_comes_before_a_stop),
		cmocka_unit_test(a_machine_cannot_invent_time),
		cmocka_unit_test(an_ended_container_is_kept_for_a_while),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
