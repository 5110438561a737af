/* outbox.h - what the network's key is to have done on the chain, each exactly once.
 *
 * A module adds a call in the transaction in which it falls due. outbox_turn, run again and again, brings it
 * onto the chain:
 *
 *	queued    it has no nonce yet
 *	sent      signed with a nonce of its own. Its bytes were durable before they left, so that after a crash
 *	          the same are sent again; where fees rose, also variants of it with the same nonce
 *	mined     one of its variants is in a block, which may still be dropped: then it is sent again
 *	final     its block can no longer be dropped, as several endpoints say
 *
 * or it ends otherwise: reverted, in a final block but without effect, or refused, when the contract said no for
 * refuse_ms (OUTBOX_PATIENCE times that while others are on their way) before anything was signed. Only if a final
 * block holds another transaction with its nonce (the key was used elsewhere) does a call get a new one. What the
 * signer denies waits, and those of its kind behind it; while it is away all do. Who waits for an end reads it
 * (outbox_find).
 *
 * One process for each key: whoever runs turns sees to that. */
#pragma once

#include "base/address.h"
#include "base/clock.h"
#include "base/id.h"
#include "chain/rpc.h"
#include "chain/transaction.h"
#include "io/db.h"

enum {
	OUTBOX_NAME_MAX = 96,
	OUTBOX_KIND_MAX = 32,
	OUTBOX_DATA_MAX = 64 << 10,
	OUTBOX_WINDOW_MAX = 64,
	OUTBOX_PATIENCE = 10,
	OUTBOX_PROBLEM_SIZE = 512,
};

struct outbox_id {
	uint8_t bytes[16];
};

enum outbox_state {
	OUTBOX_QUEUED,
	OUTBOX_SENT,
	OUTBOX_MINED,
	OUTBOX_FINAL,
	OUTBOX_REVERTED,
	OUTBOX_REFUSED,
};

/* The texts and bytes are borrowed. */
struct outbox_call {
	const char *name; /* what it is, once and for ever: "anchor/usage/17" */
	const char *kind; /* what the signer knows it as: "anchor" */
	struct address contract;
	const uint8_t *data;
	size_t len;
};

struct outbox_signing {
	const char *kind;
	const struct transaction *transaction;
};

struct outbox_config {
	struct db *db;
	const struct clock *clock;
	struct random *random;
	struct rpc *rpc;
	uint64_t chain_id;
	struct address sender;
	/* The signer's; the bytes in @arena. Outcomes, with a text in @ret_detail: OUTBOX_E_DENIED, it will
	 * not; OUTBOX_E_AWAY, it cannot now. Both leave the call waiting, and @ret_detail is the problem. */
	int (*sign)(void *arg, const struct outbox_signing *signing, struct arena *arena,
		    struct transaction_signed *ret_signed, const char **ret_detail);
	void *arg;
	int64_t window; /* calls with a nonce at a time, OUTBOX_WINDOW_MAX at most */
	int64_t again_ms; /* until the same bytes are sent again */
	int64_t raise_ms; /* until a variant that pays more is made */
	int64_t refuse_ms;
	int64_t max_fee_wei; /* for each gas; above it nothing is signed */
	int64_t max_gas;
};

enum outbox_outcome {
	OUTBOX_E_KNOWN = 1, /* a call of this name was added before, whatever became of it */
	OUTBOX_E_DENIED,
	OUTBOX_E_NOT_FOUND,
	OUTBOX_E_AWAY,
};

/* -EINVAL: a text or the data is empty or past its limit. */
_must_check_ int outbox_add(const struct outbox_config *config, struct tx *tx,
			    const struct outbox_call *call);

/* How a call stands; texts in the transaction's arena. */
struct outbox_row {
	struct outbox_id id;
	const char *name, *kind;
	struct address sender, contract;
	const uint8_t *data;
	size_t len;
	enum outbox_state state;
	bool has_nonce;
	int64_t nonce, gas;
	int64_t variants;
	uint8_t hash[32]; /* of the transaction that was mined; zeros before */
	int64_t block;
	uint8_t block_hash[32];
	const char *detail; /* of an end that is no success, or of what keeps it waiting; "" */
	int64_t created_ms, sent_ms, refused_ms, ended_ms; /* 0: not yet */
};
_must_check_ int outbox_find(struct tx *tx, const char *name, struct outbox_row *ret_row);

/* What a turn saw, for operators. */
struct outbox_health {
	uint64_t head, final; /* block numbers; 0: unknown */
	int64_t queued, in_flight;
	char problem[OUTBOX_PROBLEM_SIZE]; /* what keeps calls from going on, with the remedy; "" */
};

/* One turn: blocks for as long as its questions to the chain take, each within the rpc's time-out. Faults are
 * the store's and the signer's; that the chain is away is none, but a problem. */
_must_check_ int outbox_turn(const struct outbox_config *config, struct arena *arena,
			     struct outbox_health *ret_health);
