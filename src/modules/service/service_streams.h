/* service_streams.h - logs, exec and stats of a rental: a WebSocket of a tenant joined to a stream
 * of the machine. Nothing is kept here: what the tenant does not take is not asked for. */
#pragma once

#include "api/route.h"
#include "modules/service/rental.h"

extern const struct ws_route service_logs, service_exec, service_stats;

/* Leaves @wanted, with the rental's lease and machine, for the upgrade. -ENOMEM. */
_must_check_ int service_stream_prepare(struct request *request, const struct rental *rental,
					const struct worker_stream_request *wanted);
