#include "popw/judge.h"

typedef unsigned __int128 wide; /* operations of a session, times microseconds */

static unsigned int count(uint32_t set)
{
	return (unsigned int)__builtin_popcount(set);
}

static bool agree(const struct result *a, const struct result *b)
{
	return a->bits == b->bits && hash_equal(&a->transcript, &b->transcript);
}

static uint32_t those_with(const struct result *results, uint32_t set, const struct result *like)
{
	uint32_t same = 0;

	for (unsigned int i = 0; i < SESSION_PANEL_MAX; i++)
		if (set >> i & 1 && agree(&results[i], like))
			same |= UINT32_C(1) << i;
	return same;
}

/* The members that gave what more than half of @set gave; none: 0. */
static uint32_t majority(const struct result *results, uint32_t set)
{
	for (unsigned int i = 0; i < SESSION_PANEL_MAX; i++) {
		uint32_t same = set >> i & 1 ? those_with(results, set, &results[i]) : 0;

		if (2 * count(same) > count(set))
			return same;
	}
	return 0;
}

/* ---- times ---- */

enum timed { FILL, WALK, MATRIX, N_TIMED };

static uint32_t raw_us(const struct result *result, enum timed what)
{
	return what == FILL ? result->fill_us : what == WALK ? result->walk_us : result->matrix_us;
}

/* 0: not measured. */
static uint32_t own_us(const struct result *result, enum timed what)
{
	uint32_t us = raw_us(result, what), trip = result->rtt_us;

	if (!us)
		return 0;
	if (trip > JUDGE_TRIP_MAX_US)
		trip = JUDGE_TRIP_MAX_US;
	return us > trip ? us - trip : 1;
}

static int compare_u32(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

static uint32_t median_us(const struct result *results, uint32_t set, enum timed what)
{
	uint32_t times[SESSION_PANEL_MAX];
	size_t n = 0;

	for (unsigned int i = 0; i < SESSION_PANEL_MAX; i++) {
		uint32_t us = set >> i & 1 ? own_us(&results[i], what) : 0;

		if (us)
			times[n++] = us;
	}
	if (!n)
		return 0;
	qsort(times, n, sizeof(times[0]), compare_u32);
	return (uint32_t)(((uint64_t)times[(n - 1) / 2] + times[n / 2]) / 2);
}

static bool deviates(const struct result *result, const uint32_t medians[static N_TIMED])
{
	for (enum timed what = FILL; what < N_TIMED; what++) {
		int64_t us = own_us(result, what);

		if (us && llabs(us - medians[what]) > JUDGE_AGREEMENT_US)
			return true;
	}
	return false;
}

static void judge_times(const struct result *results, struct verdict *verdict)
{
	uint32_t medians[N_TIMED];

	for (enum timed what = FILL; what < N_TIMED; what++)
		medians[what] = median_us(results, verdict->agreeing, what);
	for (unsigned int i = 0; i < SESSION_PANEL_MAX; i++)
		if (verdict->agreeing >> i & 1 && deviates(&results[i], medians))
			verdict->deviating |= UINT32_C(1) << i;
	verdict->fill_us = medians[FILL];
	verdict->walk_us = medians[WALK];
	verdict->matrix_us = medians[MATRIX];
}

/* ---- bandwidth ---- */

enum rated { DOWN, UP };

/* What members saw at the same time, together, none of them more than twice the median: a single false
 * word weighs as much as one more member, no matter how large. Of an even number the lower one of
 * the middle two, or one of two members could lift the bound himself. */
static uint32_t sum_rates(const struct result *results, uint32_t set, enum rated which)
{
	uint32_t rates[SESSION_PANEL_MAX];
	uint64_t sum = 0, most;
	size_t n = 0;

	for (unsigned int i = 0; i < SESSION_PANEL_MAX; i++)
		if (set >> i & 1)
			rates[n++] = which == DOWN ? results[i].down_kbps : results[i].up_kbps;
	if (!n)
		return 0;
	qsort(rates, n, sizeof(rates[0]), compare_u32);
	most = 2 * (uint64_t)rates[(n - 1) / 2];
	for (size_t i = 0; i < n; i++)
		sum += rates[i] < most ? rates[i] : most;
	return sum < UINT32_MAX ? (uint32_t)sum : UINT32_MAX;
}

static void judge_bandwidth(const struct result *results, struct verdict *verdict)
{
	verdict->down_kbps = sum_rates(results, verdict->agreeing, DOWN);
	verdict->up_kbps = sum_rates(results, verdict->agreeing, UP);
}

/* ---- what was reached ---- */

/* The bounds of session_check keep both below 2^64: 2^16+2*14+12+1 operations, 2^26+12+8 bytes * 1000. */
static void measure(const struct session *session, struct verdict *verdict)
{
	const struct session_work *work = &session->work;
	struct measured *measured = &verdict->measured;
	wide operations = (wide)2 * work->k * work->n * work->m * work->rounds;
	wide bytes = (wide)work->walks * work->steps * work->epochs * ITEM_BYTES;

	if (verdict->matrix_us)
		measured->matrix_mops = (uint64_t)(operations / verdict->matrix_us);
	if (verdict->walk_us)
		measured->walk_kbps = (uint64_t)(bytes * 1000 / verdict->walk_us);
	measured->set_mib = (uint32_t)((uint64_t)work->n_items * ITEM_BYTES >> 20);
}

static void judge_class(const struct session *session, struct verdict *verdict)
{
	uint16_t claimed = session->class_;
	const struct measured *measured = &verdict->measured;

	verdict->outcome = VERDICT_PASSED;
	if (claimed >= class_rows_n) {
		verdict->earned = class_best(measured);
		verdict->score_milli = class_score_milli(CLASS_UNKNOWN, measured);
		return;
	}
	verdict->earned = claimed;
	if (!class_satisfied(claimed, measured)) {
		verdict->outcome = VERDICT_LOWER;
		verdict->earned = class_best(measured);
	}
	if (verdict->earned >= 0)
		verdict->score_milli = class_score_milli((uint16_t)verdict->earned, measured);
}

static void judge_exact(const struct session *session, struct verdict *verdict)
{
	if (verdict->bits != PROOF_ALL) {
		verdict->outcome = VERDICT_FAILED;
		return;
	}
	measure(session, verdict);
	/* A disk has no class, and what is asked of a rented device is too little to tell one. */
	if (session->kind != SESSION_RENTED && session->device != SESSION_DISK) {
		judge_class(session, verdict);
		return;
	}
	verdict->outcome = VERDICT_PASSED;
	verdict->earned = session->class_ < class_rows_n ? session->class_ : -1;
}

void judge(const struct session *session, const struct result *results, uint32_t set,
	   struct verdict *ret_verdict)
{
	uint32_t panel = UINT32_MAX >> (SESSION_PANEL_MAX - session->panel_size);
	struct verdict verdict = {
		.outcome = VERDICT_NO_MAJORITY,
		.claimed = session->class_,
		.earned = -1,
		.silent = panel & ~set,
	};

	set &= panel;
	verdict.agreeing = majority(results, set);
	if (verdict.agreeing) {
		const struct result *first = &results[__builtin_ctz(verdict.agreeing)];

		verdict.wrong = set & ~verdict.agreeing;
		verdict.bits = first->bits;
		verdict.transcript = first->transcript;
		judge_times(results, &verdict);
		judge_bandwidth(results, &verdict);
		judge_exact(session, &verdict);
	}
	*ret_verdict = verdict;
}
