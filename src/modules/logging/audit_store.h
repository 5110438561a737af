/* audit_store.h - every SQL statement of the audit log. Results are in the transaction's arena. */
#pragma once

#include "io/db.h"
#include "modules/logging/audit.h"

ID_DEFINE(audit, "aud")

struct audit_row {
	struct audit_id id;
	enum audit_actor by;
	struct address actor; /* AUDIT_NETWORK: zeros */
	const char *action, *subject;
	bool owned;
	struct account_id owner;
	const char *via, *peer, *request; /* "-": none */
	bool has_origin;
	uint8_t salt[16];
	const char *detail;
	int64_t batch; /* 0: not sealed yet */
};

_must_check_ int audit_store_add(struct tx *tx, const struct audit_row *row);

/* ROUTE_E_NOT_FOUND. */
_must_check_ int audit_store_entry(struct tx *tx, const struct audit_id *id,
				   struct audit_row *ret_row);

/* The newest first: from @since on and before @before, at most @limit. @account: those that it did or that are about
 * what is its own; NULL: all. */
_must_check_ int audit_store_entries(struct tx *tx, const struct account_id *account,
				     const struct audit_id *since, const struct audit_id *before,
				     int64_t limit, struct audit_row **ret_rows, size_t *ret_n);

/* Of a batch, in the order of their ids. */
_must_check_ int audit_store_of_batch(struct tx *tx, int64_t number, struct audit_row **ret_rows,
				      size_t *ret_n);

/* Not sealed yet, the oldest first. */
_must_check_ int audit_store_open(struct tx *tx, int64_t max, struct audit_row **ret_rows,
				  size_t *ret_n);

/* Puts all that are not sealed, up to @last, into the batch; @ret_n: how many. */
_must_check_ int audit_store_seal(struct tx *tx, int64_t number, const struct audit_id *last,
				  int64_t *ret_n);

struct audit_batch_row {
	struct audit_batch batch; /* without its network */
	uint8_t digest[AUDIT_DIGEST_SIZE];
};

_must_check_ int audit_store_batch_add(struct tx *tx, const struct audit_batch_row *row);

/* ROUTE_E_NOT_FOUND. */
_must_check_ int audit_store_batch(struct tx *tx, int64_t number, struct audit_batch_row *ret_row);
_must_check_ int audit_store_batch_last(struct tx *tx, struct audit_batch_row *ret_row);

/* Those behind @after, the first first. */
_must_check_ int audit_store_batches(struct tx *tx, int64_t after, int64_t limit,
				     struct audit_batch_row **ret_rows, size_t *ret_n);
