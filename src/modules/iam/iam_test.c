#include "modules/iam/iam_world.h"

#include <pthread.h>

#include "io/db_fault.h"
#include "modules/iam/iam_rules.h"

static const char *refresh_body(struct world *w, const char *token)
{
	const char *text = arena_printf(w->arena, "{\"refresh_token\":\"%s\"}", token);

	assert_non_null(text);
	return text;
}

static int refresh_result(struct world *w, const char *token)
{
	return ask_result(w, NULL, HTTP_POST, "/v1/auth/refresh", refresh_body(w, token));
}

static void test_login(void **state)
{
	struct world *w = *state;
	struct tokens tokens = login(w);
	struct call call;

	assert_true(tokens.caller.known && !tokens.caller.by_api_key);
	assert_true(account_equal(tokens.caller.account, w->account));
	assert_int_equal(tokens.caller.permissions, policy_permissions(ROLES_OF_NEW_ACCOUNT));
	call = ask(w, &tokens.caller, HTTP_GET, "/v1/account", "");
	assert_int_equal(call.result, 0);
	assert_int_equal(json_array_size(json_object_get(call.reply.body, "roles")), 2);
	assert_int_equal(json_array_size(json_object_get(call.reply.body, "permissions")), 6);
	assert_string_equal(answer_text(&call, "created_at"), "2026-11-18T11:06:40Z");
	json_decref(call.reply.body);
}

static void test_nonce_shape_and_limit(void **state)
{
	struct world *w = *state;
	const char *first = nonce_get(w);

	assert_true(strlen(first) >= 16);
	assert_int_equal(strspn(first, "0123456789abcdefghijklmnopqrstuvwxyz"), strlen(first));
	for (int i = 1; i < IAM_NONCES_OF_PEER_MAX; i++)
		assert_string_not_equal(nonce_get(w), first);
	assert_int_equal(ask_result(w, NULL, HTTP_POST, "/v1/auth/nonce", "{}"),
			 IAM_E_TOO_MANY_NONCES);
	w->clock.ms += w->settings.nonce_ms;
	nonce_get(w);
}

static void test_nonce_once(void **state)
{
	struct world *w = *state;
	const char *body = login_body(w);

	assert_int_equal(ask_result(w, NULL, HTTP_POST, "/v1/auth/login", body), 0);
	assert_int_equal(ask_result(w, NULL, HTTP_POST, "/v1/auth/login", body), IAM_E_NONCE);
}

static void test_nonce_unknown_or_expired(void **state)
{
	struct world *w = *state;
	struct siwe_message message = message_for(w, "0123456789abcdefghjkmnpqrs");
	const char *nonce;

	assert_int_equal(ask_result(w, NULL, HTTP_POST, "/v1/auth/login",
				    signed_body(w, &message, w->wallet)),
			 IAM_E_NONCE);
	nonce = nonce_get(w);
	w->clock.ms += w->settings.nonce_ms;
	message = message_for(w, nonce);
	assert_int_equal(ask_result(w, NULL, HTTP_POST, "/v1/auth/login",
				    signed_body(w, &message, w->wallet)),
			 IAM_E_NONCE);
}

static void refuse_message(struct world *w, const struct siwe_message *message)
{
	struct call call = ask(w, NULL, HTTP_POST, "/v1/auth/login",
			       signed_body(w, message, w->wallet));

	assert_int_equal(call.result, IAM_E_MESSAGE);
	assert_non_null(call.reply.detail);
}

