#include "api/settings.h"
#include "base/codec.h"
#include "chain/contracts.h"
#include "modules/iam/iam_rules.h"
#include "security/siwe.h"

enum {
	SIGNATURE_TEXT_LEN = 2 + 2 * 65,
	KEY_NAME_MAX = 64,
	KEY_LIFE_MIN_S = 60,
	KEY_LIFE_MAX_S = 10 * 365 * 24 * 3600,
};

static json_t *json_roles(uint32_t roles)
{
	json_t *list = json_array();

	for (size_t i = 0; list && role_words[i]; i++)
		if (roles >> i & 1 && json_array_append_new(list, json_string(role_words[i])) < 0) {
			json_decref(list);
			return NULL;
		}
	return list;
}

static json_t *json_permissions(uint32_t permissions)
{
	json_t *list = json_array();
	const char *word;

	for (int p = PERM_ACCOUNT; list && (word = permission_word(p)); p++)
		if (permissions >> p & 1 && json_array_append_new(list, json_string(word)) < 0) {
			json_decref(list);
			return NULL;
		}
	return list;
}

/* ---- the network ---- */

/* Null: a deposit of it is not credited. */
static json_t *json_kai_price(const struct settings *settings)
{
	return settings->chain && settings->chain->kai_price.micro > 0
		       ? encode_amount(settings->chain->kai_price)
		       : json_null();
}

/* Null: without a chain. */
static json_t *json_escrow(const struct settings *settings)
{
	const struct contract_place *escrow;

	if (!settings->chain)
		return json_null();
	escrow = &settings->chain->contracts->at[CONTRACT_ESCROW];
	return escrow->there ? encode_address(&escrow->address) : json_null();
}

static int get_network(struct request *request, struct tx *tx _unused_, struct reply *reply)
{
	const struct settings *settings = request->context->settings;

	return reply_with(reply, 200,
			  json_pack("{s:s, s:s, s:o, s:I, s:s, s:s, s:I, s:I, s:o, s:o}", "name",
				    "kaisar", "version", KAISAR_VERSION, "network",
				    encode_address(&settings->network), "chain_id",
				    (json_int_t)settings->chain_id, "domain", settings->domain,
				    "url", settings->url, "fee_basis_points",
				    (json_int_t)settings->fee_basis_points, "watch_hour_ms",
				    (json_int_t)settings->watch_hour_ms, "kai_price",
				    json_kai_price(settings), "escrow", json_escrow(settings)));
}

/* What a gateway needs to check access tokens: RFC 7517. */
static int get_jwks(struct request *request, struct tx *tx _unused_, struct reply *reply)
{
	char x_text[44], y_text[44], kid[ES256_KID_SIZE];
	uint8_t x[32], y[32];

	es256_key_public(request->context->settings->token_key, x, y, kid);
	base64url_encode(x, sizeof(x), x_text);
	base64url_encode(y, sizeof(y), y_text);
	return reply_with(reply, 200,
			  json_pack("{s:[{s:s, s:s, s:s, s:s, s:s, s:s, s:s}]}", "keys", "kty",
				    "EC", "crv", "P-256", "x", x_text, "y", y_text, "kid", kid,
				    "use", "sig", "alg", "ES256"));
}

/* ---- sign-in ---- */

static const struct field no_fields[] = { { 0 } };

static int post_nonce(struct request *request, struct tx *tx, struct reply *reply)
{
	const struct settings *settings = request->context->settings;
	char nonce[IAM_NONCE_TEXT_SIZE];
	int64_t expires_at_ms;
	int r;

	r = iam_nonce_make(request->context, tx, request->peer, nonce, &expires_at_ms);
	if (r != 0)
		return r;
	return reply_with(reply, 201,
			  json_pack("{s:s, s:o, s:s, s:s, s:I}", "nonce", nonce, "expires_at",
				    encode_time(expires_at_ms), "domain", settings->domain, "uri",
				    settings->url, "chain_id", (json_int_t)settings->chain_id));
}

