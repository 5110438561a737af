/* indexer.h - what the contracts logged, each log handed on once, and never one that the chain may still drop.
 *
 * indexer_turn, run again and again, follows the contracts from the blocks that deployed them:
 *
 *	final     The highest block that as many endpoints as must agree (rpc_config.agree) call final and know by
 *		  the same hash. Only those endpoints are asked for logs in this turn, so one that lags leaves
 *		  none out, and a log is recorded only if as many of them give the very same logs of a range of
 *		  blocks up to there: what fewer make up or leave out changes nothing, and is a problem that
 *		  names them. (Decoded values are compared: endpoints differ in what else they say. An
 *		  endpoint is one node: a balancer before nodes of which one lags may leave logs out, so let
 *		  two agree.)
 *	the trunk The last final block that was relied on, and its hash. An endpoint that has another hash there,
 *		  or, where it has not come so far, at the first block of all, is of another chain and not
 *		  believed. If too many are, the chain was replaced, and nothing goes on until someone decides.
 *		  Hence no reorganisation reaches what was recorded, and nothing is ever rolled back.
 *	seen      Logs above the final block, as one endpoint tells them, to be shown and nothing else. Each turn
 *		  replaces all of them, so what a reorganisation drops is gone, whatever its depth.
 *
 * Consumers take final logs in the order of the chain. A consumer's place moves in its own transaction, hence
 * with what it does about the logs or not at all: each log has its effect once. A new consumer begins with the
 * contract's first log.
 *
 * Turns may run in several processes at once; one of them records each range. */
#pragma once

#include "base/address.h"
#include "chain/rpc.h"
#include "io/db.h"

enum {
	INDEXER_CONTRACTS_MAX = 16,
	INDEXER_CONSUMER_MAX = 32,
	INDEXER_TOPICS_MAX = 4,
	INDEXER_DATA_MAX = 16 << 10,
	INDEXER_SPAN_MAX =
		10000, /* blocks in a question; halved where endpoints find it too many */
	INDEXER_LOGS_MAX = 1000, /* of several blocks in a question, and in a transaction */
	INDEXER_BLOCK_LOGS_MAX = 10000, /* of one block, likewise */
	INDEXER_SEEN_MAX = 1000, /* logs, of INDEXER_SEEN_BLOCKS above the final one */
	INDEXER_SEEN_BLOCKS = 256,
	INDEXER_TAKE_MAX = 1000,
	INDEXER_ARENA = 128 << 20, /* what a turn may need */
};

struct indexer_contract {
	struct address address;
	uint64_t block; /* that deployed it; counts when it is followed for the first time */
};

struct indexer_config {
	struct db *db;
	struct rpc *rpc;
	const struct indexer_contract *contracts; /* at least one, INDEXER_CONTRACTS_MAX at most */
	size_t n_contracts;
};

struct indexer_log {
	int64_t block, index; /* its place: the index counts within the block */
	uint8_t block_hash[32], transaction[32];
	struct address address;
	uint8_t topics[INDEXER_TOPICS_MAX][32];
	size_t n_topics;
	const uint8_t *data;
	size_t len;
	bool final;
};

/* What a turn saw, for operators. */
struct indexer_health {
	uint64_t head, final; /* block numbers; 0: unknown */
	uint64_t behind; /* final blocks whose logs are not yet all recorded */
	char problem
		[256]; /* what keeps it from going on, or an endpoint that lies, with the remedy; "" */
};

/* One turn: blocks for as long as its questions take, each within the rpc's time-out. Faults are the store's
 * and -ENOMEM, -EINVAL (the contracts); that the chain is away is none, but a problem. */
_must_check_ int indexer_turn(const struct indexer_config *config, struct arena *arena,
			      struct indexer_health *ret_health);

/* ---- consumers; all in their own transaction, logs in its arena ---- */

/* The next final logs of @address after the consumer's place, @max at most; with @topic0 only those. A
 * consumer's place is kept by its name and the address: one that is to read other topics gets a new name. */
_must_check_ int indexer_take(struct tx *tx, const char *consumer, const struct address *address,
			      const uint8_t *topic0, size_t max, struct indexer_log **ret_logs,
			      size_t *ret_n);

/* @last and all before it are done: its place is behind it when the transaction is. -EINVAL: it was there
 * already, or @last is not a final log. */
_must_check_ int indexer_taken(struct tx *tx, const char *consumer, const struct indexer_log *last);

/* To be shown: what the consumer will take as far as can be seen, @final or not yet. Nothing may follow from
 * those that are not. */
_must_check_ int indexer_pending(struct tx *tx, const char *consumer, const struct address *address,
				 const uint8_t *topic0, size_t max, struct indexer_log **ret_logs,
				 size_t *ret_n);

/* All final logs of @address are recorded up to and with block *@ret_block; -1: none yet. */
_must_check_ int indexer_reached(struct tx *tx, const struct address *address, int64_t *ret_block);