/* Whatever is refused leaves the nonce: somebody else's bad message cannot spoil it. */
static void test_message_refused(void **state)
{
	struct world *w = *state;
	const char *nonce = nonce_get(w);
	const struct siwe_message good = message_for(w, nonce);
	struct siwe_message bad = good;
	struct secp_key *stranger;

	bad.domain = "evil.example";
	refuse_message(w, &bad);
	bad = good;
	bad.uri = "http://evil.example";
	refuse_message(w, &bad);
	bad = good;
	bad.chain_id = 1;
	refuse_message(w, &bad);
	bad = good;
	bad.issued_at_ms += 5 * MINUTE_MS;
	refuse_message(w, &bad);
	bad = good;
	bad.expires_at_ms = w->clock.ms - 1000;
	refuse_message(w, &bad);
	assert_int_equal(secp_key_generate(&random_system, &stranger), 0);
	assert_int_equal(
		ask_result(w, NULL, HTTP_POST, "/v1/auth/login", signed_body(w, &good, stranger)),
		IAM_E_MESSAGE);
	secp_key_free(stranger);
	assert_int_equal(
		ask_result(w, NULL, HTTP_POST, "/v1/auth/login", signed_body(w, &good, w->wallet)),
		0);
}

static void test_login_body_refused(void **state)
{
	struct world *w = *state;
	char body[512], zeros[133];

	memset(zeros, '0', sizeof(zeros));
	zeros[132] = 0;
	assert_int_equal(ask_result(w, NULL, HTTP_POST, "/v1/auth/login", "{\"message\":\"x\"}"),
			 ROUTE_E_FIELD);
	assert_int_equal(ask_result(w, NULL, HTTP_POST, "/v1/auth/login",
				    "{\"message\":\"x\",\"signature\":\"0x00\"}"),
			 ROUTE_E_FIELD);
	snprintf(body, sizeof(body), "{\"message\":\"x\",\"signature\":\"%s\"}", zeros);
	assert_int_equal(ask_result(w, NULL, HTTP_POST, "/v1/auth/login", body), ROUTE_E_FIELD);
	zeros[1] = 'x';
	snprintf(body, sizeof(body), "{\"message\":\"x\",\"signature\":\"%s\"}", zeros);
	assert_int_equal(ask_result(w, NULL, HTTP_POST, "/v1/auth/login", body), IAM_E_MESSAGE);
}

/* ---- two at once ---- */

struct racer {
	struct world *world;
	pthread_barrier_t *start;
	const char *path, *body;
	struct arena *arena;
	int result;
	pthread_t thread;
};

static void *race(void *arg)
{
	struct racer *racer = arg;
	struct world own = *racer->world;
	struct call call;

	own.arena = racer->arena;
	pthread_barrier_wait(racer->start);
	call = ask(&own, NULL, HTTP_POST, racer->path, racer->body);
	racer->result = call.result;
	json_decref(call.reply.body);
	return NULL;
}

/* How many of two simultaneous requests were taken; the other's outcome must be @refusal. */
static int race_two(struct world *w, const char *path, const char *body, int refusal)
{
	struct racer racers[2];
	pthread_barrier_t start;
	int taken = 0;

	pthread_barrier_init(&start, NULL, 2);
	for (int i = 0; i < 2; i++) {
		racers[i] = (struct racer){ w, &start, path, body };
		assert_int_equal(arena_new(1 << 20, &racers[i].arena), 0);
		pthread_create(&racers[i].thread, NULL, race, &racers[i]);
	}
	for (int i = 0; i < 2; i++) {
		pthread_join(racers[i].thread, NULL);
		arena_free(racers[i].arena);
		taken += racers[i].result == 0;
		if (racers[i].result != 0)
			assert_int_equal(racers[i].result, refusal);
	}
	pthread_barrier_destroy(&start);
	return taken;
}

static void test_nonce_raced(void **state)
{
	struct world *w = *state;

	for (int i = 0; i < 20; i++)
		assert_int_equal(race_two(w, "/v1/auth/login", login_body(w), IAM_E_NONCE), 1);
}

static void test_refresh_raced(void **state)
{
	struct world *w = *state;

	for (int i = 0; i < 20; i++) {
		struct tokens tokens = login(w);

		assert_int_equal(race_two(w, "/v1/auth/refresh", refresh_body(w, tokens.refresh),
					  IAM_E_REFRESH),
				 1);
	}
}