static int answer_grant(const struct request *request, struct reply *reply,
			const struct iam_grant *grant)
{
	return reply_with(reply, 200,
			  json_pack("{s:s, s:s, s:I, s:s, s:o, s:o, s:o}", "access_token",
				    grant->access_token, "token_type", "Bearer", "expires_in",
				    (json_int_t)(grant->access_token_ms / 1000), "refresh_token",
				    grant->refresh_token, "account",
				    encode_address(&grant->account.address), "roles",
				    json_roles(grant->roles), "network",
				    encode_address(&request->context->settings->network)));
}

struct login_body {
	const char *message, *signature;
};

static const struct field login_fields[] = {
	{ "message", FIELD_TEXT, offsetof(struct login_body, message), .required = true,
	  .lines = true, .min = 1, .max = SIWE_MESSAGE_MAX },
	{ "signature", FIELD_TEXT, offsetof(struct login_body, signature), .required = true,
	  .min = SIGNATURE_TEXT_LEN, .max = SIGNATURE_TEXT_LEN },
	{ 0 },
};

static int post_login(struct request *request, struct tx *tx, struct reply *reply)
{
	const struct login_body *body = request->body;
	struct iam_sign_in sign_in = { .message = body->message };
	struct iam_grant grant;
	int r;

	if (strncmp(body->signature, "0x", 2) != 0 ||
	    hex_decode(body->signature + 2, strlen(body->signature + 2), sign_in.signature,
		       sizeof(sign_in.signature)) < 0)
		return reply_refuse(reply, "signature", "must be 0x and 130 hex digits");
	r = iam_login(request, tx, &sign_in, &grant, &reply->detail);
	return r != 0 ? r : answer_grant(request, reply, &grant);
}

struct refresh_body {
	const char *refresh_token;
};

static const struct field refresh_fields[] = {
	{ "refresh_token", FIELD_TEXT, offsetof(struct refresh_body, refresh_token),
	  .required = true, .min = 1, .max = SECRET_TEXT_SIZE - 1 },
	{ 0 },
};

struct refresh_call {
	const struct request *request;
	const char *token;
	struct iam_grant grant;
	bool revoked;
};

static int run_refresh(struct tx *tx, void *arg)
{
	struct refresh_call *call = arg;

	call->revoked = false;
	return iam_refresh(call->request, tx, call->token, &call->grant, &call->revoked);
}

/* In a transaction of its own: a revoked session must stay revoked behind an answer of 401. */
static int post_refresh(struct request *request, struct tx *tx _unused_, struct reply *reply)
{
	const struct refresh_body *body = request->body;
	struct refresh_call call = { .request = request, .token = body->refresh_token };
	int r;

	r = db_run(request->context->db, TX_WRITE, request->arena, run_refresh, &call);
	if (r != 0)
		return r;
	return call.revoked ? IAM_E_REFRESH : answer_grant(request, reply, &call.grant);
}

static int post_logout(struct request *request, struct tx *tx, struct reply *reply)
{
	reply->status = 204;
	return iam_logout(request, tx);
}

static int get_account(struct request *request, struct tx *tx, struct reply *reply)
{
	struct iam_profile profile;
	int r;

	r = iam_profile(request->context, tx, request->caller.account, &profile);
	if (r != 0)
		return r;
	return reply_with(reply, 200,
			  json_pack("{s:o, s:o, s:o, s:o}", "account",
				    encode_address(&profile.account.address), "roles",
				    json_roles(profile.roles), "permissions",
				    json_permissions(request->caller.permissions), "created_at",
				    encode_time(profile.created_at_ms)));
}

/* ---- API keys ---- */

struct key_body {
	const char *name;
	struct field_texts permissions;
	int64_t expires_in_s;
};

static const struct field key_fields[] = {
	{ "name", FIELD_TEXT, offsetof(struct key_body, name), .required = true, .min = 1,
	  .max = KEY_NAME_MAX },
	{ "permissions", FIELD_TEXTS, offsetof(struct key_body, permissions), .required = true,
	  .min = 1, .max = 32, .count = PERM_OPERATOR },
	{ "expires_in_s", FIELD_INT, offsetof(struct key_body, expires_in_s), .min = KEY_LIFE_MIN_S,
	  .max = KEY_LIFE_MAX_S },
	{ 0 },
};

