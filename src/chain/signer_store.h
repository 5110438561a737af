/* signer_store.h - what the signer has signed, in a small SQLite file of its own, so that no limit begins anew when
 * it is started again. Lost, the day's counters begin at 0, and the first sums that are named count in full. */
#pragma once

#include "chain/signer_policy.h"
#include "io/db.h"

enum {
	SIGNER_KEPT_DAYS = 7, /* for so long, a call that is asked for again is not counted again */
};

struct signer_store;

/* Makes the file where it is missing. It belongs to @key on @chain_id: -EKEYREJECTED for another. -EIO, -ENOMEM. */
_must_check_ int signer_store_open(const char *path, const struct address *key, uint64_t chain_id,
				   struct signer_store **ret_store);
void signer_store_close(struct signer_store *store);

/* Counts @call on @day, once for its nonce, and returns when that is durable. SIGNER_E_REFUSED with @ret_detail in
 * @arena; -EIO, -ENOMEM. */
_must_check_ int signer_store_count(struct signer_store *store, const struct signer_call *call,
				    int64_t day, struct arena *arena, const char **ret_detail);

/* What was counted of a kind, and of one of its tokens (NULL: none), as it stands on @day. */
_must_check_ int signer_store_read(struct signer_store *store, enum signer_kind kind,
				   const struct address *token, int64_t day, struct arena *arena,
				   struct signer_counters *ret_counters);

static inline void signer_store_closep(struct signer_store **store)
{
	signer_store_close(*store);
}
