/* lease_store.h - the statements on what machines should and do run, and on the list of changes.
 * A row that is not there is ROUTE_E_NOT_FOUND. Texts live in the transaction's arena. */
#pragma once

#include "modules/worker/worker_store.h"

struct lease_row {
	struct lease_id lease;
	struct rental_id rental;
	struct machine_id machine;
	int64_t want; /* 0: placed only; enum worker_want */
	int64_t generation;
	const void *container; /* a wire.Container; NULL before worker_lease_start */
	size_t container_len;
	int64_t cpu_milli, memory_bytes,
		disk_bytes; /* taken at the placement; of a trial nothing */
	bool released, removed;
};

/* What the machine reported last. */
struct lease_report {
	int64_t applied; /* the generation that it answers; 0: nothing heard yet */
	int64_t phase, exit_code, started_at_ms, ended_at_ms, pulled_bytes, pull_total_bytes;
	const char *reason, *detail;
	const char *ports; /* "80:32768,22:32769" */
};

_must_check_ int lease_store_get(struct tx *tx, struct lease_id lease, struct lease_row *ret_row,
				 struct lease_report *ret_report);
_must_check_ int lease_store_add(struct tx *tx, const struct lease_row *row);

/* Outcome WORKER_E_BUSY: it was started before. */
_must_check_ int lease_store_start(struct tx *tx, struct lease_id lease, const void *container,
				   size_t len);
_must_check_ int lease_store_want(struct tx *tx, struct lease_id lease, int64_t want);
_must_check_ int lease_store_released(struct tx *tx, struct lease_id lease);
_must_check_ int lease_store_removed(struct tx *tx, struct lease_id lease);
_must_check_ int lease_store_delete(struct tx *tx, struct lease_id lease);
_must_check_ int lease_store_report(struct tx *tx, struct lease_id lease,
				    const struct lease_report *report);

/* All that the machine may have: not removed, and started. */
_must_check_ int lease_store_desired(struct tx *tx, struct machine_id machine,
				     struct lease_row **ret_rows, size_t *ret_n);
_must_check_ int lease_store_desired_bytes(struct tx *tx, struct machine_id machine,
					   int64_t *ret_bytes);

/* Removed ones that the machine has not confirmed yet. */
_must_check_ int lease_store_leaving(struct tx *tx, struct machine_id machine,
				     struct lease_id **ret_leases, size_t *ret_n);

/* ---- rentals with something new ---- */

_must_check_ int lease_store_change(struct tx *tx, struct rental_id rental);
_must_check_ int lease_store_change_all(struct tx *tx, struct machine_id machine);
_must_check_ int lease_store_changes_take(struct tx *tx, size_t max, struct rental_id *ret_rentals,
					  size_t *ret_n);
