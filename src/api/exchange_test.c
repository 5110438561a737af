/* One request's life over real sockets: what faults, reruns and full stores make of it. */
#include "api/api.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cmocka.h>

#include "api/settings.h"
#include "base/log.h"
#include "io/db_fault.h"
#include "io/db_fixture.h"
#include "io/loop.h"
#include "io/migrate.h"
#include "io/pool.h"
#include "io/test_peer.h"

struct stage {
	struct store store;
	struct settings settings;
	struct context context;
	struct api *api;
	pthread_mutex_t quiet;
	pthread_t thread;
	uint16_t port;
	char answer[65536];
};

enum { EACH_RUN_BYTES = 12 << 20 }; /* a try that is run again must not eat the next one's memory */

static atomic_int runs, stumbles, discarded;

/* ---- the routes ---- */

static int add_one(struct tx *tx)
{
	int r = tx_exec(tx, "INSERT INTO counted (n) VALUES (1)", SQL_NO_PARAMS, NULL);

	return r > 0 ? -EIO : r;
}

static int post_count(struct request *request _unused_, struct tx *tx, struct reply *reply)
{
	int n = atomic_fetch_add(&runs, 1), r;

	if (!arena_alloc(tx_arena(tx), EACH_RUN_BYTES))
		return -ENOMEM;
	r = add_one(tx);
	if (r < 0)
		return r;
	reply->status = 201;
	reply->body = json_pack("{s:i}", "run", n);
	if (!reply->body)
		return -ENOMEM;
	/* Asked to run again with a body already there. */
	return atomic_fetch_sub(&stumbles, 1) > 0 ? -EAGAIN : 0;
}

static int get_count(struct request *request _unused_, struct tx *tx, struct reply *reply)
{
	struct sql_rows *rows;
	int r = tx_query(tx, "SELECT COUNT(*) AS n FROM counted", SQL_NO_PARAMS, &rows);

	if (r != 0)
		return r;
	reply->body = json_pack("{s:I}", "n", (json_int_t)rows_int(rows, 0, "n"));
	if (!reply->body)
		return -ENOMEM;
	return atomic_fetch_sub(&stumbles, 1) > 0 ? -EAGAIN : 0;
}

static void *never_opened(const struct context *context _unused_, struct http_conn_id conn _unused_,
			  void *prepared _unused_)
{
	abort();
}

static void discard(void *prepared)
{
	atomic_fetch_add(&discarded, 1);
	free(prepared);
}

static const struct ws_route socket_route = { never_opened, NULL, NULL, discard };

static int get_socket(struct request *request, struct tx *tx _unused_, struct reply *reply _unused_)
{
	void *prepared = malloc(1);

	if (!prepared)
		return -ENOMEM;
	request_prepare(request, prepared);
	return ROUTE_E_DENIED;
}

static const struct route routes[] = {
	{ HTTP_POST, "/count", PERM_ACCOUNT, TX_WRITE, .idempotent = true, .handler = post_count },
	{ HTTP_GET, "/count", PERM_ACCOUNT, TX_READ, .handler = get_count },
	{ HTTP_GET, "/socket", PERM_ACCOUNT, TX_READ, .handler = get_socket, .ws = &socket_route },
	{ 0 },
};

static const struct module module = { .name = "test", .routes = routes };

static int authenticate(const struct context *context _unused_, const char *authorization _unused_,
			struct caller *ret_caller)
{
	*ret_caller = (struct caller){ .known = true, .permissions = UINT32_MAX };
	return 0;
}

/* ---- the stage ---- */

static void *run_loop(void *arg)
{
	if (loop_run(arg) < 0)
		abort();
	return NULL;
}

/* Keeps the server's own jobs from running: their statements would meet the tests' faults. */
static void keep_quiet(void *arg)
{
	struct stage *stage = arg;

	pthread_mutex_lock(&stage->quiet);
	pthread_mutex_unlock(&stage->quiet);
}

static enum store_kind kind_now;

