/* router.h - which row answers a method and a path. Built once from the modules' tables. */
#pragma once

#include "api/route.h"

enum { ROUTER_ROWS_MAX = 256, ROUTER_SEGMENTS_MAX = 8, ROUTER_PARAM_MAX = 96 };

struct router;

struct router_match {
	const struct route *route;
	const struct module *module;
	const char *params[ROUTE_PARAMS_MAX]; /* percent-decoding is not applied: ids need none */
	unsigned int allowed; /* on ROUTER_E_METHOD: bits 1 << enum http_method that exist */
};

enum router_outcome { ROUTER_E_PATH = 1, ROUTER_E_METHOD };

/* Refuses (-EINVAL, with a log line naming the row) a row without a permission or handler, two rows
 * for the same method and path, an inline row with a transaction, more parameters than fit. */
_must_check_ int router_new(const struct module *const *modules, size_t n_modules,
			    struct router **ret_router);
void router_free(struct router *router);

/* Parameters are copied into @arena. -ENOMEM. */
_must_check_ int router_find(const struct router *router, enum http_method method, const char *path,
			     struct arena *arena, struct router_match *ret_match);

/* The method's name, "GET". */
const char *router_method_name(enum http_method method);

/* Every row as JSON: [{"module","method","path","permission","tx","idempotent","body","query"}], for
 * `kaisar server --routes` and the test that holds api/openapi.yaml against it. */
_must_check_ json_t *router_describe(const struct router *router);
