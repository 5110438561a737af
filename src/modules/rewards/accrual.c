#include "modules/rewards/accrual.h"

#include "base/log.h"
#include "modules/rewards/payouts.h"

enum { AT_ONCE = 100, ARENA_BYTES = 1 << 20, ALARM_MS = 10 * 60 * 1000 };

struct accrual {
	struct epoch_row epoch;
	int64_t written;
	struct epoch_credit *credits;
	size_t n;
};

static void accrual_done(struct accrual *accrual)
{
	free(accrual->credits);
}

static int tx_find(struct tx *tx, void *arg)
{
	struct accrual *accrual = arg;

	return rewards_store_uncredited(tx, &accrual->epoch, &accrual->written);
}

static int tx_write(struct tx *tx, void *arg)
{
	const struct accrual *accrual = arg;
	size_t first = (size_t)accrual->written, n = size_min(accrual->n - first, AT_ONCE);

	return rewards_store_credit(tx, accrual->epoch.number, accrual->written,
				    accrual->credits + first, n, first + n == accrual->n);
}

/* An epoch of nobody has a last page, too. */
static int write_all(const struct context *context, struct arena *arena, struct accrual *accrual)
{
	int r;

	do {
		if ((size_t)accrual->written > accrual->n)
			return -EIO;
		r = db_run(context->db, TX_WRITE, arena, tx_write, accrual);
		arena_reset(arena);
		accrual->written += AT_ONCE;
	} while (r == 0 && (size_t)accrual->written < accrual->n);
	return r;
}

int accrual_step(const struct context *context)
{
	_cleanup_(accrual_done) struct accrual accrual = { 0 };
	_cleanup_(arena_freep) struct arena *arena = NULL;
	int r;

	r = arena_new(ARENA_BYTES, &arena);
	if (r == 0)
		r = db_run(context->db, TX_READ, arena, tx_find, &accrual);
	if (r == ROUTE_E_NOT_FOUND)
		return ACCRUAL_IDLE;
	if (r == 0)
		r = payouts_credits(context, &accrual.epoch, &accrual.credits, &accrual.n);
	if (r == 0)
		r = write_all(context, arena, &accrual);
	if (r == 0)
		log_info("rewards.credited", log_int("epoch", accrual.epoch.number),
			 log_int("credits", (int64_t)accrual.n));
	return r;
}

int accrual_look(const struct context *context, struct arena *arena,
		 char ret_problem[static ACCRUAL_PROBLEM_MAX])
{
	struct accrual accrual = { 0 };
	int r = db_run(context->db, TX_READ, arena, tx_find, &accrual);

	ret_problem[0] = '\0';
	if (r != 0)
		return r == ROUTE_E_NOT_FOUND ? 0 : r;
	if (clock_now_ms(context->clock) - accrual.epoch.closed_at_ms < ALARM_MS)
		return 0;
	snprintf(ret_problem, ACCRUAL_PROBLEM_MAX,
		 "epoch %" PRId64 " is closed and not credited, nor are those behind it: the log "
		 "says why; if it is rewards.payouts_differ, its stored text is not the one that "
		 "was published: restore its rows of reward_pages (kind 2) from a backup, or from "
		 "what GET /v1/rewards/%" PRId64 "/payouts gave before",
		 accrual.epoch.number, accrual.epoch.number);
	return 0;
}
