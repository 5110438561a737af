/* indexer_store.h - the indexer's rows. Inside chain/ only. */
#pragma once

#include "chain/indexer_log.h"

struct block_id {
	uint64_t number;
	uint8_t hash[32];
};

struct trunk_row {
	struct block_id root, tip;
	int64_t span;
	uint8_t seen[32]; /* zeros: nothing was seen yet */
};

enum store_outcome {
	STORE_E_NOT_FOUND = 1,
	STORE_E_KNOWN, /* a log is there already, which cannot be with one chain */
	STORE_E_OVERTAKEN, /* another process was there before */
};

_must_check_ int indexer_store_trunk(struct tx *tx, struct trunk_row *ret_row);
/* STORE_E_OVERTAKEN. */
_must_check_ int indexer_store_plant(struct tx *tx, const struct block_id *root);
/* Never back. */
_must_check_ int indexer_store_grow(struct tx *tx, const struct block_id *tip);
_must_check_ int indexer_store_span(struct tx *tx, int64_t span);

/* All logs of blocks before it are recorded; at first the contract's own block. */
_must_check_ int indexer_store_next(struct tx *tx, const struct indexer_contract *contract,
				    uint64_t *ret_next);
/* STORE_E_OVERTAKEN: it is not at @before any more. */
_must_check_ int indexer_store_advance(struct tx *tx, const struct address *address,
				       uint64_t before, uint64_t next);
/* STORE_E_KNOWN. */
_must_check_ int indexer_store_add(struct tx *tx, const struct log_list *list);

/* All that was seen is this. */
_must_check_ int indexer_store_see(struct tx *tx, const struct log_list *list,
				   const uint8_t digest[static 32]);
