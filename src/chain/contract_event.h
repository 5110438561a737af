/* contract_event.h - what the network's contracts say: their events, read from a log's topics and data. Kinds
 * that the contracts number (Anchor.Kind, Registry.Kind, Distributor.Kind) are numbers here, below the
 * contract's own bound. */
#pragma once

#include "base/address.h"
#include "base/u256.h"

enum contract_event_kind {
	EVENT_ANCHORED, /* Anchor */
	EVENT_OWED, /* Escrow, Registry and Sale */
	EVENT_WITHDRAWN,
	EVENT_TERMS_CHANGED, /* Escrow */
	EVENT_DEPOSITED,
	EVENT_CHARGED,
	EVENT_UNPAID,
	EVENT_RETURNED,
	EVENT_EXIT_REQUESTED,
	EVENT_EXIT_CANCELLED,
	EVENT_EXITED,
	EVENT_REGISTERED, /* Registry */
	EVENT_SPECIFICATION_CHANGED,
	EVENT_DEREGISTERED,
	EVENT_MINTED, /* Licence */
	EVENT_TRANSFERRED,
	EVENT_PROPOSED,
	EVENT_ACCEPTED,
	EVENT_REFUSED,
	EVENT_UNDELEGATED,
	EVENT_PURCHASED, /* Sale */
	EVENT_FUNDED, /* Distributor */
	EVENT_DEFUNDED,
	EVENT_ROOT_PROPOSED,
	EVENT_ROOT_WITHDRAWN,
	EVENT_ROOT_ACTIVE,
	EVENT_CLAIMED,
	CONTRACT_EVENTS_N
};

/* Fields are named as the contracts name them. */
struct contract_event {
	enum contract_event_kind kind;
	union {
		struct {
			struct address publisher;
			uint64_t sequence, kind, leaves;
			uint8_t root[32], content[32], head[32];
		} anchored;
		struct {
			struct address token, account, to; /* @to: of a withdrawal */
			struct u256 amount;
		} owed, withdrawn;
		struct {
			struct address token;
			bool accepted;
			struct u256 daily_limit;
		} terms_changed;
		struct {
			struct address token, tenant, payer;
			struct u256 amount, total;
		} deposited;
		struct {
			struct address token, tenant, provider;
			struct u256 amount, fee, total; /* the last two: not of what is unpaid */
		} charged, unpaid;
		struct {
			struct address token, tenant;
			struct u256 amount, total; /* @total: not of an exit */
		} returned, exited;
		struct {
			struct address token, tenant;
			uint64_t at_s; /* not of a cancelled one */
		} exit_requested, exit_cancelled;
		struct {
			struct address machine, owner; /* @owner: not of a change */
			uint64_t kind;
			uint8_t specification[32]; /* not of one that leaves */
			struct u256 fee;
		} registered, specification_changed, deregistered;
		struct {
			struct u256 id;
			struct address from, to; /* @from: of a transfer */
			uint8_t mint_id[32];
			struct u256 unlocked_at_s;
		} minted, transferred;
		struct {
			struct u256 id;
			struct address owner, machine; /* @owner: of what is proposed */
			struct address operator_; /* of what is accepted or refused */
			bool accepted; /* before it was taken back */
		} proposed, accepted, refused, undelegated;
		struct {
			struct address buyer, referrer, token; /* zeros: none, the coin */
			struct u256 round, price, commission;
			uint8_t key[32];
			uint64_t quantity;
		} purchased;
		struct {
			uint64_t kind, epoch, effective_at_s; /* the last: of a proposal */
			uint8_t root[32];
			struct u256 total; /* of a proposal */
		} root_proposed, root_withdrawn, root_active;
		struct {
			uint64_t kind;
			struct address account; /* who funds, or whom it pays */
			struct u256 amount, cumulative; /* the last: of a claim */
		} funded, defunded, claimed;
	};
};

enum contract_event_outcome {
	CONTRACT_EVENT_E_OTHER = 1, /* another event, by its first topic */
	CONTRACT_EVENT_E_MALFORMED, /* this one, but not as the contract writes it */
};

/* The log's first topic. */
void contract_event_topic(enum contract_event_kind kind, uint8_t ret_topic[static 32]);

_must_check_ int contract_event_read(enum contract_event_kind kind, const uint8_t (*topics)[32],
				     size_t n_topics, const uint8_t *data, size_t len,
				     struct contract_event *ret_event);
