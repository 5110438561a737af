/* template.h - orders under a name, kept as data in the store: a row is an order's fields. */
#pragma once

#include "io/db.h"
#include "modules/service/order.h"

/* SERVICE_E_TEMPLATE. Fault: -EIO where the row is not an order's fields. */
_must_check_ int template_order(struct tx *tx, const char *name, struct order *ret_order);
