#include "modules/checker/checker.h"

#include "api/settings.h"
#include "base/codec.h"
#include "modules/chain/chain.h"
#include "modules/checker/checker_rules.h"
#include "modules/checker/checker_store_licences.h"
#include "modules/checker/licences.h"
#include "modules/logging/logging.h"

enum {
	SIGNATURE_TEXT_LEN = 2 + 2 * SIGNATURE_SIZE,
	PAGE_MAX = 100,
	LICENCES_EVERY_MS = 1000,
};

static const char *const status_words[] = {
	[CHECKER_PENDING] = "pending",   [CHECKER_OFFLINE] = "offline", [CHECKER_READY] = "ready",
	[CHECKER_CHECKING] = "checking", [CHECKER_BANNED] = "banned",
};

/* Of @valid + @wrong, in parts per million, rounded down. */
static json_int_t error_ppm(const struct checker_row *row)
{
	int64_t all = row->valid + row->wrong;

	return all > 0 ? row->wrong * 1000000 / all : 0;
}

static json_t *ban_json(const struct context *context, const struct checker_row *row)
{
	if (row->banned_until_ms <= clock_now_ms(context->clock))
		return json_null();
	return json_pack("{s:o, s:s}", "until",
			 row->banned_until_ms == CHECKER_FOREVER_MS
				 ? json_null()
				 : encode_time(row->banned_until_ms),
			 "reason", row->ban_reason);
}

/* A checker that is linked is seen now; its row says when a link began or ended. */
static int64_t seen_ms(const struct context *context, const struct checker_row *row)
{
	return links_state(&row->checker) == LINK_STATE_NONE ? row->seen_at_ms
							     : clock_now_ms(context->clock);
}

static int checker_json(const struct context *context, struct tx *tx, const struct checker_row *row,
			json_t **ret_json)
{
	char why[CHECKER_WHY_SIZE];
	json_t *registration;
	int r = chain_registration(tx, &row->checker, &row->account.address, MACHINE_CHECKER,
				   &registration);

	if (r != 0)
		return r;
	checker_why(context, row, why);
	*ret_json = json_pack(
		"{s:o, s:o, s:s, s:s, s:s, s:I, s:I, s:I, s:I, s:I, s:o, s:o, s:o, s:s, s:o}",
		"checker", encode_address(&row->checker), "account",
		encode_address(&row->account.address), "name", row->name, "status",
		status_words[checker_status(context, row)], "why", why, "licences",
		(json_int_t)row->licences, "proposed", (json_int_t)row->proposed, "valid",
		(json_int_t)row->valid, "wrong", (json_int_t)row->wrong, "error_ppm",
		error_ppm(row), "ban", ban_json(context, row), "registered_at",
		encode_time(row->registered_at_ms), "seen_at", encode_time(seen_ms(context, row)),
		"version", row->version, "registration", registration);
	return *ret_json ? 0 : -ENOMEM;
}

static int answer_checker(const struct request *request, struct tx *tx,
			  const struct checker_row *row, int status, struct reply *reply)
{
	json_t *body;
	int r = checker_json(request->context, tx, row, &body);

	return r != 0 ? r : reply_with(reply, status, body);
}

/* ---- registering ---- */

struct register_body {
	struct address checker;
	const char *signature, *name;
};

static const struct field register_fields[] = {
	{ "checker", FIELD_ADDRESS, offsetof(struct register_body, checker), .required = true },
	{ "signature", FIELD_TEXT, offsetof(struct register_body, signature), .required = true,
	  .min = SIGNATURE_TEXT_LEN, .max = SIGNATURE_TEXT_LEN,
	  .charset = "0123456789abcdefABCDEFx" },
	{ "name", FIELD_TEXT, offsetof(struct register_body, name), .required = true, .min = 1,
	  .max = CHECKER_NAME_MAX },
	{ 0 },
};

static int audit(const struct request *request, struct tx *tx, const struct checker_row *row,
		 enum audit_actor by, enum audit_action action, json_t *detail)
{
	char checker[ADDRESS_TEXT_SIZE];
	const struct audit_entry entry = {
		.action = action,
		.by = by,
		.request = request,
		.subject = checker,
		.owner = &row->account,
		.detail = detail,
	};

	address_text(&row->checker, checker);
	return audit_record(request->context, tx, &entry);
}

static json_t *name_json(const struct checker_row *row)
{
	return json_pack("{s:s}", "name", row->name);
}

