#include "modules/logging/logging.h"
#include "modules/worker/worker.h"

#include "api/settings.h"
#include "base/codec.h"
#include "base/log.h"
#include "modules/worker/offers.h"
#include "modules/worker/worker_jobs.h"
#include "modules/worker/worker_json.h"
#include "modules/worker/worker_rules.h"
#include "modules/worker/worker_state.h"

enum {
	SIGNATURE_TEXT_LEN = 2 + 2 * SIGNATURE_SIZE,
	PAGE_MAX = 100,
	FILL_ARENA_BYTES = 64 << 20,
};

static int machine_param(const struct request *request, struct machine_id *ret_machine)
{
	return address_parse(request->params[0], &ret_machine->address) < 0 ? ROUTE_E_NOT_FOUND : 0;
}

/* ---- joining ---- */

struct token_body {
	const char *name;
};

static const struct field token_fields[] = {
	{ "name", FIELD_TEXT, offsetof(struct token_body, name), .min = 1, .max = WORKER_NAME_MAX },
	{ 0 },
};

static int post_token(struct request *request, struct tx *tx, struct reply *reply)
{
	const struct token_body *body = request->body;
	struct worker_token_grant grant;
	char id[ID_TEXT_SIZE];
	const char *command;
	int r;

	r = worker_token_make(request->context, tx, request->caller.account, body->name, &grant);
	if (r != 0)
		return r;
	command = arena_printf(request->arena, "kaisar worker join %s %s",
			       request->context->settings->url, grant.token);
	if (!command)
		return -ENOMEM;
	join_token_id_text(&grant.id, id);
	r = audit_own(request, tx, AUDIT_TOKEN_CREATED, id,
		      json_pack("{s:s}", "name", body->name ? body->name : ""));
	if (r != 0)
		return r;
	return reply_with(reply, 201,
			  json_pack("{s:s, s:s, s:o, s:s}", "id", id, "token", grant.token,
				    "expires_at", encode_time(grant.expires_at_ms), "command",
				    command));
}

struct join_body {
	const char *token, *signature, *name;
	struct address machine;
};

static const struct field join_fields[] = {
	{ "token", FIELD_TEXT, offsetof(struct join_body, token), .required = true, .min = 1,
	  .max = SECRET_TEXT_SIZE - 1 },
	{ "machine", FIELD_ADDRESS, offsetof(struct join_body, machine), .required = true },
	{ "signature", FIELD_TEXT, offsetof(struct join_body, signature), .required = true,
	  .min = SIGNATURE_TEXT_LEN, .max = SIGNATURE_TEXT_LEN,
	  .charset = "0123456789abcdefABCDEFx" },
	{ "name", FIELD_TEXT, offsetof(struct join_body, name), .min = 1, .max = WORKER_NAME_MAX },
	{ 0 },
};

/* @by: the machine itself, or its owner. */
static int audit(const struct request *request, struct tx *tx, const struct worker_row *row,
		 enum audit_actor by, enum audit_action action, json_t *detail)
{
	char machine[ADDRESS_TEXT_SIZE];
	const struct audit_entry entry = {
		.action = action,
		.by = by,
		.actor = by == AUDIT_MACHINE ? &row->machine.address : NULL,
		.request = request,
		.subject = machine,
		.owner = &row->owner,
		.detail = detail,
	};

	address_text(&row->machine.address, machine);
	return audit_record(request->context, tx, &entry);
}

static int post_join(struct request *request, struct tx *tx, struct reply *reply)
{
	const struct settings *settings = request->context->settings;
	const struct join_body *body = request->body;
	struct worker_join join = {
		.token = body->token,
		.machine = { body->machine },
		.name = body->name,
	};
	struct worker_row row;
	int r;

	if (memcmp(body->signature, "0x", 2) != 0 ||
	    hex_decode(body->signature + 2, SIGNATURE_TEXT_LEN - 2, join.signature,
		       sizeof(join.signature)) < 0)
		return reply_refuse(reply, "signature", "must be 0x and 130 hexadecimal digits");
	r = worker_join(request->context, tx, &join, &row);
	if (r == 0)
		r = audit(request, tx, &row, AUDIT_MACHINE, AUDIT_WORKER_JOINED,
			  json_pack("{s:s}", "name", row.name));
	if (r != 0)
		return r;
	return reply_with(reply, 201,
			  json_pack("{s:o, s:o, s:s, s:o, s:s}", "machine",
				    encode_address(&row.machine.address), "owner",
				    encode_address(&row.owner.address), "name", row.name, "network",
				    encode_address(&settings->network), "url", settings->url));
}