/* ---- sessions ---- */

static void test_refresh_rotates(void **state)
{
	struct world *w = *state;
	struct tokens first = login(w), second;
	struct call call;

	w->clock.ms += 29 * DAY_MS;
	call = ask(w, NULL, HTTP_POST, "/v1/auth/refresh", refresh_body(w, first.refresh));
	second = tokens_of(w, &call);
	assert_string_not_equal(first.refresh, second.refresh);
	assert_memory_equal(first.caller.session, second.caller.session, 16);
	w->clock.ms += 29 * DAY_MS;
	assert_int_equal(refresh_result(w, second.refresh), 0);
}

static void test_refresh_reused(void **state)
{
	struct world *w = *state;
	struct tokens first = login(w), other = login(w), second;
	struct call call = ask(w, NULL, HTTP_POST, "/v1/auth/refresh",
			       refresh_body(w, first.refresh));

	second = tokens_of(w, &call);
	assert_int_equal(refresh_result(w, first.refresh), IAM_E_REFRESH);
	assert_int_equal(refresh_result(w, second.refresh), IAM_E_REFRESH);
	assert_int_equal(refresh_result(w, other.refresh), 0);
}

static void test_refresh_refused(void **state)
{
	struct world *w = *state;
	struct tokens tokens = login(w);

	assert_int_equal(refresh_result(w, "ksr_unknown"), IAM_E_REFRESH);
	w->clock.ms += w->settings.refresh_token_ms;
	assert_int_equal(refresh_result(w, tokens.refresh), IAM_E_REFRESH);
}

static void test_logout(void **state)
{
	struct world *w = *state;
	struct tokens tokens = login(w);
	struct caller by_key = tokens.caller;

	by_key.by_api_key = true;
	assert_int_equal(ask_result(w, &by_key, HTTP_POST, "/v1/auth/logout", "{}"),
			 ROUTE_E_DENIED);
	assert_int_equal(ask_result(w, &tokens.caller, HTTP_POST, "/v1/auth/logout", "{}"), 0);
	assert_int_equal(refresh_result(w, tokens.refresh), IAM_E_REFRESH);
}

static void test_oldest_session_ends(void **state)
{
	struct world *w = *state;
	struct tokens first = login(w), second;

	w->clock.ms += 1;
	second = login(w);
	for (int i = 2; i <= IAM_SESSIONS_MAX; i++) {
		w->clock.ms += 1;
		login(w);
	}
	assert_int_equal(refresh_result(w, first.refresh), IAM_E_REFRESH);
	assert_int_equal(refresh_result(w, second.refresh), 0);
}

/* ---- upkeep and the public rows ---- */

static int count_fn(struct tx *tx, void *arg)
{
	struct sql_rows *rows;
	int r = tx_query(tx,
			 "SELECT (SELECT COUNT(*) FROM iam_nonces) + (SELECT COUNT(*) FROM"
			 " iam_sessions) + (SELECT COUNT(*) FROM iam_refresh_tokens) AS n",
			 SQL_NO_PARAMS, &rows);

	if (r == 0)
		*(int64_t *)arg = rows_int(rows, 0, "n");
	return r;
}

static void test_purge(void **state)
{
	struct world *w = *state;
	int64_t n;

	login(w);
	nonce_get(w);
	run_job(w, "iam-purge");
	assert_int_equal(db_run(w->context.db, TX_READ, w->arena, count_fn, &n), 0);
	assert_int_equal(n, 3);
	w->clock.ms += w->settings.refresh_token_ms;
	run_job(w, "iam-purge");
	assert_int_equal(db_run(w->context.db, TX_READ, w->arena, count_fn, &n), 0);
	assert_int_equal(n, 0);
}

