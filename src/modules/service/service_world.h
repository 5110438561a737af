/* service_world.h - what service's tests stand in: a store, a clock that stands still, machines that
 * are heard of but have no agent (the tests report for them), the real worker, billing and logging.
 * Tests run on SQLite in memory and, where KAISAR_TEST_POSTGRES names one, on PostgreSQL. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>

#include "api/settings.h"
#include "io/db_fault.h"
#include "io/db_fixture.h"
#include "modules/service/rental_step.h"
#include "security/secp.h"

#include <cmocka.h>

enum {
	MACHINES = 4,
	CPUS = 8,
	/* 3.6 an hour for each core: 1000 micro-units a second. */
	CORE_HOUR_MICRO = 3600000,
};

#define START_MS 1700000000000ll

struct world {
	struct store store;
	struct db *db; /* the store's */
	struct arena *texts; /* of a request */
	struct clock_fake clock;
	struct random_seeded random;
	struct secp_key *network, *keys[MACHINES];
	struct settings settings;
	struct context context;
	struct account_id tenant, provider;
	bool silent[MACHINES];
	int64_t cpu_milli; /* of the next orders */
};

#define WORLD_TEST(test) cmocka_unit_test_setup_teardown(test, world_open, world_close)

int world_open(void **state);
int world_close(void **state);

/* Runs all on each store; how many failed. */
int world_run(const struct CMUnitTest *tests, size_t n);

/* Runs @fn in a transaction of its own. */
int world_tx(struct world *world, enum tx_mode mode, db_fn *fn, void *arg);

/* Moves the clock in steps in which every machine that is not silent is heard. */
void world_pass(struct world *world, int64_t ms);

void world_silence(struct world *world, struct machine_id machine, bool silent);

void world_credit(struct world *world, int64_t micro, const char *key);

/* A request to the module's route at @path; its status, or the outcome. @query: as JSON. */
struct world_call {
	enum http_method method;
	const char *path;
	struct account_id account;
	const char *param, *json, *query;
};
int world_call(struct world *world, const struct world_call *call, json_t **ret_body);

/* One core, for the tenant; @term_s 0: none. The outcome. */
int world_order(struct world *world, int64_t term_s, struct rental_id *ret_id);
struct rental world_rental(struct world *world, struct rental_id id);

/* What the rental's machine says now. */
struct world_report {
	enum worker_phase phase;
	const char *reason;
	int32_t exit_code;
};
void world_report(struct world *world, struct rental_id id, const struct world_report *report);

/* A record of @seconds since the start, signed by the rental's machine; what billing said. */
int world_usage(struct world *world, struct rental_id id, uint64_t sequence, int64_t seconds,
		bool final);

int world_stop(struct world *world, struct rental_id id);
int world_settle(struct world *world, struct rental_id id);

/* One turn of the job. */
void world_turn(struct world *world);

int64_t world_count(struct world *world, const char *sql);
int64_t world_available(struct world *world);

/* The ledger sums to zero, machines hold what unreleased leases took, the history is legal. */
void world_check(struct world *world);

void assert_state(struct world *world, struct rental_id id, enum rental_state state,
		  enum rental_reason reason);

/* The other files of the test program. */
int model_tests(void);
int probe_tests(void);
