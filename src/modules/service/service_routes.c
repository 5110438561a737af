#include "modules/logging/logging.h"
#include "modules/service/service.h"

#include "modules/service/rental_step.h"
#include "modules/service/service_jobs.h"
#include "modules/service/service_json.h"
#include "modules/service/service_store.h"
#include "modules/service/service_streams.h"
#include "modules/service/template.h"

/* ---- finding ---- */

/* The caller's own rental; anybody else's is as unknown as one that never was. */
static int find_rental(const struct request *request, struct tx *tx, struct rental *ret_rental)
{
	struct rental rental;
	struct rental_id id;
	int r;

	if (rental_id_parse(request->params[0], &id) < 0)
		return ROUTE_E_NOT_FOUND;
	r = store_rental(tx, id, &rental);
	if (r != 0)
		return r;
	if (!account_equal(rental.tenant, request->caller.account) || rental.deleted_ms)
		return ROUTE_E_NOT_FOUND;
	*ret_rental = rental;
	return 0;
}

static int answer_rental(const struct request *request, struct tx *tx, struct rental_id id,
			 struct reply *reply)
{
	struct rental rental;
	int r = store_rental(tx, id, &rental);

	return r != 0 ? r : service_rental_json(request->context, tx, &rental, &reply->body);
}

/* Makes {"items": @list (taken over), "next": @next}. */
static int answer_list(json_t *list, const char *next, struct reply *reply)
{
	return reply_with(reply, 200, json_pack("{s:o, s:s?}", "items", list, "next", next));
}

/* Takes @item over. */
static int list_add(json_t *list, json_t *item)
{
	return json_array_append_new(list, item) < 0 ? -ENOMEM : 0;
}

/* ---- templates ---- */

static int get_templates(struct request *request _unused_, struct tx *tx, struct reply *reply)
{
	struct template_row *rows;
	json_t *list, *item;
	size_t n;
	int r = store_templates(tx, NULL, &rows, &n);

	if (r != 0)
		return r;
	list = json_array();
	if (!list)
		return -ENOMEM;
	for (size_t i = 0; r == 0 && i < n; i++) {
		r = service_template_json(&rows[i], &item);
		if (r == 0)
			r = list_add(list, item);
	}
	if (r == 0)
		return answer_list(list, NULL, reply);
	json_decref(list);
	return r;
}

static int get_template(struct request *request, struct tx *tx, struct reply *reply)
{
	struct template_row *rows;
	size_t n;
	int r = store_templates(tx, request->params[0], &rows, &n);

	if (r != 0)
		return r;
	return n == 0 ? ROUTE_E_NOT_FOUND : service_template_json(&rows[0], &reply->body);
}

/* ---- rentals ---- */

static int resolve(struct tx *tx, struct order *order, struct reply *reply)
{
	struct order template_ = { .name = NULL };
	int r = 0;

	if (order->template_)
		r = template_order(tx, order->template_, &template_);
	if (r == 0)
		r = order_resolve(order, order->template_ ? &template_ : NULL, tx_arena(tx),
				  &reply->error);
	return r == FIELD_E_INVALID ? ROUTE_E_FIELD : r;
}

static int audit(const struct request *request, struct tx *tx, struct rental_id rental,
		 enum audit_action action, json_t *detail)
{
	char subject[ID_TEXT_SIZE];

	rental_id_text(&rental, subject);
	return audit_own(request, tx, action, subject, detail);
}

static json_t *order_detail(const struct order *order)
{
	return json_pack("{s:I, s:I, s:I, s:I}", "gpus", (json_int_t)order->gpus, "cpu_milli",
			 (json_int_t)order->cpu_milli, "memory_bytes",
			 (json_int_t)order->memory_bytes, "disk_bytes",
			 (json_int_t)order->disk_bytes);
}

static int post_rental(struct request *request, struct tx *tx, struct reply *reply)
{
	struct order order = *(const struct order *)request->body;
	struct rental_id id;
	int r = resolve(tx, &order, reply);

	if (r == 0)
		r = rental_create(request->context, tx, request->caller.account, &order, &id,
				  &reply->detail);
	if (r == 0)
		r = audit(request, tx, id, AUDIT_RENTAL_CREATED, order_detail(&order));
	if (r != 0)
		return r;
	reply->status = 201;
	return answer_rental(request, tx, id, reply);
}

static const char *const state_words[] = { "queued",  "pulling", "starting", "running", "stopping",
					   "stopped", "failed",  "lost",     NULL };

struct rentals_query {
	int state;
	struct rental_id cursor;
	int64_t limit;
};

static const struct field rentals_fields[] = {
	{ "state", FIELD_WORD, offsetof(struct rentals_query, state), .words = state_words,
	  .fallback = -1 },
	{ "cursor", FIELD_ID, offsetof(struct rentals_query, cursor), .prefix = "rnt" },
	{ "limit", FIELD_INT, offsetof(struct rentals_query, limit), .min = 1, .max = 100,
	  .fallback = 50 },
	{ 0 },
};

