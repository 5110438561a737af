#include "checker/watch.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "base/log.h"
#include "security/secp.h"

enum { MACHINES = 4, EVERY_MS = 60000, REPORTS_MAX = 64, TICK_MS = 100 };

/* Far from an hour's edge; tests move on from here. */
static const int64_t start_ms = INT64_C(500000) * WATCH_HOUR_MS + 60000;

struct fixture {
	struct random_seeded random;
	struct watch *watch;
	struct address network, checker, machines[MACHINES];
	struct secp_key *keys[MACHINES];
	int64_t passed_ms;
	bool refuse; /* nothing can be sent */
	bool gone; /* nobody answers */
	bool crowd; /* so many machines that they are only counted */
	unsigned int crowd_polls, farthest; /* machine of the crowd */
	unsigned int polls[MACHINES];
	struct poll_nonce nonces[MACHINES];
	bool asked[MACHINES]; /* and not answered */
	int64_t asked_ms[MACHINES];
	struct watch_tally reports[REPORTS_MAX];
	size_t n_reports;
};

static struct watch_time now(const struct fixture *f)
{
	/* The clock that never steps back began some other day. */
	return (struct watch_time){ 777 + f->passed_ms, start_ms + f->passed_ms };
}

static int poll(void *arg, const struct address *machine, const struct poll_nonce *nonce)
{
	struct fixture *f = arg;

	if (f->refuse)
		return -EAGAIN;
	f->crowd_polls++;
	if (f->crowd) {
		uint32_t i;

		memcpy(&i, machine->bytes, sizeof(i));
		f->farthest = i > f->farthest ? i : f->farthest;
		return 0;
	}
	for (int i = 0; i < MACHINES; i++) {
		if (!address_equal(machine, &f->machines[i]))
			continue;
		f->polls[i]++;
		f->nonces[i] = *nonce;
		f->asked[i] = true;
		f->asked_ms[i] = f->passed_ms;
		return 0;
	}
	fail_msg("a machine that is not watched");
	return 0;
}

static int report(void *arg, int64_t hour_ms, const struct watch_tally *tally)
{
	struct fixture *f = arg;

	if (f->refuse)
		return -EAGAIN;
	assert_int_equal(hour_ms, WATCH_HOUR_MS);
	assert_true(f->n_reports < REPORTS_MAX);
	f->reports[f->n_reports++] = *tally;
	return 0;
}

static void answer(struct fixture *f, int i, int by)
{
	struct poll_statement statement = {
		.network = f->network,
		.machine.address = f->machines[i],
		.checker = f->checker,
	};
	uint8_t digest[SIGN_DIGEST_SIZE], signature[SIGNATURE_SIZE];

	memcpy(statement.nonce, f->nonces[i].bytes, sizeof(statement.nonce));
	poll_digest(&statement, digest);
	assert_int_equal(secp_sign(f->keys[by], digest, signature), 0);
	assert_true(watch_answered(f->watch, &f->nonces[i], signature, now(f)));
	assert_false(watch_answered(f->watch, &f->nonces[i], signature, now(f)));
	f->asked[i] = false;
}

/* Machine 0 answers at once, 1 never, 2 with another's key, 3 a moment too late. */
static void pass(struct fixture *f, int64_t ms)
{
	for (int64_t until = f->passed_ms + ms; f->passed_ms < until; f->passed_ms += TICK_MS) {
		watch_tick(f->watch, now(f));
		if (f->passed_ms - f->asked_ms[0] > POLL_ANSWER_MS)
			f->asked[0] = false;
		if (f->asked[0] && !f->gone)
			answer(f, 0, 0);
		if (f->asked[2])
			answer(f, 2, 0);
		if (f->asked[3] && f->passed_ms - f->asked_ms[3] > POLL_ANSWER_MS + TICK_MS) {
			uint8_t signature[SIGNATURE_SIZE] = { 0 };

			/* It was given up. */
			assert_false(watch_answered(f->watch, &f->nonces[3], signature, now(f)));
			f->asked[3] = false;
		}
	}
}

static void new_watch(struct fixture *f)
{
	const struct watch_config config = { .network = f->network,
					     .checker = f->checker,
					     .random = &f->random.random,
					     .poll = poll,
					     .report = report,
					     .arg = f };

	watch_free(f->watch);
	assert_int_equal(watch_new(&config, &f->watch), 0);
}

