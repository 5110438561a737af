/* chain_jobs.h - the turns of outbox, indexer and anchors, which wait for others' machines, and of the registry. */
#pragma once

#include "api/route.h"

extern const struct job chain_jobs[];
