#include "api/problem.h"

#include "base/log.h"

static const struct outcome_row common[] = {
	{ ROUTE_E_FIELD, 422, "invalid-field", "A field breaks its rule; mend it and send again." },
	{ ROUTE_E_NOT_FOUND, 404, "not-found", "There is no such thing here, or it is not yours." },
	{ ROUTE_E_DENIED, 403, "denied", "Your roles or this key's permissions do not allow it." },
	{ ROUTE_E_UNAUTHENTICATED, 401, "unauthenticated",
	  "Sign in: send a valid access token or API key as \"Authorization: Bearer ...\"." },
	{ ROUTE_E_UNAVAILABLE, 503, "unavailable", "Not possible at the moment; try again soon." },
	{ 0 },
};

static const struct outcome_row *find(const struct outcome_row *rows, int outcome)
{
	for (; rows && rows->outcome; rows++)
		if (rows->outcome == outcome)
			return rows;
	return NULL;
}

struct problem problem_of_outcome(const struct module *module, int outcome)
{
	const struct outcome_row *row = find(common, outcome);

	if (!row)
		row = find(module->outcomes, outcome);
	if (!row) {
		log_error("outcome.unlisted", log_text("module", module->name),
			  log_int("outcome", outcome));
		return problem_of_fault(-EINVAL);
	}
	return (struct problem){ .status = row->status, .type = row->type, .title = row->title };
}

struct problem problem_of_fault(int fault)
{
	if (fault == -EBUSY || fault == -EAGAIN || fault == -ESHUTDOWN)
		return problem_of_outcome(NULL, ROUTE_E_UNAVAILABLE);
	return (struct problem){ .status = 500,
				 .type = "internal",
				 .title = "Something broke on our side; nothing was changed. Quote "
					  "the request id." };
}

char *problem_text(const struct problem *problem, const char *request_id)
{
	char type[96], *text;
	json_t *body;

	snprintf(type, sizeof(type), "urn:kaisar:problem:%s", problem->type);
	body = json_pack("{s:s, s:s, s:i, s:s*, s:s*, s:s*, s:s*}", "type", type, "title",
			 problem->title, "status", problem->status, "detail", problem->detail,
			 "field", problem->field, "rule", problem->rule, "request_id", request_id);
	text = json_dumps(body, JSON_COMPACT);
	json_decref(body);
	return text;
}
