/* rewards_world.h - what the module's tests stand in: a store, a clock that stands still, and machines,
 * checkers, leases and reports written straight into it. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>

#include "api/settings.h"
#include "io/db_fault.h"
#include "io/db_fixture.h"
#include "modules/rewards/closing.h"
#include "modules/worker/worker.h"

#include <cmocka.h>

#define WORLD_EPOCH_MS INT64_C(86400000)
#define WORLD_NUMBER INT64_C(20000)
#define WORLD_FROM_MS (WORLD_NUMBER * WORLD_EPOCH_MS)

struct world {
	struct store store;
	struct clock_fake clock;
	struct settings settings;
	struct context context;
};

/* A machine: 64 cores, 256 GB, 2000 GB, with a proved host of 900 / 700 Mb/s. */
struct rig {
	uint8_t id;
	enum worker_standing_state host, gpu; /* one GPU, of 10000 thousandths */
	int64_t job_seconds, hours; /* up, from the one before the world's epoch on */
	bool own_job; /* the owner is its tenant */
	bool boasts; /* proofs bear out 40 of its 64 cores, half its memory, 500 GB of disk */
};

/* The store of the group's kind, empty. */
int world_open(void **state);
int world_close(void **state);
/* Runs all on each store; how many failed. */
int world_run(const struct CMUnitTest *tests, size_t n);
#define WORLD_TEST(test) cmocka_unit_test_setup_teardown(test, world_open, world_close)

void add_rig(struct world *world, const struct rig *rig);
/* Hours of the world's epoch in which the machine is what it is now, and which are up, or not. */
void add_hours(struct world *world, uint8_t id, int64_t first, int64_t n, bool up);
void prove_gpu(struct world *world, uint8_t id);
void set_owner(struct world *world, uint8_t id, uint8_t owner);
/* The machine's one lease was there in these hours, and is closed. */
void set_job_time(struct world *world, uint8_t id, int64_t first, int64_t n);
/* The machine's one lease has come to so many seconds. */
void set_job_seconds(struct world *world, uint8_t id, int64_t seconds);
void add_checker(struct world *world, uint8_t id, int64_t valid, int64_t wrong, bool banned);

/* Nothing of rewards is left; the clock is at the world's epoch again. */
void forget(struct world *world);
/* Steps until nothing is due; a fault is taken as a death, after which the next step goes on: gives how
 * many there were. */
size_t settle(struct world *world);
struct epoch_row row_of(struct world *world, int64_t number);
/* A whole text; the caller frees it. */
char *text_of(struct world *world, int64_t number, enum epoch_text_kind kind);

struct account_id account_of(uint8_t id); /* whose machine or checker @id is */
