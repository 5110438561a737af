#include "modules/rewards/closing.h"

#include "api/settings.h"
#include "base/log.h"
#include "modules/rewards/payouts.h"
#include "modules/rewards/records.h"
#include "rewards/epoch_text.h"

enum { STEP_ARENA_BYTES = 64 << 20 };

struct closing {
	const struct context *context;
	struct arena *arena; /* of the step */
	int64_t now_ms;
	struct epoch_row was, next;
	struct epoch epoch; /* this step's records */
	struct reward_jobtime *times;
	char *text; /* theirs */
	size_t len;
};

static int64_t started_ms; /* by the wall */

void closing_begin(const struct context *context)
{
	started_ms = clock_now_ms(context->clock);
}

int64_t closing_due_ms(const struct epoch_row *epoch)
{
	int64_t tenth = (epoch->until_ms - epoch->from_ms) / 10, from_ms = epoch->until_ms;

	/* What is closed was due whenever this process began. */
	if (epoch->state != EPOCH_CLOSED && from_ms < started_ms)
		from_ms = started_ms;
	return from_ms + (tenth < CLOSING_GRACE_MS ? tenth : CLOSING_GRACE_MS);
}

/* ---- opening ---- */

/* The moment whose epoch is the next one: one that passed while nobody was here comes in its order. */
static int64_t next_ms(const struct closing *closing, const struct epoch_row *last)
{
	int64_t most_ms = CLOSING_MISSED_MAX * closing->context->settings->epoch_ms;

	return !last || closing->now_ms - last->until_ms > most_ms ? closing->now_ms
								   : last->until_ms;
}

/* After a change of the length it begins where the last one ended, and numbers still ascend. */
static void fill_epoch(const struct closing *closing, const struct epoch_row *last,
		       struct epoch_row *ret_row)
{
	const struct settings *settings = closing->context->settings;
	int64_t slot = next_ms(closing, last) / settings->epoch_ms;

	*ret_row = (struct epoch_row){
		.number = slot,
		.from_ms = slot * settings->epoch_ms,
		.until_ms = (slot + 1) * settings->epoch_ms,
		.workers_tokens = settings->epoch_workers_tokens,
		.checkers_tokens = settings->epoch_checkers_tokens,
		.ratio_bp = settings->rewards_ratio_basis_points,
		.commission_bp = settings->rewards_commission_basis_points,
		.max_stake_tokens = settings->rewards_max_stake_tokens,
	};
	if (last && ret_row->number <= last->number)
		ret_row->number = last->number + 1;
	if (last && ret_row->from_ms < last->until_ms)
		ret_row->from_ms = last->until_ms;
}

static int tx_open(struct tx *tx, void *arg)
{
	const struct closing *closing = arg;
	struct epoch_row last, row;
	int r;

	r = rewards_store_last(tx, &last);
	if (r == 0 && last.until_ms > closing->now_ms)
		return 0;
	if (r != 0 && r != ROUTE_E_NOT_FOUND)
		return r;
	fill_epoch(closing, r == 0 ? &last : NULL, &row);
	r = rewards_store_open(tx, &row);
	return r == SQL_E_CONFLICT ? -ESTALE : r;
}

static int tx_last(struct tx *tx, void *arg)
{
	struct closing *closing = arg;

	return rewards_store_last(tx, &closing->was);
}

/* Up to that of this moment. */
static int open_epochs(struct closing *closing)
{
	struct db *db = closing->context->db;
	int r = 0;

	while (r == 0) {
		r = db_run(db, TX_READ, closing->arena, tx_last, closing);
		if (r < 0 || (r == 0 && closing->was.until_ms > closing->now_ms))
			return r;
		r = db_run(db, TX_WRITE, closing->arena, tx_open, closing);
	}
	return r;
}

/* ---- records ---- */

static int tx_machines(struct tx *tx, void *arg)
{
	struct closing *closing = arg;
	size_t n, room = EPOCH_WORKERS_MAX - (size_t)closing->was.n_workers;
	struct worker_machine *machines;
	int r;

	r = worker_machines(tx, closing->was.reached, size_min(room, CLOSING_MACHINES), &machines,
			    &n);
	if (r != 0)
		return r;
	closing->epoch.workers = arena_array(tx_arena(tx), n + 1, sizeof(struct epoch_worker));
	closing->times = arena_array(tx_arena(tx), n + 1, sizeof(*closing->times));
	if (!closing->epoch.workers || !closing->times)
		return -ENOMEM;
	for (size_t i = 0; r == 0 && i < n; i++)
		r = record_worker(closing->context, tx, &closing->was, &machines[i],
				  &closing->epoch.workers[i], &closing->times[i]);
	closing->epoch.n_workers = n;
	return r;
}

