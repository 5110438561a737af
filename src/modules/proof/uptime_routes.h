/* uptime_routes.h - GET /v1/uptime/{machine}/{hour}: who was drawn to watch a machine in an hour, what each
 * reported and signed, and what follows. While the hour is open nothing is told of the reports: a watcher
 * could say what others said. */
#pragma once

#include "api/route.h"

int uptime_get(struct request *request, struct tx *tx, struct reply *reply);
