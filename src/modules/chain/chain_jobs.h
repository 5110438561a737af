/* chain_jobs.h - the turns of outbox, indexer and anchors. They wait for others' machines. */
#pragma once

#include "api/route.h"

extern const struct job chain_jobs[];
