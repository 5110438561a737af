#include "modules/rewards/payout_routes.h"

#include "modules/chain/chain.h"
#include "modules/logging/logging.h"
#include "modules/rewards/large_text.h"
#include "modules/rewards/root_trees.h"

enum { PAGE_MAX = 100, CURSOR_MAX = 48, REASON_MAX = 200, LESS_MAX = 100 };
_Static_assert((int)REWARD_LEAVES_TEXT_MAX == (int)REPLY_PLAIN_MAX, "readers take what is sent");

static json_t *units_json(struct u256 value)
{
	char text[U256_TEXT_SIZE];
	size_t len = u256_text(value, text);

	return json_stringn(text, len);
}

static int find_account(const char *word, struct address *ret_account)
{
	return address_parse(word, ret_account) == 0 ? 0 : ROUTE_E_NOT_FOUND;
}

/* ---- accounts ---- */

struct standing {
	struct u256 earned, in_effect, claimed, next;
	bool has_next;
	struct root_row last;
};

static int read_standing(struct tx *tx, enum reward_kind kind, const struct address *account,
			 struct standing *s)
{
	struct root_row active;
	struct pot_row pot;
	int r = rewards_store_sum(tx, kind, account, INT64_MAX, &s->earned);

	if (r == 0)
		r = rewards_store_claimed(tx, kind, account, &s->claimed);
	if (r == 0)
		r = rewards_store_pot(tx, kind, &pot);
	if (r == 0)
		r = rewards_store_root_find(tx, kind, pot.active_round, pot.active_root, &active);
	if (r == 0)
		r = rewards_store_sum(tx, kind, account, active.through, &s->in_effect);
	if (r == 0 || r == ROUTE_E_NOT_FOUND)
		r = rewards_store_root_last(tx, kind, &s->last);
	s->has_next = r == 0 && s->last.state != ROOT_ACTIVE;
	if (s->has_next)
		r = rewards_store_sum(tx, kind, account, s->last.through, &s->next);
	return r == ROUTE_E_NOT_FOUND ? 0 : r;
}

static const char *const state_words[] = {
	[ROOT_MADE] = "made",           [ROOT_PROPOSED] = "proposed",  [ROOT_ACTIVE] = "active",
	[ROOT_WITHDRAWN] = "withdrawn", [ROOT_REPLACED] = "withdrawn",
};

static json_t *effective_json(const struct root_row *row)
{
	return encode_time(row->effective_s * 1000);
}

static json_t *next_json(const struct standing *s)
{
	if (!s->has_next)
		return json_null();
	return json_pack("{s:I, s:s, s:o, s:o}", "round", (json_int_t)s->last.round, "state",
			 state_words[s->last.state], "cumulative", units_json(s->next),
			 "effective_at", effective_json(&s->last));
}

static json_t *standing_json(enum reward_kind kind, const struct standing *s)
{
	const struct u256 none = u256_from(0);
	bool more = u256_compare(&s->in_effect, &s->claimed) > 0;

	return json_pack("{s:s, s:o, s:o, s:o, s:o, s:o}", "kind", reward_kind_words[kind],
			 "earned", units_json(s->earned), "in_effect", units_json(s->in_effect),
			 "claimed", units_json(s->claimed), "claimable",
			 units_json(more ? u256_subtract(s->in_effect, s->claimed) : none), "next",
			 next_json(s));
}

int payout_account(struct request *request, struct tx *tx, struct reply *reply)
{
	struct address account;
	json_t *items;
	int r = find_account(request->params[0], &account);

	if (r != 0)
		return r;
	items = json_array();
	for (enum reward_kind kind = 0; r == 0 && kind < REWARD_KINDS_N; kind++) {
		struct standing standing = { 0 };

		r = read_standing(tx, kind, &account, &standing);
		if (r == 0 && json_array_append_new(items, standing_json(kind, &standing)) < 0)
			r = -ENOMEM;
	}
	if (r != 0) {
		json_decref(items);
		return r;
	}
	return reply_with(
		reply, 200,
		json_pack("{s:o, s:o}", "account", encode_address(&account), "items", items));
}

