/* schedule.h - which sessions begin when: the job "proofs".
 *
 * One turn begins what is due and fits: of a machine either its host, its disk or all its GPUs at once, never
 * two of them together. What is not proved is checked at once, host first; what is proved at random times, in
 * the slots of its cohort, all its idle GPUs together; what is rented by one small product. In some slots
 * (panel_cohort_slot) all idle GPUs of the cohort begin in the same turn, once, whenever they are due. Appeals go
 * first, then the cohort, then what is due.
 * Without panel_least checkers nothing begins. */
#pragma once

#include "api/route.h"

_must_check_ int schedule_run(const struct context *context, struct arena *arena);