static int tx_checkers(struct tx *tx, void *arg)
{
	struct closing *closing = arg;
	struct epoch *epoch = &closing->epoch;
	struct checker_work *work;
	size_t n, delegators = 0;
	int r;

	r = checker_worked(tx, closing->was.from_ms, closing->was.until_ms, &work, &n);
	if (r != 0)
		return r;
	n = size_min(n, EPOCH_CHECKERS_MAX);
	for (size_t i = 0; i < n; i++)
		delegators += work[i].n_delegators;
	delegators = size_min(delegators, EPOCH_DELEGATORS_MAX);
	epoch->checkers = arena_array(tx_arena(tx), n + 1, sizeof(*epoch->checkers));
	epoch->delegators = arena_array(tx_arena(tx), delegators + 1, sizeof(*epoch->delegators));
	if (!epoch->checkers || !epoch->delegators)
		return -ENOMEM;
	epoch->n_delegators = 0;
	for (size_t i = 0; i < n; i++)
		record_checker(&work[i], epoch, &epoch->checkers[i]);
	epoch->n_checkers = n;
	return 0;
}

static int tx_records(struct tx *tx, void *arg)
{
	const struct closing *closing = arg;
	struct epoch_row next = closing->next;
	int r = 0;

	for (size_t at = 0; r == 0 && at < closing->len; at += CLOSING_PAGE_BYTES)
		r = rewards_store_page(tx, next.number, TEXT_RECORDS, closing->text + at,
				       size_min(closing->len - at, CLOSING_PAGE_BYTES),
				       &next.records);
	if (r == 0)
		r = rewards_store_jobtimes_put(tx, closing->times, closing->epoch.n_workers);
	return r != 0 ? r : rewards_store_move(tx, &closing->was, &next);
}

/* Writes this step's records behind those that are there. */
static int write_records(struct closing *closing, unsigned int parts)
{
	int r;

	if (closing->was.records.pages == 0)
		parts |= EPOCH_HEAD;
	record_terms(&closing->was, &closing->epoch.terms);
	closing->next.n_workers += (int64_t)closing->epoch.n_workers;
	closing->next.n_checkers += (int64_t)closing->epoch.n_checkers;
	r = epoch_write_parts(&closing->epoch, parts, &closing->text, &closing->len);
	return r != 0 ? r
		      : db_run(closing->context->db, TX_WRITE, closing->arena, tx_records, closing);
}

static int write_workers(struct closing *closing)
{
	const struct epoch *epoch = &closing->epoch;
	int r;

	r = db_run(closing->context->db, TX_READ, closing->arena, tx_machines, closing);
	if (r != 0)
		return r;
	if (epoch->n_workers < CLOSING_MACHINES)
		closing->next.state = EPOCH_CHECKERS;
	else
		closing->next.reached.address = epoch->workers[epoch->n_workers - 1].id;
	return write_records(closing, 0);
}

static int write_checkers(struct closing *closing)
{
	int r;

	r = db_run(closing->context->db, TX_READ, closing->arena, tx_checkers, closing);
	if (r != 0)
		return r;
	closing->next.state = EPOCH_PAYOUTS;
	return write_records(closing, EPOCH_END);
}

/* ---- steps ---- */

static int tx_unclosed(struct tx *tx, void *arg)
{
	struct closing *closing = arg;

	return rewards_store_unclosed(tx, &closing->was);
}

static int tx_move(struct tx *tx, void *arg)
{
	const struct closing *closing = arg;

	return rewards_store_move(tx, &closing->was, &closing->next);
}

static int advance(struct closing *closing)
{
	closing->next = closing->was;
	switch (closing->was.state) {
	case EPOCH_OPEN:
		closing->next.state = EPOCH_WORKERS;
		return db_run(closing->context->db, TX_WRITE, closing->arena, tx_move, closing);
	case EPOCH_WORKERS:
		return write_workers(closing);
	case EPOCH_CHECKERS:
		return write_checkers(closing);
	case EPOCH_PAYOUTS:
		return payouts_publish(closing->context, &closing->was);
	case EPOCH_CLOSED:
		break;
	}
	return -EIO;
}

static void closing_done(struct closing *closing)
{
	free(closing->text);
	arena_free(closing->arena);
}

int closing_step(const struct context *context)
{
	_cleanup_(closing_done) struct closing closing = { .context = context };
	int r;

	closing.now_ms = clock_now_ms(context->clock);
	r = arena_new(STEP_ARENA_BYTES, &closing.arena);
	if (r == 0)
		r = open_epochs(&closing);
	if (r == 0)
		r = db_run(context->db, TX_READ, closing.arena, tx_unclosed, &closing);
	if (r != 0)
		return r;
	if (closing.was.state == EPOCH_OPEN && closing_due_ms(&closing.was) > closing.now_ms)
		return CLOSING_IDLE;
	return advance(&closing);
}