static int post_checker(struct request *request, struct tx *tx, struct reply *reply)
{
	const struct register_body *body = request->body;
	struct checker_registration registration = { .checker = body->checker, .name = body->name };
	struct checker_row row;
	int r;

	if (memcmp(body->signature, "0x", 2) != 0 ||
	    hex_decode(body->signature + 2, SIGNATURE_TEXT_LEN - 2, registration.signature,
		       sizeof(registration.signature)) < 0)
		return reply_refuse(reply, "signature", "must be 0x and 130 hexadecimal digits");
	r = checker_register(request->context, tx, request->caller.account, &registration, &row);
	if (r == 0)
		r = audit(request, tx, &row, AUDIT_ACCOUNT, AUDIT_CHECKER_ADDED, name_json(&row));
	return r != 0 ? r : answer_checker(request, tx, &row, 201, reply);
}

static int get_link(struct request *request, struct tx *tx _unused_, struct reply *reply _unused_)
{
	void *nothing = malloc(1);

	if (!nothing)
		return -ENOMEM;
	request_prepare(request, nothing);
	return 0;
}

/* ---- lists ---- */

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

struct admin_query {
	struct page_query page;
	bool banned;
};

static const struct field admin_fields[] = {
	{ "cursor", FIELD_ADDRESS, offsetof(struct admin_query, page.cursor) },
	{ "limit", FIELD_INT, offsetof(struct admin_query, page.limit), .min = 1, .max = PAGE_MAX,
	  .fallback = 50 },
	{ "banned", FIELD_BOOL, offsetof(struct admin_query, banned) },
	{ 0 },
};

static int list_checkers(const struct request *request, struct tx *tx, struct checker_page page,
			 const struct page_query *query, struct reply *reply)
{
	size_t n, limit = (size_t)query->limit;
	struct checker_row *rows;
	json_t *items, *item, *next;
	int r;

	page.after = query->cursor;
	page.limit = limit + 1;
	r = checker_store_list(tx, &page, &rows, &n);
	if (r != 0)
		return r;
	items = json_array();
	for (size_t i = 0; items && i < size_min(n, limit); i++) {
		r = checker_json(request->context, tx, &rows[i], &item);
		if (r == 0 && json_array_append_new(items, item) < 0)
			r = -ENOMEM;
		if (r != 0) {
			json_decref(items);
			return r;
		}
	}
	next = n > limit ? encode_address(&rows[limit - 1].checker) : json_null();
	return reply_with(reply, 200, json_pack("{s:o, s:o}", "items", items, "next", next));
}

static int get_checkers(struct request *request, struct tx *tx, struct reply *reply)
{
	const struct checker_page page = { .account = &request->caller.account };

	return list_checkers(request, tx, page, request->query, reply);
}

static int get_all_checkers(struct request *request, struct tx *tx, struct reply *reply)
{
	const struct admin_query *query = request->query;
	const struct checker_page page = {
		.banned_at_ms = query->banned ? clock_now_ms(request->context->clock) : 0,
	};

	return list_checkers(request, tx, page, &query->page, reply);
}

/* To look at: one of the caller's, or any for operators. Another's is not found. */
static int visible(const struct request *request, struct tx *tx, struct checker_row *ret_row)
{
	struct address checker;
	int r;

	if (address_parse(request->params[0], &checker) < 0)
		return ROUTE_E_NOT_FOUND;
	r = checker_store_get(tx, &checker, ret_row);
	if (r == 0 && !policy_allows(request->caller.permissions, PERM_OPERATOR) &&
	    !account_equal(ret_row->account, request->caller.account))
		return ROUTE_E_NOT_FOUND;
	return r;
}

/* One of the caller's: another's is not found. */
static int owned(const struct request *request, struct tx *tx, struct checker_row *ret_row)
{
	int r = visible(request, tx, ret_row);

	return r == 0 && !account_equal(ret_row->account, request->caller.account)
		       ? ROUTE_E_NOT_FOUND
		       : r;
}

static int get_checker(struct request *request, struct tx *tx, struct reply *reply)
{
	struct checker_row row;
	int r;

	r = visible(request, tx, &row);
	return r != 0 ? r : answer_checker(request, tx, &row, 200, reply);
}

static void drop(void *arg)
{
	links_drop(arg, "this checker was removed");
}

static int remove_row(struct tx *tx, const struct address *checker)
{
	struct address *removed = arena_alloc(tx_arena(tx), sizeof(*removed));
	int r = removed ? checker_store_remove(tx, checker) : -ENOMEM;

	if (r != 0)
		return r == ROUTE_E_NOT_FOUND ? CHECKER_E_HAS_RECORD : r;
	*removed = *checker;
	return tx_on_commit(tx, drop, removed);
}

static int delete_checker(struct request *request, struct tx *tx, struct reply *reply)
{
	struct checker_row row;
	int r;

	r = owned(request, tx, &row);
	if (r == 0)
		r = remove_row(tx, &row.checker);
	if (r == 0)
		r = audit(request, tx, &row, AUDIT_ACCOUNT, AUDIT_CHECKER_REMOVED, name_json(&row));
	if (r == 0)
		reply->status = 204;
	return r;
}

