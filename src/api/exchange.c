#include "api/exchange.h"

#include "api/duty.h"
#include "api/idempotency.h"
#include "api/instances.h"
#include "api/problem.h"
#include "api/socket.h"
#include "base/keccak.h"
#include "base/log.h"
#include "io/pool.h"
#include "security/rate_limit.h"

enum {
	/* At most: request, query results and reply together. */
	EXCHANGE_ARENA_BYTES = REPLY_PLAIN_MAX + (16 << 20),
	EXTRA_HEADERS = 3,
};

struct exchange {
	const struct exchange_host *host;
	struct arena *arena;
	struct router_match match;
	struct request request;
	struct reply reply;
	const char *authorization, *idempotency_key;
	const char *query, *body;
	size_t query_len, body_len;
	const char *protocol; /* of a WebSocket whose token came as a subprotocol */
	char *stored; /* the reply's text as stored or replayed; in the arena */
	bool replayed;
	int64_t began_ms;
	const char *refused; /* why the idempotency key was not taken */
};

int reply_with(struct reply *reply, int status, json_t *body)
{
	if (!body)
		return -ENOMEM;
	reply->status = status;
	reply->body = body;
	return 0;
}

int reply_refuse(struct reply *reply, const char *field, const char *rule)
{
	field_error_set(&reply->error, field, rule);
	return ROUTE_E_FIELD;
}

void request_prepare(struct request *request, void *prepared)
{
	request->prepared = prepared;
}

/* ---- answering ---- */

static void answer_text(const struct exchange_host *host, struct http_conn_id conn, int status,
			const char *type, const struct http_header *extra, const char *request_id,
			const char *text, size_t len)
{
	struct http_header headers[2 + EXTRA_HEADERS];
	size_t n = 0;

	if (text)
		headers[n++] = (struct http_header){ "content-type", type };
	if (request_id)
		headers[n++] = (struct http_header){ "x-request-id", request_id };
	for (size_t i = 0; extra && i < EXTRA_HEADERS && extra[i].name; i++)
		headers[n++] = extra[i];
	http_reply(host->context->http, conn, status, headers, n, text, len);
}

static void answer_problem(const struct exchange_host *host, struct http_conn_id conn,
			   const struct problem *problem, const char *request_id, const char *allow)
{
	struct http_header extra[EXTRA_HEADERS] = { 0 };
	char *text = problem_text(problem, request_id);
	size_t n = 0;

	if (allow)
		extra[n++] = (struct http_header){ "allow", allow };
	if (problem->status == 401)
		extra[n++] = (struct http_header){ "www-authenticate", "Bearer" };
	if (problem->status == 503 || problem->status == 429)
		extra[n++] = (struct http_header){ "retry-after", "1" };
	answer_text(host, conn, problem->status, "application/problem+json", extra, request_id,
		    text, text ? strlen(text) : 0);
	free(text);
}

static void exchange_free(struct exchange *x)
{
	if (x->request.prepared && x->match.route->ws->discard)
		x->match.route->ws->discard(x->request.prepared);
	json_decref(x->reply.body);
	arena_free(x->arena);
}

static void log_answer(const struct exchange *x, int status)
{
	char account[ADDRESS_TEXT_SIZE] = "";

	if (x->request.caller.known)
		address_text(&x->request.caller.account.address, account);
	log_info("request", log_text("method", router_method_name(x->match.route->method)),
		 log_text("path", x->match.route->path), log_int("status", status),
		 log_int("ms", clock_mono_ms(x->host->context->clock) - x->began_ms),
		 log_text("account", account));
}

static void finish_problem(struct exchange *x, struct problem problem)
{
	if (x->reply.error.rule[0]) {
		problem.field = x->reply.error.field[0] ? x->reply.error.field : NULL;
		problem.rule = x->reply.error.rule;
	}
	if (x->reply.detail)
		problem.detail = x->reply.detail;
	log_answer(x, problem.status);
	answer_problem(x->host, x->request.conn, &problem, x->request.id, NULL);
	exchange_free(x);
}

static void finish_reply(struct exchange *x)
{
	struct http_header extra[EXTRA_HEADERS] = { 0 };
	const char *text = x->reply.text, *type = "application/json";
	char *dumped = NULL;
	size_t len;
	int status;

	if (x->stored) {
		text = *x->stored ? x->stored : NULL;
	} else if (x->reply.plain) {
		text = x->reply.plain;
		type = "text/plain; charset=utf-8";
	} else if (x->reply.octets) {
		text = x->reply.octets;
		type = "application/octet-stream";
	} else if (x->reply.body) {
		text = dumped = json_dumps(x->reply.body, JSON_COMPACT);
		if (!text) {
			finish_problem(x, problem_of_fault(-ENOMEM));
			return;
		}
	}
	if (x->replayed)
		extra[0] = (struct http_header){ "idempotency-replayed", "true" };
	status = x->reply.status ? x->reply.status : 200;
	log_answer(x, status);
	len = x->reply.octets && !x->stored ? x->reply.octets_len : text ? strlen(text) : 0;
	answer_text(x->host, x->request.conn, status, type, extra, x->request.id, text, len);
	free(dumped);
	exchange_free(x);
}

