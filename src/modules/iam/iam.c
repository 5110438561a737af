#include "modules/iam/iam.h"

#include <strings.h>

#include "api/settings.h"
#include "modules/iam/iam_rules.h"
#include "modules/logging/logging.h"

enum { AUTHENTICATE_ARENA = 16384 };

static const char key_prefix[] = "ksk_";

/* ---- accounts ---- */

int iam_account_ensure(const struct context *context, struct tx *tx, struct account_id account)
{
	bool new_account, changed;
	int r;

	r = iam_store_account_add(tx, account, clock_now_ms(context->clock), &new_account);
	if (r != 0 || !new_account)
		return r;
	for (enum role role = 0; role_words[role]; role++) {
		if (!(ROLES_OF_NEW_ACCOUNT >> role & 1))
			continue;
		r = iam_store_role_grant(tx, account, role, &changed);
		if (r != 0)
			return r;
	}
	return 0;
}

static bool is_settings_operator(const struct settings *settings, struct account_id account)
{
	for (size_t i = 0; i < settings->n_operators; i++)
		if (address_equal(&settings->operators[i], &account.address))
			return true;
	return false;
}

int iam_operators(const struct context *context, struct tx *tx, size_t max,
		  struct account_id **ret_accounts, size_t *ret_n)
{
	const struct settings *settings = context->settings;
	struct account_id *stored, *list;
	size_t n_stored, n = 0;
	int r;

	r = iam_store_role_list(tx, ROLE_OPERATOR, max, &stored, &n_stored);
	if (r != 0)
		return r;
	list = arena_array(tx_arena(tx), settings->n_operators + n_stored + 1, sizeof(*list));
	if (!list)
		return -ENOMEM;
	for (size_t i = 0; i < settings->n_operators; i++)
		list[n++] = (struct account_id){ settings->operators[i] };
	for (size_t i = 0; i < n_stored; i++)
		if (!is_settings_operator(settings, stored[i]))
			list[n++] = stored[i];
	*ret_accounts = list;
	*ret_n = n;
	return 0;
}

int iam_roles_of(const struct context *context, struct tx *tx, struct account_id account,
		 uint32_t *ret_roles)
{
	uint32_t roles;
	int r;

	r = iam_store_roles(tx, account, &roles);
	if (r != 0)
		return r;
	if (is_settings_operator(context->settings, account))
		roles |= 1u << ROLE_OPERATOR;
	*ret_roles = roles;
	return 0;
}

int iam_profile(const struct context *context, struct tx *tx, struct account_id account,
		struct iam_profile *ret_profile)
{
	struct iam_profile profile = { .account = account };
	int r;

	r = iam_store_account(tx, account, &profile.created_at_ms);
	if (r != 0)
		return r;
	r = iam_roles_of(context, tx, account, &profile.roles);
	if (r != 0)
		return r;
	*ret_profile = profile;
	return 0;
}

static int tell_role(const struct request *request, struct tx *tx, struct account_id account,
		     enum role role, bool granted)
{
	char subject[ADDRESS_TEXT_SIZE];
	const struct audit_entry entry = {
		.action = granted ? AUDIT_ROLE_GRANTED : AUDIT_ROLE_WITHDRAWN,
		.by = AUDIT_OPERATOR,
		.request = request,
		.subject = subject,
		.owner = &account,
		.detail = json_pack("{s:s}", "role", role_words[role]),
	};
	json_t *data;
	int r;

	address_text(&account.address, subject);
	r = audit_record(request->context, tx, &entry);
	if (r != 0)
		return r;
	data = json_pack("{s:s, s:b}", "role", role_words[role], "granted", granted);
	if (!data)
		return -ENOMEM;
	return logging_event(request->context, tx, account, "role.changed", subject, data);
}

/* A network without an operator could not get one back but through its settings. */
static int check_operator_remains(const struct context *context, struct tx *tx,
				  struct account_id account)
{
	uint32_t roles;
	int64_t holders;
	int r;

	if (is_settings_operator(context->settings, account))
		return IAM_E_SETTINGS_OPERATOR;
	r = iam_store_roles(tx, account, &roles);
	if (r != 0 || !(roles >> ROLE_OPERATOR & 1))
		return r;
	r = iam_store_role_holders(tx, ROLE_OPERATOR, &holders);
	if (r != 0)
		return r;
	return holders + (int64_t)context->settings->n_operators > 1 ? 0 : IAM_E_LAST_OPERATOR;
}

