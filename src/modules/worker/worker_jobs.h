/* worker_jobs.h - the module's timers. */
#pragma once

#include "api/route.h"

extern const struct job worker_jobs[];
