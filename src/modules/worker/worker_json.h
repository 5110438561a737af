/* worker_json.h - machines and offers as the API shows them. Everything returned is owned by the caller;
 * NULL without memory. */
#pragma once

#include <jansson.h>

#include "modules/worker/offers.h"
#include "modules/worker/worker_store.h"

/* A machine as its owner sees it. */
_must_check_ int worker_json(const struct context *context, struct tx *tx,
			     const struct worker_row *row, json_t **ret_json);

/* An offer as everybody sees it: the machine is named by its address only. */
json_t *worker_json_offer(const struct offer *offer);