const struct field payout_epochs_fields[] = {
	{ "cursor", FIELD_TEXT, offsetof(struct payout_epochs_query, cursor), .min = 1,
	  .max = CURSOR_MAX },
	{ "limit", FIELD_INT, offsetof(struct payout_epochs_query, limit), .min = 1,
	  .max = PAGE_MAX, .fallback = 50 },
	{ 0 },
};

static json_t *earned_json(const struct reward_earned *earned)
{
	return json_pack("{s:I, s:s, s:o}", "epoch", (json_int_t)earned->epoch, "kind",
			 reward_kind_words[earned->kind], "amount", units_json(earned->amount));
}

/* "EPOCH.KIND", the last one shown. */
static bool cursor_read(const char *cursor, int64_t *ret_epoch, int64_t *ret_kind)
{
	int used = 0;

	return sscanf(cursor, "%10" SCNd64 ".%1" SCNd64 "%n", ret_epoch, ret_kind, &used) == 2 &&
	       cursor[used] == '\0';
}

int payout_epochs(struct request *request, struct tx *tx, struct reply *reply)
{
	const struct payout_epochs_query *query = request->query;
	size_t n, limit = (size_t)query->limit;
	int64_t before = INT64_MAX, kind = 0;
	struct reward_earned *list;
	struct address account;
	json_t *items;
	int r = find_account(request->params[0], &account);

	if (r != 0)
		return r;
	if (query->cursor && !cursor_read(query->cursor, &before, &kind))
		return reply_refuse(reply, "cursor", "must be the next of a page before");
	r = rewards_store_earned(tx, &account, before, kind, limit + 1, &list, &n);
	if (r != 0)
		return r;
	items = json_array();
	for (size_t i = 0; i < size_min(n, limit); i++)
		if (json_array_append_new(items, earned_json(&list[i])) < 0) {
			json_decref(items);
			return -ENOMEM;
		}
	return reply_with(reply, 200,
			  json_pack("{s:o, s:o}", "items", items, "next",
				    n > limit
					    ? json_sprintf("%" PRId64 ".%d", list[limit - 1].epoch,
							   (int)list[limit - 1].kind)
					    : json_null()));
}

/* ---- roots ---- */

static json_t *root_json(const struct root_row *row)
{
	bool proposed = row->effective_s != 0;

	return json_pack("{s:s, s:I, s:I, s:s, s:I, s:o, s:o, s:I, s:o, s:o, s:o, s:o}", "kind",
			 reward_kind_words[row->kind], "round", (json_int_t)row->round, "attempt",
			 (json_int_t)row->attempt, "state", state_words[row->state], "through",
			 (json_int_t)row->through, "root", encode_bytes(row->root, 32), "total",
			 units_json(row->total), "leaves", (json_int_t)row->leaves, "made_at",
			 encode_time(row->made_ms), "effective_at", effective_json(row),
			 "transaction", proposed ? encode_bytes(row->transaction, 32) : json_null(),
			 "block", proposed ? json_integer(row->block) : json_null());
}

const struct field payout_roots_fields[] = {
	{ "kind", FIELD_WORD, offsetof(struct payout_roots_query, kind), .words = reward_kind_words,
	  .required = true },
	{ "cursor", FIELD_TEXT, offsetof(struct payout_roots_query, cursor), .min = 1,
	  .max = CURSOR_MAX },
	{ "limit", FIELD_INT, offsetof(struct payout_roots_query, limit), .min = 1, .max = PAGE_MAX,
	  .fallback = 50 },
	{ 0 },
};

/* "ROUND.ATTEMPT", the last one shown. */
static bool place_read(const char *cursor, int64_t *ret_round, int64_t *ret_attempt)
{
	int used = 0;

	return sscanf(cursor, "%18" SCNd64 ".%9" SCNd64 "%n", ret_round, ret_attempt, &used) == 2 &&
	       cursor[used] == '\0';
}

