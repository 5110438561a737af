/* checker_store_licences.h - every SQL statement about licences on the chain. Rows live in the transaction's
 * arena. */
#pragma once

#include "modules/checker/checker.h"

enum { MINT_ID_SIZE = 32 };

struct licence_row {
	int64_t licence;
	struct address owner;
	uint8_t mint_id[MINT_ID_SIZE];
	int64_t unlocked_at_ms;
	bool delegated, accepted;
	struct address machine; /* of one that is delegated */
	int64_t round; /* -1: not known yet, or nobody bought it */
};

/* ROUTE_E_NOT_FOUND. */
_must_check_ int licence_store_get(struct tx *tx, int64_t licence, struct licence_row *ret_row);

/* A new one; ROUTE_E_NOT_FOUND where there is one of that number. */
_must_check_ int licence_store_add(struct tx *tx, const struct licence_row *row);
_must_check_ int licence_store_owner(struct tx *tx, int64_t licence, const struct address *owner);
/* @machine: NULL for none. */
_must_check_ int licence_store_delegate(struct tx *tx, int64_t licence,
					const struct address *machine, bool accepted);
/* ROUTE_E_NOT_FOUND where it was bought before. */
_must_check_ int licence_store_bought(struct tx *tx, const uint8_t mint_id[static MINT_ID_SIZE],
				      int64_t round);

/* When it counted: begun, and ended. One that ends when it begins is forgotten. */
_must_check_ int licence_store_counts(struct tx *tx, const struct licence_row *row,
				      int64_t from_ms);
_must_check_ int licence_store_counted(struct tx *tx, int64_t licence, int64_t until_ms);

/* Of all accepted ones of a machine that the registry does not have as a checker any more: they end, and begin again when
 * it is back. ROUTE_E_NOT_FOUND: it was so already. */
_must_check_ int licence_store_deregister(struct tx *tx, const struct address *machine,
					  int64_t at_ms);
_must_check_ int licence_store_register(struct tx *tx, const struct address *machine,
					int64_t at_ms);
_must_check_ int licence_store_deregistered(struct tx *tx, const struct address *machine,
					    bool *ret_out);

/* Writes into the checkers' rows how many licences count for them; @checker NULL: for all. */
_must_check_ int licence_store_recount(struct tx *tx, const struct address *checker);

struct licence_page {
	struct address of; /* the owner; or the account whose checkers they are delegated to */
	int64_t after; /* a licence's number */
	size_t limit;
};

/* By number. */
_must_check_ int licence_store_owned(struct tx *tx, const struct licence_page *page,
				     struct licence_row **ret_rows, size_t *ret_n);
_must_check_ int licence_store_delegated(struct tx *tx, const struct licence_page *page,
					 struct licence_row **ret_rows, size_t *ret_n);

/* How long an owner's licences counted for a machine, summed over the licences; by machine, then owner. */
struct checker_stake {
	struct address checker, owner;
	int64_t licence_ms;
};
_must_check_ int licence_store_stakes(struct tx *tx, int64_t from_ms, int64_t until_ms,
				      struct checker_stake **ret_rows, size_t *ret_n);
