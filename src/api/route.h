/* route.h - what a module needs to face the world: route rows, requests, replies, jobs, and the
 * module descriptor. The only header of api/ that modules include.
 *
 * The life of a request: the loop reads it, finds its row, rate-limits, and queues it. A pool thread
 * authenticates, checks the row's permission, decodes path, query and body by the row's tables,
 * opens the row's transaction, and calls the handler. The handler returns 0 (the reply stands, the
 * transaction commits), an outcome of its module (rolled back, answered by the module's outcome
 * table), or a fault (rolled back, 500 with the request id). Handlers may be run again after a
 * serialisation failure. */
#pragma once

#include <jansson.h>

#include "base/address.h"
#include "base/arena.h"
#include "base/clock.h"
#include "base/encode.h"
#include "base/field.h"
#include "base/id.h"
#include "base/random.h"
#include "io/db.h"
#include "io/http_server.h"
#include "security/policy.h"

struct context;
struct duties;
struct jobs;
struct loop;
struct pool;

/* ---- who asks ---- */

struct caller {
	bool known; /* false: nobody signed in (PERM_PUBLIC only) */
	struct account_id account;
	uint32_t permissions; /* bit 1 << enum permission */
	uint8_t session[16]; /* the session or API key that was used */
	bool by_api_key;
	bool by_ticket; /* may do nothing but what .ticket rows allow with the thing @session names */
};

/* ---- requests and replies ---- */

enum { ROUTE_PARAMS_MAX = 3 };

struct request {
	const struct context *context;
	struct arena *arena;
	struct caller caller;
	struct http_conn_id conn;
	char id[ID_TEXT_SIZE]; /* "req-..."; on every log line and in every problem */
	const char *peer;
	const char *params[ROUTE_PARAMS_MAX]; /* of {names} in the path, in order */
	const void *query; /* the row's .query struct, decoded */
	const void *body; /* the row's .body struct, decoded */
	int64_t now_ms;
	bool websocket; /* asks to upgrade (rows with .ws only) */
	void *prepared; /* see request_prepare */
};

enum { REPLY_PLAIN_MAX = 48 << 20 };

struct reply {
	int status; /* 200 unless set */
	json_t *body; /* owned; NULL: empty */
	const char *text; /* a static JSON text instead of @body, for inline rows */
	const char *plain; /* sent as text/plain instead of @body: in the arena, at most
			    * REPLY_PLAIN_MAX bytes; not for rows that are .idempotent */
	const void *octets; /* the same of application/octet-stream, @octets_len bytes */
	size_t octets_len;
	struct field_error error; /* set by reply_refuse: shown in the problem */
	const char *detail; /* shown in the problem in place of the outcome's; in the arena */
};

/* Answers with @status and @body (taken over; NULL, for want of memory, is -ENOMEM). */
int reply_with(struct reply *reply, int status, json_t *body);

/* For a rule that a table cannot say: names the field and the rule, returns ROUTE_E_FIELD. */
int reply_refuse(struct reply *reply, const char *field, const char *rule);

/* Outcomes of every module, below the modules' own (which start at ROUTE_E_MODULE). */
enum route_outcome {
	ROUTE_E_FIELD = 900, /* 422, names the field */
	ROUTE_E_NOT_FOUND, /* 404, says nothing of what exists */
	ROUTE_E_DENIED, /* 403 */
	ROUTE_E_UNAUTHENTICATED, /* 401 */
	ROUTE_E_UNAVAILABLE, /* 503 with Retry-After */
	ROUTE_E_MODULE = 1000,
};

/* An outcome's answer: a row of the module's table, which {0} ends. */
struct outcome_row {
	int outcome;
	int status;
	const char *type; /* "insufficient-balance": the problem's type, stable, for programs */
	const char *title; /* one sentence for people, with the remedy */
};

/* ---- rows ---- */

typedef int route_fn(struct request *request, struct tx *tx, struct reply *reply);