static int read_permissions(const struct field_texts *words, struct reply *reply,
			    uint32_t *ret_permissions)
{
	uint32_t permissions = 0;

	for (size_t i = 0; i < words->n; i++) {
		enum permission permission;

		if (permission_parse(words->items[i], &permission) < 0)
			return reply_refuse(reply, "permissions",
					    "must be words of: account, rental.read, rental.write, "
					    "billing.read, worker.read, worker.write, operator");
		permissions |= 1u << permission;
	}
	if (!permissions)
		return reply_refuse(reply, "permissions", "must name at least one permission");
	*ret_permissions = permissions;
	return 0;
}

static json_t *json_key(const struct iam_key *key)
{
	char id[ID_TEXT_SIZE];

	api_key_id_text(&key->id, id);
	return json_pack("{s:s, s:s, s:o, s:o, s:o, s:o}", "id", id, "name", key->name,
			 "permissions", json_permissions(key->permissions), "created_at",
			 encode_time(key->created_at_ms), "expires_at",
			 encode_time(key->expires_at_ms), "last_used_at",
			 encode_time(key->last_used_at_ms));
}

static int post_key(struct request *request, struct tx *tx, struct reply *reply)
{
	const struct key_body *body = request->body;
	struct iam_key_wish wish = { .name = body->name, .life_s = body->expires_in_s };
	char secret[SECRET_TEXT_SIZE];
	struct iam_key key;
	json_t *json;
	int r;

	r = read_permissions(&body->permissions, reply, &wish.permissions);
	if (r != 0)
		return r;
	r = iam_key_make(request, tx, &wish, &key, secret);
	if (r != 0)
		return r;
	json = json_key(&key);
	if (json && json_object_set_new(json, "key", json_string(secret)) < 0) {
		json_decref(json);
		json = NULL;
	}
	return reply_with(reply, 201, json);
}

struct page_query {
	int64_t limit;
	struct api_key_id cursor;
};

static const struct field page_fields[] = {
	{ "limit", FIELD_INT, offsetof(struct page_query, limit), .min = 1, .max = 100,
	  .fallback = 50 },
	{ "cursor", FIELD_ID, offsetof(struct page_query, cursor), .prefix = "key" },
	{ 0 },
};

static json_t *json_keys(const struct iam_key *keys, size_t n)
{
	json_t *items = json_array();

	for (size_t i = 0; items && i < n; i++)
		if (json_array_append_new(items, json_key(&keys[i])) < 0) {
			json_decref(items);
			return NULL;
		}
	return items;
}

static int get_keys(struct request *request, struct tx *tx, struct reply *reply)
{
	const struct page_query *query = request->query;
	char next[ID_TEXT_SIZE] = "";
	struct iam_key *keys;
	size_t n;
	int r;

	r = iam_store_keys(tx, request->caller.account, &query->cursor, query->limit + 1, &keys,
			   &n);
	if (r != 0)
		return r;
	if (n > (size_t)query->limit) {
		n--;
		api_key_id_text(&keys[n - 1].id, next);
	}
	return reply_with(
		reply, 200,
		json_pack("{s:o, s:s?}", "items", json_keys(keys, n), "next", *next ? next : NULL));
}

static int delete_key(struct request *request, struct tx *tx, struct reply *reply)
{
	struct api_key_id key;

	if (api_key_id_parse(request->params[0], &key) < 0)
		return ROUTE_E_NOT_FOUND;
	reply->status = 204;
	return iam_key_delete(request, tx, key);
}

/* ---- operators ---- */

static int answer_profile(struct request *request, struct tx *tx, struct account_id account,
			  struct reply *reply)
{
	struct iam_profile profile;
	int64_t sessions, keys;
	int r;

	r = iam_profile(request->context, tx, account, &profile);
	if (r != 0)
		return r;
	r = iam_store_sessions_count(tx, account, request->now_ms, &sessions);
	if (r != 0)
		return r;
	r = iam_store_keys_count(tx, account, &keys);
	if (r != 0)
		return r;
	return reply_with(reply, 200,
			  json_pack("{s:o, s:o, s:o, s:I, s:I}", "account",
				    encode_address(&account.address), "roles",
				    json_roles(profile.roles), "created_at",
				    encode_time(profile.created_at_ms), "sessions",
				    (json_int_t)sessions, "api_keys", (json_int_t)keys));
}

struct role_body {
	struct account_id account;
	int role;
	bool granted;
};