static void set(struct fixture *f, uint32_t every_ms, size_t n)
{
	const struct watch_list list = { every_ms, WATCH_HOUR_MS, f->machines, n };

	assert_int_equal(watch_set(f->watch, &list, now(f)), 0);
}

static int set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	*state = f;
	log_init(false, LOG_ERROR);
	random_seeded_init(&f->random, 5);
	f->network.bytes[0] = 1;
	f->checker.bytes[0] = 2;
	for (int i = 0; i < MACHINES; i++) {
		assert_int_equal(secp_key_generate(&f->random.random, &f->keys[i]), 0);
		f->machines[i] = *secp_key_address(f->keys[i]);
	}
	new_watch(f);
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	for (int i = 0; i < MACHINES; i++)
		secp_key_free(f->keys[i]);
	watch_free(f->watch);
	free(f);
	return 0;
}

/* The report about machine @i, which must be there once. */
static struct watch_tally reported(const struct fixture *f, int i, size_t from)
{
	struct watch_tally found = { .hour = -1 };

	for (size_t j = from; j < f->n_reports; j++) {
		if (!address_equal(&f->reports[j].machine, &f->machines[i]))
			continue;
		assert_int_equal(found.hour, -1);
		found = f->reports[j];
	}
	assert_int_not_equal(found.hour, -1);
	return found;
}

static struct watch_tally tally_of(struct fixture *f, int i, int64_t hour)
{
	struct watch_tally found = { .hour = -1 };

	f->n_reports = 0;
	watch_report_all(f->watch);
	for (size_t j = 0; j < f->n_reports; j++)
		if (f->reports[j].hour == hour &&
		    address_equal(&f->reports[j].machine, &f->machines[i]))
			found = f->reports[j];
	return found;
}

static void only_signed_answers_in_time_count(void **state)
{
	struct fixture *f = *state;

	set(f, EVERY_MS, MACHINES);
	pass(f, WATCH_HOUR_MS);
	for (int i = 0; i < MACHINES; i++) {
		struct watch_tally tally = reported(f, i, 0);

		assert_int_equal(tally.hour, start_ms / WATCH_HOUR_MS);
		assert_int_equal(tally.answered, i == 0 ? tally.polls : 0);
		/* 59 minutes at one a minute: five standard deviations either way. */
		assert_in_range(tally.polls, 59 - 38, 59 + 38);
	}
}

/* The pauses' mean is right, and they are of all lengths. */
static void the_times_are_poisson(void **state)
{
	enum { POLLS = 2000 };
	struct fixture *f = *state;
	int64_t last_ms = 0, sum_ms = 0;
	unsigned int below_half = 0, above_double = 0;

	set(f, EVERY_MS, 1);
	for (int i = 0; i < POLLS; i++) {
		int64_t ms;

		for (unsigned int n = f->polls[0]; f->polls[0] == n; f->passed_ms += TICK_MS)
			watch_tick(f->watch, now(f));
		answer(f, 0, 0);
		ms = f->asked_ms[0] - last_ms;
		last_ms = f->asked_ms[0];
		sum_ms += ms;
		below_half += ms < EVERY_MS / 2;
		above_double += ms > 2 * EVERY_MS;
		/* Enough of reports. */
		set(f, EVERY_MS, 1);
		f->n_reports = 0;
	}
	assert_in_range(sum_ms / POLLS, EVERY_MS * 9 / 10, EVERY_MS * 11 / 10);
	/* 1 - e^-0.5 = 39.3 %, e^-2 = 13.5 %. */
	assert_in_range(below_half, POLLS * 35 / 100, POLLS * 44 / 100);
	assert_in_range(above_double, POLLS * 11 / 100, POLLS * 16 / 100);
}