struct body_shape {
	const struct field *fields;
	size_t size; /* of the struct */
};

struct ws_route;

struct route {
	enum http_method method;
	const char *path; /* "/v1/rentals/{rental}/stop" */
	enum permission permission;
	enum tx_mode tx;
	bool idempotent; /* takes Idempotency-Key: the same key and body get the same answer */
	bool ticket; /* also with a ticket for the thing that the path names; the handler compares */
	bool inline_; /* answered on the loop: no transaction, must not block */
	bool at_duty; /* only by the instance that has the module's duty: others answer 503 */
	struct body_shape body, query;
	route_fn *handler;
	/* A GET that upgrades. The handler runs first (authorises, finds) and calls request_prepare;
	 * 0 upgrades. Without an upgrade header: 426, or the plain reply where .ws_optional. */
	const struct ws_route *ws;
	bool ws_optional;
};

/* A WebSocket's life on the loop, after its handler said yes. */
struct ws_route {
	/* Makes the connection's state from what the handler left in @prepared (see
	 * request_prepare), or NULL to refuse with 503. On the loop. */
	void *(*open)(const struct context *context, struct http_conn_id conn, void *prepared);
	void (*message)(void *state, enum ws_kind kind, const void *bytes, size_t len);
	void (*closed)(void *state, uint16_t code); /* frees @state */
	void (*discard)(void *prepared); /* upgraded never; frees @prepared */
};

/* What a ws route's handler hands to open(): one malloc'ed object. */
void request_prepare(struct request *request, void *prepared);

/* ---- what modules get ---- */

struct context {
	const struct clock *clock;
	struct random *random;
	struct db *db;
	struct loop *loop;
	struct http_server *http;
	struct pool *people; /* requests */
	struct pool *agents; /* what agents send */
	struct pool *background; /* jobs and reconcilers */
	struct pool *outside; /* jobs that wait for others' machines */
	struct jobs *jobs; /* NULL in unit tests */
	struct duties *duties; /* NULL in unit tests: this instance does everything */
	const struct settings *settings; /* api/settings.h */
};

/* Runs every @every_ms on the background pool of the instance that has the module's duty, never twice at once; also when job_wake is called.
 * A fault is logged and tried again at the next turn. One that may wait long for somebody else's machine is
 * .outside: then it holds up no other jobs than its like. */
struct job {
	const char *name;
	uint64_t every_ms;
	int (*run)(const struct context *context, struct arena *arena);
	bool outside;
	bool everywhere; /* on each instance, not only where the module's duty is */
};

/* ---- duties: what only one instance does at a time (api/duty.h) ---- */

/* Of the modules that hold nodes' links, or work with what comes over them. */
#define NODES_DUTY "nodes"

/* Whether this instance does it. From any thread. */
bool duty_held(const struct context *context, const char *duty);

/* Whether there may be other instances, which know nothing of what changes here but from the store. From any thread. */
bool duty_shared(const struct context *context);

/* From now on what this thread writes (db_run) is refused with -ESTALE where another instance has @duty by now; NULL ends
 * that. Jobs are fenced without it. */
void duty_fence(const struct context *context, const char *duty);

/* Runs the job called @name soon. From any thread; without jobs (unit tests) nothing happens. */
void job_wake(const struct context *context, const char *name);

struct module {
	const char *name;
	const struct route *routes; /* NULL handler ends */
	const struct outcome_row *outcomes; /* {0} ends */
	const struct job *jobs; /* NULL name ends */
	const char *
		duty; /* that its jobs and .at_duty rows belong to; NULL: one of its own, called as the module */
	/* Before the first request; may be NULL. -errno refuses to start. */
	int (*start)(const struct context *context);
	/* This instance has the duty from now on: before its jobs. Maybe more than once. May be NULL. A fault: it is
	 * called again a little later. */
	int (*begin)(const struct context *context);
	/* After the last one. */
	void (*stop)(void);
};
