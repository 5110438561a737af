/* service_jobs.h - the reconciler "rentals": gathers what may have changed and steps it. */
#pragma once

#include "api/route.h"

extern const struct job service_jobs[];

/* One turn, as the job takes it: for tests. */
_must_check_ int service_rentals_run(const struct context *context, struct arena *arena);
