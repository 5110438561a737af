/* api.h - the face of the control plane: takes what the HTTP server reads, finds its row, runs it in
 * its transaction, answers. Also runs the modules' jobs. The story of a request is in route.h. */
#pragma once

#include "api/route.h"

struct api;

/* Who sent this Authorization header. Outcome ROUTE_E_UNAUTHENTICATED. Outside of a transaction: most
 * credentials are checked without the store. */
typedef int authenticate_fn(const struct context *context, const char *authorization,
			    struct caller *ret_caller);

struct api_config {
	struct context *context; /* .http is set by api_start; borrowed */
	struct http_server_config http; /* on_request and arg are set by api_start */
	const struct module *const *modules;
	size_t n_modules;
	authenticate_fn *authenticate; /* the iam module's */
	const char *serves; /* names of modules, "a,b", whose routes this instance has; NULL: all */
	struct instance_id instance;
	const char *
		version; /* NULL: there are no other instances, and nothing is written of this one (unit tests) */
	/* Another instance took over what this one did: it is to end, and may be started anew. On the loop, once. */
	void (*lost)(void *arg);
	void *arg;
	double peer_rate; /* requests a second from one address; 0: no limit */
};

/* Checks the tables, starts the modules, listens, starts the jobs. On the loop's thread, before
 * loop_run. Faults: -EINVAL (a table, or .serves), a module's start, http_server_new's. */
_must_check_ int api_start(const struct api_config *config, struct api **ret_api);

/* Stops jobs and accepting, lets what runs finish, calls @done on the loop within @timeout_ms. */
void api_drain(struct api *api, uint64_t timeout_ms, void (*done)(void *arg), void *arg);

/* After the pools are freed, before the store is closed: others may take over at once. */
void api_give_back(struct api *api);

/* After loop_run returned and the context's pools are freed. Stops the modules. */
void api_free(struct api *api);

/* The rows of @modules and of the api itself as JSON (router_describe). */
_must_check_ int api_describe(const struct module *const *modules, size_t n_modules,
			      json_t **ret_rows);
