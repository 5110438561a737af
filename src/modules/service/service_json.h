/* service_json.h - rentals, their history and templates as the API shows them. Results are owned by
 * the caller. */
#pragma once

#include "api/route.h"
#include "modules/service/order.h"
#include "modules/service/service_store.h"

/* Everything about a rental, with what it cost so far. */
_must_check_ int service_rental_json(const struct context *context, struct tx *tx,
				     const struct rental *rental, json_t **ret_json);

/* The essentials, for events. */
_must_check_ int service_event_json(struct tx *tx, const struct rental *rental, json_t **ret_json);

_must_check_ int service_move_json(const struct rental_move *move, json_t **ret_json);
_must_check_ int service_template_json(const struct template_row *row, json_t **ret_json);