int payout_roots(struct request *request, struct tx *tx, struct reply *reply)
{
	const struct payout_roots_query *query = request->query;
	size_t n, limit = (size_t)query->limit;
	int64_t round = INT64_MAX, attempt = 0;
	struct root_row *rows;
	json_t *items;
	int r;

	if (!chain_enabled())
		return REWARDS_E_NO_CHAIN;
	if (query->cursor && !place_read(query->cursor, &round, &attempt))
		return reply_refuse(reply, "cursor", "must be the next of a page before");
	r = rewards_store_roots(tx, (enum reward_kind)query->kind, round, attempt, limit + 1, &rows,
				&n);
	if (r != 0)
		return r;
	items = json_array();
	for (size_t i = 0; i < size_min(n, limit); i++)
		if (json_array_append_new(items, root_json(&rows[i])) < 0) {
			json_decref(items);
			return -ENOMEM;
		}
	return reply_with(
		reply, 200,
		json_pack("{s:o, s:o}", "items", items, "next",
			  n > limit ? json_sprintf("%" PRId64 ".%" PRId64, rows[limit - 1].round,
						   rows[limit - 1].attempt)
				    : json_null()));
}

static int find_root(const struct request *request, struct tx *tx, struct root_row *ret_row)
{
	const char *word = request->params[1];
	enum reward_kind kind;
	struct u256 round;

	if (!chain_enabled())
		return REWARDS_E_NO_CHAIN;
	if (reward_kind_parse(request->params[0], &kind) < 0 ||
	    u256_parse(word, strlen(word), &round) < 0 || u256_bits(round) > 62)
		return ROUTE_E_NOT_FOUND;
	return rewards_store_root(tx, kind, (int64_t)round.limbs[0], ret_row);
}

static json_t *correction_json(const struct correction_row *row)
{
	return json_pack("{s:I, s:o, s:o, s:s, s:o}", "attempt", (json_int_t)row->attempt,
			 "account", encode_address(&row->account), "less", units_json(row->amount),
			 "reason", row->reason, "at", encode_time(row->at_ms));
}

/* With what was taken off the sums when earlier attempts at it were withdrawn. */
int payout_root(struct request *request, struct tx *tx, struct reply *reply)
{
	struct correction_row *list;
	struct root_row row;
	json_t *items, *json;
	size_t n;
	int r = find_root(request, tx, &row);

	if (r == 0)
		r = rewards_store_corrections(tx, row.kind, row.round, &list, &n);
	if (r != 0)
		return r;
	items = json_array();
	for (size_t i = 0; i < n; i++)
		if (json_array_append_new(items, correction_json(&list[i])) < 0) {
			json_decref(items);
			return -ENOMEM;
		}
	json = root_json(&row);
	if (json_object_set_new(json, "corrections", items) < 0) {
		json_decref(json);
		return -ENOMEM;
	}
	return reply_with(reply, 200, json);
}

int payout_leaves(struct request *request, struct tx *tx, struct reply *reply)
{
	struct reward_leaves leaves;
	struct root_row row;
	char *text;
	size_t len;
	int r = find_root(request, tx, &row);

	if (r == 0)
		r = large_text_admit(request->context,
				     (int64_t)reward_leaves_size((size_t)row.leaves, row.total));
	if (r == 0)
		r = roots_leaves(tx, &row, &leaves);
	if (r != 0)
		return r;
	r = reward_leaves_write(&leaves, &text, &len);
	free(leaves.items);
	if (r != 0)
		return r;
	reply->plain = arena_text(request->arena, text, len);
	free(text);
	return reply->plain ? 0 : -ENOMEM;
}

int payout_proof(struct request *request, struct tx *tx, struct reply *reply)
{
	struct root_proof proof;
	struct address account;
	struct root_row row;
	json_t *path;
	int r = find_account(request->params[2], &account);

	if (r == 0)
		r = find_root(request, tx, &row);
	if (r == 0)
		r = root_trees_prove(tx, &row, &account, request->now_ms, &proof);
	if (r != 0)
		return r;
	path = json_array();
	for (size_t i = 0; i < proof.n; i++)
		if (json_array_append_new(path, encode_bytes(proof.path[i].bytes, 32)) < 0) {
			json_decref(path);
			return -ENOMEM;
		}
	return reply_with(reply, 200,
			  json_pack("{s:o, s:o, s:o, s:o}", "account", encode_address(&account),
				    "cumulative", units_json(proof.cumulative), "path", path,
				    "root", root_json(&row)));
}

