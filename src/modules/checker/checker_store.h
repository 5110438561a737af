/* checker_store.h - every SQL statement of the checker module. Texts live in the transaction's arena. */
#pragma once

#include "modules/checker/checker.h"

#define CHECKER_FOREVER_MS INT64_MAX

struct checker_row {
	struct address checker;
	struct account_id account;
	const char *name;
	int64_t licences, proposed; /* that count for it; and that wait for its operator's yes */
	bool deregistered; /* on the chain: none counts */
	int64_t registered_at_ms, seen_at_ms; /* 0: never */
	const char *version;
	int64_t banned_until_ms;
	const char *ban_reason;
	int64_t valid, wrong; /* of all time */
};

/* Of a new one only; ROUTE_E_NOT_FOUND, checker_store_get's way of saying so. */
_must_check_ int checker_store_get(struct tx *tx, const struct address *checker,
				   struct checker_row *ret_row);
_must_check_ int checker_store_put(struct tx *tx, const struct checker_row *row);
_must_check_ int checker_store_count(struct tx *tx, struct account_id account, int64_t *ret_n);

struct checker_page {
	const struct account_id *account; /* NULL: of all */
	int64_t banned_at_ms; /* only those that are banned then; 0: all */
	struct address after;
	size_t limit;
};

/* By address. */
_must_check_ int checker_store_list(struct tx *tx, const struct checker_page *page,
				    struct checker_row **ret_rows, size_t *ret_n);

/* Those with licences whose ban, if any, is over. */
_must_check_ int checker_store_eligible(struct tx *tx, int64_t now_ms,
					struct checker_member **ret_members, size_t *ret_n);

/* ROUTE_E_NOT_FOUND. */
_must_check_ int checker_store_licences(struct tx *tx, const struct address *checker,
					int64_t licences);
_must_check_ int checker_store_seen(struct tx *tx, const struct address *checker,
				    const char *version, int64_t at_ms);
_must_check_ int checker_store_ban(struct tx *tx, const struct address *checker, int64_t until_ms,
				   const char *reason);
_must_check_ int checker_store_remove(struct tx *tx, const struct address *checker);

struct checker_mark_row {
	uint8_t session[16];
	int64_t at_ms;
	enum checker_mark mark;
	bool planted, cleared;
};

/* False in @ret_new: there was one already. */
_must_check_ int checker_store_mark(struct tx *tx, const struct address *checker,
				    const struct checker_mark_row *mark, bool *ret_new);
_must_check_ int checker_store_clear(struct tx *tx, const struct address *checker,
				     const uint8_t session[static 16], bool *ret_changed);
/* The newest first, before @before_ms. */
_must_check_ int checker_store_marks(struct tx *tx, const struct address *checker,
				     int64_t before_ms, size_t limit,
				     struct checker_mark_row **ret_rows, size_t *ret_n);
/* Wrong ones that stand, from @from_ms on: when each was made, the oldest first. */
_must_check_ int checker_store_wrongs(struct tx *tx, const struct address *checker, int64_t from_ms,
				      int64_t **ret_at_ms, size_t *ret_n);
_must_check_ int checker_store_worked(struct tx *tx, int64_t from_ms, int64_t until_ms,
				      struct checker_work **ret_rows, size_t *ret_n);