static void finish_upgrade(struct exchange *x)
{
	int r = socket_open(x->host->context, x->match.route->ws, x->request.conn,
			    x->request.prepared, x->protocol);

	if (r < 0) {
		finish_problem(x, problem_of_fault(r));
		return;
	}
	log_answer(x, 101);
	x->request.prepared = NULL;
	exchange_free(x);
}

/* What the handler's transaction came to, on whatever thread it ended. */
static void exchange_finish(void *arg, int result)
{
	struct exchange *x = arg;

	log_request(x->request.id);
	if (result < 0) {
		log_error("request.fault", log_text("path", x->match.route->path),
			  log_fault(result));
		finish_problem(x, problem_of_fault(result));
	} else if (x->refused) {
		finish_problem(x, (struct problem){ .status = 422,
						    .type = "idempotency-key-reused",
						    .title = x->refused });
	} else if (result > 0) {
		finish_problem(x, problem_of_outcome(x->match.module, result));
	} else if (x->request.prepared && x->request.websocket) {
		finish_upgrade(x);
	} else {
		finish_reply(x);
	}
	log_request(NULL);
}

/* ---- running ---- */

/* Method and path by the row, then what the caller filled in. */
static void request_digest(const struct exchange *x, uint8_t ret_digest[static 32])
{
	uint8_t digests[2 + ROUTE_PARAMS_MAX][32] = { 0 };

	keccak256(x->match.route->path, strlen(x->match.route->path), digests[0]);
	keccak256(x->body, x->body_len, digests[1]);
	for (size_t i = 0; i < ROUTE_PARAMS_MAX; i++)
		if (x->match.params[i])
			keccak256(x->match.params[i], strlen(x->match.params[i]), digests[2 + i]);
	keccak256(digests, sizeof(digests), ret_digest);
}

static int store_answer(struct exchange *x, struct tx *tx, const uint8_t digest[static 32])
{
	char *text = x->reply.body ? json_dumps(x->reply.body, JSON_COMPACT) : NULL;

	if (x->reply.body && !text)
		return -ENOMEM;
	x->stored = arena_text(x->arena, text ? text : "", text ? strlen(text) : 0);
	free(text);
	if (!x->stored)
		return -ENOMEM;
	return idempotency_store(tx, x->request.caller.account, x->idempotency_key, digest,
				 x->request.now_ms, x->reply.status ? x->reply.status : 200,
				 x->stored);
}

static int run_idempotent(struct exchange *x, struct tx *tx)
{
	uint8_t digest[32];
	const char *body;
	int r, status;

	request_digest(x, digest);
	r = idempotency_find(tx, x->request.caller.account, x->idempotency_key, digest, &status,
			     &body);
	if (r == IDEMPOTENCY_E_REPLAY) {
		x->replayed = true;
		x->reply.status = status;
		x->stored = arena_text(x->arena, body, strlen(body));
		return x->stored ? 0 : -ENOMEM;
	}
	if (r == IDEMPOTENCY_E_REUSED) {
		x->refused =
			"This Idempotency-Key came before with another request; use a new one.";
		return ROUTE_E_FIELD;
	}
	if (r == 0)
		r = x->match.route->handler(&x->request, tx, &x->reply);
	return r == 0 ? store_answer(x, tx, digest) : r;
}

/* The row's transaction; may run again, so it starts from a clean reply. */
static int run_handler(struct tx *tx, void *arg)
{
	struct exchange *x = arg;

	json_decref(x->reply.body);
	x->reply = (struct reply){ 0 };
	x->stored = NULL;
	x->replayed = false;
	if (x->request.prepared && x->match.route->ws->discard)
		x->match.route->ws->discard(x->request.prepared);
	x->request.prepared = NULL;
	if (x->match.route->idempotent && x->idempotency_key)
		return run_idempotent(x, tx);
	return x->match.route->handler(&x->request, tx, &x->reply);
}

static int authorise(struct exchange *x)
{
	enum permission need = x->match.route->permission;
	int r;

	/* A public row must answer even to a stale token. */
	if (need == PERM_PUBLIC)
		return 0;
	if (!x->authorization)
		return ROUTE_E_UNAUTHENTICATED;
	r = x->host->authenticate(x->host->context, x->authorization, &x->request.caller);
	if (r != 0)
		return r;
	if (!x->request.caller.known)
		return ROUTE_E_UNAUTHENTICATED;
	if (x->request.caller.by_ticket)
		return x->match.route->ticket ? 0 : ROUTE_E_DENIED;
	return policy_allows(x->request.caller.permissions, need) ? 0 : ROUTE_E_DENIED;
}

