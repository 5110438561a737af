/* indexer_turn.h - the parts of a turn: which block is final and who may be believed, the logs up to there, and
 * what is seen above. Inside chain/ only. */
#pragma once

#include "chain/indexer_store.h"

struct indexing {
	const struct indexer_config *config;
	struct arena *arena; /* what a step takes is given back after it */
	struct indexer_health *health;
	bool planted; /* the trunk is known; until then it is only the root's number */
	struct trunk_row trunk;
	uint64_t next[INDEXER_CONTRACTS_MAX]; /* of each contract */
	bool known; /* what follows is */
	struct block_id final;
	bool trusted[RPC_ENDPOINTS_MAX]; /* they know the final block */
};

/* Keeps the first of a turn. */
_printf_(2, 3) void indexing_problem(struct indexing *in, const char *format, ...);

/* Likewise, of endpoint @i, which is also doubted from now on: what shows it may be seen but once. */
_printf_(3, 4) void indexing_blame(struct indexing *in, size_t i, const char *format, ...);

/* All: faults only; that the chain is away, or lies, is a problem. */
_must_check_ int indexing_final(struct indexing *in);
/* One range; @ret_more: there are further ones, and nothing speaks against asking at once. */
_must_check_ int indexing_advance(struct indexing *in, bool *ret_more);
/* Also how far the chain is, which may be all that is known. */
_must_check_ int indexing_see(struct indexing *in);

/* Runs @fn in a write transaction and gives back what it took of the arena. */
_must_check_ int indexing_write(struct indexing *in, db_fn *fn, void *arg);

/* What endpoints said, to be counted. */
struct votes {
	size_t n; /* endpoints */
	bool cast[RPC_ENDPOINTS_MAX];
	uint8_t said[RPC_ENDPOINTS_MAX][32];
};
/* One that as many as must agree say the same as; false without any. */
bool votes_win(const struct votes *votes, size_t agree, size_t *ret_winner);
bool votes_alike(const struct votes *votes, size_t a, size_t b);
size_t votes_cast(const struct votes *votes);