static const struct field role_fields[] = {
	{ "account", FIELD_ADDRESS, offsetof(struct role_body, account), .required = true },
	{ "role", FIELD_WORD, offsetof(struct role_body, role), .required = true,
	  .words = role_words },
	{ "granted", FIELD_BOOL, offsetof(struct role_body, granted), .required = true },
	{ 0 },
};

static int put_role(struct request *request, struct tx *tx, struct reply *reply)
{
	const struct role_body *body = request->body;
	int r;

	r = iam_role_set(request, tx, body->account, (enum role)body->role, body->granted);
	return r != 0 ? r : answer_profile(request, tx, body->account, reply);
}

static int get_admin_account(struct request *request, struct tx *tx, struct reply *reply)
{
	struct account_id account;

	if (address_parse(request->params[0], &account.address) < 0)
		return reply_refuse(
			reply, "account",
			"must be an address: 0x and 40 hex digits, mixed case by EIP-55");
	return answer_profile(request, tx, account, reply);
}

/* ---- tables ---- */

static const struct route routes[] = {
	{ HTTP_GET, "/v1/network", PERM_PUBLIC, TX_NONE, .handler = get_network },
	{ HTTP_GET, "/.well-known/jwks.json", PERM_PUBLIC, TX_NONE, .handler = get_jwks },
	{ HTTP_POST, "/v1/auth/nonce", PERM_PUBLIC, TX_WRITE, .body = { no_fields, 0 },
	  .handler = post_nonce },
	{ HTTP_POST, "/v1/auth/login", PERM_PUBLIC, TX_WRITE,
	  .body = { login_fields, sizeof(struct login_body) }, .handler = post_login },
	{ HTTP_POST, "/v1/auth/refresh", PERM_PUBLIC, TX_NONE,
	  .body = { refresh_fields, sizeof(struct refresh_body) }, .handler = post_refresh },
	{ HTTP_POST, "/v1/auth/logout", PERM_ACCOUNT, TX_WRITE, .handler = post_logout },
	{ HTTP_GET, "/v1/account", PERM_ACCOUNT, TX_READ, .handler = get_account },
	{ HTTP_POST, "/v1/api-keys", PERM_ACCOUNT, TX_WRITE,
	  .body = { key_fields, sizeof(struct key_body) }, .handler = post_key },
	{ HTTP_GET, "/v1/api-keys", PERM_ACCOUNT, TX_READ,
	  .query = { page_fields, sizeof(struct page_query) }, .handler = get_keys },
	{ HTTP_DELETE, "/v1/api-keys/{key}", PERM_ACCOUNT, TX_WRITE, .handler = delete_key },
	{ HTTP_PUT, "/v1/admin/roles", PERM_OPERATOR, TX_WRITE,
	  .body = { role_fields, sizeof(struct role_body) }, .handler = put_role },
	{ HTTP_GET, "/v1/admin/accounts/{account}", PERM_OPERATOR, TX_READ,
	  .handler = get_admin_account },
	{ 0 },
};

static const struct outcome_row outcomes[] = {
	{ IAM_E_NONCE, 401, "nonce-invalid",
	  "The nonce is unknown, used or expired: ask for a new one and sign again." },
	{ IAM_E_MESSAGE, 401, "sign-in-refused",
	  "The sign-in message or its signature is not acceptable." },
	{ IAM_E_REFRESH, 401, "refresh-token-invalid",
	  "The refresh token is unknown, used or expired: sign in again." },
	{ IAM_E_TOO_MANY_NONCES, 429, "too-many-nonces",
	  "Too many sign-ins were begun and not finished: try again in a few minutes." },
	{ IAM_E_TOO_MANY_KEYS, 409, "too-many-api-keys",
	  "The account has as many API keys as it may: delete one first." },
	{ IAM_E_LAST_OPERATOR, 409, "last-operator",
	  "This is the last operator: make another one first." },
	{ IAM_E_SETTINGS_OPERATOR, 409, "settings-operator",
	  "This operator is named in the server's settings: take the account out there." },
	{ 0 },
};

const struct module iam_module = {
	.name = "iam",
	.routes = routes,
	.outcomes = outcomes,
	.jobs = iam_jobs,
};
