#include "base/codec.h"
#include "modules/rewards/closing.h"
#include "modules/rewards/large_text.h"
#include "modules/rewards/payout_routes.h"
#include "modules/rewards/records.h"
#include "modules/rewards/root_trees.h"

enum { PAGE_MAX = 100, CURSOR_MAX = 64 };

static const char *const state_words[] = {
	[EPOCH_OPEN] = "open",       [EPOCH_WORKERS] = "closing", [EPOCH_CHECKERS] = "closing",
	[EPOCH_PAYOUTS] = "closing", [EPOCH_CLOSED] = "closed",
};

/* ---- JSON ---- */

/* In units of 10^-18 token: beyond what a JSON number holds. */
static json_t *units_json(struct tokens tokens)
{
	char text[TOKENS_TEXT_SIZE];
	size_t len = tokens_text(tokens, text);

	return json_stringn(text, len);
}

static json_t *pot_json(const struct pot *pot)
{
	return json_pack("{s:o, s:o}", "allotted", units_json(pot->allotted), "unallotted",
			 units_json(pot->unallotted));
}

static json_t *text_json(const struct epoch_text *text)
{
	char hash[65];

	hex_encode(text->hash, sizeof(text->hash), hash);
	return json_pack("{s:s, s:I}", "keccak256", hash, "bytes", (json_int_t)text->bytes);
}

static json_t *terms_json(const struct epoch_row *row)
{
	return json_pack("{s:o, s:o, s:I, s:I, s:o}", "worker_total",
			 units_json(record_tokens(row->workers_tokens)), "checker_total",
			 units_json(record_tokens(row->checkers_tokens)), "ratio_basis_points",
			 (json_int_t)row->ratio_bp, "commission_basis_points",
			 (json_int_t)row->commission_bp, "max_stake",
			 units_json(record_tokens(row->max_stake_tokens)));
}

/* What was found, of a closed one; else null. */
static json_t *result_json(const struct epoch_row *row)
{
	if (row->state != EPOCH_CLOSED)
		return json_null();
	return json_pack("{s:o, s:I, s:I, s:o, s:o, s:o, s:o, s:o}", "closed_at",
			 encode_time(row->closed_at_ms), "workers", (json_int_t)row->n_workers,
			 "checkers", (json_int_t)row->n_checkers, "capacity",
			 pot_json(&row->capacity), "delivery", pot_json(&row->delivery), "checking",
			 pot_json(&row->checking), "records", text_json(&row->records), "payouts",
			 text_json(&row->payouts));
}

static json_t *epoch_json(const struct epoch_row *row)
{
	return json_pack("{s:I, s:s, s:o, s:o, s:o, s:o, s:o}", "epoch", (json_int_t)row->number,
			 "state", state_words[row->state], "from", encode_time(row->from_ms),
			 "until", encode_time(row->until_ms), "due",
			 encode_time(closing_due_ms(row)), "terms", terms_json(row), "result",
			 result_json(row));
}

static json_t *payee_json(const struct reward_payee *payee)
{
	bool worker = payee->kind == PAYEE_WORKER;
	const struct tokens none = { 0 };

	return json_pack("{s:I, s:s, s:o, s:o, s:o, s:o, s:o}", "epoch", (json_int_t)payee->epoch,
			 "kind", worker ? "worker" : "checker", "id", encode_address(&payee->id),
			 "capacity", units_json(worker ? payee->first : none), "delivery",
			 units_json(payee->second), "checking",
			 units_json(worker ? none : payee->first), "for_owner",
			 units_json(payee->for_owner));
}

/* Takes @items and @next over. */
static int reply_page(struct reply *reply, json_t *items, json_t *next)
{
	return reply_with(reply, 200, json_pack("{s:o, s:o}", "items", items, "next", next));
}

/* ---- epochs ---- */

struct epochs_query {
	int64_t cursor, limit;
};

static const struct field epochs_fields[] = {
	{ "cursor", FIELD_INT, offsetof(struct epochs_query, cursor), .min = 0, .max = UINT32_MAX,
	  .fallback = INT64_MAX },
	{ "limit", FIELD_INT, offsetof(struct epochs_query, limit), .min = 1, .max = PAGE_MAX,
	  .fallback = 50 },
	{ 0 },
};