static void test_public_rows(void **state)
{
	struct world *w = *state;
	struct call call = ask(w, NULL, HTTP_GET, "/v1/network", "");
	json_t *key;

	assert_int_equal(call.result, 0);
	assert_string_equal(answer_text(&call, "domain"), w->settings.domain);
	assert_int_equal(json_integer_value(json_object_get(call.reply.body, "chain_id")), 3338);
	json_decref(call.reply.body);
	call = ask(w, NULL, HTTP_GET, "/.well-known/jwks.json", "");
	assert_int_equal(call.result, 0);
	key = json_array_get(json_object_get(call.reply.body, "keys"), 0);
	assert_int_equal(json_string_length(json_object_get(key, "x")), 43);
	assert_string_equal(json_string_value(json_object_get(key, "alg")), "ES256");
	json_decref(call.reply.body);
}

struct count {
	int64_t n;
};

static int count_refresh(struct tx *tx, void *arg)
{
	struct count *count = arg;
	struct sql_rows *rows;
	int r = tx_query(tx, "SELECT COUNT(*) AS n FROM iam_refresh_tokens", SQL_NO_PARAMS, &rows);

	if (r == 0)
		count->n = rows_int(rows, 0, "n");
	return r;
}

/* Somebody who refreshes without end must not fill the store. */
static void test_refresh_bounded(void **state)
{
	struct world *w = *state;
	struct tokens tokens = login(w);
	struct count count;

	for (int i = 0; i < IAM_REFRESH_KEPT + 20; i++) {
		struct call call = ask(w, NULL, HTTP_POST, "/v1/auth/refresh",
				       refresh_body(w, tokens.refresh));

		assert_int_equal(call.result, 0);
		tokens = tokens_of(w, &call);
		w->clock.ms++;
	}
	assert_int_equal(db_run(w->context.db, TX_READ, w->arena, count_refresh, &count), 0);
	assert_int_equal(count.n, IAM_REFRESH_KEPT + 1);
}

/* A fault at any statement takes nothing: the same nonce, the same refresh token work afterwards. */
static void faults_take_nothing(struct world *w, const char *path, const char *body)
{
	int result = -EIO;

	for (unsigned int n = 1; n < 40 && result != 0; n++) {
		db_fault_at(w->context.db, DB_FAULT_COMMIT, 1, -EIO);
		assert_int_equal(ask_result(w, NULL, HTTP_POST, path, body), -EIO);
		db_fault_at(w->context.db, DB_FAULT_COMMIT, 0, 0);
		db_fault_at(w->context.db, DB_FAULT_STATEMENT, n, -EIO);
		result = ask_result(w, NULL, HTTP_POST, path, body);
		db_fault_at(w->context.db, DB_FAULT_STATEMENT, 0, 0);
		if (result != 0)
			assert_int_equal(result, -EIO);
	}
	assert_int_equal(result, 0);
}

static void test_faults(void **state)
{
	struct world *w = *state;
	struct tokens tokens = login(w);

	faults_take_nothing(w, "/v1/auth/login", login_body(w));
	faults_take_nothing(w, "/v1/auth/refresh", refresh_body(w, tokens.refresh));
}

int main(void)
{
	struct CMUnitTest tests[] = {
		WORLD_TEST(test_refresh_bounded),
		WORLD_TEST(test_faults),
		WORLD_TEST(test_login),
		WORLD_TEST(test_nonce_shape_and_limit),
		WORLD_TEST(test_nonce_once),
		WORLD_TEST(test_nonce_unknown_or_expired),
		WORLD_TEST(test_message_refused),
		WORLD_TEST(test_login_body_refused),
		WORLD_TEST(test_nonce_raced),
		WORLD_TEST(test_refresh_raced),
		WORLD_TEST(test_refresh_rotates),
		WORLD_TEST(test_refresh_reused),
		WORLD_TEST(test_refresh_refused),
		WORLD_TEST(test_logout),
		WORLD_TEST(test_oldest_session_ends),
		WORLD_TEST(test_purge),
		WORLD_TEST(test_public_rows),
	};

	return world_run(tests, ARRAY_SIZE(tests));
}
