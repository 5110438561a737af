#include "modules/iam/iam_rules.h"
#include "modules/iam/iam_world.h"

/* ---- who asks ---- */

static void test_authenticate(void **state)
{
	struct world *w = *state;
	struct tokens tokens = login(w);
	struct es256_key *other;
	struct caller caller;
	size_t len = strlen(tokens.access);

	assert_int_equal(iam_authenticate(&w->context, NULL, &caller), 0);
	assert_false(caller.known);
	assert_int_equal(iam_authenticate(&w->context, "Basic abc", &caller),
			 ROUTE_E_UNAUTHENTICATED);
	assert_int_equal(iam_authenticate(&w->context, "Bearer ", &caller),
			 ROUTE_E_UNAUTHENTICATED);
	assert_int_equal(iam_authenticate(&w->context, "Bearer ksk_unknown", &caller),
			 ROUTE_E_UNAUTHENTICATED);
	w->clock.ms += w->settings.access_token_ms;
	assert_int_equal(iam_authenticate(&w->context, tokens.access, &caller),
			 ROUTE_E_UNAUTHENTICATED);
	tokens = login(w);
	assert_int_equal(es256_key_generate(&other), 0);
	w->settings.token_key = other;
	assert_int_equal(iam_authenticate(&w->context, tokens.access, &caller),
			 ROUTE_E_UNAUTHENTICATED);
	w->settings.token_key = w->token_key;
	es256_key_free(other);
	tokens.access[len - 10] = tokens.access[len - 10] == 'A' ? 'B' : 'A';
	assert_int_equal(iam_authenticate(&w->context, tokens.access, &caller),
			 ROUTE_E_UNAUTHENTICATED);
}

/* ---- API keys ---- */

static const char reading_key[] = "{\"name\":\"ci\",\"permissions\":[\"rental.read\",\"account\"]}";

struct key_made {
	char id[ID_TEXT_SIZE], bearer[SECRET_TEXT_SIZE + 8];
};

static struct key_made key_make(struct world *w, const struct caller *caller, const char *body)
{
	struct call call = ask(w, caller, HTTP_POST, "/v1/api-keys", body);
	struct key_made key;

	assert_int_equal(call.result, 0);
	assert_int_equal(call.reply.status, 201);
	snprintf(key.id, sizeof(key.id), "%s", answer_text(&call, "id"));
	snprintf(key.bearer, sizeof(key.bearer), "Bearer %s", answer_text(&call, "key"));
	json_decref(call.reply.body);
	return key;
}

static void test_key_scope(void **state)
{
	struct world *w = *state;
	struct tokens tokens = login(w);
	struct key_made key = key_make(w, &tokens.caller, reading_key);
	struct caller caller;

	assert_int_equal(iam_authenticate(&w->context, key.bearer, &caller), 0);
	assert_true(caller.known && caller.by_api_key);
	assert_true(account_equal(caller.account, w->account));
	assert_int_equal(caller.permissions, 1u << PERM_ACCOUNT | 1u << PERM_RENTAL_READ);
	assert_int_equal(ask_result(w, &caller, HTTP_POST, "/v1/api-keys", reading_key),
			 ROUTE_E_DENIED);
	assert_int_equal(ask_result(w, &caller, HTTP_DELETE, "/v1/api-keys/{key}", key.id),
			 ROUTE_E_DENIED);
	assert_int_equal(ask_result(w, &caller, HTTP_POST, "/v1/auth/logout", "{}"),
			 ROUTE_E_DENIED);
}

static void test_key_refused(void **state)
{
	struct world *w = *state;
	struct tokens tokens = login(w);
	static const char *const bodies[] = {
		"{\"name\":\"\",\"permissions\":[\"account\"]}",
		"{\"name\":\"x\",\"permissions\":[]}",
		"{\"name\":\"x\",\"permissions\":[\"everything\"]}",
		"{\"name\":\"x\",\"permissions\":[\"account\"],\"expires_in_s\":59}",
		"{\"name\":\"x\",\"permissions\":[\"account\"],\"key\":\"mine\"}",
	};

	for (size_t i = 0; i < ARRAY_SIZE(bodies); i++)
		assert_int_equal(
			ask_result(w, &tokens.caller, HTTP_POST, "/v1/api-keys", bodies[i]),
			ROUTE_E_FIELD);
	assert_int_equal(ask_result(w, &tokens.caller, HTTP_POST, "/v1/api-keys",
				    "{\"name\":\"x\",\"permissions\":[\"operator\"]}"),
			 ROUTE_E_DENIED);
	for (int i = 0; i < IAM_KEYS_MAX; i++)
		key_make(w, &tokens.caller, reading_key);
	assert_int_equal(ask_result(w, &tokens.caller, HTTP_POST, "/v1/api-keys", reading_key),
			 IAM_E_TOO_MANY_KEYS);
}

static void test_key_ends(void **state)
{
	struct world *w = *state;
	struct tokens tokens = login(w);
	struct key_made key = key_make(w, &tokens.caller, reading_key), brief;
	struct caller caller, stranger = tokens.caller;

	brief = key_make(w, &tokens.caller,
			 "{\"name\":\"b\",\"permissions\":[\"account\"],\"expires_in_s\":60}");
	stranger.account.address.bytes[0] ^= 1;
	assert_int_equal(ask_result(w, &stranger, HTTP_DELETE, "/v1/api-keys/{key}", key.id),
			 ROUTE_E_NOT_FOUND);
	assert_int_equal(ask_result(w, &tokens.caller, HTTP_DELETE, "/v1/api-keys/{key}", "key-x"),
			 ROUTE_E_NOT_FOUND);
	assert_int_equal(ask_result(w, &tokens.caller, HTTP_DELETE, "/v1/api-keys/{key}", key.id),
			 0);
	assert_int_equal(iam_authenticate(&w->context, key.bearer, &caller),
			 ROUTE_E_UNAUTHENTICATED);
	assert_int_equal(iam_authenticate(&w->context, brief.bearer, &caller), 0);
	w->clock.ms += MINUTE_MS;
	assert_int_equal(iam_authenticate(&w->context, brief.bearer, &caller),
			 ROUTE_E_UNAUTHENTICATED);
}

