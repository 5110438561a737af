/* problem.h - errors as people and programs read them: RFC 9457 problem details. */
#pragma once

#include "api/route.h"

struct problem {
	int status;
	const char *type; /* a slug; shown as "urn:kaisar:problem:<slug>" */
	const char *title; /* what happened, and the remedy */
	const char *detail; /* NULL: none */
	const char *field, *rule; /* NULL: none */
};

/* The outcome's row in the module's table or among the common ones; an outcome that nobody listed is
 * a fault of ours and gives 500. */
struct problem problem_of_outcome(const struct module *module, int outcome);

/* 500: the log has the rest under the request id. */
struct problem problem_of_fault(int fault);

/* The JSON text, malloc'ed by jansson (free it), or NULL without memory. */
_must_check_ char *problem_text(const struct problem *problem, const char *request_id);