static int get_epochs(struct request *request, struct tx *tx, struct reply *reply)
{
	const struct epochs_query *query = request->query;
	size_t n, limit = (size_t)query->limit;
	struct epoch_row *rows;
	json_t *items;
	int r;

	r = rewards_store_list(tx, query->cursor, limit + 1, &rows, &n);
	if (r != 0)
		return r;
	items = json_array();
	for (size_t i = 0; items && i < size_min(n, limit); i++)
		if (json_array_append_new(items, epoch_json(&rows[i])) < 0) {
			json_decref(items);
			return -ENOMEM;
		}
	return reply_page(reply, items,
			  n > limit ? json_sprintf("%" PRId64, rows[limit - 1].number)
				    : json_null());
}

static int find_epoch(const struct request *request, struct tx *tx, struct epoch_row *ret_row)
{
	const char *word = request->params[0];
	struct tokens number;

	if (tokens_parse(word, strlen(word), &number) < 0 || number.units > UINT32_MAX)
		return ROUTE_E_NOT_FOUND;
	return rewards_store_get(tx, (int64_t)number.units, ret_row);
}

static int get_epoch(struct request *request, struct tx *tx, struct reply *reply)
{
	struct epoch_row row;
	int r;

	r = find_epoch(request, tx, &row);
	return r != 0 ? r : reply_with(reply, 200, epoch_json(&row));
}

/* ---- texts ---- */

static int reply_text(struct request *request, struct tx *tx, struct reply *reply,
		      enum epoch_text_kind kind)
{
	const struct epoch_text *text;
	struct epoch_row row;
	char *bytes;
	int r;

	r = find_epoch(request, tx, &row);
	if (r == 0 && row.state != EPOCH_CLOSED)
		return REWARDS_E_NOT_CLOSED;
	if (r != 0)
		return r;
	text = kind == TEXT_RECORDS ? &row.records : &row.payouts;
	r = large_text_admit(request->context, text->bytes);
	if (r != 0)
		return r;
	bytes = arena_alloc(request->arena, (size_t)text->bytes + 1);
	if (!bytes)
		return -ENOMEM;
	r = rewards_store_text(tx, row.number, kind, text, bytes);
	if (r == 0)
		reply->plain = bytes;
	return r;
}

static int get_records(struct request *request, struct tx *tx, struct reply *reply)
{
	return reply_text(request, tx, reply, TEXT_RECORDS);
}

static int get_payouts(struct request *request, struct tx *tx, struct reply *reply)
{
	return reply_text(request, tx, reply, TEXT_PAYOUTS);
}

/* ---- one's own ---- */

struct mine_query {
	int64_t epoch, limit;
	const char *cursor;
};

static const struct field mine_fields[] = {
	{ "epoch", FIELD_INT, offsetof(struct mine_query, epoch), .min = 0, .max = UINT32_MAX,
	  .fallback = -1 },
	{ "cursor", FIELD_TEXT, offsetof(struct mine_query, cursor), .min = 1, .max = CURSOR_MAX },
	{ "limit", FIELD_INT, offsetof(struct mine_query, limit), .min = 1, .max = PAGE_MAX,
	  .fallback = 50 },
	{ 0 },
};

/* "EPOCH.KIND.0x...": the last one shown. */
static json_t *cursor_json(const struct reward_payee *last)
{
	char id[ADDRESS_TEXT_SIZE];

	address_text(&last->id, id);
	return json_sprintf("%" PRId64 ".%d.%s", last->epoch, (int)last->kind, id);
}

static bool cursor_read(const char *cursor, struct reward_payee *ret_after)
{
	int64_t epoch;
	int kind, used = 0;

	if (sscanf(cursor, "%10" SCNd64 ".%1d.%n", &epoch, &kind, &used) != 2 || used == 0)
		return false;
	ret_after->epoch = epoch;
	ret_after->kind = (enum payee_kind)kind;
	return address_parse(cursor + used, &ret_after->id) == 0;
}