static int set_up(void **state)
{
	static const struct module *const modules[] = { &module };
	struct stage *stage = calloc(1, sizeof(*stage));
	struct context *context = &stage->context;
	struct api_config config = {
		.context = context, .modules = modules, .n_modules = 1, .authenticate = authenticate
	};
	int applied;

	*state = stage;
	store_open(&stage->store, kind_now);
	assert_int_equal(migrate(stage->store.db, migrations, &applied), 0);
	store_exec(&stage->store, "CREATE TABLE counted (n BIGINT)");
	*context = (struct context){ .clock = &clock_system,
				     .random = &random_system,
				     .db = stage->store.db,
				     .settings = &stage->settings };
	assert_int_equal(loop_new(&context->loop), 0);
	/* Few threads, so that what one request leaves behind is found by the next. */
	assert_int_equal(pool_new("people", 4, 64, &context->people), 0);
	assert_int_equal(pool_new("background", 1, 64, &context->background), 0);
	pthread_mutex_init(&stage->quiet, NULL);
	pthread_mutex_lock(&stage->quiet);
	assert_int_equal(pool_submit(context->background, keep_quiet, stage), 0);
	http_server_config_init(&config.http);
	config.http.host = "127.0.0.1";
	assert_int_equal(api_start(&config, &stage->api), 0);
	stage->port = http_server_port(context->http);
	assert_int_equal(pthread_create(&stage->thread, NULL, run_loop, context->loop), 0);
	atomic_store(&runs, 0);
	atomic_store(&stumbles, 0);
	atomic_store(&discarded, 0);
	return 0;
}

static void on_drained(void *arg)
{
	loop_stop(arg);
}

static void drain(void *arg)
{
	struct stage *stage = arg;

	api_drain(stage->api, 2000, on_drained, stage->context.loop);
}

static int tear_down(void **state)
{
	struct stage *stage = *state;
	struct context *context = &stage->context;

	pthread_mutex_unlock(&stage->quiet);
	assert_int_equal(loop_post(context->loop, drain, stage), 0);
	pthread_join(stage->thread, NULL);
	pool_free(context->people);
	pool_free(context->background);
	store_close(&stage->store);
	api_free(stage->api);
	loop_free(context->loop);
	pthread_mutex_destroy(&stage->quiet);
	free(stage);
	return 0;
}

static int ask(struct stage *stage, const char *method, const char *path, const char *headers,
	       const char *body)
{
	char text[4096];
	int fd = test_connect(stage->port), status;

	snprintf(text, sizeof(text),
		 "%s %s HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer x\r\n%sContent-Length: "
		 "%zu\r\nConnection: close\r\n\r\n%s",
		 method, path, headers, strlen(body), body);
	test_send_text(fd, text);
	status = test_read_answer(fd, stage->answer, sizeof(stage->answer));
	close(fd);
	return status;
}

static void expect(const struct stage *stage, const char *part)
{
	if (!strstr(stage->answer, part))
		fail_msg("\"%s\" is not in %s", part, stage->answer);
}

/* ---- tests ---- */

static void problems_say_what_they_are(void **state)
{
	struct stage *stage = *state;

	assert_int_equal(ask(stage, "GET", "/nowhere", "", ""), 404);
	expect(stage, "urn:kaisar:problem:not-found");
	assert_int_equal(ask(stage, "DELETE", "/count", "", ""), 405);
	expect(stage, "urn:kaisar:problem:method-not-allowed");
	expect(stage, "allow: ");
	assert_int_equal(ask(stage, "GET", "/socket", "", ""), 426);
	expect(stage, "urn:kaisar:problem:upgrade-required");
	assert_int_equal(ask(stage, "GET", "/readyz", "", ""), 200);
	expect(stage, "{\"ok\":true}");
}

/* A name that is cut to fit must not be cut within a character. */
static void long_field_names_are_cut_whole(void **state)
{
	struct stage *stage = *state;
	char body[400];

	for (size_t shift = 0; shift < 3; shift++) {
		size_t n = 0;

		n += (size_t)snprintf(body, sizeof(body), "{\"%.*s", (int)shift, "aaa");
		for (int i = 0; i < 100; i++)
			n += (size_t)snprintf(body + n, sizeof(body) - n, "\xe2\x82\xac");
		snprintf(body + n, sizeof(body) - n, "\":1}");
		assert_int_equal(ask(stage, "POST", "/count", "", body), 422);
		expect(stage, "urn:kaisar:problem:invalid-field");
	}
}

static void log_something(void *arg _unused_)
{
	log_info("test.later", log_int("n", 1));
}

/* The thread that handed a write over must not keep its id, which goes with the answer. */
static void a_thread_forgets_its_request(void **state)
{
	struct stage *stage = *state;

	for (int i = 0; i < 20; i++) {
		assert_int_equal(ask(stage, "POST", "/count", "", ""), 201);
		assert_int_equal(pool_submit(stage->context.people, log_something, NULL), 0);
		assert_int_equal(ask(stage, "GET", "/socket", "", ""), 426);
		assert_int_equal(pool_submit(stage->context.people, log_something, NULL), 0);
	}
}