static void reports_until_it_is_heard(void **state)
{
	struct fixture *f = *state;
	struct watch_tally said;

	set(f, EVERY_MS, 1);
	f->refuse = false;
	pass(f, WATCH_HOUR_MS);
	assert_int_equal(f->n_reports, 1);
	pass(f, WATCH_AGAIN_MS);
	assert_int_equal(f->n_reports, 2);
	assert_memory_equal(&f->reports[0], &f->reports[1], sizeof(f->reports[0]));
	/* The link broke: it is said again at once. A list says nothing of reports. */
	watch_down(f->watch, now(f));
	set(f, EVERY_MS, 1);
	set(f, EVERY_MS, 1);
	pass(f, 1000);
	assert_int_equal(f->n_reports, 3);
	/* Nor does another report; of the running hour nothing is forgotten. */
	said = f->reports[2];
	watch_heard(f->watch, &said.machine, said.hour, said.polls - 1, now(f));
	watch_heard(f->watch, &said.machine, said.hour - 1, said.polls, now(f));
	pass(f, WATCH_AGAIN_MS);
	assert_int_equal(f->n_reports, 4);
	watch_heard(f->watch, &said.machine, said.hour, said.polls, now(f));
	pass(f, 2 * WATCH_AGAIN_MS);
	assert_int_equal(f->n_reports, 4);
	watch_report_all(f->watch);
	said = f->reports[4];
	assert_int_equal(said.hour, now(f).wall_ms / WATCH_HOUR_MS);
	watch_heard(f->watch, &said.machine, said.hour, said.polls, now(f));
	watch_report_all(f->watch);
	assert_int_equal(f->n_reports, 6);
}

/* After its link broke nobody is polled until the control plane says whom: machines may not be back yet. */
static void who_comes_back_waits_for_a_list(void **state)
{
	struct fixture *f = *state;
	unsigned int polls;

	set(f, EVERY_MS, 1);
	pass(f, 300000);
	watch_down(f->watch, now(f));
	f->gone = true;
	polls = f->polls[0];
	pass(f, 1200000);
	assert_int_equal(f->polls[0], polls);
	f->gone = false;
	set(f, EVERY_MS, 1);
	pass(f, 300000);
	assert_true(f->polls[0] > polls);
	assert_int_equal(tally_of(f, 0, start_ms / WATCH_HOUR_MS).away.n, 0);
}

/* So many reports at once would find no room; all are made. */
static void reports_have_a_pace(void **state)
{
	enum { MANY = 100 };
	struct address machines[MANY] = { 0 };
	const struct watch_list list = { 1000, WATCH_HOUR_MS, machines, MANY };
	struct fixture *f = *state;
	int64_t edge_ms = WATCH_HOUR_MS - 60000;

	for (uint32_t i = 0; i < MANY; i++)
		memcpy(machines[i].bytes, &i, sizeof(i));
	f->crowd = true;
	assert_int_equal(watch_set(f->watch, &list, now(f)), 0);
	f->passed_ms = edge_ms - 60000;
	while (f->passed_ms < edge_ms - 10000) {
		watch_tick(f->watch, now(f));
		f->passed_ms += TICK_MS;
	}
	set(f, 0, 0);
	assert_int_equal(f->n_reports, 0);
	f->passed_ms = edge_ms + 1000 - 777; /* a second of its clock begins */
	for (int i = 0; i < 10; i++, f->passed_ms += TICK_MS)
		watch_tick(f->watch, now(f));
	assert_int_equal(f->n_reports, WATCH_REPORTS_A_SECOND);
	f->passed_ms = edge_ms + 2000 - 777;
	for (int i = 0; i < 10; i++, f->passed_ms += TICK_MS)
		watch_tick(f->watch, now(f));
	assert_int_equal(f->n_reports, 2 * WATCH_REPORTS_A_SECOND);
}

static void what_is_not_sent_does_not_count(void **state)
{
	struct fixture *f = *state;

	set(f, EVERY_MS, MACHINES);
	f->refuse = true;
	pass(f, WATCH_HOUR_MS);
	f->refuse = false;
	watch_report_all(f->watch);
	assert_int_equal(f->n_reports, 0);
	/* A poll that is on its way when the link breaks, neither. */
	while (!f->asked[1]) {
		watch_tick(f->watch, now(f));
		f->passed_ms += TICK_MS;
	}
	watch_down(f->watch, now(f));
	memset(f->asked, 0, sizeof(f->asked));
	set(f, 0, MACHINES);
	pass(f, 2 * POLL_ANSWER_MS);
	watch_report_all(f->watch);
	for (size_t i = 0; i < f->n_reports; i++)
		assert_false(address_equal(&f->reports[i].machine, &f->machines[1]));
}

