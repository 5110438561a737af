/* logging_jobs.h - forgets events after 30 days; looks after feeds whose hint was lost. */
#pragma once

#include "api/route.h"

extern const struct job logging_jobs[];