static int get_agent(struct request *request, struct tx *tx _unused_, struct reply *reply _unused_)
{
	void *nothing = malloc(1);

	if (!nothing)
		return -ENOMEM;
	request_prepare(request, nothing);
	return 0;
}

/* ---- a provider's machines ---- */

struct page_query {
	struct address cursor;
	int64_t limit;
};

static const struct field page_fields[] = {
	{ "cursor", FIELD_ADDRESS, offsetof(struct page_query, cursor) },
	{ "limit", FIELD_INT, offsetof(struct page_query, limit), .min = 1, .max = PAGE_MAX,
	  .fallback = 50 },
	{ 0 },
};

static int list_workers(const struct request *request, struct tx *tx,
			const struct account_id *owner, struct reply *reply)
{
	const struct page_query *query = request->query;
	struct machine_id after = { query->cursor };
	size_t n, limit = (size_t)query->limit;
	struct worker_row *rows;
	json_t *items, *item, *next = NULL;
	int r;

	r = worker_store_list(tx, owner, after, limit + 1, &rows, &n);
	if (r != 0)
		return r;
	items = json_array();
	for (size_t i = 0; items && i < size_min(n, limit); i++) {
		r = worker_json(request->context, tx, &rows[i], &item);
		if (r == 0 && json_array_append_new(items, item) < 0)
			r = -ENOMEM;
		if (r != 0) {
			json_decref(items);
			return r;
		}
	}
	next = n > limit ? encode_address(&rows[limit - 1].machine.address) : json_null();
	return reply_with(reply, 200, json_pack("{s:o, s:o}", "items", items, "next", next));
}

static int get_workers(struct request *request, struct tx *tx, struct reply *reply)
{
	return list_workers(request, tx, &request->caller.account, reply);
}

static int get_all_workers(struct request *request, struct tx *tx, struct reply *reply)
{
	return list_workers(request, tx, NULL, reply);
}

static int owned(const struct request *request, struct tx *tx, struct worker_row *ret_row)
{
	struct machine_id machine;
	int r;

	r = machine_param(request, &machine);
	return r != 0 ? r : worker_of(tx, request->caller.account, machine, ret_row);
}

static int answer_worker(const struct request *request, struct tx *tx, const struct worker_row *row,
			 struct reply *reply)
{
	json_t *body;
	int r;

	r = worker_json(request->context, tx, row, &body);
	return r != 0 ? r : reply_with(reply, 200, body);
}

static int get_worker(struct request *request, struct tx *tx, struct reply *reply)
{
	struct worker_row row;
	int r;

	r = owned(request, tx, &row);
	return r != 0 ? r : answer_worker(request, tx, &row, reply);
}

/* What is not given is not changed: prices fall back to -1. A bool has no third value, so the field
 * is read twice, with either fallback: where the two differ it was not given. */
struct change_body {
	const char *name;
	struct amount gpu_hour, core_hour;
	bool paused_or_no, paused_or_yes;
};

static const struct field change_fields[] = {
	{ "name", FIELD_TEXT, offsetof(struct change_body, name), .min = 1,
	  .max = WORKER_NAME_MAX },
	{ "gpu_hour", FIELD_AMOUNT, offsetof(struct change_body, gpu_hour), .min = 0,
	  .max = FLEET_PRICE_MAX, .fallback = -1 },
	{ "core_hour", FIELD_AMOUNT, offsetof(struct change_body, core_hour), .min = 0,
	  .max = FLEET_PRICE_MAX, .fallback = -1 },
	{ "paused", FIELD_BOOL, offsetof(struct change_body, paused_or_no), .fallback = 0 },
	{ "paused", FIELD_BOOL, offsetof(struct change_body, paused_or_yes), .fallback = 1 },
	{ 0 },
};

static int audit_change(struct request *request, struct tx *tx, const struct worker_row *before,
			const struct worker_row *row)
{
	if (strcmp(before->name, row->name) == 0 && before->paused == row->paused &&
	    amount_compare(before->gpu_hour, row->gpu_hour) == 0 &&
	    amount_compare(before->core_hour, row->core_hour) == 0)
		return 0;
	return audit(request, tx, row, AUDIT_ACCOUNT, AUDIT_WORKER_CHANGED,
		     json_pack("{s:s, s:o, s:o, s:b}", "name", row->name, "gpu_hour",
			       encode_amount(row->gpu_hour), "core_hour",
			       encode_amount(row->core_hour), "paused", row->paused));
}