static void a_restart_goes_on_counting(void **state)
{
	struct fixture *f = *state;
	uint8_t *bytes = malloc(WATCH_BYTES_MAX);
	uint32_t polls;
	size_t len;

	assert_non_null(bytes);
	set(f, EVERY_MS, MACHINES);
	pass(f, WATCH_HOUR_MS / 2);
	watch_report_all(f->watch);
	polls = reported(f, 0, 0).polls;
	assert_in_range(polls, f->polls[0] - 1, f->polls[0]); /* the first may not count */
	assert_true(watch_changed(f->watch));
	len = watch_encode(f->watch, bytes);
	assert_false(watch_changed(f->watch));
	new_watch(f);
	assert_int_equal(watch_decode(f->watch, bytes, len), 0);
	set(f, EVERY_MS, MACHINES);
	f->n_reports = 0;
	/* Until the hour is just over. */
	pass(f, WATCH_HOUR_MS / 2 - 60000 + 2 * TICK_MS);
	assert_true(reported(f, 0, 0).polls > polls);
	assert_in_range(reported(f, 0, 0).polls, f->polls[0] - 2, f->polls[0]);
	for (size_t cut = 0; cut < len; cut++) {
		new_watch(f);
		assert_int_equal(watch_decode(f->watch, bytes, cut), -EBADMSG);
	}
	free(bytes);
}

/* The control plane is away for weeks: the newest hours are kept. */
static void what_is_too_old_is_given_up(void **state)
{
	struct fixture *f = *state;

	for (int i = 0; i < 40; i++) {
		set(f, EVERY_MS, 1);
		f->refuse = false;
		pass(f, WATCH_HOUR_MS / 4);
		f->passed_ms += WATCH_HOUR_MS * 3 / 4 + 7 * WATCH_HOUR_MS;
		watch_down(f->watch, now(f));
		f->n_reports = 0;
	}
	watch_tick(f->watch, now(f));
	for (int second = 1; second < 5; second++) {
		f->passed_ms += 1000;
		watch_tick(f->watch, now(f));
	}
	assert_in_range(f->n_reports, WATCH_TALLY_HOURS / 8 - 2, WATCH_TALLY_HOURS / 8 + 1);
}

static void lists_are_bounded(void **state)
{
	struct fixture *f = *state;
	struct address *machines = calloc(WATCH_MACHINES_MAX + 1, sizeof(*machines));
	struct watch_list list = { EVERY_MS, WATCH_HOUR_MS, NULL, WATCH_MACHINES_MAX + 1 };

	list.machines = machines;
	assert_int_equal(watch_set(f->watch, &list, now(f)), -E2BIG);
	list.n--;
	assert_int_equal(watch_set(f->watch, &list, now(f)), 0);
	free(machines);
}

/* The control plane would not hand more on; who waits is polled later. */
static void polls_no_more_than_are_handed_on(void **state)
{
	enum { MANY = 1000, SECONDS = 40 };
	struct address *machines = calloc(MANY, sizeof(*machines));
	const struct watch_list list = { 1000, WATCH_HOUR_MS, machines, MANY };
	struct fixture *f = *state;

	for (uint32_t i = 0; i < MANY; i++)
		memcpy(machines[i].bytes, &i, sizeof(i));
	f->crowd = true;
	assert_int_equal(watch_set(f->watch, &list, now(f)), 0);
	for (int second = 0; second < SECONDS; second++) {
		unsigned int before = f->crowd_polls;

		/* From one full second of its clock to the next. */
		f->passed_ms = (second + 1) * 1000 - 777;
		for (int i = 0; i < 1000; i += TICK_MS, f->passed_ms += TICK_MS)
			watch_tick(f->watch, now(f));
		assert_in_range(f->crowd_polls - before, 0, WATCH_POLLS_A_SECOND);
	}
	assert_in_range(f->crowd_polls, WATCH_POLLS_A_SECOND * (SECONDS - 10),
			WATCH_POLLS_A_SECOND * SECONDS);
	assert_int_equal(f->farthest, MANY - 1);
	free(machines);
}

/* ---- who is away ---- */

static void until_asked(struct fixture *f, int i)
{
	for (unsigned int polls = f->polls[i]; f->polls[i] == polls;)
		pass(f, TICK_MS);
}

/* Seconds since the hour's beginning. */
static int64_t second_of(const struct fixture *f)
{
	return (start_ms + f->passed_ms) % WATCH_HOUR_MS / 1000;
}

