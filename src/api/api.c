#include "api/api.h"

#include "api/duty.h"
#include "api/exchange.h"
#include "api/idempotency.h"
#include "api/instances.h"
#include "api/jobs.h"
#include "base/log.h"
#include "security/rate_limit.h"

enum {
	MODULES_MAX = 16,
	PEER_SLOTS = 8192,
	SCRATCH_BYTES = 8192,
	PURGE_EVERY_MS = 10 * 60 * 1000,
	IDEMPOTENCY_KEPT_MS = 24 * 60 * 60 * 1000,
};

struct api {
	struct context *context;
	const struct module *modules[MODULES_MAX]; /* all */
	size_t n_modules, n_started;
	struct duties *duties;
	struct router *router;
	struct exchange_host host;
};

/* ---- the api's own routes and job ---- */

static int get_ping(struct request *request _unused_, struct tx *tx _unused_, struct reply *reply)
{
	reply->text = "{\"ok\":true}";
	return 0;
}

static const struct route own_routes[] = {
	{ HTTP_GET, "/v1/ping", PERM_PUBLIC, .inline_ = true, .handler = get_ping },
	{ HTTP_GET, "/healthz", PERM_PUBLIC, .inline_ = true, .handler = get_ping },
	{ HTTP_GET, "/readyz", PERM_PUBLIC, TX_READ,
	  .query = { ready_fields, sizeof(struct ready_query) }, .handler = get_ready },
	{ HTTP_GET, "/v1/admin/instances", PERM_OPERATOR, TX_READ, .handler = get_instances },
	{ 0 },
};

static int purge(struct tx *tx, void *arg)
{
	return idempotency_purge(tx, *(const int64_t *)arg);
}

static int run_purge(const struct context *context, struct arena *arena)
{
	int64_t before_ms = clock_now_ms(context->clock) - IDEMPOTENCY_KEPT_MS;

	return db_run(context->db, TX_WRITE, arena, purge, &before_ms);
}

static const struct job own_jobs[] = {
	{ "idempotency.purge", PURGE_EVERY_MS, run_purge },
	{ 0 },
};

static const struct module own_module = {
	.name = "api", .routes = own_routes, .outcomes = api_outcomes, .jobs = own_jobs
};

/* ---- */

void job_wake(const struct context *context, const char *name)
{
	if (context->jobs)
		jobs_wake(context->jobs, name);
}

/* All are there, since they call each other; those that are not served have no routes. */
static int modules_take(struct api *api, const struct module *const *modules, size_t n,
			const char *serves)
{
	const struct module *served[MODULES_MAX];
	size_t n_served = 0;

	if (n >= MODULES_MAX)
		return -EINVAL;
	api->modules[0] = &own_module;
	memcpy(api->modules + 1, modules, n * sizeof(*modules));
	api->n_modules = n + 1;
	for (size_t i = 0; i < api->n_modules; i++)
		if (i == 0 || module_is_among(api->modules[i], serves))
			served[n_served++] = api->modules[i];
	return router_new(served, n_served, &api->router);
}

static int modules_start(struct api *api)
{
	for (; api->n_started < api->n_modules; api->n_started++) {
		const struct module *module = api->modules[api->n_started];
		int r = module->start ? module->start(api->context) : 0;

		if (r < 0) {
			log_error("module.start", log_text("module", module->name), log_fault(r));
			return r;
		}
	}
	return 0;
}

static int host_init(struct api *api, const struct api_config *config)
{
	int r = arena_new(SCRATCH_BYTES, &api->host.scratch);

	api->host.context = config->context;
	api->host.router = api->router;
	api->host.authenticate = config->authenticate;
	if (r == 0 && config->peer_rate > 0)
		r = rate_limit_new(PEER_SLOTS, config->peer_rate, 2 * config->peer_rate,
				   config->context->random, &api->host.peers);
	return r;
}

static int take_duties(struct api *api, const struct api_config *config)
{
	const struct duties_config duties = {
		.context = api->context,
		.modules = api->modules,
		.n_modules = api->n_modules,
		.serves = config->serves,
		.instance = config->instance,
		.version = config->version,
		.lost = config->lost,
		.arg = config->arg,
	};

	return config->version ? duties_start(&duties, &api->duties) : 0;
}

int api_start(const struct api_config *config, struct api **ret_api)
{
	struct http_server_config http = config->http;
	struct api *api = calloc(1, sizeof(*api));
	int r;

	if (!api)
		return -ENOMEM;
	api->context = config->context;
	r = modules_take(api, config->modules, config->n_modules, config->serves);
	if (r == 0)
		r = host_init(api, config);
	if (r == 0)
		r = modules_start(api);
	if (r == 0)
		r = take_duties(api, config);
	http.on_request = exchange_begin;
	http.arg = &api->host;
	if (r == 0)
		r = http_server_new(api->context->loop, &http, &api->context->http);
	if (r == 0)
		r = jobs_start(api->context, api->modules, api->n_modules, &api->context->jobs);
	if (r < 0) {
		api_free(api);
		return r;
	}
	*ret_api = api;
	return 0;
}

void api_drain(struct api *api, uint64_t timeout_ms, void (*done)(void *arg), void *arg)
{
	jobs_stop(api->context->jobs);
	http_server_drain(api->context->http, timeout_ms, done, arg);
}

void api_give_back(struct api *api)
{
	if (api && api->duties)
		duties_give_back(api->duties);
}

void api_free(struct api *api)
{
	if (!api)
		return;
	api->context->duties = NULL;
	duties_free(api->duties);
	while (api->n_started > 0) {
		const struct module *module = api->modules[--api->n_started];

		if (module->stop)
			module->stop();
	}
	if (api->context->jobs)
		jobs_free(api->context->jobs);
	api->context->jobs = NULL;
	if (api->context->http)
		http_server_free(api->context->http);
	api->context->http = NULL;
	rate_limit_free(api->host.peers);
	arena_free(api->host.scratch);
	router_free(api->router);
	free(api);
}

int api_describe(const struct module *const *modules, size_t n_modules, json_t **ret_rows)
{
	struct api api = { 0 };
	int r = modules_take(&api, modules, n_modules, NULL);

	if (r < 0)
		return r;
	*ret_rows = router_describe(api.router);
	router_free(api.router);
	return *ret_rows ? 0 : -ENOMEM;
}
