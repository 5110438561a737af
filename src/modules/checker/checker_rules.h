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