/* ---- made anew ---- */

const struct field payout_replace_fields[] = {
	{ "less", FIELD_PAIRS, offsetof(struct payout_replace_body, less), .min = 1,
	  .max = U256_TEXT_SIZE - 1, .count = LESS_MAX },
	{ "reason", FIELD_TEXT, offsetof(struct payout_replace_body, reason), .required = true,
	  .min = 1, .max = REASON_MAX },
	{ 0 },
};

/* At most what the account earned since the root in effect: that is claimed, or will be. */
static int check_less(struct tx *tx, const struct root_row *row, const struct correction_row *less,
		      struct reply *reply)
{
	struct u256 sum, before = u256_from(0);
	struct root_row active;
	int r = rewards_store_root(tx, row->kind, row->round - 1, &active);

	if (r == 0)
		r = rewards_store_sum(tx, row->kind, &less->account, active.through, &before);
	if (r == 0 || r == ROUTE_E_NOT_FOUND)
		r = rewards_store_sum(tx, row->kind, &less->account, row->through, &sum);
	if (r != 0)
		return r;
	sum = u256_subtract(sum, before);
	if (u256_compare(&less->amount, &sum) > 0)
		return reply_refuse(reply, "less",
				    "must be at most what the account earned since the root in "
				    "effect");
	return 0;
}

static int correct(const struct request *request, struct tx *tx, const struct root_row *row,
		   const struct field_pair *pair, struct reply *reply)
{
	const struct payout_replace_body *body = request->body;
	struct correction_row less = {
		.kind = row->kind,
		.round = row->round,
		.attempt = row->attempt,
		.reason = body->reason,
		.by = request->caller.account,
		.at_ms = request->now_ms,
	};
	int r;

	if (address_parse(pair->name, &less.account) < 0 ||
	    u256_parse(pair->value, strlen(pair->value), &less.amount) < 0 ||
	    u256_is_zero(less.amount))
		return reply_refuse(reply, "less", "must name accounts, and units above 0");
	r = check_less(tx, row, &less, reply);
	if (r == 0)
		r = rewards_store_correct(tx, &less, row->through);
	return r == SQL_E_CONFLICT ? reply_refuse(reply, "less", "must name an account once") : r;
}

static int audit_replaced(const struct request *request, struct tx *tx, const struct root_row *row)
{
	const struct payout_replace_body *body = request->body;
	char subject[AUDIT_SUBJECT_MAX + 1];
	const struct audit_entry entry = {
		.action = AUDIT_ROOT_REPLACED,
		.by = AUDIT_OPERATOR,
		.request = request,
		.subject = subject,
		.detail = json_pack("{s:s, s:I}", "reason", body->reason, "less",
				    (json_int_t)body->less.n),
	};

	snprintf(subject, sizeof(subject), "%s/%" PRId64 "/%" PRId64, request->params[0],
		 (int64_t)row->round, (int64_t)row->attempt);
	return audit_record(request->context, tx, &entry);
}

int payout_replace(struct request *request, struct tx *tx, struct reply *reply)
{
	const struct payout_replace_body *body = request->body;
	enum reward_kind kind;
	struct root_row row;
	int r;

	if (!chain_enabled())
		return REWARDS_E_NO_CHAIN;
	if (reward_kind_parse(request->params[0], &kind) < 0)
		return ROUTE_E_NOT_FOUND;
	r = rewards_store_root_last(tx, kind, &row);
	if (r == ROUTE_E_NOT_FOUND || (r == 0 && row.state != ROOT_WITHDRAWN))
		return REWARDS_E_NOT_WITHDRAWN;
	for (size_t i = 0; r == 0 && i < body->less.n; i++)
		r = correct(request, tx, &row, &body->less.items[i], reply);
	row.state = ROOT_REPLACED;
	if (r == 0)
		r = rewards_store_root_set(tx, &row);
	if (r == 0)
		r = audit_replaced(request, tx, &row);
	return r != 0 ? r : reply_with(reply, 200, root_json(&row));
}
