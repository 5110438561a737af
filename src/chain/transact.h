/* transact.h - a person's own transactions: signed here with their key, sent, and waited for until they are in a
 * block. What the network's key does goes another way (outbox.h).
 *
 * One after the other, each within wait_ms. Its bytes are kept before they leave, so that whoever was interrupted sends
 * the same again (transact_resume) instead of doing the same twice. A block may still be dropped: what others do
 * about it, they do when it is final. */
#pragma once

#include "chain/rpc.h"
#include "chain/transaction.h"

enum { TRANSACT_PROBLEM_SIZE = 512, TRANSACT_ANSWER_MAX = 4096 };

struct transact {
	struct rpc *rpc;
	const struct clock *clock;
	uint64_t chain_id;
	struct address account;
	const struct secp_key *key; /* the account's; NULL: only to read */
	struct u256 max_cost; /* in the coin's smallest unit: for one transaction's gas */
	int64_t wait_ms, poll_ms;
	/* @bytes are about to leave, durable when it returns; @len 0: nothing is on its way any more. */
	int (*keep)(void *arg, const uint8_t *bytes, size_t len);
	/* It left, and is waited for. */
	void (*sent)(void *arg, const uint8_t hash[static 32]);
	void *arg;
};

struct transact_call {
	struct address to;
	struct u256 value;
	const uint8_t *data;
	size_t len;
};

struct transact_done {
	uint8_t hash[32];
	uint64_t block;
};

/* Each with @ret_problem, one line that names the remedy. */
enum transact_outcome {
	TRANSACT_E_UNAVAILABLE = 1, /* no endpoint answers, or of that chain */
	TRANSACT_E_FUNDS, /* the key's account has too little coin */
	TRANSACT_E_COSTLY, /* its gas would cost more than max_cost */
	TRANSACT_E_REFUSED, /* the contract says no; nothing was sent */
	TRANSACT_E_REVERTED, /* it is in a block, and the contract refused it there */
	TRANSACT_E_WAITING, /* not in a block within wait_ms; it may come later */
	TRANSACT_E_REPLACED, /* another transaction took its place */
};

/* What a contract answers to a call that only reads, in @arena, TRANSACT_ANSWER_MAX bytes at most. Outcomes
 * UNAVAILABLE and REFUSED. -ENOMEM. */
_must_check_ int transact_read(const struct transact *transact, const struct transact_call *call,
			       struct arena *arena, const uint8_t **ret_bytes, size_t *ret_len,
			       char ret_problem[static TRANSACT_PROBLEM_SIZE]);

/* What the account has of the chain's coin, in its smallest unit. UNAVAILABLE; -ENOMEM. */
_must_check_ int transact_coin(const struct transact *transact, struct u256 *ret_coin,
			       char ret_problem[static TRANSACT_PROBLEM_SIZE]);

/* Waits until no transaction of the key is on its way, for a command that was interrupted may have sent one: what
 * is read afterwards is what holds. UNAVAILABLE, WAITING; -ENOMEM. */
_must_check_ int transact_settled(const struct transact *transact,
				  char ret_problem[static TRANSACT_PROBLEM_SIZE]);

/* All outcomes but REPLACED; faults are -ENOMEM, keep's and those of signing. */
_must_check_ int transact_send(const struct transact *transact, const struct transact_call *call,
			       struct arena *arena, struct transact_done *ret_done,
			       char ret_problem[static TRANSACT_PROBLEM_SIZE]);

/* Sends what was kept again, and waits for it. UNAVAILABLE, FUNDS, REFUSED, REVERTED, WAITING, REPLACED; -EBADMSG: the
 * bytes are no transaction of this key on this chain. Where it is over, with any end, keep hears of it. */
_must_check_ int transact_resume(const struct transact *transact, const uint8_t *bytes, size_t len,
				 struct arena *arena, struct transact_done *ret_done,
				 char ret_problem[static TRANSACT_PROBLEM_SIZE]);

/* ---- inside, pure ---- */

/* Twice the base fee lasts for six full blocks. False: @gas at these fees may cost more than @max_cost. */
bool transact_fees(struct u256 base_fee, struct u256 tip, uint64_t gas, struct u256 max_cost,
		   struct transaction *ret_transaction);
