/* billing_world.h - what billing's tests stand in: a store, a clock that stands still, keys of the
 * network and of one machine; and each call of the module in a transaction of its own. Tests run on
 * SQLite in memory and, where KAISAR_TEST_POSTGRES names one, on PostgreSQL. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>

#include "api/settings.h"
#include "io/db_fault.h"
#include "modules/billing/billing_store.h"
#include "security/secp.h"

#include <cmocka.h>

enum { START_MS = 1700000000 * 1000ll, FEE_BASIS_POINTS = 1000 };

struct world {
	const char *url;
	struct db *db;
	struct arena *arena;
	struct clock_fake clock;
	struct random_seeded random;
	struct secp_key *network, *machine, *stranger;
	struct settings settings;
	struct context context;
	struct account_id provider;
};

/* One call of the module in a transaction of its own; returns its result. */
struct call {
	struct world *world;
	int (*fn)(struct tx *tx, struct call *call);
	struct account_id account;
	struct amount amount, ret_amount;
	const char *key;
	struct billing_lease lease;
	struct lease_id id;
	struct usage_statement usage;
	uint8_t signature[SIGNATURE_SIZE], receipt[SIGNATURE_SIZE];
	int64_t ended_at_ms;
	bool billed;
	struct billing_lease_sums sums;
	struct ledger_balances balances;
	struct rental_id rentals[16];
	size_t n;
	const char *problem;
	struct ledger_posting *postings;
	struct billing_record *const *records;
};

int run(struct call *call, enum tx_mode mode);
int credit(struct world *world, struct account_id account, int64_t micro, const char *key);
int deposit(struct world *world, struct account_id account, int64_t micro, const char *key);
int open_lease(struct world *world, const struct billing_lease *lease);
int usage_fn(struct tx *tx, struct call *call);
void sign_usage(const struct secp_key *key, struct call *call);
int report(struct world *world, const struct usage_statement *usage, int64_t *ret_micro);
int close_lease(struct world *world, struct lease_id id, int64_t ended_at_ms, bool billed);
struct billing_lease_sums sums(struct world *world, struct lease_id id);
struct ledger_balances balances(struct world *world, struct account_id account);
size_t take_exhausted(struct world *world, struct rental_id *ret_first);
void assert_balanced(struct world *world);
int64_t network_sum(struct world *world, enum ledger_account account);
size_t count(struct world *world, const char *sql);
size_t postings(struct world *world);
size_t events(struct world *world, const char *type);
struct account_id account_of(uint8_t byte);
struct billing_lease lease_of(struct world *world, uint8_t tenant);
struct usage_statement usage_of(struct world *world, const struct billing_lease *lease,
				uint64_t sequence, int64_t seconds);
int world_open(void **state);
int world_close(void **state);
int credit_fn(struct tx *tx, struct call *call);
int deposit_fn(struct tx *tx, struct call *call);
int open_fn(struct tx *tx, struct call *call);
int close_fn(struct tx *tx, struct call *call);
int take_exhausted_fn(struct tx *tx, struct call *call);
int usage_many_fn(struct tx *tx, struct call *call);

/* Signs and checks. */
void sign_record(const struct secp_key *key, struct billing_record *record);

uint64_t below(struct world *world, uint64_t bound);

/* The rental's, as the API gives it to the tenant; the caller frees it. */
char *bill_of(struct world *world, const struct billing_lease *lease);

/* The call meets a fault at its 1st, 2nd, ... statement, then at its commit, until none is left to
 * meet: each time all or nothing happened. It must post something. */
void fail_everywhere(struct world *world, const struct call *call);

/* Runs all on each store; how many failed. */
int world_run(const struct CMUnitTest *tests, size_t n);

#define WORLD_TEST(test) cmocka_unit_test_setup_teardown(test, world_open, world_close)

/* The other files of the test program. */
int ledger_tests(void);
int model_tests(void);
int usage_tests(void);
int excuse_tests(void);
int routes_tests(void);
int settlement_tests(void);
int leaver_tests(void);