static int decode_shape(struct exchange *x, const struct body_shape *shape, const char *text,
			size_t len, bool is_query, const void **ret_struct)
{
	static const struct field none[] = { { 0 } };
	const struct field *fields = shape->fields ? shape->fields : none;
	void *value = arena_alloc(x->arena, shape->size);
	int r;

	if (!value)
		return -ENOMEM;
	if (is_query)
		r = field_decode_query(text, len, fields, x->arena, value, &x->reply.error);
	else if (len == 0)
		r = field_decode("{}", 2, fields, x->arena, value, &x->reply.error);
	else
		r = field_decode(text, len, fields, x->arena, value, &x->reply.error);
	if (r > 0)
		return ROUTE_E_FIELD;
	*ret_struct = value;
	return r;
}

static int check_idempotency_key(struct exchange *x)
{
	size_t len = x->idempotency_key ? strlen(x->idempotency_key) : 0;

	if (!x->match.route->idempotent || !x->idempotency_key)
		return 0;
	if (len < 1 || len > IDEMPOTENCY_KEY_MAX)
		return reply_refuse(&x->reply, "Idempotency-Key", "must have 1 to 64 characters");
	for (const char *c = x->idempotency_key; *c; c++)
		if (*c < 0x21 || *c > 0x7e)
			return reply_refuse(&x->reply, "Idempotency-Key",
					    "may hold only visible ASCII characters");
	return 0;
}

static int decode(struct exchange *x)
{
	int r = check_idempotency_key(x);

	if (r == 0)
		r = decode_shape(x, &x->match.route->query, x->query, x->query_len, true,
				 &x->request.query);
	if (r == 0)
		r = decode_shape(x, &x->match.route->body, x->body, x->body_len, false,
				 &x->request.body);
	return r;
}

/* Ends the exchange here or hands it on: @x may be gone afterwards. */
static void run(struct exchange *x)
{
	const struct route *route = x->match.route;
	struct db *db = x->host->context->db;
	int r;

	x->request.now_ms = clock_now_ms(x->host->context->clock);
	r = authorise(x);
	if (r == 0 && route->ws && !x->request.websocket && !route->ws_optional) {
		finish_problem(
			x, (struct problem){ .status = 426,
					     .type = "upgrade-required",
					     .title = "This is a WebSocket; send an upgrade." });
		return;
	}
	if (r == 0)
		r = decode(x);
	if (r == 0 && route->tx == TX_WRITE) {
		r = db_submit(db, x->arena, run_handler, exchange_finish, x);
		if (r == 0)
			return;
		r = r == -EAGAIN ? ROUTE_E_UNAVAILABLE : r;
	} else if (r == 0 && route->tx == TX_READ) {
		r = db_run(db, TX_READ, x->arena, run_handler, x);
	} else if (r == 0) {
		r = run_handler(NULL, x);
	}
	exchange_finish(x, r);
}

/* On a thread of the people pool. */
static void exchange_run(void *arg)
{
	struct exchange *x = arg;

	log_request(x->request.id);
	run(x);
	/* The id goes with the exchange; what this thread does next must not find it. */
	log_request(NULL);
}

/* ---- taking over from the loop ---- */

/* Browsers cannot send Authorization with a WebSocket: they offer the subprotocols "kaisar.v1" and
 * "bearer.TOKEN", and are answered with the first. */
static const char *subprotocol_token(struct exchange *x, const struct http_request *http)
{
	const char *offered = http_request_header(http, "sec-websocket-protocol");
	const char *at = offered ? strstr(offered, "bearer.") : NULL;

	if (!at || !strstr(offered, "kaisar.v1"))
		return NULL;
	x->protocol = "kaisar.v1";
	at += strlen("bearer.");
	return arena_printf(x->arena, "Bearer %.*s", (int)strcspn(at, ", "), at);
}

/* NULL where there is none. A key that was lost for want of memory would let a request happen twice. */
static int copy_header(struct exchange *x, const struct http_request *http, const char *name,
		       const char **ret_value)
{
	const char *value = http_request_header(http, name);

	*ret_value = value ? arena_text(x->arena, value, strlen(value)) : NULL;
	return value && !*ret_value ? -ENOMEM : 0;
}

