/* exchange.h - one request from the moment it was read to its answer. */
#pragma once

#include "api/api.h"
#include "api/router.h"

struct rate_limit;

/* What all exchanges share; owned by api.c. */
struct exchange_host {
	const struct context *context;
	const struct router *router;
	authenticate_fn *authenticate;
	struct rate_limit *peers; /* NULL: no limit; used on the loop only */
	struct arena *scratch; /* for finding the row, on the loop only */
};

/* The HTTP server's on_request. On the loop. */
void exchange_begin(void *host, const struct http_request *request);
