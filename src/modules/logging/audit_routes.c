#include "modules/logging/audit_routes.h"

#include "api/settings.h"
#include "chain/hex.h"
#include "modules/logging/audit_log.h"

enum { PAGE_MAX = 100 };

const struct field audit_fields[] = {
	{ "since_ms", FIELD_INT, offsetof(struct audit_query, since_ms), .min = 0,
	  .max = INT64_MAX },
	{ "limit", FIELD_INT, offsetof(struct audit_query, limit), .min = 1, .max = PAGE_MAX,
	  .fallback = 50 },
	{ "cursor", FIELD_ID, offsetof(struct audit_query, cursor), .prefix = "aud" },
	{ 0 },
};

const struct field audit_admin_fields[] = {
	{ "account", FIELD_ADDRESS, offsetof(struct audit_query, account) },
	{ "since_ms", FIELD_INT, offsetof(struct audit_query, since_ms), .min = 0,
	  .max = INT64_MAX },
	{ "limit", FIELD_INT, offsetof(struct audit_query, limit), .min = 1, .max = PAGE_MAX,
	  .fallback = 50 },
	{ "cursor", FIELD_ID, offsetof(struct audit_query, cursor), .prefix = "aud" },
	{ 0 },
};

const struct field audit_batches_fields[] = {
	{ "cursor", FIELD_INT, offsetof(struct audit_batches_query, cursor), .min = 0,
	  .max = INT64_MAX },
	{ "limit", FIELD_INT, offsetof(struct audit_batches_query, limit), .min = 1,
	  .max = PAGE_MAX, .fallback = 50 },
	{ 0 },
};

/* ---- who sees what ---- */

static bool is_operator(const struct caller *caller)
{
	return policy_allows(caller->permissions, PERM_OPERATOR);
}

static bool did(const struct caller *caller, const struct audit_row *row)
{
	return row->by != AUDIT_NETWORK && address_equal(&row->actor, &caller->account.address);
}

static bool may_read(const struct caller *caller, const struct audit_row *row)
{
	return is_operator(caller) || did(caller, row) ||
	       (row->owned && account_equal(row->owner, caller->account));
}

/* ---- as JSON ---- */

static json_t *origin_json(const struct audit_row *row, const struct audit_origin *origin,
			   const struct caller *caller)
{
	if (!row->has_origin || !(is_operator(caller) || did(caller, row)))
		return json_null();
	return json_pack("{s:s, s:s, s:s, s:s}", "via", origin->via, "peer", origin->peer,
			 "request", origin->request, "salt", origin->salt);
}

static json_t *entry_json(const struct audit_row *row, const struct caller *caller,
			  struct arena *arena)
{
	struct audit_origin origin;
	struct audit_text text;

	if (audit_row_text(row, arena, &text, &origin) != 0)
		return NULL;
	return json_pack("{s:s, s:I, s:o, s:s, s:s, s:s, s:s, s:s, s:s, s:o, s:o}", "entry",
			 text.entry, "at_ms", (json_int_t)text.at_ms, "at", encode_time(text.at_ms),
			 "actor", text.actor, "action", text.action, "subject", text.subject,
			 "owner", text.owner, "origin", text.origin, "detail", text.detail, "from",
			 origin_json(row, &origin, caller), "batch",
			 row->batch ? json_integer(row->batch) : json_null());
}

static json_t *entries_json(const struct audit_row *rows, size_t n, const struct caller *caller,
			    struct arena *arena)
{
	json_t *items = json_array();

	for (size_t i = 0; items && i < n; i++) {
		struct arena_mark mark = arena_mark(arena);
		int r = json_array_append_new(items, entry_json(&rows[i], caller, arena));

		arena_rewind(arena, mark);
		if (r < 0) {
			json_decref(items);
			return NULL;
		}
	}
	return items;
}

static json_t *batch_json(const struct context *context, const struct audit_batch_row *row)
{
	const struct audit_batch *batch = &row->batch;
	uint8_t id[32];

	audit_batch_id(batch->number, id);
	return json_pack(
		"{s:o, s:I, s:o, s:I, s:o, s:I, s:o, s:o}", "network",
		encode_address(&context->settings->network), "number", (json_int_t)batch->number,
		"before", encode_bytes(batch->before, sizeof(batch->before)), "entries",
		(json_int_t)batch->entries, "root", encode_bytes(batch->root, sizeof(batch->root)),
		"sealed_at_ms", (json_int_t)batch->sealed_ms, "digest",
		encode_bytes(row->digest, sizeof(row->digest)), "id", encode_bytes(id, sizeof(id)));
}

/* ---- lists ---- */

static void since_id(int64_t since_ms, struct audit_id *ret_id)
{
	*ret_id = (struct audit_id){ 0 };
	if (since_ms >> 48)
		memset(ret_id->bytes, 0xff, sizeof(ret_id->bytes));
	for (size_t i = 0; i < 6 && !(since_ms >> 48); i++)
		ret_id->bytes[i] = (uint8_t)(since_ms >> (40 - 8 * i));
}

