/* outbox_store.h - the outbox's rows. Inside chain/ only. */
#pragma once

#include "chain/outbox.h"

struct variant_row {
	uint8_t hash[32];
	const uint8_t *bytes;
	size_t len;
	int64_t max_fee, priority_fee, signed_ms;
};

/* OUTBOX_E_KNOWN. */
_must_check_ int outbox_store_add(struct tx *tx, const struct outbox_row *row);
_must_check_ int outbox_store_get(struct tx *tx, struct outbox_id id, struct outbox_row *ret_row);

/* Those with a nonce that did not end, by nonce. */
_must_check_ int outbox_store_live(struct tx *tx, const struct address *sender, int64_t max,
				   struct outbox_row **ret_rows, size_t *ret_n);
/* Those without, by age: after @after (NULL: all), not of the kinds in @but, " kind kind ". */
_must_check_ int outbox_store_queued(struct tx *tx, const struct address *sender,
				     const struct outbox_id *after, const char *but, int64_t max,
				     struct outbox_row **ret_rows, size_t *ret_n);
_must_check_ int outbox_store_count_queued(struct tx *tx, const struct address *sender,
					   int64_t *ret_n);

/* One more than the highest nonce that was ever given; 0 without any. */
_must_check_ int outbox_store_next_nonce(struct tx *tx, const struct address *sender,
					 int64_t *ret_nonce);

/* Writes back everything that changes. */
_must_check_ int outbox_store_set(struct tx *tx, const struct outbox_row *row);

/* The newest first. */
_must_check_ int outbox_store_variants(struct tx *tx, struct outbox_id id,
				       struct variant_row **ret_variants, size_t *ret_n);
_must_check_ int outbox_store_variant_add(struct tx *tx, struct outbox_id id, int64_t number,
					  const struct variant_row *variant);
