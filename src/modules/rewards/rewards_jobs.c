#include "modules/rewards/closing.h"

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

const struct job rewards_jobs[] = {
	{ "rewards", LOOK_EVERY_MS, run },
	{ 0 },
};
