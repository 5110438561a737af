#include "api/router.h"

#include "base/log.h"
#include "security/policy.h"

struct row {
	const struct route *route;
	const struct module *module;
	const char *segments[ROUTER_SEGMENTS_MAX];
	size_t lengths[ROUTER_SEGMENTS_MAX];
	size_t n_segments;
};

struct router {
	struct row rows[ROUTER_ROWS_MAX];
	size_t n;
};

static const char *const method_names[] = { "GET",    "POST", "PUT",    "PATCH",
					    "DELETE", "HEAD", "OPTIONS" };

const char *router_method_name(enum http_method method)
{
	return (size_t)method < ARRAY_SIZE(method_names) ? method_names[method] : "?";
}

/* Cuts "/a/b" into pieces; false when there are too many. */
static bool split(const char *path, const char *segments[static ROUTER_SEGMENTS_MAX],
		  size_t lengths[static ROUTER_SEGMENTS_MAX], size_t *ret_n)
{
	size_t n = 0;

	while (*path == '/') {
		size_t len = strcspn(path + 1, "/");

		if (n == ROUTER_SEGMENTS_MAX)
			return false;
		segments[n] = path + 1;
		lengths[n++] = len;
		path += 1 + len;
	}
	*ret_n = n;
	return *path == 0;
}

static bool is_param(const struct row *row, size_t i)
{
	return row->segments[i][0] == '{';
}

static bool same_shape(const struct row *a, const struct row *b)
{
	if (a->route->method != b->route->method || a->n_segments != b->n_segments)
		return false;
	for (size_t i = 0; i < a->n_segments; i++) {
		if (is_param(a, i) != is_param(b, i))
			return false;
		if (!is_param(a, i) && (a->lengths[i] != b->lengths[i] ||
					memcmp(a->segments[i], b->segments[i], a->lengths[i]) != 0))
			return false;
	}
	return true;
}

static const char *row_fault(const struct router *router, const struct row *row)
{
	const struct route *route = row->route;
	size_t params = 0;

	if (route->permission == PERM_UNSET)
		return "has no permission";
	if (route->inline_ && (route->tx != TX_NONE || route->permission != PERM_PUBLIC))
		return "is inline, so it must be public and without a transaction";
	if (route->idempotent && (route->tx != TX_WRITE || route->permission == PERM_PUBLIC))
		return "is idempotent, so it must write and belong to an account";
	if (route->ws && route->method != HTTP_GET)
		return "upgrades, so it must be a GET";
	for (size_t i = 0; i < row->n_segments; i++)
		params += is_param(row, i);
	if (params > ROUTE_PARAMS_MAX)
		return "has too many parameters";
	for (size_t i = 0; i < router->n; i++)
		if (same_shape(&router->rows[i], row))
			return "is there twice";
	return NULL;
}

static int router_add(struct router *router, const struct module *module, const struct route *route)
{
	struct row row = { .route = route, .module = module };
	const char *fault;

	if (router->n == ROUTER_ROWS_MAX)
		fault = "is one too many";
	else if (!split(route->path, row.segments, row.lengths, &row.n_segments))
		fault = "has a malformed path";
	else
		fault = row_fault(router, &row);
	if (fault) {
		log_error("route.refused", log_text("module", module->name),
			  log_text("method", router_method_name(route->method)),
			  log_text("path", route->path), log_text("why", fault));
		return -EINVAL;
	}
	router->rows[router->n++] = row;
	return 0;
}

int router_new(const struct module *const *modules, size_t n_modules, struct router **ret_router)
{
	struct router *router = calloc(1, sizeof(*router));

	if (!router)
		return -ENOMEM;
	for (size_t i = 0; i < n_modules; i++) {
		for (const struct route *r = modules[i]->routes; r && r->handler; r++) {
			int fault = router_add(router, modules[i], r);

			if (fault < 0) {
				router_free(router);
				return fault;
			}
		}
	}
	*ret_router = router;
	return 0;
}

void router_free(struct router *router)
{
	free(router);
}

static bool row_fits(const struct row *row, const char *const *segments, const size_t *lengths,
		     size_t n)
{
	if (row->n_segments != n)
		return false;
	for (size_t i = 0; i < n; i++) {
		if (is_param(row, i)) {
			if (lengths[i] == 0 || lengths[i] > ROUTER_PARAM_MAX)
				return false;
		} else if (row->lengths[i] != lengths[i] ||
			   memcmp(row->segments[i], segments[i], lengths[i]) != 0) {
			return false;
		}
	}
	return true;
}

static int take_params(const struct row *row, const char *const *segments, const size_t *lengths,
		       struct arena *arena, struct router_match *match)
{
	size_t n = 0;

	for (size_t i = 0; i < row->n_segments; i++) {
		if (!is_param(row, i))
			continue;
		match->params[n] = arena_text(arena, segments[i], lengths[i]);
		if (!match->params[n++])
			return -ENOMEM;
	}
	return 0;
}

int router_find(const struct router *router, enum http_method method, const char *path,
		struct arena *arena, struct router_match *ret_match)
{
	const char *segments[ROUTER_SEGMENTS_MAX];
	size_t lengths[ROUTER_SEGMENTS_MAX], n;
	const struct row *found = NULL;
	unsigned int allowed = 0;

	if (!split(path, segments, lengths, &n))
		return ROUTER_E_PATH;
	/* A fixed segment wins over a parameter: the row with fewer parameters is the nearer one. */
	for (size_t i = 0; i < router->n; i++) {
		const struct row *row = &router->rows[i];

		if (!row_fits(row, segments, lengths, n))
			continue;
		allowed |= 1u << row->route->method;
		if (row->route->method == method &&
		    (!found || strcspn(row->route->path, "{") > strcspn(found->route->path, "{")))
			found = row;
	}
	if (!found) {
		ret_match->allowed = allowed;
		return allowed ? ROUTER_E_METHOD : ROUTER_E_PATH;
	}
	*ret_match = (struct router_match){ .route = found->route, .module = found->module };
	return take_params(found, segments, lengths, arena, ret_match);
}

json_t *router_describe(const struct router *router)
{
	static const char *const tx_names[] = { "none", "read", "write" };
	json_t *list = json_array();

	for (size_t i = 0; i < router->n; i++) {
		const struct route *route = router->rows[i].route;
		const char *word = route->permission == PERM_PUBLIC
					   ? "public"
					   : permission_word(route->permission);

		json_array_append_new(
			list, json_pack("{s:s, s:s, s:s, s:s, s:s, s:b, s:b, s:o, s:o}", "module",
					router->rows[i].module->name, "method",
					router_method_name(route->method), "path", route->path,
					"permission", word, "tx", tx_names[route->tx], "idempotent",
					route->idempotent, "websocket", route->ws != NULL, "body",
					field_describe(route->body.fields), "query",
					field_describe(route->query.fields)));
	}
	return list;
}