int iam_role_set(const struct request *request, struct tx *tx, struct account_id account,
		 enum role role, bool granted)
{
	const struct context *context = request->context;
	uint32_t caller_roles;
	bool changed;
	int r;

	/* The token may be older than the caller's own loss of the role. */
	r = iam_roles_of(context, tx, request->caller.account, &caller_roles);
	if (r != 0)
		return r;
	if (!(caller_roles >> ROLE_OPERATOR & 1))
		return ROUTE_E_DENIED;
	if (!granted && role == ROLE_OPERATOR) {
		r = check_operator_remains(context, tx, account);
		if (r != 0)
			return r;
	}
	r = iam_account_ensure(context, tx, account);
	if (r != 0)
		return r;
	r = granted ? iam_store_role_grant(tx, account, role, &changed)
		    : iam_store_role_revoke(tx, account, role, &changed);
	if (r != 0 || !changed)
		return r;
	return tell_role(request, tx, account, role, granted);
}

/* ---- API keys ---- */

static int tell_key(const struct request *request, struct tx *tx, struct api_key_id key,
		    enum audit_action action, json_t *detail)
{
	char subject[ID_TEXT_SIZE];
	int r;

	api_key_id_text(&key, subject);
	r = audit_own(request, tx, action, subject, detail);
	return r != 0 ? r
		      : logging_event(request->context, tx, request->caller.account,
				      audit_action_words[action], subject, NULL);
}

static json_t *key_detail(const struct iam_key *key)
{
	json_t *list = json_array();
	const char *word;

	for (int p = PERM_ACCOUNT; list && (word = permission_word(p)); p++)
		if (key->permissions >> p & 1 &&
		    json_array_append_new(list, json_string(word)) < 0) {
			json_decref(list);
			return NULL;
		}
	return json_pack("{s:s, s:o}", "name", key->name, "permissions", list);
}

int iam_key_make(const struct request *request, struct tx *tx, const struct iam_key_wish *wish,
		 struct iam_key *ret_key, char ret_secret[static SECRET_TEXT_SIZE])
{
	const struct context *context = request->context;
	const struct caller *caller = &request->caller;
	int64_t now_ms = clock_now_ms(context->clock), n;
	struct iam_key key = {
		.account = caller->account,
		.name = wish->name,
		.permissions = wish->permissions,
		.created_at_ms = now_ms,
		.expires_at_ms = wish->life_s ? now_ms + wish->life_s * 1000 : 0,
	};
	uint8_t hash[SECRET_HASH_SIZE];
	int r;

	/* A key that makes keys could outlive its own expiry and deletion. */
	if (caller->by_api_key || (wish->permissions & ~caller->permissions))
		return ROUTE_E_DENIED;
	r = iam_store_keys_count(tx, caller->account, &n);
	if (r != 0)
		return r;
	if (n >= IAM_KEYS_MAX)
		return IAM_E_TOO_MANY_KEYS;
	r = api_key_id_make(context->clock, context->random, &key.id);
	if (r != 0)
		return r;
	r = secret_make(context->random, key_prefix, ret_secret);
	if (r != 0)
		return r;
	secret_hash(ret_secret, hash);
	r = iam_store_key_add(tx, &key, hash);
	if (r != 0)
		return r;
	*ret_key = key;
	return tell_key(request, tx, key.id, AUDIT_KEY_CREATED, key_detail(&key));
}

int iam_key_delete(const struct request *request, struct tx *tx, struct api_key_id key)
{
	const struct caller *caller = &request->caller;
	int r;

	if (caller->by_api_key)
		return ROUTE_E_DENIED;
	r = iam_store_key_delete(tx, caller->account, key);
	return r != 0 ? r : tell_key(request, tx, key, AUDIT_KEY_DELETED, json_object());
}

/* ---- who asks ---- */

struct operator_call {
	const struct context *context;
	struct caller *caller;
};

static int check_operator(struct tx *tx, void *arg)
{
	const struct operator_call *call = arg;
	const struct context *context = call->context;
	struct session_id session;
	uint32_t roles;
	bool alive;
	int r;

	memcpy(session.bytes, call->caller->session, sizeof(session.bytes));
	r = iam_store_session_alive(tx, session, clock_now_ms(context->clock), &alive);
	if (r == 0 && !alive)
		return ROUTE_E_UNAUTHENTICATED;
	if (r == 0)
		r = iam_roles_of(context, tx, call->caller->account, &roles);
	if (r == 0)
		call->caller->permissions &= policy_permissions(roles);
	return r;
}

/* An operator's token is held against the store: what it allows is too much to go on for minutes after
 * the role or the session was taken away. */
