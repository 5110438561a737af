#include "modules/billing/billing_jobs.h"

#include "base/log.h"
#include "modules/billing/billing.h"
#include "modules/billing/escrow.h"
#include "modules/billing/owed.h"
#include "modules/billing/settle.h"
#include "modules/billing/withdrawal.h"
#include "modules/chain/chain.h"

enum { AUDIT_EVERY_MS = 3600 * 1000, ESCROW_EVERY_MS = 2000 };

static int run_audit(struct tx *tx, void *arg)
{
	return billing_check(tx, arg);
}

/* Only says what is wrong: money is put right by people. */
static int audit(const struct context *context, struct arena *arena)
{
	const char *problem;
	int r;

	r = db_run(context->db, TX_READ, arena, run_audit, &problem);
	if (r == 0 && problem)
		log_error("billing.unbalanced", log_text("problem", problem));
	return r;
}

static int follow_escrow(const struct context *context, struct arena *arena)
{
	int r;

	if (!chain_enabled())
		return 0;
	r = escrow_follow(context, arena);
	if (r == 0)
		r = owed_follow(context, arena);
	return r != 0 ? r : withdrawals_look(context, arena);
}

static int settle(const struct context *context, struct arena *arena)
{
	return chain_enabled() ? settle_turn(context, arena) : 0;
}

const struct job billing_jobs[] = {
	{ "billing-audit", AUDIT_EVERY_MS, audit },
	{ "billing-escrow", ESCROW_EVERY_MS, follow_escrow },
	{ "billing-settle", ESCROW_EVERY_MS, settle, .outside = true },
	{ 0 },
};
