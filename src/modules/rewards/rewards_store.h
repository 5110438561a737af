/* rewards_store.h - every SQL statement of the rewards module. What is written to an epoch is
 * conditional on where it stands: who comes second gets -ESTALE, and nothing was changed. */
#pragma once

#include "modules/rewards/rewards.h"
#include "rewards/epoch.h"

enum epoch_state { EPOCH_OPEN = 1, EPOCH_WORKERS, EPOCH_CHECKERS, EPOCH_PAYOUTS, EPOCH_CLOSED };

enum epoch_text_kind { TEXT_RECORDS = 1, TEXT_PAYOUTS };

/* A text so far. */
struct epoch_text {
	int64_t pages, bytes;
	uint8_t hash[32]; /* keccak256; zeros until the epoch is closed */
};

struct epoch_row {
	int64_t number, from_ms, until_ms;
	enum epoch_state state;
	int64_t workers_tokens, checkers_tokens, ratio_bp, commission_bp, max_stake_tokens;
	struct machine_id reached; /* the last machine with a record */
	int64_t n_workers, n_checkers;
	struct epoch_text records, payouts;
	struct pot capacity, delivery, checking; /* of a closed one */
	int64_t closed_at_ms; /* 0: not yet */
};

/* SQL_E_CONFLICT: there is one of this number. */
_must_check_ int rewards_store_open(struct tx *tx, const struct epoch_row *row);

/* ROUTE_E_NOT_FOUND. */
_must_check_ int rewards_store_get(struct tx *tx, int64_t number, struct epoch_row *ret_row);
/* The one with the highest number. ROUTE_E_NOT_FOUND. */
_must_check_ int rewards_store_last(struct tx *tx, struct epoch_row *ret_row);
/* The oldest that is not closed. ROUTE_E_NOT_FOUND. */
_must_check_ int rewards_store_unclosed(struct tx *tx, struct epoch_row *ret_row);
/* The newest first, numbers below @before. */
_must_check_ int rewards_store_list(struct tx *tx, int64_t before, size_t max,
				    struct epoch_row **ret_rows, size_t *ret_n);

/* What credited epochs behind @after, through @through, give: by epoch. */
struct reward_given {
	int64_t epoch;
	struct tokens machines, checkers;
};
_must_check_ int rewards_store_given(struct tx *tx, int64_t after, int64_t through, size_t max,
				     struct reward_given **ret_items, size_t *ret_n);

/* From where it stood (@was) to @now: state, cursor, counts, texts, pots. */
_must_check_ int rewards_store_move(struct tx *tx, const struct epoch_row *was,
				    const struct epoch_row *now);

/* Adds a page behind those of @text, and counts it there. */
_must_check_ int rewards_store_page(struct tx *tx, int64_t epoch, enum epoch_text_kind kind,
				    const char *bytes, size_t len, struct epoch_text *text);
/* All pages into @ret_text, which has room for @text->bytes. -EIO if they are not that long. */
_must_check_ int rewards_store_text(struct tx *tx, int64_t epoch, enum epoch_text_kind kind,
				    const struct epoch_text *text, char *ret_text);

/* What earlier epochs' records had of the machine's jobs under this owner: of those whose last usage record ended
 * from from_ms on. */
struct reward_jobtime {
	struct machine_id machine;
	struct account_id owner;
	int64_t seconds, from_ms;
};
/* Fills in the rest; zeros of a new machine, or owner. */
_must_check_ int rewards_store_jobtime(struct tx *tx, struct reward_jobtime *jobtime);
_must_check_ int rewards_store_jobtimes_put(struct tx *tx, const struct reward_jobtime *times,
					    size_t n);

enum payee_kind { PAYEE_WORKER = 1, PAYEE_CHECKER };

struct reward_payee {
	struct address account, id;
	int64_t epoch;
	enum payee_kind kind;
	struct tokens first, second; /* capacity and delivery; or checking and none */
	struct tokens for_owner;
};
_must_check_ int rewards_store_payees_put(struct tx *tx, const struct reward_payee *payees,
					  size_t n);
/* The account's in closed epochs from @least on: the newest epoch first, then by kind and id, behind
 * @after. */
_must_check_ int rewards_store_payees(struct tx *tx, struct account_id account, int64_t least,
				      const struct reward_payee *after, size_t max,
				      struct reward_payee **ret_payees, size_t *ret_n);
