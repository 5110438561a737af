/* reports.h - what a machine says of itself, applied to the store: what runs, and what it has. A
 * report that changes nothing writes nothing. */
#pragma once

#include "modules/worker/lease_store.h"
#include "wire/wire.h"

/* States of leases that are not this machine's, are older than what was applied, answer a generation
 * that was never sent, or move backwards are passed over. A complete report without a removed lease
 * confirms its removal. */
_must_check_ int report_actual(const struct context *context, struct tx *tx,
			       struct machine_id machine, const Wire__Actual *actual);

enum {
	INVENTORY_CPUS_MAX = 4096,
	INVENTORY_BYTES_MAX_LOG2 = 50,
	INVENTORY_UUID_MAX = 47,
};

/* NULL if the claim is plausible, else what is wrong with it, a static text. */
const char *inventory_check(const Wire__Inventory *inventory);

/* ROUTE_E_NOT_FOUND: the machine was removed meanwhile. */
_must_check_ int report_inventory(struct tx *tx, struct machine_id machine,
				  const Wire__Inventory *inventory);