static int patch_worker(struct request *request, struct tx *tx, struct reply *reply)
{
	const struct change_body *body = request->body;
	struct worker_row before, row;
	int r;

	r = owned(request, tx, &row);
	if (r != 0)
		return r;
	before = row;
	if (body->name)
		row.name = body->name;
	if (body->gpu_hour.micro >= 0)
		row.gpu_hour = body->gpu_hour;
	if (body->core_hour.micro >= 0)
		row.core_hour = body->core_hour;
	if (body->paused_or_no == body->paused_or_yes)
		row.paused = body->paused_or_no;
	r = worker_store_change(tx, &row);
	if (r == 0)
		r = audit_change(request, tx, &before, &row);
	if (r == 0)
		r = worker_fleet_refresh(tx, row.machine);
	return r != 0 ? r : answer_worker(request, tx, &row, reply);
}

static int delete_worker(struct request *request, struct tx *tx, struct reply *reply)
{
	struct worker_row row;
	int r;

	r = owned(request, tx, &row);
	if (r == 0)
		r = worker_remove(request->context, tx, &row);
	if (r == 0)
		r = audit(request, tx, &row, AUDIT_ACCOUNT, AUDIT_WORKER_REMOVED, json_object());
	if (r == 0)
		reply->status = 204;
	return r;
}

/* ---- offers ---- */

struct offers_query {
	const char *gpu_model;
	int64_t gpus, cpu_milli, memory, disk, limit;
	struct amount max_rate_hour;
	int order;
};

static const char *const order_words[] = { "price", "quality", "gpus", NULL };

static const struct field offers_fields[] = {
	{ "gpu_model", FIELD_TEXT, offsetof(struct offers_query, gpu_model), .min = 1,
	  .max = GPU_NAME_SIZE - 1 },
	{ "gpus", FIELD_INT, offsetof(struct offers_query, gpus), .min = 0, .max = WORKER_GPUS_MAX,
	  .fallback = -1 },
	{ "cpu_milli", FIELD_INT, offsetof(struct offers_query, cpu_milli), .min = 1,
	  .max = 4096000 },
	{ "memory", FIELD_SIZE, offsetof(struct offers_query, memory), .min = 1, .max = 1LL << 50 },
	{ "disk", FIELD_SIZE, offsetof(struct offers_query, disk), .min = 1, .max = 1LL << 50 },
	{ "max_rate_hour", FIELD_AMOUNT, offsetof(struct offers_query, max_rate_hour), .min = 1,
	  .max = INT64_MAX },
	{ "order", FIELD_WORD, offsetof(struct offers_query, order), .words = order_words },
	{ "limit", FIELD_INT, offsetof(struct offers_query, limit), .min = 1, .max = PAGE_MAX,
	  .fallback = 50 },
	{ 0 },
};

/* A model without a number of GPUs means one; neither shows everything. */
static struct fleet_query fleet_query_of(const struct offers_query *query,
					 char model[static GPU_NAME_SIZE])
{
	struct fleet_query q = {
		.any_class = query->gpus < 0 && !query->gpu_model,
		.gpus = query->gpus >= 0   ? query->gpus
			: query->gpu_model ? 1
					   : 0,
		.cpu_milli = query->cpu_milli,
		.memory_bytes = query->memory,
		.disk_bytes = query->disk,
		.max_rate_hour = query->max_rate_hour,
	};

	if (query->gpu_model) {
		gpu_name_canonical(query->gpu_model, model);
		q.model = model;
	}
	return q;
}

static int get_offers(struct request *request, struct tx *tx _unused_, struct reply *reply)
{
	const struct offers_query *query = request->query;
	char model[GPU_NAME_SIZE];
	struct fleet_query fleet_query = fleet_query_of(query, model);
	struct offer *offers;
	struct offer_why why;
	json_t *items;
	size_t n;

	offers = arena_array(request->arena, (size_t)query->limit, sizeof(*offers));
	if (!offers)
		return -ENOMEM;
	offers_list(worker_state.fleet, &fleet_query, (enum offer_order)query->order,
		    (size_t)query->limit, offers, &n);
	offers_explain(worker_state.fleet, &fleet_query, &why);
	items = json_array();
	for (size_t i = 0; items && i < n; i++)
		if (json_array_append_new(items, worker_json_offer(&offers[i])) < 0) {
			json_decref(items);
			return -ENOMEM;
		}
	return reply_with(reply, 200,
			  json_pack("{s:o, s:o, s:s?}", "items", items, "excluded",
				    offer_why_excluded(&why), "hint", *why.hint ? why.hint : NULL));
}