static bool key_was_used(struct world *w, const struct caller *caller)
{
	struct call call = ask(w, caller, HTTP_GET, "/v1/api-keys", "");
	json_t *item = json_array_get(json_object_get(call.reply.body, "items"), 0);
	bool used = json_is_string(json_object_get(item, "last_used_at"));

	json_decref(call.reply.body);
	return used;
}

static void test_key_last_use(void **state)
{
	struct world *w = *state;
	struct tokens tokens = login(w);
	struct key_made key = key_make(w, &tokens.caller, reading_key);
	struct caller caller;

	assert_int_equal(iam_authenticate(&w->context, key.bearer, &caller), 0);
	assert_false(key_was_used(w, &tokens.caller));
	run_job(w, "iam-key-uses");
	assert_true(key_was_used(w, &tokens.caller));
}

static void test_key_pages(void **state)
{
	struct world *w = *state;
	struct tokens tokens = login(w);
	struct call call;
	char query[96];

	for (int i = 0; i < 3; i++)
		key_make(w, &tokens.caller, reading_key);
	call = ask(w, &tokens.caller, HTTP_GET, "/v1/api-keys", "limit=2");
	assert_int_equal(json_array_size(json_object_get(call.reply.body, "items")), 2);
	snprintf(query, sizeof(query), "limit=2&cursor=%s", answer_text(&call, "next"));
	json_decref(call.reply.body);
	call = ask(w, &tokens.caller, HTTP_GET, "/v1/api-keys", query);
	assert_int_equal(json_array_size(json_object_get(call.reply.body, "items")), 1);
	assert_true(json_is_null(json_object_get(call.reply.body, "next")));
	json_decref(call.reply.body);
}

/* ---- roles ---- */

static int role_set(struct world *w, const struct caller *by, const struct account_id *account,
		    const char *role, bool granted)
{
	char text[ADDRESS_TEXT_SIZE], body[160];

	address_text(&account->address, text);
	snprintf(body, sizeof(body), "{\"account\":\"%s\",\"role\":\"%s\",\"granted\":%s}", text,
		 role, granted ? "true" : "false");
	return ask_result(w, by, HTTP_PUT, "/v1/admin/roles", body);
}

static void test_roles(void **state)
{
	struct world *w = *state;
	const struct account_id other = { { { 7 } } };
	struct key_made key;
	struct tokens tokens;
	struct caller caller;

	w->settings.operators = &w->account.address;
	w->settings.n_operators = 1;
	tokens = login(w);
	assert_true(policy_allows(tokens.caller.permissions, PERM_OPERATOR));
	assert_int_equal(role_set(w, &tokens.caller, &w->account, "operator", false),
			 IAM_E_SETTINGS_OPERATOR);
	assert_int_equal(role_set(w, &tokens.caller, &other, "emperor", true), ROUTE_E_FIELD);
	assert_int_equal(role_set(w, &tokens.caller, &other, "operator", true), 0);
	key = key_make(w, &tokens.caller, "{\"name\":\"x\",\"permissions\":[\"rental.read\"]}");

	/* Out of the settings: other is the last one, and this token is stale. */
	w->settings.n_operators = 0;
	assert_int_equal(role_set(w, &tokens.caller, &other, "checker", true), ROUTE_E_DENIED);
	caller = tokens.caller;
	caller.account = other;
	assert_int_equal(role_set(w, &caller, &other, "operator", false), IAM_E_LAST_OPERATOR);
	assert_int_equal(role_set(w, &caller, &w->account, "tenant", false), 0);
	assert_int_equal(iam_authenticate(&w->context, key.bearer, &caller), 0);
	assert_int_equal(caller.permissions, 0);
}

/* An operator's token does not outlive the role, nor the session. */
static void test_operator_tokens_end(void **state)
{
	struct world *w = *state;
	struct tokens tokens;
	struct caller caller;

	w->settings.operators = &w->account.address;
	w->settings.n_operators = 1;
	tokens = login(w);
	assert_int_equal(iam_authenticate(&w->context, tokens.access, &caller), 0);
	assert_true(policy_allows(caller.permissions, PERM_OPERATOR));
	w->settings.n_operators = 0;
	assert_int_equal(iam_authenticate(&w->context, tokens.access, &caller), 0);
	assert_false(policy_allows(caller.permissions, PERM_OPERATOR));
	assert_true(policy_allows(caller.permissions, PERM_RENTAL_WRITE));
	w->settings.n_operators = 1;
	assert_int_equal(ask_result(w, &tokens.caller, HTTP_POST, "/v1/auth/logout", "{}"), 0);
	assert_int_equal(iam_authenticate(&w->context, tokens.access, &caller),
			 ROUTE_E_UNAUTHENTICATED);
}

int main(void)
{
	struct CMUnitTest tests[] = {
		WORLD_TEST(test_authenticate), WORLD_TEST(test_key_scope),
		WORLD_TEST(test_key_refused),  WORLD_TEST(test_key_ends),
		WORLD_TEST(test_key_last_use), WORLD_TEST(test_key_pages),
		WORLD_TEST(test_roles),        WORLD_TEST(test_operator_tokens_end),
	};

	return world_run(tests, ARRAY_SIZE(tests));
}
