/* desired.h - the whole set of what one machine should run, as one message, sent to its session at
 * the moment of the commit: on the path of a rental's start there is no poll and no further hop. A
 * session that missed it gets it again with a heartbeat (agents.h). */
#pragma once

#include "modules/worker/lease_store.h"
#include "wire/wire.h"

/* Encoded containers of one machine together: one Desired message holds them all. */
enum { DESIRED_BYTES_MAX = WIRE_MESSAGE_MAX - 65536 };

/* The container as kept in the store. WORKER_E_CONTAINER: past wire.h's bounds. */
_must_check_ int desired_pack(struct tx *tx, const struct lease_row *lease,
			      const struct worker_container *container, char **gpus, size_t n_gpus,
			      const void **ret_bytes, size_t *ret_len);

/* A ToNode with the machine's set, in the transaction's arena. */
_must_check_ int desired_read(struct tx *tx, struct machine_id machine, int64_t generation,
			      const void **ret_bytes, size_t *ret_len);

/* The set changed in this transaction: counts its generation up, sends it after the commit. */
_must_check_ int desired_changed(struct tx *tx, struct machine_id machine);
