#include "modules/iam/iam_world.h"

#include <unistd.h>

#include "base/log.h"
#include "io/migrate.h"
#include "modules/iam/iam_rules.h"

/* A schema of its own on PostgreSQL, since other tests use the same server at the same time. */
static int schema_fn(struct tx *tx, void *arg)
{
	return tx_exec(tx, arg, SQL_NO_PARAMS, NULL);
}

static void schema_run(struct world *w, const char *verb, const char *more)
{
	const char *sql = arena_printf(w->arena, "%s SCHEMA iam_test_%d%s", verb, (int)getpid(),
				       more);
	struct db *db;

	assert_non_null(sql);
	assert_int_equal(db_open(w->url, 1, &db), 0);
	assert_int_equal(db_run(db, TX_WRITE, w->arena, schema_fn, (void *)sql), 0);
	db_close(db);
}

static bool on_postgres(const struct world *w)
{
	return strncmp(w->url, "postgres", strlen("postgres")) == 0;
}

static void store_open(struct world *w)
{
	const char *url = w->url;

	if (on_postgres(w)) {
		schema_run(w, "CREATE", "");
		url = arena_printf(w->arena, "%s%coptions=-csearch_path%%3Diam_test_%d", url,
				   strchr(url, '?') ? '&' : '?', (int)getpid());
		assert_non_null(url);
	}
	assert_int_equal(db_open(url, 4, &w->context.db), 0);
	assert_int_equal(migrate(w->context.db, migrations, NULL), 0);
}

int world_open(void **state)
{
	struct world *w = *state;

	clock_fake_init(&w->clock, INT64_C(1795000000000));
	assert_int_equal(arena_new(64 << 20, &w->arena), 0);
	assert_int_equal(es256_key_generate(&w->token_key), 0);
	assert_int_equal(secp_key_generate(&random_system, &w->wallet), 0);
	w->account.address = *secp_key_address(w->wallet);
	w->settings = (struct settings){
		.domain = "127.0.0.1:7070",
		.url = "http://127.0.0.1:7070",
		.chain_id = 3338,
		.issuer = "http://127.0.0.1:7070",
		.token_key = w->token_key,
		.access_token_ms = 15 * MINUTE_MS,
		.refresh_token_ms = 30 * DAY_MS,
		.nonce_ms = 5 * MINUTE_MS,
	};
	w->context = (struct context){
		.clock = &w->clock.clock,
		.random = &random_system,
		.settings = &w->settings,
	};
	store_open(w);
	return 0;
}

int world_close(void **state)
{
	struct world *w = *state;

	db_close(w->context.db);
	if (on_postgres(w))
		schema_run(w, "DROP", " CASCADE");
	secp_key_free(w->wallet);
	es256_key_free(w->token_key);
	arena_free(w->arena);
	return 0;
}

/* ---- asking the routes ---- */

static int call_fn(struct tx *tx, void *arg)
{
	struct call *call = arg;

	json_decref(call->reply.body);
	call->reply = (struct reply){ 0 };
	return call->route->handler(&call->request, tx, &call->reply);
}

static const struct route *find_route(enum http_method method, const char *path)
{
	for (const struct route *row = iam_module.routes; row->handler; row++)
		if (row->method == method && strcmp(row->path, path) == 0)
			return row;
	fail_msg("no such route: %s", path);
	return NULL;
}

static const void *decode(struct call *call, const struct body_shape *shape, const char *text,
			  bool is_query, struct arena *arena)
{
	struct field_error *error = &call->reply.error;
	void *to = arena_alloc(arena, shape->size ? shape->size : 1);

	assert_non_null(to);
	if (!shape->fields)
		return NULL;
	call->result = is_query ? field_decode_query(text, strlen(text), shape->fields, arena, to,
						     error)
				: field_decode(text, strlen(text), shape->fields, arena, to, error);
	return to;
}

struct call ask(struct world *w, const struct caller *caller, enum http_method method,
		const char *path, const char *text)
{
	const struct route *route = find_route(method, path);
	struct call call = { .world = w, .route = route };
	bool has_body = method == HTTP_POST || method == HTTP_PUT;

	call.request = (struct request){ .context = &w->context,
					 .arena = w->arena,
					 .peer = "192.0.2.1",
					 .now_ms = w->clock.ms };
	if (caller)
		call.request.caller = *caller;
	call.request.params[0] = text;
	call.request.body = decode(&call, &route->body, has_body ? text : "{}", false, w->arena);
	if (call.result == 0)
		call.request.query = decode(&call, &route->query, method == HTTP_GET ? text : "",
					    true, w->arena);
	if (call.result > 0)
		call.result = ROUTE_E_FIELD;
	else if (route->tx == TX_NONE)
		call.result = call_fn(NULL, &call);
	else
		call.result = db_run(w->context.db, route->tx, w->arena, call_fn, &call);
	return call;
}

