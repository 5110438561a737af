/* iam_world.h - what iam's tests stand in: a store, a clock that stands still, one wallet; and asking
 * the routes as the api does. Each test runs on SQLite in memory and, where KAISAR_TEST_POSTGRES names
 * one, on PostgreSQL. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>

#include "modules/iam/iam.h"

#include <cmocka.h>

#include "api/settings.h"
#include "security/secp.h"
#include "security/siwe.h"
#include "security/token.h"

struct world {
	const char *url;
	struct clock_fake clock;
	struct settings settings;
	struct context context;
	struct es256_key *token_key;
	struct secp_key *wallet;
	struct account_id account;
	struct arena *arena;
};

#define MINUTE_MS INT64_C(60000)
#define DAY_MS (24 * 60 * MINUTE_MS)

int world_open(void **state);
int world_close(void **state);

#define WORLD_TEST(name) cmocka_unit_test_setup_teardown(name, world_open, world_close)

/* Runs all on each store; how many failed. */
int world_run(struct CMUnitTest *tests, size_t n);

/* ---- asking the routes as the api does ---- */

struct call {
	struct world *world;
	const struct route *route;
	struct request request;
	struct reply reply;
	int result;
};

/* @text: the body of a POST or PUT, the query of a GET, the path's parameter of a DELETE. The
 * answer's body is the caller's. */
struct call ask(struct world *w, const struct caller *caller, enum http_method method,
		const char *path, const char *text);

/* The outcome alone. */
int ask_result(struct world *w, const struct caller *caller, enum http_method method,
	       const char *path, const char *text);
const char *answer_text(const struct call *call, const char *name);

/* ---- signing in ---- */

struct siwe_message message_for(struct world *w, const char *nonce);
const char *nonce_get(struct world *w);

/* The body of a login: the message signed by @wallet. */
const char *signed_body(struct world *w, const struct siwe_message *message,
			const struct secp_key *wallet);

/* The same for a good message with a new nonce. */
const char *login_body(struct world *w);

struct tokens {
	char access[TOKEN_MAX + 16], refresh[SECRET_TEXT_SIZE];
	struct caller caller;
};

/* Of an answered login or refresh, which it frees. */
struct tokens tokens_of(struct world *w, struct call *call);
struct tokens login(struct world *w);

void run_job(struct world *w, const char *name);
