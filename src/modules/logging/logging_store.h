/* logging_store.h - every SQL statement of the journal. */
#pragma once

#include "io/db.h"
#include "base/address.h"

struct event {
	int64_t seq, at_ms;
	const char *type, *subject, *data; /* @data: JSON text */
};

/* The account's next number; locks the account's head until the commit. */
_must_check_ int store_event_number(struct tx *tx, struct account_id account, int64_t *ret_seq);
_must_check_ int store_event_add(struct tx *tx, struct account_id account,
				 const struct event *event);

/* Events after @since, oldest first, at most @limit; in the transaction's arena. */
_must_check_ int store_events(struct tx *tx, struct account_id account, int64_t since,
			      int64_t limit, struct event **ret_events, size_t *ret_n);
/* Deletes at most @max of those before @before_ms; @ret_n: how many. */
_must_check_ int store_events_purge(struct tx *tx, int64_t before_ms, int64_t max, int64_t *ret_n);
