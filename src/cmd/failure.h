/* failure.h - what went wrong, said once in one line on standard error, and the exit code that it is. */
#pragma once

#include <jansson.h>

#include "base/base.h"

/* Exit codes, the same for every command: scripts rely on them. Functions that return one have said
 * why on standard error. */
enum cli_exit {
	CLI_FAILED = 1,
	CLI_USAGE, /* wrong arguments, or a field that the API refused */
	CLI_NOT_FOUND,
	CLI_NOT_YET =
		CLI_NOT_FOUND, /* of a record: it is not on the chain yet, or that cannot be seen */
	CLI_NO_CAPACITY,
	CLI_BALANCE,
	CLI_TIMEOUT,
	CLI_DENIED, /* not signed in, or not allowed */
};

/* Says "kaisar: ..." on standard error and returns @code. */
_printf_(2, 3) int cli_fail(int code, const char *format, ...);

/* The same for a fault. */
int cli_fault(int fault, const char *what);

/* The same for an HTTP status that refused something. */
int cli_refused(int status, const char *detail);

/* The same for application/problem+json: one line with the field and its rule, or what happened and
 * the remedy. */
int cli_problem(int status, const json_t *problem);