int ask_result(struct world *w, const struct caller *caller, enum http_method method,
	       const char *path, const char *text)
{
	struct call call = ask(w, caller, method, path, text);

	json_decref(call.reply.body);
	return call.result;
}

const char *answer_text(const struct call *call, const char *name)
{
	const char *text = json_string_value(json_object_get(call->reply.body, name));

	assert_non_null(text);
	return text;
}

/* ---- signing in ---- */

struct siwe_message message_for(struct world *w, const char *nonce)
{
	return (struct siwe_message){
		.domain = w->settings.domain,
		.address = w->account.address,
		.uri = w->settings.url,
		.version = "1",
		.chain_id = w->settings.chain_id,
		.nonce = nonce,
		.issued_at_ms = w->clock.ms,
	};
}

const char *nonce_get(struct world *w)
{
	struct call call = ask(w, NULL, HTTP_POST, "/v1/auth/nonce", "{}");
	const char *text;

	assert_int_equal(call.result, 0);
	assert_int_equal(call.reply.status, 201);
	text = arena_printf(w->arena, "%s", answer_text(&call, "nonce"));
	assert_non_null(text);
	json_decref(call.reply.body);
	return text;
}

const char *signed_body(struct world *w, const struct siwe_message *message,
			const struct secp_key *wallet)
{
	uint8_t digest[32], signature[SECP_SIGNATURE_SIZE];
	char hex[2 * SECP_SIGNATURE_SIZE + 1] = "";
	const char *text, *copy;
	json_t *body;
	char *json;

	assert_int_equal(siwe_write(message, w->arena, &text), 0);
	assert_int_equal(eip191_digest(text, strlen(text), digest), 0);
	assert_int_equal(secp_sign(wallet, digest, signature), 0);
	for (size_t i = 0; i < sizeof(signature); i++)
		snprintf(hex + 2 * i, 3, "%02x", signature[i]);
	body = json_pack("{s:s, s:s+}", "message", text, "signature", "0x", hex);
	json = json_dumps(body, JSON_COMPACT);
	copy = arena_printf(w->arena, "%s", json);
	free(json);
	json_decref(body);
	assert_non_null(copy);
	return copy;
}

const char *login_body(struct world *w)
{
	struct siwe_message message = message_for(w, nonce_get(w));

	return signed_body(w, &message, w->wallet);
}

struct tokens tokens_of(struct world *w, struct call *call)
{
	struct tokens tokens;

	assert_int_equal(call->result, 0);
	snprintf(tokens.access, sizeof(tokens.access), "Bearer %s",
		 answer_text(call, "access_token"));
	snprintf(tokens.refresh, sizeof(tokens.refresh), "%s", answer_text(call, "refresh_token"));
	json_decref(call->reply.body);
	assert_int_equal(iam_authenticate(&w->context, tokens.access, &tokens.caller), 0);
	return tokens;
}

struct tokens login(struct world *w)
{
	struct call call = ask(w, NULL, HTTP_POST, "/v1/auth/login", login_body(w));

	return tokens_of(w, &call);
}

void run_job(struct world *w, const char *name)
{
	const struct job *job = iam_module.jobs;

	while (job->name && strcmp(job->name, name) != 0)
		job++;
	assert_non_null(job->name);
	assert_int_equal(job->run(&w->context, w->arena), 0);
}

int world_run(struct CMUnitTest *tests, size_t n)
{
	const char *urls[] = { "sqlite::memory:", getenv("KAISAR_TEST_POSTGRES") };
	struct world world = { 0 };
	int failed = 0;

	log_init(false, LOG_WARN);
	for (size_t u = 0; u < ARRAY_SIZE(urls) && urls[u]; u++) {
		world.url = urls[u];
		print_message("on %.8s\n", world.url);
		for (size_t i = 0; i < n; i++)
			tests[i].initial_state = &world;
		failed += _cmocka_run_group_tests("iam", tests, n, NULL, NULL);
	}
	return failed;
}