static int authenticate_operator(const struct context *context, struct caller *caller)
{
	_cleanup_(arena_freep) struct arena *arena = NULL;
	struct operator_call call = { context, caller };
	int r = arena_new(AUTHENTICATE_ARENA, &arena);

	return r < 0 ? r : db_run(context->db, TX_READ, arena, check_operator, &call);
}

static int authenticate_token(const struct context *context, const char *token,
			      struct caller *ret_caller)
{
	const struct settings *settings = context->settings;
	struct caller caller = { .known = true };
	struct token_claims claims;
	int r;

	r = token_check(settings->token_key, settings->issuer, token, clock_now_ms(context->clock),
			&claims);
	if (r != 0)
		return r < 0 ? r : ROUTE_E_UNAUTHENTICATED;
	caller.account = claims.subject;
	caller.permissions = claims.permissions;
	memcpy(caller.session, claims.session, sizeof(caller.session));
	caller.by_ticket = claims.permissions >> PERM_TICKET & 1;
	if (policy_allows(caller.permissions, PERM_OPERATOR))
		r = authenticate_operator(context, &caller);
	if (r == 0)
		*ret_caller = caller;
	return r;
}

int iam_ticket(const struct context *context, struct account_id account,
	       const uint8_t thing[static 16], int64_t life_ms, struct arena *arena,
	       const char **ret_token)
{
	const struct settings *settings = context->settings;
	int64_t now_ms = clock_now_ms(context->clock);
	struct token_claims claims = { .subject = account,
				       .permissions = 1u << PERM_TICKET,
				       .issued_at_ms = now_ms,
				       .expires_at_ms = now_ms + life_ms };

	memcpy(claims.session, thing, sizeof(claims.session));
	return token_mint(settings->token_key, settings->issuer, &claims, arena, ret_token);
}

/* A key grants what was chosen for it, as far as its account may still do that. */
static int find_key(const struct context *context, struct tx *tx, const char *secret,
		    struct caller *ret_caller)
{
	int64_t now_ms = clock_now_ms(context->clock);
	struct caller caller = { .known = true, .by_api_key = true };
	uint8_t hash[SECRET_HASH_SIZE];
	struct iam_key key;
	uint32_t roles;
	int r;

	secret_hash(secret, hash);
	r = iam_store_key_find(tx, hash, &key);
	if (r != 0)
		return r == ROUTE_E_NOT_FOUND ? ROUTE_E_UNAUTHENTICATED : r;
	if (key.expires_at_ms && key.expires_at_ms <= now_ms)
		return ROUTE_E_UNAUTHENTICATED;
	r = iam_roles_of(context, tx, key.account, &roles);
	if (r != 0)
		return r;
	if (now_ms - key.last_used_at_ms >= IAM_KEY_USE_EVERY_MS)
		iam_key_used(key.id, now_ms);
	caller.account = key.account;
	caller.permissions = key.permissions & policy_permissions(roles);
	memcpy(caller.session, key.id.bytes, sizeof(caller.session));
	*ret_caller = caller;
	return 0;
}

struct key_call {
	const struct context *context;
	const char *secret;
	struct caller *caller;
};

static int run_find_key(struct tx *tx, void *arg)
{
	struct key_call *call = arg;

	return find_key(call->context, tx, call->secret, call->caller);
}

static int authenticate_key(const struct context *context, const char *secret,
			    struct caller *ret_caller)
{
	_cleanup_(arena_freep) struct arena *arena = NULL;
	struct key_call call = { context, secret, ret_caller };
	int r;

	r = arena_new(AUTHENTICATE_ARENA, &arena);
	if (r < 0)
		return r;
	return db_run(context->db, TX_READ, arena, run_find_key, &call);
}

int iam_authenticate(const struct context *context, const char *authorization,
		     struct caller *ret_caller)
{
	static const char scheme[] = "Bearer ";
	const char *credential;

	if (!authorization) {
		*ret_caller = (struct caller){ 0 };
		return 0;
	}
	if (strncasecmp(authorization, scheme, strlen(scheme)) != 0)
		return ROUTE_E_UNAUTHENTICATED;
	credential = authorization + strlen(scheme);
	if (strncmp(credential, key_prefix, strlen(key_prefix)) != 0)
		return authenticate_token(context, credential, ret_caller);
	if (strlen(credential) >= SECRET_TEXT_SIZE)
		return ROUTE_E_UNAUTHENTICATED;
	return authenticate_key(context, credential, ret_caller);
}