static void runs_again_from_a_clean_reply(void **state)
{
	struct stage *stage = *state;

	atomic_store(&stumbles, 3);
	assert_int_equal(ask(stage, "POST", "/count", "Idempotency-Key: k\r\n", ""), 201);
	expect(stage, "{\"run\":3}");
	assert_int_equal(store_number(&stage->store, "SELECT COUNT(*) AS n FROM counted"), 1);
	assert_int_equal(ask(stage, "POST", "/count", "Idempotency-Key: k\r\n", ""), 201);
	expect(stage, "{\"run\":3}");
	expect(stage, "idempotency-replayed: true");
	atomic_store(&stumbles, 3);
	assert_int_equal(ask(stage, "GET", "/count", "", ""), 200);
	expect(stage, "{\"n\":1}");
	atomic_store(&stumbles, 100);
	assert_int_equal(ask(stage, "POST", "/count", "", ""), 503);
	atomic_store(&stumbles, 0);
	assert_int_equal(store_number(&stage->store, "SELECT COUNT(*) AS n FROM counted"), 1);
}

static void a_fault_anywhere_changes_nothing(void **state)
{
	static const int faults[] = { -EIO, -ENOMEM };
	struct stage *stage = *state;
	int status = 0;

	for (size_t f = 0; f < ARRAY_SIZE(faults); f++) {
		char key[64];

		snprintf(key, sizeof(key), "Idempotency-Key: f%zu\r\n", f);
		for (unsigned int n = 1; n < 20; n++) {
			db_fault_at(stage->store.db, DB_FAULT_STATEMENT, n, faults[f]);
			status = ask(stage, "POST", "/count", key, "");
			db_fault_at(stage->store.db, DB_FAULT_STATEMENT, 0, 0);
			if (status == 201)
				break;
			assert_int_equal(status, 500);
			expect(stage, "urn:kaisar:problem:internal");
			db_fault_at(stage->store.db, DB_FAULT_COMMIT, 1, faults[f]);
			assert_int_equal(ask(stage, "POST", "/count", key, ""), 500);
			db_fault_at(stage->store.db, DB_FAULT_COMMIT, 0, 0);
		}
		assert_int_equal(status, 201);
		assert_int_equal(store_number(&stage->store, "SELECT COUNT(*) AS n FROM counted"),
				 (int)f + 1);
	}
}

static void what_was_prepared_is_discarded(void **state)
{
	struct stage *stage = *state;

	assert_int_equal(ask(stage, "GET", "/socket",
			     "Upgrade: websocket\r\nConnection: Upgrade\r\n"
			     "Sec-WebSocket-Version: 13\r\n"
			     "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n",
			     ""),
			 403);
	assert_int_equal(atomic_load(&discarded), 1);
}

enum { RACERS = 8 };

struct racer {
	struct stage *stage;
	pthread_t thread;
	int status;
	char answer[4096];
};

static void *race(void *arg)
{
	struct racer *racer = arg;
	static const char text[] = "POST /count HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer x\r\n"
				   "Idempotency-Key: race\r\nContent-Length: 0\r\n\r\n";
	int fd = test_connect(racer->stage->port);

	test_send_text(fd, text);
	racer->status = test_read_answer(fd, racer->answer, sizeof(racer->answer));
	close(fd);
	return NULL;
}

/* The same key at once: one does it, the others get its answer. */
static void one_of_many_does_it(void **state)
{
	struct stage *stage = *state;
	struct racer racers[RACERS];
	const char *body;

	for (size_t i = 0; i < RACERS; i++) {
		racers[i].stage = stage;
		assert_int_equal(pthread_create(&racers[i].thread, NULL, race, &racers[i]), 0);
	}
	for (size_t i = 0; i < RACERS; i++)
		pthread_join(racers[i].thread, NULL);
	body = strstr(racers[0].answer, "{\"run\"");
	assert_non_null(body);
	for (size_t i = 0; i < RACERS; i++) {
		assert_int_equal(racers[i].status, 201);
		assert_non_null(strstr(racers[i].answer, body));
	}
	assert_int_equal(store_number(&stage->store, "SELECT COUNT(*) AS n FROM counted"), 1);
}

static int run(enum store_kind kind)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(problems_say_what_they_are, set_up, tear_down),
		cmocka_unit_test_setup_teardown(long_field_names_are_cut_whole, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_thread_forgets_its_request, set_up, tear_down),
		cmocka_unit_test_setup_teardown(runs_again_from_a_clean_reply, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_fault_anywhere_changes_nothing, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(what_was_prepared_is_discarded, set_up, tear_down),
		cmocka_unit_test_setup_teardown(one_of_many_does_it, set_up, tear_down),
	};

	kind_now = kind;
	return cmocka_run_group_tests(tests, NULL, NULL);
}

int main(void)
{
	return store_each(run);
}