static int get_mine(struct request *request, struct tx *tx, struct reply *reply)
{
	const struct mine_query *query = request->query;
	size_t n, limit = (size_t)query->limit;
	struct reward_payee *payees, after = { .epoch = INT64_MAX };
	json_t *items;
	int r;

	if (query->epoch >= 0)
		after.epoch = query->epoch;
	if (query->cursor && !cursor_read(query->cursor, &after))
		return reply_refuse(reply, "cursor", "must be the next of a page before");
	r = rewards_store_payees(tx, request->caller.account, query->epoch, &after, limit + 1,
				 &payees, &n);
	if (r != 0)
		return r;
	items = json_array();
	for (size_t i = 0; items && i < size_min(n, limit); i++)
		if (json_array_append_new(items, payee_json(&payees[i])) < 0) {
			json_decref(items);
			return -ENOMEM;
		}
	return reply_page(reply, items, n > limit ? cursor_json(&payees[limit - 1]) : json_null());
}

/* ---- the module ---- */

static const struct route routes[] = {
	{ HTTP_GET, "/v1/rewards", PERM_PUBLIC, TX_READ,
	  .query = { epochs_fields, sizeof(struct epochs_query) }, .handler = get_epochs },
	{ HTTP_GET, "/v1/rewards/mine", PERM_ACCOUNT, TX_READ,
	  .query = { mine_fields, sizeof(struct mine_query) }, .handler = get_mine },
	{ HTTP_GET, "/v1/rewards/{epoch}", PERM_PUBLIC, TX_READ, .handler = get_epoch },
	{ HTTP_GET, "/v1/rewards/{epoch}/records", PERM_PUBLIC, TX_READ, .handler = get_records },
	{ HTTP_GET, "/v1/rewards/{epoch}/payouts", PERM_PUBLIC, TX_READ, .handler = get_payouts },
	{ HTTP_GET, "/v1/rewards/accounts/{account}", PERM_PUBLIC, TX_READ,
	  .handler = payout_account },
	{ HTTP_GET, "/v1/rewards/accounts/{account}/epochs", PERM_PUBLIC, TX_READ,
	  .query = { payout_epochs_fields, sizeof(struct payout_epochs_query) },
	  .handler = payout_epochs },
	{ HTTP_GET, "/v1/rewards/roots", PERM_PUBLIC, TX_READ,
	  .query = { payout_roots_fields, sizeof(struct payout_roots_query) },
	  .handler = payout_roots },
	{ HTTP_GET, "/v1/rewards/roots/{kind}/{round}", PERM_PUBLIC, TX_READ,
	  .handler = payout_root },
	{ HTTP_GET, "/v1/rewards/roots/{kind}/{round}/leaves", PERM_PUBLIC, TX_READ,
	  .handler = payout_leaves },
	{ HTTP_GET, "/v1/rewards/roots/{kind}/{round}/proofs/{account}", PERM_PUBLIC, TX_READ,
	  .handler = payout_proof },
	{ HTTP_POST, "/v1/admin/rewards/roots/{kind}", PERM_OPERATOR, TX_WRITE,
	  .body = { payout_replace_fields, sizeof(struct payout_replace_body) },
	  .handler = payout_replace },
	{ 0 },
};

static const struct outcome_row outcomes[] = {
	{ REWARDS_E_NOT_CLOSED, 409, "epoch-not-closed",
	  "The epoch is not closed yet; GET /v1/rewards/{epoch} (`kaisar rewards show`) says when "
	  "it is due." },
	{ REWARDS_E_NO_CHAIN, 404, "no-chain", "This network pays no rewards on a chain." },
	{ REWARDS_E_NOT_WITHDRAWN, 409, "root-not-withdrawn",
	  "The last root was not withdrawn by the guardian: there is nothing to make anew." },
	{ REWARDS_E_TOO_LARGE, 507, "text-too-large",
	  "The text is larger than this server sends, which is 48 MiB; single accounts' proofs are "
	  "not bounded." },
	{ 0 },
};

static int begin(const struct context *context)
{
	closing_begin(context);
	return 0;
}

static void stop(void)
{
	root_trees_forget();
}

const struct module rewards_module = {
	.name = "rewards",
	.routes = routes,
	.outcomes = outcomes,
	.jobs = rewards_jobs,
	.begin = begin,
	.stop = stop,
};