/* ---- the module ---- */

static const struct route routes[] = {
	{ HTTP_POST, "/v1/workers/tokens", PERM_WORKER_WRITE, TX_WRITE,
	  .body = { token_fields, sizeof(struct token_body) }, .handler = post_token },
	{ HTTP_POST, "/v1/workers/join", PERM_PUBLIC, TX_WRITE,
	  .body = { join_fields, sizeof(struct join_body) }, .handler = post_join },
	{ HTTP_GET, "/v1/agent", PERM_PUBLIC, TX_NONE, .handler = get_agent, .ws = &agents_route,
	  .at_duty = true },
	{ HTTP_GET, "/v1/workers", PERM_WORKER_READ, TX_READ,
	  .query = { page_fields, sizeof(struct page_query) }, .handler = get_workers },
	{ HTTP_GET, "/v1/workers/{machine}", PERM_WORKER_READ, TX_READ, .handler = get_worker },
	{ HTTP_PATCH, "/v1/workers/{machine}", PERM_WORKER_WRITE, TX_WRITE,
	  .body = { change_fields, sizeof(struct change_body) }, .handler = patch_worker },
	{ HTTP_DELETE, "/v1/workers/{machine}", PERM_WORKER_WRITE, TX_WRITE,
	  .handler = delete_worker },
	{ HTTP_GET, "/v1/offers", PERM_PUBLIC, TX_NONE,
	  .query = { offers_fields, sizeof(struct offers_query) }, .handler = get_offers },
	{ HTTP_GET, "/v1/admin/workers", PERM_OPERATOR, TX_READ,
	  .query = { page_fields, sizeof(struct page_query) }, .handler = get_all_workers },
	{ 0 },
};

static const struct outcome_row outcomes[] = {
	{ WORKER_E_NO_CAPACITY, 409, "no-capacity",
	  "No offer fits; GET /v1/offers with the same conditions says which one excludes what." },
	{ WORKER_E_JOIN_TOKEN, 403, "join-token",
	  "The join token is unknown, used or expired; make a new one." },
	{ WORKER_E_SIGNATURE, 403, "machine-signature",
	  "The signature is not by the machine's key over this join token." },
	{ WORKER_E_MACHINE_TAKEN, 409, "machine-taken",
	  "The machine has joined for another account; remove it there first." },
	{ WORKER_E_TOO_MANY, 429, "too-many",
	  "The account has too many of these; use or remove some first." },
	{ WORKER_E_BUSY, 409, "machine-busy",
	  "The machine holds leases; pause it and wait until they have ended." },
	{ WORKER_E_OFFLINE, 503, "machine-offline", "The machine is not connected now." },
	{ WORKER_E_CONTAINER, 422, "container-too-large",
	  "The container's image, command, environment or ports are larger than machines accept." },
	{ 0 },
};

static void stop(void)
{
	agents_free(worker_state.agents);
	fleet_free(worker_state.fleet);
	worker_state = (struct worker_state){ 0 };
}

static int start(const struct context *context)
{
	_cleanup_(arena_freep) struct arena *arena = NULL;
	int r;

	r = arena_new(FILL_ARENA_BYTES, &arena);
	if (r == 0)
		r = fleet_new(context->clock, context->settings->offline_after_ms,
			      &worker_state.fleet);
	if (r == 0)
		r = agents_new(context, worker_state.fleet, &worker_state.agents);
	if (r == 0)
		r = worker_fleet_fill(context, arena);
	if (r != 0) {
		stop();
		return r;
	}
	worker_state.context = context;
	log_info("worker.index_filled",
		 log_int("machines", (int64_t)fleet_count(worker_state.fleet)));
	return 0;
}

static int begin(const struct context *context _unused_)
{
	fleet_listen(worker_state.fleet);
	return 0;
}

const struct module worker_module = {
	.name = "worker",
	.duty = NODES_DUTY,
	.routes = routes,
	.outcomes = outcomes,
	.jobs = worker_jobs,
	.start = start,
	.begin = begin,
	.stop = stop,
};