/* ---- tasks ---- */

struct tasks_query {
	int64_t before_ms, limit;
};

static const struct field tasks_fields[] = {
	{ "before_ms", FIELD_INT, offsetof(struct tasks_query, before_ms), .min = 0,
	  .max = INT64_MAX, .fallback = INT64_MAX },
	{ "limit", FIELD_INT, offsetof(struct tasks_query, limit), .min = 1, .max = PAGE_MAX,
	  .fallback = 50 },
	{ 0 },
};

static json_t *task_json(const struct checker_mark_row *mark)
{
	char proof[ID_TEXT_SIZE];

	id_text("prf", mark->session, proof);
	return json_pack("{s:s, s:o, s:I, s:s, s:b}", "proof", proof, "at",
			 encode_time(mark->at_ms), "at_ms", (json_int_t)mark->at_ms, "mark",
			 checker_mark_word(mark->mark), "cleared", mark->cleared);
}

static int get_tasks(struct request *request, struct tx *tx, struct reply *reply)
{
	const struct tasks_query *query = request->query;
	struct checker_mark_row *marks;
	struct checker_row row;
	json_t *items;
	size_t n;
	int r;

	r = visible(request, tx, &row);
	if (r == 0)
		r = checker_store_marks(tx, &row.checker, query->before_ms, (size_t)query->limit,
					&marks, &n);
	if (r != 0)
		return r;
	items = json_array();
	for (size_t i = 0; items && i < n; i++)
		if (json_array_append_new(items, task_json(&marks[i])) < 0) {
			json_decref(items);
			return -ENOMEM;
		}
	return reply_with(reply, 200, json_pack("{s:o}", "items", items));
}

/* ---- licences ---- */

struct licences_query {
	struct address owner;
	int64_t cursor, limit;
};

static const struct field licences_fields[] = {
	{ "owner", FIELD_ADDRESS, offsetof(struct licences_query, owner) },
	{ "cursor", FIELD_INT, offsetof(struct licences_query, cursor), .min = 0,
	  .max = INT64_MAX },
	{ "limit", FIELD_INT, offsetof(struct licences_query, limit), .min = 1, .max = PAGE_MAX,
	  .fallback = 50 },
	{ 0 },
};

static json_t *licence_json(const struct licence_row *row)
{
	return json_pack("{s:I, s:o, s:o, s:s, s:o, s:o}", "licence", (json_int_t)row->licence,
			 "owner", encode_address(&row->owner), "machine",
			 row->delegated ? encode_address(&row->machine) : json_null(), "state",
			 !row->delegated ? "free"
			 : row->accepted ? "accepted"
					 : "proposed",
			 "round", row->round < 0 ? json_null() : json_integer(row->round),
			 "unlocked_at", encode_time(row->unlocked_at_ms));
}

static int list_licences(const struct request *request, struct tx *tx, struct address of,
			 int (*list)(struct tx *tx, const struct licence_page *page,
				     struct licence_row **ret_rows, size_t *ret_n),
			 struct reply *reply)
{
	const struct licences_query *query = request->query;
	const struct licence_page page = { of, query->cursor, (size_t)query->limit + 1 };
	struct licence_row *rows;
	json_t *items, *next;
	size_t n, limit = (size_t)query->limit;
	int r;

	if (!chain_enabled())
		return CHECKER_E_NO_CHAIN;
	r = list(tx, &page, &rows, &n);
	if (r != 0)
		return r;
	items = json_array();
	for (size_t i = 0; items && i < size_min(n, limit); i++)
		if (json_array_append_new(items, licence_json(&rows[i])) < 0) {
			json_decref(items);
			return -ENOMEM;
		}
	next = n > limit ? json_sprintf("%" PRId64, rows[limit - 1].licence) : json_null();
	return reply_with(reply, 200, json_pack("{s:o, s:o}", "items", items, "next", next));
}

/* Anybody's: the chain says the same to everybody. */
static int get_licences(struct request *request, struct tx *tx, struct reply *reply)
{
	const struct licences_query *query = request->query;
	const struct address none = { 0 };

	return list_licences(request, tx,
			     address_equal(&query->owner, &none) ? request->caller.account.address
								 : query->owner,
			     licence_store_owned, reply);
}

/* To the caller's checkers. */
static int get_delegations(struct request *request, struct tx *tx, struct reply *reply)
{
	return list_licences(request, tx, request->caller.account.address, licence_store_delegated,
			     reply);
}

/* ---- the operator's ---- */

