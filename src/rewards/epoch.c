#include "rewards/epoch.h"

#include "rewards/columns.h"

/* ---- bounds and order ---- */

/* Whether @fault was written: a bound, or an id that does not come after @before (NULL: the
 * first). */
static bool record_fault(const char *kind, const struct column *columns, const void *record,
			 const void *before, struct epoch_fault *fault)
{
	char id[COLUMN_TEXT_SIZE] = "", rule[COLUMN_RULE_SIZE];
	const struct column *at = columns;

	while (at->kind != COLUMN_END && column_holds(at, record))
		at++;
	if (columns->kind == COLUMN_ADDRESS)
		column_write(columns, record, id);
	if (at->kind != COLUMN_END) {
		column_rule(at, rule);
		snprintf(fault->text, sizeof(fault->text), "%s%s%s: %s", kind, *id ? " " : "", id,
			 rule);
		return true;
	}
	/* The id is what such a record begins with. */
	if (before && memcmp(before, record, sizeof(struct address)) >= 0) {
		snprintf(fault->text, sizeof(fault->text),
			 "%s %s: must come after the one before it, by its address, and once", kind,
			 id);
		return true;
	}
	return false;
}

static bool delegators_fault(const struct epoch *epoch, const struct epoch_delegators *delegators,
			     size_t *next, struct epoch_fault *fault)
{
	if (delegators->first != *next || delegators->n > epoch->n_delegators - *next) {
		snprintf(fault->text, sizeof(fault->text),
			 "the delegators of a record must follow those of the one before");
		return true;
	}
	for (uint32_t i = 0; i < delegators->n; i++) {
		const struct epoch_delegator *at = &epoch->delegators[*next + i];

		if (record_fault("delegator", delegator_columns, at, i > 0 ? at - 1 : NULL, fault))
			return true;
	}
	*next += delegators->n;
	return false;
}

static bool counts_fault(const struct epoch *epoch, struct epoch_fault *fault)
{
	if (epoch->n_workers <= EPOCH_WORKERS_MAX && epoch->n_checkers <= EPOCH_CHECKERS_MAX &&
	    epoch->n_delegators <= EPOCH_DELEGATORS_MAX)
		return false;
	snprintf(fault->text, sizeof(fault->text),
		 "at most %d workers, %d checkers and %d delegators fit an epoch",
		 EPOCH_WORKERS_MAX, EPOCH_CHECKERS_MAX, EPOCH_DELEGATORS_MAX);
	return true;
}

static bool records_fault(const struct epoch *epoch, size_t *next, struct epoch_fault *fault)
{
	for (size_t i = 0; i < epoch->n_workers; i++) {
		const struct epoch_worker *worker = &epoch->workers[i];

		if (record_fault("worker", worker_columns, worker, i > 0 ? worker - 1 : NULL,
				 fault) ||
		    delegators_fault(epoch, &worker->delegators, next, fault))
			return true;
	}
	for (size_t i = 0; i < epoch->n_checkers; i++) {
		const struct epoch_checker *checker = &epoch->checkers[i];

		if (record_fault("checker", checker_columns, checker, i > 0 ? checker - 1 : NULL,
				 fault) ||
		    delegators_fault(epoch, &checker->delegators, next, fault))
			return true;
	}
	return false;
}

int epoch_check(const struct epoch *epoch, struct epoch_fault *ret_fault)
{
	size_t next = 0;

	_Static_assert(offsetof(struct epoch_worker, id) == 0 &&
			       offsetof(struct epoch_checker, id) == 0 &&
			       offsetof(struct epoch_delegator, account) == 0,
		       "record_fault takes a record's address for its id's");
	if (counts_fault(epoch, ret_fault) ||
	    record_fault("the terms", terms_columns, &epoch->terms, NULL, ret_fault) ||
	    records_fault(epoch, &next, ret_fault))
		return EPOCH_E_INVALID;
	if (next == epoch->n_delegators)
		return 0;
	snprintf(ret_fault->text, sizeof(ret_fault->text), "%zu delegators belong to no record",
		 epoch->n_delegators - next);
	return EPOCH_E_INVALID;
}

/* ---- the pots ---- */

/* Gives @pot out by @weights; @ret_parts stay zero when nobody has any. */
static int pot_share(struct pot *pot, const struct u256 *weights, size_t n, struct arena *arena,
		     struct tokens *ret_parts)
{
	int r = share_out(pot->allotted, weights, n, arena, ret_parts);

	if (r != SHARE_E_WEIGHTLESS)
		return r;
	pot->unallotted = pot->allotted;
	return 0;
}

static uint64_t worker_seconds(const struct epoch_worker *worker, bool delivery)
{
	return delivery ? worker->jobtime_s * SCORE_JOBTIME_WEIGHT : worker->uptime_s;
}

static int workers_pot(const struct epoch *epoch, bool delivery, struct pot *pot,
		       struct arena *arena, struct tokens *ret_parts)
{
	struct arena_mark mark = arena_mark(arena);
	struct u256 *weights = arena_array(arena, epoch->n_workers, sizeof(*weights));
	int r;

