/* migrate.h - the schema: numbered SQL files of db/, embedded in the binary, applied once each, in
 * order, never changed afterwards (a changed or missing one that was applied is refused). */
#pragma once

#include "io/db.h"

struct migration {
	int number;
	const char *name; /* "0001_iam" */
	const char *sql; /* statements ending in ";\n" */
};

/* Made from db/ by tools/embed_migrations.py; ends with number 0. */
extern const struct migration migrations[];

/* Applies what is missing; @ret_applied (may be NULL): how many. Two processes may try at once.
 * Faults: -EIO; -EINVAL (an applied migration differs from the embedded one, or is newer than this
 * binary), with a log line that says which. */
_must_check_ int migrate(struct db *db, const struct migration *list, int *ret_applied);