struct licence_body {
	int64_t licences;
};

static const struct field licence_fields[] = {
	{ "licences", FIELD_INT, offsetof(struct licence_body, licences), .required = true,
	  .min = 0, .max = CHECKER_LICENCES_MAX },
	{ 0 },
};

static int put_licences(struct request *request, struct tx *tx, struct reply *reply)
{
	const struct licence_body *body = request->body;
	struct address checker;
	struct checker_row row;
	int r;

	if (chain_enabled())
		return CHECKER_E_ON_CHAIN;
	if (address_parse(request->params[0], &checker) < 0)
		return ROUTE_E_NOT_FOUND;
	r = checker_store_licences(tx, &checker, body->licences);
	if (r == 0)
		r = checker_tell(tx, &checker);
	if (r == 0)
		r = checker_store_get(tx, &checker, &row);
	if (r == 0)
		r = audit(request, tx, &row, AUDIT_OPERATOR, AUDIT_CHECKER_LICENSED,
			  json_pack("{s:I}", "licences", (json_int_t)body->licences));
	return r != 0 ? r : answer_checker(request, tx, &row, 200, reply);
}

/* ---- the module ---- */

/* Who looks at a checker or changes it needs its link, or what sessions know of it, in memory. */
static const struct route routes[] = {
	{ HTTP_POST, "/v1/checkers", PERM_ACCOUNT, TX_WRITE,
	  .body = { register_fields, sizeof(struct register_body) }, .handler = post_checker,
	  .at_duty = true },
	{ HTTP_GET, "/v1/checker", PERM_PUBLIC, TX_NONE, .handler = get_link, .ws = &links_route,
	  .at_duty = true },
	{ HTTP_GET, "/v1/checkers", PERM_ACCOUNT, TX_READ,
	  .query = { page_fields, sizeof(struct page_query) }, .handler = get_checkers,
	  .at_duty = true },
	{ HTTP_GET, "/v1/checkers/{checker}", PERM_ACCOUNT, TX_READ, .handler = get_checker,
	  .at_duty = true },
	{ HTTP_DELETE, "/v1/checkers/{checker}", PERM_ACCOUNT, TX_WRITE, .handler = delete_checker,
	  .at_duty = true },
	{ HTTP_GET, "/v1/checkers/{checker}/tasks", PERM_ACCOUNT, TX_READ,
	  .query = { tasks_fields, sizeof(struct tasks_query) }, .handler = get_tasks,
	  .at_duty = true },
	{ HTTP_GET, "/v1/licences", PERM_ACCOUNT, TX_READ,
	  .query = { licences_fields, sizeof(struct licences_query) }, .handler = get_licences },
	{ HTTP_GET, "/v1/delegations", PERM_ACCOUNT, TX_READ,
	  .query = { licences_fields + 1, sizeof(struct licences_query) },
	  .handler = get_delegations },
	{ HTTP_GET, "/v1/admin/checkers", PERM_OPERATOR, TX_READ,
	  .query = { admin_fields, sizeof(struct admin_query) }, .handler = get_all_checkers,
	  .at_duty = true },
	{ HTTP_PUT, "/v1/admin/checkers/{checker}", PERM_OPERATOR, TX_WRITE,
	  .body = { licence_fields, sizeof(struct licence_body) }, .handler = put_licences,
	  .at_duty = true },
	{ 0 },
};

static const struct outcome_row outcomes[] = {
	{ CHECKER_E_SIGNATURE, 403, "checker-signature",
	  "The signature is not by the checker's key over this account and network." },
	{ CHECKER_E_TAKEN, 409, "checker-taken",
	  "The checker is registered by another account; make a new key." },
	{ CHECKER_E_TOO_MANY, 429, "too-many",
	  "The account has too many checkers; remove some first." },
	{ CHECKER_E_HAS_RECORD, 409, "checker-has-record",
	  "The checker has taken part in sessions, which stay on record; stop running it "
	  "instead." },
	{ CHECKER_E_ON_CHAIN, 409, "licences-on-chain",
	  "Licences are delegated on the chain, by their owners: kaisar licence delegate ID "
	  "CHECKER, then kaisar checker accept ID." },
	{ CHECKER_E_NO_CHAIN, 404, "no-chain",
	  "This network has no chain, hence no licences on it; its operator sets their number." },
	{ 0 },
};

static const struct job jobs[] = {
	{ "checker-licences", LICENCES_EVERY_MS, licences_follow },
	{ 0 },
};

const struct module checker_module = {
	.name = "checker",
	.duty = NODES_DUTY,
	.routes = routes,
	.outcomes = outcomes,
	.jobs = jobs,
	.start = links_start,
	.begin = licences_start,
	.stop = links_stop,
};
