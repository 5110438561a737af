/* jobs.h - runs the modules' jobs on the pools for them: at their period, when woken, and never one
 * twice at once; only while this instance has their module's duty, unless they run everywhere. A wake during a run runs it once more. */
#pragma once

#include "api/route.h"

struct jobs;

/* On the loop's thread. */
_must_check_ int jobs_start(const struct context *context, const struct module *const *modules,
			    size_t n_modules, struct jobs **ret_jobs);

/* No run begins after this returned. On the loop. */
void jobs_stop(struct jobs *jobs);

/* After the background pool is freed. */
void jobs_free(struct jobs *jobs);

/* All of a duty that this instance has from now on. From any thread. */
void jobs_wake_duty(struct jobs *jobs, const char *duty);

/* From any thread; an unknown name is a bug and is logged. */
void jobs_wake(struct jobs *jobs, const char *name);
