/* columns.h - the fields of an epoch's records as data: name, kind, bounds and place. One table
 * for each kind of record is what the reader, the writer and the check of records from elsewhere
 * go by. */
#pragma once

#include "base/base.h"

enum column_kind {
	COLUMN_END,
	COLUMN_ADDRESS, /* struct address: 0x and 40 lower-case digits */
	COLUMN_NUMBER, /* uint64_t */
	COLUMN_TOKENS, /* struct tokens */
	COLUMN_BANNED, /* bool: "ok" or "banned" */
};

struct column {
	const char *name;
	enum column_kind kind;
	size_t offset;
	uint64_t min, max; /* max: of numbers; that of tokens is TOKENS_MAX */
};

/* Each ends with COLUMN_END. */
extern const struct column terms_columns[], worker_columns[], checker_columns[],
	delegator_columns[];

enum { COLUMN_TEXT_SIZE = 48, COLUMN_RULE_SIZE = 96 };

/* Whether @text is a value of the kind, in its one spelling; then @record has it, in bounds or
 * not. */
_must_check_ bool column_read(const struct column *column, const char *text, size_t len,
			      void *record);
/* Gives the length. */
size_t column_write(const struct column *column, const void *record,
		    char ret_text[static COLUMN_TEXT_SIZE]);
bool column_holds(const struct column *column, const void *record);

/* "uptime_s must be a whole number from 0 to 1209600". */
void column_rule(const struct column *column, char ret_text[static COLUMN_RULE_SIZE]);