static void a_span_is_from_the_first_poll_missed_to_the_next_answered(void **state)
{
	struct fixture *f = *state;
	int64_t hour = start_ms / WATCH_HOUR_MS, from_s, until_s, lasts;
	struct watch_tally tally;
	uint32_t polls;

	set(f, EVERY_MS, 1);
	pass(f, 300000);
	assert_int_equal(tally_of(f, 0, hour).away.n, 0);
	f->gone = true;
	until_asked(f, 0);
	from_s = second_of(f);
	polls = f->polls[0];
	pass(f, 600000);
	/* Asked often meanwhile; what is said grows with it. */
	assert_true(f->polls[0] - polls > 600 / (15 + 5) / 2);
	tally = tally_of(f, 0, hour);
	lasts = tally.away.items[0].until_s;
	assert_in_range(lasts, from_s + 500, from_s + 600);
	f->gone = false;
	until_asked(f, 0);
	until_s = second_of(f);
	pass(f, 600000);
	tally = tally_of(f, 0, hour);
	assert_int_equal(tally.away.n, 1);
	assert_in_range(tally.away.items[0].from_s, from_s, from_s + 1);
	assert_in_range(tally.away.items[0].until_s, until_s - 1, until_s + 1);
	/* What was asked to see its end counts for nothing: a poll a minute. */
	assert_in_range(tally.polls, 25 - 20, 25 + 25);
	assert_in_range(tally.polls - tally.answered, 0, 10 + 15);
}

static void an_hours_edge_cuts_it(void **state)
{
	struct fixture *f = *state;
	int64_t hour = start_ms / WATCH_HOUR_MS, from_s;
	struct watch_tally tally;

	set(f, EVERY_MS, 1);
	pass(f, 3000000);
	f->gone = true;
	until_asked(f, 0);
	from_s = second_of(f);
	f->n_reports = 0;
	pass(f, WATCH_HOUR_MS - 60000 - f->passed_ms + 600000);
	/* Reported by itself when the hour was over. */
	tally = reported(f, 0, 0);
	assert_int_equal(tally.hour, hour);
	assert_int_equal(tally.away.n, 1);
	assert_in_range(tally.away.items[0].from_s, from_s, from_s + 1);
	assert_int_equal(tally.away.items[0].until_s, 3600);
	tally = tally_of(f, 0, hour + 1);
	assert_int_equal(tally.away.n, 1);
	assert_int_equal(tally.away.items[0].from_s, 0);
	assert_in_range(tally.away.items[0].until_s, 500, 600);
	/* All of an hour. */
	pass(f, 2 * WATCH_HOUR_MS - 60000 - f->passed_ms + 1000);
	assert_int_equal(tally_of(f, 0, hour + 1).away.items[0].until_s, 3600);
}

/* Nobody is away while nobody asks, or when the link may have been dead. */
static void a_dead_link_says_nothing(void **state)
{
	struct fixture *f = *state;
	int64_t hour = start_ms / WATCH_HOUR_MS, from_s, down_s;
	struct watch_tally tally;

	set(f, EVERY_MS, 1);
	pass(f, 300000);
	f->gone = true;
	until_asked(f, 0);
	from_s = second_of(f);
	pass(f, 300000);
	down_s = second_of(f);
	watch_down(f->watch, now(f));
	f->passed_ms += 600000;
	set(f, EVERY_MS, 1);
	f->gone = false;
	pass(f, 600000);
	tally = tally_of(f, 0, hour);
	assert_int_equal(tally.away.n, 1);
	assert_in_range(tally.away.items[0].from_s, from_s, from_s + 1);
	assert_in_range(tally.away.items[0].until_s, down_s - 60, down_s - WATCH_DOUBT_MS / 1000);
	/* One that began when it may have been dead was none. */
	f->gone = true;
	until_asked(f, 0);
	pass(f, POLL_ANSWER_MS + 2 * TICK_MS);
	assert_int_equal(tally_of(f, 0, hour).away.n, 2);
	watch_down(f->watch, now(f));
	assert_int_equal(tally_of(f, 0, hour).away.n, 1);
}

static void who_leaves_the_list_is_not_away_for_longer(void **state)
{
	struct fixture *f = *state;
	int64_t hour = start_ms / WATCH_HOUR_MS, left_s;
	struct watch_tally tally;

	set(f, EVERY_MS, 1);
	pass(f, 300000);
	f->gone = true;
	pass(f, 600000);
	left_s = second_of(f);
	set(f, EVERY_MS, 0);
	pass(f, 600000);
	set(f, EVERY_MS, 1);
	pass(f, 300000);
	tally = tally_of(f, 0, hour);
	assert_int_equal(tally.away.n, 2);
	assert_true(tally.away.items[0].until_s <= left_s);
	assert_true(tally.away.items[1].from_s >= left_s + 600);
}

