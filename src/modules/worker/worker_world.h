/* worker_world.h - what the module's tests stand in: a store, a clock that stands still, keys of a few
 * machines, and the module started on them; each call of the module in a transaction of its own. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>

#include "api/settings.h"
#include "io/db_fault.h"
#include "io/db_fixture.h"
#include "modules/worker/lease_store.h"
#include "modules/worker/worker_rules.h"
#include "modules/worker/worker_state.h"
#include "security/secp.h"
#include "wire/wire.h"

#include <cmocka.h>

enum { MACHINES = 4, OFFLINE_MS = 30000, LOST_MS = 120000 };

static const int64_t GIB = 1LL << 30;

struct world {
	struct store store;
	struct clock_fake clock;
	struct random_seeded random;
	struct secp_key *network, *keys[MACHINES];
	struct machine_id machines[MACHINES];
	struct settings settings;
	struct context context;
};

/* The store of the group's kind, migrated; the module started. */
int world_open(void **state);
int world_close(void **state);

/* Runs all on each store; how many failed. */
int world_run(const struct CMUnitTest *tests, size_t n);

#define WORLD_TEST(test) cmocka_unit_test_setup_teardown(test, world_open, world_close)

/* Stops the module and starts it again, as a restart of the process would. */
void world_restart(struct world *world);

struct account_id account_of(uint8_t byte);
struct lease_id lease_of(uint8_t byte);
struct rental_id rental_of(uint8_t byte);

/* A token of @account, 64 bytes; aborts. */
void make_token(struct world *world, struct account_id account, char ret_token[static 64]);
void sign_join(struct world *world, const char *token, size_t machine,
	       struct worker_join *ret_join);
int join(struct world *world, const struct worker_join *join);

/* Machine @machine has joined for account 0x77, priced, with @gpus RTX 4090, 8 cores, 16 GiB, 100 GiB,
 * and is heard. */
void set_up_machine(struct world *world, size_t machine, size_t gpus);
void hear(struct world *world, size_t machine);
int report_gpus(struct world *world, size_t machine, size_t gpus, uint32_t cpus);
struct worker_row row_of(struct world *world, size_t machine);

/* One GPU (or none), one core, 1 GiB each. */
struct worker_need need_of(int64_t gpus);
int place(struct world *world, uint8_t lease, const struct worker_need *need,
	  struct worker_placement *ret_placement);
int start_lease(struct world *world, uint8_t lease);
int want_lease(struct world *world, uint8_t lease, enum worker_want want);
int release_lease(struct world *world, uint8_t lease);
int remove_lease(struct world *world, uint8_t lease);
int actual_of(struct world *world, uint8_t lease, struct worker_actual *ret_actual);
size_t take_changes(struct world *world, struct rental_id ret_rentals[static 16]);

/* What the machine says of one lease; @complete: of all. */
int say(struct world *world, size_t machine, uint8_t lease, int64_t generation,
	enum worker_phase phase, const char *reason);
int say_nothing_left(struct world *world, size_t machine);