static int get_rentals(struct request *request, struct tx *tx, struct reply *reply)
{
	const struct rentals_query *query = request->query;
	struct rental_page page = {
		.tenant = request->caller.account,
		.state = query->state,
		.before = query->cursor,
		.limit = query->limit + 1,
	};
	char next[ID_TEXT_SIZE];
	struct rental *rentals;
	json_t *list, *item;
	size_t n, shown;
	int r = store_rentals(tx, &page, &rentals, &n);

	if (r != 0)
		return r;
	list = json_array();
	if (!list)
		return -ENOMEM;
	shown = size_min(n, (size_t)query->limit);
	for (size_t i = 0; r == 0 && i < shown; i++) {
		r = service_rental_json(request->context, tx, &rentals[i], &item);
		if (r == 0)
			r = list_add(list, item);
	}
	if (r != 0) {
		json_decref(list);
		return r;
	}
	if (n > shown)
		rental_id_text(&rentals[shown - 1].id, next);
	return answer_list(list, n > shown ? next : NULL, reply);
}

static int get_rental(struct request *request, struct tx *tx, struct reply *reply)
{
	struct rental rental;
	int r = find_rental(request, tx, &rental);

	return r != 0 ? r : service_rental_json(request->context, tx, &rental, &reply->body);
}

static int get_history(struct request *request, struct tx *tx, struct reply *reply)
{
	struct rental_move *moves;
	struct rental rental;
	json_t *list, *item;
	size_t n;
	int r = find_rental(request, tx, &rental);

	if (r == 0)
		r = store_moves(tx, rental.id, &moves, &n);
	if (r != 0)
		return r;
	list = json_array();
	if (!list)
		return -ENOMEM;
	for (size_t i = 0; r == 0 && i < n; i++) {
		r = service_move_json(&moves[i], &item);
		if (r == 0)
			r = list_add(list, item);
	}
	if (r == 0)
		return answer_list(list, NULL, reply);
	json_decref(list);
	return r;
}

/* Stopping twice, or what has ended, is the same as once. */
static int post_stop(struct request *request, struct tx *tx, struct reply *reply)
{
	struct rental rental;
	int r = find_rental(request, tx, &rental);

	if (r == 0 && rental.stop == RENTAL_REASON_NONE && !rental_ended(&rental))
		r = audit(request, tx, rental.id, AUDIT_RENTAL_STOPPED, json_object());
	if (r == 0)
		r = rental_ask_stop(tx, &rental, RENTAL_STOPPED_BY_TENANT);
	if (r == 0)
		r = rental_settle(request->context, tx, rental.id);
	return r != 0 ? r : answer_rental(request, tx, rental.id, reply);
}

static int delete_rental(struct request *request, struct tx *tx, struct reply *reply)
{
	struct rental rental;
	int r = find_rental(request, tx, &rental);

	if (r != 0)
		return r;
	if (!rental_ended(&rental))
		return SERVICE_E_STATE;
	if (!rental.deleted_ms)
		r = audit(request, tx, rental.id, AUDIT_RENTAL_REMOVED, json_object());
	rental.deleted_ms = request->now_ms;
	if (r == 0)
		r = store_rental_update(tx, &rental);
	if (r == 0)
		r = rental_settle(request->context, tx, rental.id);
	reply->status = 204;
	return r;
}

/* ---- streams ---- */

/* Logs are readable as long as the container is kept; the others need it running. */
/* Whose ticket is for another rental knows nothing of this one. */
static bool may_stream(const struct request *request, const struct rental *rental)
{
	return !request->caller.by_ticket ||
	       memcmp(request->caller.session, rental->id.bytes, sizeof(rental->id.bytes)) == 0;
}

static int find_streamed(const struct request *request, struct tx *tx, bool running,
			 struct rental *ret_rental)
{
	struct worker_actual actual;
	struct rental rental;
	int r = find_rental(request, tx, &rental);

	if (r != 0)
		return r;
	if (!may_stream(request, &rental))
		return ROUTE_E_NOT_FOUND;
	if (running && rental.state != RENTAL_RUNNING && rental.state != RENTAL_STOPPING)
		return SERVICE_E_NOT_RUNNING;
	if (!rental.placed || (rental_ended(&rental) && !rental.kept))
		return SERVICE_E_STATE;
	r = worker_lease_actual(request->context, tx, rental.lease, &actual);
	if (r != 0)
		return r < 0 ? r : SERVICE_E_STATE;
	if (!actual.online)
		return SERVICE_E_OFFLINE;
	*ret_rental = rental;
	return 0;
}

struct logs_query {
	int64_t since, tail;
	bool follow;
};

static const struct field logs_fields[] = {
	{ "since", FIELD_INT, offsetof(struct logs_query, since), .max = INT64_MAX },
	{ "tail", FIELD_INT, offsetof(struct logs_query, tail), .max = 1000000 },
	{ "follow", FIELD_BOOL, offsetof(struct logs_query, follow) },
	{ 0 },
};

