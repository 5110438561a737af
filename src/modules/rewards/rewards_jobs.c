#include "modules/chain/chain.h"
#include "modules/rewards/accrual.h"
#include "modules/rewards/closing.h"
#include "modules/rewards/pots.h"
#include "modules/rewards/roots.h"

enum { LOOK_EVERY_MS = 1000, STEPS_MAX = 32 };

/* Some steps, then other jobs' turn. */
static int run(const struct context *context, struct arena *arena _unused_)
{
	int r = 0;

	for (int i = 0; r == 0 && i < STEPS_MAX; i++)
		r = closing_step(context);
	if (r == 0)
		job_wake(context, "rewards");
	return r == CLOSING_IDLE ? 0 : r;
}

static int run_accrual(const struct context *context, struct arena *arena _unused_)
{
	int r = accrual_step(context);

	if (r == 0)
		job_wake(context, "rewards-accrual");
	return r == ACCRUAL_IDLE ? 0 : r;
}

static int run_payouts(const struct context *context, struct arena *arena)
{
	char roots[ROOTS_PROBLEM_MAX], accrual[ACCRUAL_PROBLEM_MAX];
	char problem[ROOTS_PROBLEM_MAX + ACCRUAL_PROBLEM_MAX + 2];
	int r;

	if (!chain_enabled())
		return 0;
	r = pots_follow(context, arena);
	if (r == 0)
		r = roots_turn(context, arena, roots);
	if (r == 0)
		r = accrual_look(context, arena, accrual);
	arena_reset(arena);
	if (r != 0)
		return r;
	snprintf(problem, sizeof(problem), "%s%s%s", accrual, *accrual && *roots ? "; " : "",
		 roots);
	return chain_payouts(context, arena, problem);
}

const struct job rewards_jobs[] = {
	{ "rewards", LOOK_EVERY_MS, run },
	{ "rewards-accrual", LOOK_EVERY_MS, run_accrual },
	{ "rewards-payouts", LOOK_EVERY_MS, run_payouts },
	{ 0 },
};