static void a_restart_keeps_what_was_seen(void **state)
{
	struct fixture *f = *state;
	int64_t hour = start_ms / WATCH_HOUR_MS;
	uint8_t *bytes = malloc(WATCH_BYTES_MAX);
	struct watch_tally before, after;
	size_t len;

	assert_non_null(bytes);
	set(f, EVERY_MS, 1);
	pass(f, 300000);
	f->gone = true;
	pass(f, 600000);
	before = tally_of(f, 0, hour);
	len = watch_encode(f->watch, bytes);
	new_watch(f);
	assert_int_equal(watch_decode(f->watch, bytes, len), 0);
	f->passed_ms += 300000;
	set(f, EVERY_MS, 1);
	pass(f, 300000);
	after = tally_of(f, 0, hour);
	assert_int_equal(before.away.n, 1);
	assert_int_equal(after.away.n, 2);
	assert_memory_equal(&after.away.items[0], &before.away.items[0], sizeof(struct span));
	assert_true(after.away.items[1].from_s >= before.away.items[0].until_s + 300);
	/* Spans that are none are as damaged as a file that is too short. */
	bytes[8 + 40] ^= 0x80;
	assert_int_equal(watch_decode(f->watch, bytes, len), -EBADMSG);
	free(bytes);
}

static void of_many_spans_the_first_are_kept(void **state)
{
	struct fixture *f = *state;
	int64_t hour = start_ms / WATCH_HOUR_MS;
	struct watch_tally tally;

	set(f, 20000, 1);
	for (int i = 0; i < 40; i++) {
		f->gone = i % 2;
		pass(f, 80000);
	}
	tally = tally_of(f, 0, hour);
	assert_int_equal(tally.away.n, SPANS_MAX);
	assert_true(tally.away.items[SPANS_MAX - 1].until_s < 3400);
}

/* It was stopped, and what came meanwhile is looked at only then. */
static void who_sleeps_accuses_nobody(void **state)
{
	struct fixture *f = *state;
	int64_t hour = start_ms / WATCH_HOUR_MS;
	uint32_t polls;

	set(f, EVERY_MS, 1);
	pass(f, 600000);
	/* A poll is on its way, which was answered while it slept. */
	while (!f->asked[0]) {
		f->passed_ms += TICK_MS;
		watch_tick(f->watch, now(f));
	}
	polls = tally_of(f, 0, hour).polls;
	f->passed_ms += 60000;
	watch_tick(f->watch, now(f));
	assert_int_equal(tally_of(f, 0, hour).polls, polls);
	pass(f, 60000);
	assert_int_equal(tally_of(f, 0, hour).away.n, 0);
}

/* Of a network whose hours are shorter: what was counted by others is forgotten. */
static void hours_of_another_length_begin_anew(void **state)
{
	struct fixture *f = *state;
	struct watch_list list = { EVERY_MS, 20000, f->machines, 1 };

	set(f, EVERY_MS, 1);
	pass(f, 300000);
	f->n_reports = 0;
	assert_int_equal(watch_set(f->watch, &list, now(f)), 0);
	watch_report_all(f->watch);
	assert_int_equal(f->n_reports, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(only_signed_answers_in_time_count),
		TEST(the_times_are_poisson),
		TEST(reports_until_it_is_heard),
		TEST(who_comes_back_waits_for_a_list),
		TEST(reports_have_a_pace),
		TEST(what_is_not_sent_does_not_count),
		TEST(a_restart_goes_on_counting),
		TEST(what_is_too_old_is_given_up),
		TEST(lists_are_bounded),
		TEST(polls_no_more_than_are_handed_on),
		TEST(a_span_is_from_the_first_poll_missed_to_the_next_answered),
		TEST(an_hours_edge_cuts_it),
		TEST(a_dead_link_says_nothing),
		TEST(who_leaves_the_list_is_not_away_for_longer),
		TEST(a_restart_keeps_what_was_seen),
		TEST(of_many_spans_the_first_are_kept),
		TEST(who_sleeps_accuses_nobody),
		TEST(hours_of_another_length_begin_anew),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
