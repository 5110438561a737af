/* accrual.h - a closed epoch's payouts become accounts' credits, each with the sum of all before it: epoch by epoch in
 * their order, some at a time, each once. */
#pragma once

#include "modules/rewards/rewards_store_roots.h"

/* Some more of them. ACCRUAL_IDLE: every closed epoch has its credits. */
enum accrual_outcome { ACCRUAL_IDLE = 1 };
_must_check_ int accrual_step(const struct context *context);

/* What keeps a closed epoch from being credited, and those behind it, for ten minutes by now; "": nothing does. */
enum { ACCRUAL_PROBLEM_MAX = 384 };
_must_check_ int accrual_look(const struct context *context, struct arena *arena,
			      char ret_problem[static ACCRUAL_PROBLEM_MAX]);
