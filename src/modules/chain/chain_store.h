/* chain_store.h - every SQL statement of the module. What is read lives in the transaction's arena. */
#pragma once

#include "chain/anchor_leaf.h"
#include "io/db.h"

/* ---- as whom, and where ---- */

struct identity_row {
	int64_t chain_id;
	struct address anchor, publisher;
	bool begun; /* the contract was asked where to begin */
	int64_t sequence;
	uint8_t head[32];
};

/* ROUTE_E_NOT_FOUND: none yet. */
_must_check_ int chain_store_identity(struct tx *tx, struct identity_row *ret_row);
_must_check_ int chain_store_identity_add(struct tx *tx, const struct identity_row *row);
_must_check_ int chain_store_begin(struct tx *tx, int64_t sequence, const uint8_t head[32]);

/* ---- machines on the registry ---- */

struct machine_row {
	struct address machine, owner;
	enum machine_kind kind;
	uint8_t specification[32], transaction[32];
	int64_t block;
};

/* ROUTE_E_NOT_FOUND. */
_must_check_ int chain_store_machine(struct tx *tx, const struct address *machine,
				     struct machine_row *ret_row);
_must_check_ int chain_store_machine_put(struct tx *tx, const struct machine_row *row);
/* One that is not there is none: nothing changes. */
_must_check_ int chain_store_machine_specify(struct tx *tx, const struct address *machine,
					     const uint8_t specification[static 32]);
_must_check_ int chain_store_machine_remove(struct tx *tx, const struct address *machine);

/* ---- leaves ---- */

/* -EEXIST: there is one of this id with another digest. */
_must_check_ int chain_store_leaf_add(struct tx *tx, enum anchor_kind kind,
				      const struct anchor_leaf *leaf);

/* @ret_anchor: 0 if it waits. ROUTE_E_NOT_FOUND. */
_must_check_ int chain_store_leaf(struct tx *tx, enum anchor_kind kind, const uint8_t id[32],
				  struct anchor_leaf *ret_leaf, int64_t *ret_anchor);

/* How many wait, counted up to @max. */
_must_check_ int chain_store_waiting(struct tx *tx, enum anchor_kind kind, int64_t max,
				     int64_t *ret_n);

/* Gathers at most @max of those that wait for the root @sequence. */
_must_check_ int chain_store_gather(struct tx *tx, enum anchor_kind kind, int64_t sequence,
				    int64_t max, int64_t *ret_n);

/* Those of a root, made or to be made, in the order of their ids, and their kind. */
_must_check_ int chain_store_leaves(struct tx *tx, int64_t sequence, enum anchor_kind *ret_kind,
				    struct anchor_leaf **ret_leaves, size_t *ret_n);
_must_check_ int chain_store_count(struct tx *tx, int64_t sequence, int64_t *ret_n);

/* ---- roots ---- */

struct anchor_row {
	struct anchor_root root;
	uint8_t head[32];
	int64_t made_ms;
	int64_t attempt, tried_ms;
	bool final;
	uint8_t transaction[32];
	int64_t block;
};

/* SQL_E_CONFLICT: there is one. */
_must_check_ int chain_store_anchor_add(struct tx *tx, const struct anchor_row *row);
/* ROUTE_E_NOT_FOUND. */
_must_check_ int chain_store_anchor(struct tx *tx, int64_t sequence, struct anchor_row *ret_row);
/* The last; of any kind where @kind is ANCHOR_KINDS_N. ROUTE_E_NOT_FOUND. */
_must_check_ int chain_store_anchor_last(struct tx *tx, enum anchor_kind kind,
					 struct anchor_row *ret_row);
/* Those that are not final, in their order. */
_must_check_ int chain_store_anchors_open(struct tx *tx, int64_t max, struct anchor_row **ret_rows,
					  size_t *ret_n);
/* Below @before, the last first; of any kind where @kind is ANCHOR_KINDS_N. */
_must_check_ int chain_store_anchors(struct tx *tx, enum anchor_kind kind, int64_t before,
				     int64_t max, struct anchor_row **ret_rows, size_t *ret_n);
/* Writes attempt to block. */
_must_check_ int chain_store_anchor_set(struct tx *tx, const struct anchor_row *row);