static int exchange_new(const struct exchange_host *host, const struct router_match *match,
			const struct http_request *http, struct exchange **ret_exchange)
{
	_cleanup_(arena_freep) struct arena *arena = NULL;
	struct request_id id;
	struct exchange *x;
	int r;

	r = arena_new(EXCHANGE_ARENA_BYTES, &arena);
	if (r < 0)
		return r;
	x = arena_alloc(arena, sizeof(*x));
	r = request_id_make(host->context->clock, host->context->random, &id);
	if (!x || r < 0)
		return x ? r : -ENOMEM;
	x->host = host;
	x->arena = arena;
	x->match = *match;
	x->began_ms = clock_mono_ms(host->context->clock);
	x->request = (struct request){
		.context = host->context,
		.arena = arena,
		.conn = http->conn,
		.websocket = http->websocket && match->route->ws,
	};
	request_id_text(&id, x->request.id);
	for (size_t i = 0; i < ROUTE_PARAMS_MAX; i++) {
		if (match->params[i])
			x->match.params[i] = arena_text(arena, match->params[i],
							strlen(match->params[i]));
		x->request.params[i] = x->match.params[i];
	}
	x->query_len = strlen(http->query);
	x->query = arena_text(arena, http->query, x->query_len);
	x->body_len = http->body_len;
	x->body = arena_text(arena, http->body, http->body_len);
	x->request.peer = arena_text(arena, http->peer, strlen(http->peer));
	r = copy_header(x, http, "authorization", &x->authorization);
	if (r == 0)
		r = copy_header(x, http, "idempotency-key", &x->idempotency_key);
	if (r < 0)
		return r;
	if (!x->authorization && x->request.websocket)
		x->authorization = subprotocol_token(x, http);
	if (!x->query || !x->body || !x->request.peer)
		return -ENOMEM;
	arena = NULL;
	*ret_exchange = x;
	return 0;
}

static void refuse_route(const struct exchange_host *host, const struct http_request *http,
			 int outcome, unsigned int allowed)
{
	struct problem problem = problem_of_outcome(NULL, ROUTE_E_NOT_FOUND);
	char allow[64] = "";

	if (outcome == ROUTER_E_METHOD) {
		for (unsigned int m = 0; m <= HTTP_OPTIONS; m++) {
			size_t used = strlen(allow);

			if (allowed >> m & 1)
				snprintf(allow + used, sizeof(allow) - used, "%s%s",
					 used ? ", " : "", router_method_name(m));
		}
		problem = (struct problem){ .status = 405,
					    .type = "method-not-allowed",
					    .title = "This path takes other methods; see Allow." };
	}
	answer_problem(host, http->conn, &problem, NULL, *allow ? allow : NULL);
}

static bool peer_may(const struct exchange_host *host, const struct http_request *http)
{
	struct problem problem = { .status = 429,
				   .type = "too-many-requests",
				   .title = "Too many requests from this address; slow down." };
	int64_t wait_ms;

	if (!host->peers || rate_limit_take(host->peers, http->peer, strlen(http->peer),
					    clock_mono_ms(host->context->clock), &wait_ms))
		return true;
	answer_problem(host, http->conn, &problem, NULL, NULL);
	return false;
}

static void answer_inline(const struct exchange_host *host, const struct router_match *match,
			  const struct http_request *http)
{
	struct request request = { .context = host->context,
				   .conn = http->conn,
				   .peer = http->peer };
	struct reply reply = { 0 };
	int r = match->route->handler(&request, NULL, &reply);

	if (r != 0) {
		struct problem problem = r > 0 ? problem_of_outcome(match->module, r)
					       : problem_of_fault(r);

		answer_problem(host, http->conn, &problem, NULL, NULL);
	} else {
		answer_text(host, http->conn, reply.status ? reply.status : 200, "application/json",
			    NULL, NULL, reply.text, reply.text ? strlen(reply.text) : 0);
	}
	json_decref(reply.body);
}

static const struct module elsewhere = { .outcomes = api_outcomes };

void exchange_begin(void *arg, const struct http_request *http)
{
	const struct exchange_host *host = arg;
	struct router_match match = { 0 };
	struct exchange *x = NULL;
	struct problem problem;
	int r;

	arena_reset(host->scratch);
	r = router_find(host->router, http->method, http->path, host->scratch, &match);
	if (r > 0) {
		refuse_route(host, http, r, match.allowed);
		return;
	}
	if (r == 0 && match.route->at_duty &&
	    !duty_held(host->context, module_duty(match.module))) {
		problem = problem_of_outcome(&elsewhere, API_E_ELSEWHERE);
		answer_problem(host, http->conn, &problem, NULL, NULL);
		return;
	}
	if (r == 0 && match.route->inline_) {
		answer_inline(host, &match, http);
		return;
	}
	if (!peer_may(host, http))
		return;
	if (r == 0)
		r = exchange_new(host, &match, http, &x);
	if (r == 0) {
		r = pool_submit(host->context->people, exchange_run, x);
		if (r == 0)
			return;
		exchange_free(x);
	}
	problem = problem_of_fault(r);
	answer_problem(host, http->conn, &problem, NULL, NULL);
}