static int get_logs(struct request *request, struct tx *tx, struct reply *reply _unused_)
{
	const struct logs_query *query = request->query;
	struct worker_stream_request wanted = {
		.kind = WORKER_STREAM_LOGS,
		.since = (uint64_t)query->since,
		.tail = (uint32_t)query->tail,
		.follow = query->follow,
	};
	struct rental rental;
	int r = find_streamed(request, tx, false, &rental);

	return r != 0 ? r : service_stream_prepare(request, &rental, &wanted);
}

static int get_exec(struct request *request, struct tx *tx, struct reply *reply _unused_)
{
	struct worker_stream_request wanted = { .kind = WORKER_STREAM_EXEC };
	struct rental rental;
	int r = find_streamed(request, tx, true, &rental);

	return r != 0 ? r : service_stream_prepare(request, &rental, &wanted);
}

struct stats_query {
	bool follow;
};

static const struct field stats_fields[] = {
	{ "follow", FIELD_BOOL, offsetof(struct stats_query, follow) },
	{ 0 },
};

static int get_stats(struct request *request, struct tx *tx, struct reply *reply _unused_)
{
	const struct stats_query *query = request->query;
	struct worker_stream_request wanted = { .kind = WORKER_STREAM_STATS,
						.follow = query->follow };
	struct rental rental;
	int r = find_streamed(request, tx, true, &rental);

	return r != 0 ? r : service_stream_prepare(request, &rental, &wanted);
}

/* ---- tables ---- */

static const struct route routes[] = {
	{ HTTP_GET, "/v1/templates", PERM_PUBLIC, TX_READ, .handler = get_templates },
	{ HTTP_GET, "/v1/templates/{name}", PERM_PUBLIC, TX_READ, .handler = get_template },
	{ HTTP_POST, "/v1/rentals", PERM_RENTAL_WRITE, TX_WRITE, .idempotent = true,
	  .body = { order_fields, sizeof(struct order) }, .handler = post_rental },
	{ HTTP_GET, "/v1/rentals", PERM_RENTAL_READ, TX_READ,
	  .query = { rentals_fields, sizeof(struct rentals_query) }, .handler = get_rentals },
	{ HTTP_GET, "/v1/rentals/{rental}", PERM_RENTAL_READ, TX_READ, .handler = get_rental },
	{ HTTP_GET, "/v1/rentals/{rental}/history", PERM_RENTAL_READ, TX_READ,
	  .handler = get_history },
	{ HTTP_POST, "/v1/rentals/{rental}/stop", PERM_RENTAL_WRITE, TX_WRITE,
	  .handler = post_stop },
	{ HTTP_DELETE, "/v1/rentals/{rental}", PERM_RENTAL_WRITE, TX_WRITE,
	  .handler = delete_rental },
	{ HTTP_GET, "/v1/rentals/{rental}/logs", PERM_RENTAL_READ, TX_READ,
	  .query = { logs_fields, sizeof(struct logs_query) }, .handler = get_logs,
	  .ws = &service_logs, .at_duty = true },
	{ HTTP_GET, "/v1/rentals/{rental}/exec", PERM_RENTAL_WRITE, TX_READ, .ticket = true,
	  .handler = get_exec, .ws = &service_exec, .at_duty = true },
	{ HTTP_GET, "/v1/rentals/{rental}/stats", PERM_RENTAL_READ, TX_READ,
	  .query = { stats_fields, sizeof(struct stats_query) }, .handler = get_stats,
	  .ws = &service_stats, .at_duty = true },
	{ 0 },
};

static const struct outcome_row outcomes[] = {
	{ SERVICE_E_STATE, 409, "wrong-state",
	  "The rental is not in a state for this: look at its state, and stop it first where it "
	  "runs." },
	{ SERVICE_E_NO_CAPACITY, 409, "no-capacity",
	  "No machine fits this order now: relax what the detail counts, or try later." },
	{ SERVICE_E_BALANCE, 402, "insufficient-balance",
	  "The balance does not cover the first hour of this rental: deposit (`kaisar deposit`, "
	  "where the network has a chain), or have the operator credit you." },
	{ SERVICE_E_LEAVING, 409, "leaving-the-escrow",
	  "The account asked the escrow contract to leave, so nothing that it rents could be paid: "
	  "`kaisar escrow stay` cancels that, and counts when it is final." },
	{ SERVICE_E_TOO_MANY, 409, "too-many-rentals",
	  "The account has as many live rentals as it may: stop one first." },
	{ SERVICE_E_TEMPLATE, 422, "unknown-template",
	  "There is no such template: GET /v1/templates lists them." },
	{ SERVICE_E_NOT_RUNNING, 409, "not-running", "The rental is not running." },
	{ SERVICE_E_OFFLINE, 503, "worker-offline",
	  "The rental's machine is not connected now: try again when it is back." },
	{ 0 },
};

const struct module service_module = {
	.name = "service",
	.duty = NODES_DUTY,
	.routes = routes,
	.outcomes = outcomes,
	.jobs = service_jobs,
};
