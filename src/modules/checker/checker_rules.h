/* checker_rules.h - what the module's routes and links ask of its rules (checker.c). */
#pragma once

#include "modules/checker/checker_store.h"
#include "modules/checker/links.h"
#include "wire/sign.h"

enum { CHECKER_NAME_MAX = 64, CHECKERS_OF_ACCOUNT_MAX = 1000, CHECKER_LICENCES_MAX = 29998 };

struct checker_registration {
	struct address checker;
	uint8_t signature[SIGNATURE_SIZE]; /* over checker_digest */
	const char *name;
};

/* The same account may register it again, under another name. CHECKER_E_SIGNATURE, CHECKER_E_TAKEN,
 * CHECKER_E_TOO_MANY. */
_must_check_ int checker_register(const struct context *context, struct tx *tx,
				  struct account_id account,
				  const struct checker_registration *registration,
				  struct checker_row *ret_row);

/* "wrong": stable, for programs. */
const char *checker_mark_word(enum checker_mark mark);

enum checker_status checker_status(const struct context *context, const struct checker_row *row);

/* Why it is given no tasks, and what helps; "" where it is given some. */
enum { CHECKER_WHY_SIZE = 256 };
void checker_why(const struct context *context, const struct checker_row *row,
		 char ret_why[static CHECKER_WHY_SIZE]);

/* Only of licences: a ban is told otherwise. "" where it has one. */
void checker_no_licence(const struct checker_row *row, char ret_why[static CHECKER_WHY_SIZE]);
/* Its licences changed: it is told when the transaction is over. */
_must_check_ int checker_tell(struct tx *tx, const struct address *checker);

/* Each row's licences and delegators: means over @time_ms. Both are by checker; @delegators has room for @n_stakes,
 * and rows keep it. */
struct checker_stake;
void checker_weigh(const struct checker_stake *stakes, size_t n_stakes, int64_t time_ms,
		   struct checker_delegator *delegators, struct checker_work *rows, size_t n);

/* Something became of a licence that was delegated to @machine: its row is written anew, and its account told. Nothing
 * where no checker is registered with it. */
enum checker_delegation {
	CHECKER_DELEGATION_PROPOSED,
	CHECKER_DELEGATION_ACCEPTED,
	CHECKER_DELEGATION_ENDED
};
_must_check_ int checker_delegated(const struct context *context, struct tx *tx,
				   const struct address *machine, int64_t licence,
				   enum checker_delegation delegation);
/* The same where the registry on the chain has the machine as a checker again (@there), or not any more. */
_must_check_ int checker_registered(const struct context *context, struct tx *tx,
				    const struct address *machine, bool there);
