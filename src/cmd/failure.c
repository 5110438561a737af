#include "cmd/failure.h"

#include <stdarg.h>

#include "cmd/why.h"

int cli_fail(int code, const char *format, ...)
{
	va_list args;

	fprintf(stderr, "kaisar: ");
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
	return code;
}

int cli_fault(int fault, const char *what)
{
	return cli_fail(CLI_FAILED, "%s: %s", what, strerror(-fault));
}

static int exit_of(int status, const char *type)
{
	if (strcmp(type, "no-capacity") == 0)
		return CLI_NO_CAPACITY;
	if (strcmp(type, "insufficient-balance") == 0 || status == 402)
		return CLI_BALANCE;
	switch (status) {
	case 400:
	case 422:
		return CLI_USAGE;
	case 401:
	case 403:
		return CLI_DENIED;
	case 404:
		return CLI_NOT_FOUND;
	case 408:
	case 504: /* of a proxy */
		return CLI_TIMEOUT;
	default:
		return CLI_FAILED;
	}
}

int cli_refused(int status, const char *detail)
{
	return cli_fail(exit_of(status, ""), "%s", detail);
}

static const char *problem_member(const json_t *problem, const char *name)
{
	const char *text = json_string_value(json_object_get(problem, name));

	return text ? text : "";
}

/* A detail may be an object for programs: why nothing fits an order. True if it was one. */
static bool problem_detail(const json_t *problem, char ret_text[static WHY_SIZE])
{
	const char *detail = problem_member(problem, "detail");
	_cleanup_(json_decrefp)
		json_t *why = *detail == '{' ? json_loads(detail, JSON_REJECT_DUPLICATES, NULL)
					     : NULL;

	if (json_is_object(json_object_get(why, "excluded"))) {
		why_text(why, ret_text);
		return true;
	}
	snprintf(ret_text, WHY_SIZE, "%s", detail);
	return false;
}

int cli_problem(int status, const json_t *problem)
{
	static const char urn[] = "urn:kaisar:problem:";
	const char *type = problem_member(problem, "type");
	const char *title = problem_member(problem, "title");
	const char *field = problem_member(problem, "field");
	const char *rule = problem_member(problem, "rule");
	char detail[WHY_SIZE];
	bool is_why = problem_detail(problem, detail);
	int code;

	if (strncmp(type, urn, strlen(urn)) == 0)
		type += strlen(urn);
	code = exit_of(status, type);
	if (*field)
		return cli_fail(code, "%s: %s", field, rule);
	if (is_why)
		return cli_fail(code, "no machine fits this order now: %s", detail);
	if (status >= 500)
		return cli_fail(code, "%s (status %d, request %s)",
				*title ? title : "the server failed", status,
				problem_member(problem, "request_id"));
	return cli_fail(code, "%s%s%s", *title ? title : "the server refused this",
			*detail ? " " : "", detail);
}