static int list(struct request *request, struct tx *tx, struct reply *reply,
		const struct account_id *account)
{
	static const uint8_t none[16];
	const struct audit_query *query = request->query;
	size_t n, limit = (size_t)query->limit;
	struct audit_id since, before;
	char next[ID_TEXT_SIZE] = "";
	struct audit_row *rows;
	int r;

	since_id(query->since_ms, &since);
	memset(before.bytes, 0xff, sizeof(before.bytes));
	if (memcmp(query->cursor, none, sizeof(none)) != 0)
		memcpy(before.bytes, query->cursor, sizeof(before.bytes));
	r = audit_store_entries(tx, account, &since, &before, query->limit + 1, &rows, &n);
	if (r != 0)
		return r;
	if (n > limit)
		audit_id_text(&rows[limit - 1].id, next);
	return reply_with(
		reply, 200,
		json_pack("{s:o, s:s?}", "items",
			  entries_json(rows, size_min(n, limit), &request->caller, tx_arena(tx)),
			  "next", *next ? next : NULL));
}

int get_audit(struct request *request, struct tx *tx, struct reply *reply)
{
	return list(request, tx, reply, &request->caller.account);
}

int get_audit_all(struct request *request, struct tx *tx, struct reply *reply)
{
	static const struct account_id everybody;
	const struct audit_query *query = request->query;

	return list(request, tx, reply,
		    account_equal(query->account, everybody) ? NULL : &query->account);
}

int get_audit_batches(struct request *request, struct tx *tx, struct reply *reply)
{
	const struct audit_batches_query *query = request->query;
	size_t n, limit = (size_t)query->limit;
	struct audit_batch_row *rows;
	json_t *items;
	int r;

	r = audit_store_batches(tx, query->cursor, query->limit + 1, &rows, &n);
	if (r != 0)
		return r;
	items = json_array();
	for (size_t i = 0; i < size_min(n, limit); i++)
		if (json_array_append_new(items, batch_json(request->context, &rows[i])) < 0) {
			json_decref(items);
			return -ENOMEM;
		}
	return reply_with(reply, 200,
			  json_pack("{s:o, s:o}", "items", items, "next",
				    n > limit
					    ? json_sprintf("%" PRId64, rows[limit - 1].batch.number)
					    : json_null()));
}

/* ---- one ---- */

static json_t *path_json(const struct merkle *merkle, size_t leaf)
{
	struct merkle_hash path[MERKLE_DEPTH_MAX];
	size_t n = merkle_prove(merkle, leaf, path);
	json_t *list = json_array();

	for (size_t i = 0; i < n; i++)
		if (json_array_append_new(list, encode_bytes(path[i].bytes, 32)) < 0) {
			json_decref(list);
			return NULL;
		}
	return list;
}

/* Told as the store has it: whether it adds up is for the reader to find. */
static int prove(struct tx *tx, const struct audit_row *row, json_t **ret_path)
{
	_cleanup_(merkle_freep) struct merkle *merkle = NULL;
	struct audit_row *rows;
	size_t n, at = 0;
	int r = audit_store_of_batch(tx, row->batch, &rows, &n);

	if (r == 0)
		r = audit_rows_tree(rows, n, tx_arena(tx), &merkle);
	if (r != 0)
		return r == -EINVAL ? -EIO : r;
	while (at < n && !audit_id_equal(rows[at].id, row->id))
		at++;
	if (at == n)
		return -EIO;
	*ret_path = path_json(merkle, at);
	return *ret_path ? 0 : -ENOMEM;
}

static int answer_proof(struct request *request, struct tx *tx, const struct audit_row *row,
			struct reply *reply)
{
	struct audit_batch_row batch;
	json_t *path;
	int r = audit_store_batch(tx, row->batch, &batch);

	/* A batch that is gone was taken away. */
	if (r == 0)
		r = prove(tx, row, &path);
	if (r != 0)
		return r > 0 ? -EIO : r;
	return reply_with(reply, 200,
			  json_pack("{s:o, s:o, s:o, s:b}", "entry",
				    entry_json(row, &request->caller, tx_arena(tx)), "batch",
				    batch_json(request->context, &batch), "path", path, "chain",
				    request->context->settings->chain != NULL));
}

int get_audit_entry(struct request *request, struct tx *tx, struct reply *reply)
{
	struct audit_row row;
	struct audit_id id;
	int r;

	if (audit_id_parse(request->params[0], &id) < 0)
		return ROUTE_E_NOT_FOUND;
	r = audit_store_entry(tx, &id, &row);
	if (r == 0 && !may_read(&request->caller, &row))
		return ROUTE_E_NOT_FOUND;
	if (r != 0)
		return r;
	if (row.batch)
		return answer_proof(request, tx, &row, reply);
	return reply_with(reply, 200,
			  json_pack("{s:o, s:n, s:[], s:b}", "entry",
				    entry_json(&row, &request->caller, tx_arena(tx)), "batch",
				    "path", "chain", request->context->settings->chain != NULL));
}

int get_audit_batch(struct request *request, struct tx *tx, struct reply *reply)
{
	struct audit_batch_row batch;
	struct audit_row *rows;
	struct u256 number;
	size_t n;
	int r;

	if (u256_parse(request->params[0], strlen(request->params[0]), &number) < 0 ||
	    u256_bits(number) > 63)
		return ROUTE_E_NOT_FOUND;
	r = audit_store_batch(tx, (int64_t)number.limbs[0], &batch);
	if (r == 0)
		r = audit_store_of_batch(tx, batch.batch.number, &rows, &n);
	if (r != 0)
		return r;
	return reply_with(reply, 200,
			  json_pack("{s:o, s:o, s:b}", "batch",
				    batch_json(request->context, &batch), "entries",
				    entries_json(rows, n, &request->caller, tx_arena(tx)), "chain",
				    request->context->settings->chain != NULL));
}
