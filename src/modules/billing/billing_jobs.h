/* billing_jobs.h - what billing does by itself: audits the ledger every hour. */
#pragma once

#include "api/route.h"

extern const struct job billing_jobs[];