	if (!weights)
		return -ENOMEM;
	for (size_t i = 0; i < epoch->n_workers; i++) {
		const struct epoch_worker *worker = &epoch->workers[i];

		if (!worker->banned)
			weights[i] = score_worker(worker_seconds(worker, delivery), worker->stake,
						  epoch->terms.max_stake,
						  score_machine_milli(&worker->figures));
	}
	r = pot_share(pot, weights, epoch->n_workers, arena, ret_parts);
	arena_rewind(arena, mark);
	return r;
}

static int checkers_pot(const struct epoch *epoch, struct pot *pot, struct arena *arena,
			struct tokens *ret_parts)
{
	struct arena_mark mark = arena_mark(arena);
	struct u256 *weights = arena_array(arena, epoch->n_checkers, sizeof(*weights));
	int r;

	if (!weights)
		return -ENOMEM;
	for (size_t i = 0; i < epoch->n_checkers; i++) {
		const struct epoch_checker *checker = &epoch->checkers[i];

		if (!checker->banned)
			weights[i] = score_checker(checker->valid, checker->licences_milli,
						   score_error_ppm(checker->valid, checker->wrong));
	}
	r = pot_share(pot, weights, epoch->n_checkers, arena, ret_parts);
	arena_rewind(arena, mark);
	return r;
}

/* ---- owner and delegators ---- */

static int split(const struct epoch *epoch, const struct epoch_delegators *delegators,
		 struct tokens reward, struct arena *arena, struct tokens *ret_owner,
		 struct tokens *ret_delegators)
{
	struct arena_mark mark = arena_mark(arena);
	struct tokens together;
	struct u256 *weights;
	int r;

	*ret_owner = reward;
	if (delegators->n == 0 || reward.units == 0)
		return 0;
	weights = arena_array(arena, delegators->n, sizeof(*weights));
	if (!weights)
		return -ENOMEM;
	for (uint32_t i = 0; i < delegators->n; i++)
		weights[i] = u256_from(epoch->delegators[delegators->first + i].stake.units);
	share_split(reward, (uint32_t)epoch->terms.commission_bp, ret_owner, &together);
	r = share_out(together, weights, delegators->n, arena, ret_delegators + delegators->first);
	arena_rewind(arena, mark);
	return r;
}

static int settle_workers(const struct epoch *epoch, struct arena *arena, struct tokens *parts,
			  struct payouts *payouts)
{
	int r = workers_pot(epoch, false, &payouts->capacity, arena, parts);

	for (size_t i = 0; r == 0 && i < epoch->n_workers; i++)
		payouts->workers[i].capacity = parts[i];
	memset(parts, 0, epoch->n_workers * sizeof(*parts));
	if (r == 0)
		r = workers_pot(epoch, true, &payouts->delivery, arena, parts);
	for (size_t i = 0; r == 0 && i < epoch->n_workers; i++) {
		struct worker_payout *payout = &payouts->workers[i];
		struct tokens reward = { payout->capacity.units + parts[i].units };

		payout->delivery = parts[i];
		r = split(epoch, &epoch->workers[i].delegators, reward, arena, &payout->owner,
			  payouts->delegators);
	}
	return r;
}

static int settle_checkers(const struct epoch *epoch, struct arena *arena, struct tokens *parts,
			   struct payouts *payouts)
{
	int r = checkers_pot(epoch, &payouts->checking, arena, parts);

	for (size_t i = 0; r == 0 && i < epoch->n_checkers; i++) {
		struct checker_payout *payout = &payouts->checkers[i];

		payout->reward = parts[i];
		r = split(epoch, &epoch->checkers[i].delegators, parts[i], arena, &payout->owner,
			  payouts->delegators);
	}
	return r;
}

int epoch_settle(const struct epoch *epoch, struct arena *arena, struct payouts *ret_payouts)
{
	struct payouts payouts = {
		.workers = arena_array(arena, epoch->n_workers, sizeof(*payouts.workers)),
		.checkers = arena_array(arena, epoch->n_checkers, sizeof(*payouts.checkers)),
		.delegators = arena_array(arena, epoch->n_delegators, sizeof(*payouts.delegators)),
	};
	struct tokens *workers = arena_array(arena, epoch->n_workers, sizeof(*workers));
	struct tokens *checkers = arena_array(arena, epoch->n_checkers, sizeof(*checkers));
	int r;

	if (!payouts.workers || !payouts.checkers || !payouts.delegators || !workers || !checkers)
		return -ENOMEM;
	share_split(epoch->terms.worker_total, (uint32_t)epoch->terms.ratio_bp,
		    &payouts.capacity.allotted, &payouts.delivery.allotted);
	payouts.checking.allotted = epoch->terms.checker_total;
	r = settle_workers(epoch, arena, workers, &payouts);
	if (r == 0)
		r = settle_checkers(epoch, arena, checkers, &payouts);
	if (r == 0)
		*ret_payouts = payouts;
	return r;
}
