#include "modules/worker/worker_world.h"

#include <pthread.h>

#include "modules/worker/reports.h"

/* ---- joining ---- */

static void test_a_token_admits_once(void **state)
{
	struct world *world = *state;
	char token[SECRET_TEXT_SIZE];
	struct worker_join joining, other;

	make_token(world, account_of(1), token);
	sign_join(world, token, 0, &joining);
	other = joining;
	other.token = "ksj_unknown";
	assert_int_equal(join(world, &other), WORKER_E_JOIN_TOKEN);
	other = joining;
	other.machine = world->machines[1];
	assert_int_equal(join(world, &other), WORKER_E_SIGNATURE);
	other = joining;
	other.signature[7] ^= 1;
	assert_int_equal(join(world, &other), WORKER_E_SIGNATURE);
	/* A refusal does not use the token up. */
	assert_int_equal(join(world, &joining), 0);
	assert_int_equal(join(world, &joining), WORKER_E_JOIN_TOKEN);
	assert_true(account_equal(row_of(world, 0).owner, account_of(1)));
	assert_int_equal(fleet_count(worker_state.fleet), 1);
}

static int token_fn(struct tx *tx, void *arg)
{
	struct world *world = arg;
	struct worker_token_grant grant;

	return worker_token_make(&world->context, tx, account_of(1), NULL, &grant);
}

static void test_tokens_expire_and_are_counted(void **state)
{
	struct world *world = *state;
	char token[SECRET_TEXT_SIZE];
	struct worker_join joining;

	make_token(world, account_of(1), token);
	sign_join(world, token, 0, &joining);
	world->clock.ms += world->settings.join_token_ms;
	assert_int_equal(join(world, &joining), WORKER_E_JOIN_TOKEN);
	for (int i = 0; i < WORKER_TOKENS_MAX; i++)
		make_token(world, account_of(1), token);
	assert_int_equal(store_run(&world->store, TX_WRITE, token_fn, world), WORKER_E_TOO_MANY);
	sign_join(world, token, 0, &joining);
	assert_int_equal(join(world, &joining), 0);
	assert_int_equal(store_run(&world->store, TX_WRITE, token_fn, world), 0);
}

static void test_a_machine_belongs_to_one_account(void **state)
{
	struct world *world = *state;
	char token[SECRET_TEXT_SIZE];
	struct worker_join joining;

	set_up_machine(world, 0, 1);
	make_token(world, account_of(2), token);
	sign_join(world, token, 0, &joining);
	assert_int_equal(join(world, &joining), WORKER_E_MACHINE_TAKEN);
	make_token(world, account_of(0x77), token);
	sign_join(world, token, 0, &joining);
	joining.name = "again";
	assert_int_equal(join(world, &joining), 0);
	/* What it had and its price stand. */
	assert_int_equal(row_of(world, 0).gpu_hour.micro, 500000);
	assert_int_equal(row_of(world, 0).inventory.gpus, 1);
}

/* ---- inventory ---- */

static void test_implausible_claims_are_refused(void **state _unused_)
{
	Wire__Inventory inventory = WIRE__INVENTORY__INIT;
	Wire__Gpu a = WIRE__GPU__INIT, b = WIRE__GPU__INIT, *gpus[] = { &a, &b };

	inventory.cpu_count = 8;
	inventory.memory_bytes = 1 << 30;
	assert_null(inventory_check(&inventory));
	inventory.cpu_count = 0;
	assert_non_null(inventory_check(&inventory));
	inventory.cpu_count = UINT32_MAX;
	assert_non_null(inventory_check(&inventory));
	inventory.cpu_count = 8;
	inventory.memory_bytes = INT64_MAX;
	assert_non_null(inventory_check(&inventory));
	inventory.memory_bytes = 1 << 30;
	inventory.address = (char *)"gpu-7.example.org";
	assert_null(inventory_check(&inventory));
	inventory.address = (char *)"2001:db8::7";
	assert_null(inventory_check(&inventory));
	inventory.address = (char *)"host/path";
	assert_non_null(inventory_check(&inventory));
	inventory.address = (char *)"-option";
	assert_non_null(inventory_check(&inventory));
	inventory.address = (char *)"";
	inventory.gpus = gpus;
	inventory.n_gpus = 2;
	a.uuid = b.uuid = (char *)"GPU-1";
	assert_string_equal(inventory_check(&inventory), "gpus.uuid is there twice");
	b.uuid = (char *)"";
	assert_non_null(inventory_check(&inventory));
	b.uuid = (char *)"GPU-2";
	assert_null(inventory_check(&inventory));
	b.driver = (char *)"a\nb";
	assert_non_null(inventory_check(&inventory));
}

static void test_a_machine_that_shrinks_has_nothing_free(void **state)
{
	struct world *world = *state;
	struct worker_placement placement;
	struct worker_need need = need_of(2);
	struct fleet_pulse pulse;
	int64_t revision;

	set_up_machine(world, 0, 2);
	need.cpu_milli = 8000;
	assert_int_equal(place(world, 1, &need, &placement), 0);
	assert_int_equal(report_gpus(world, 0, 1, 2), 0);
	assert_int_equal(row_of(world, 0).cpu_milli_used, 8000);
	assert_int_equal(row_of(world, 0).inventory.cpu_milli, 2000);
	need = need_of(1);
	assert_int_equal(place(world, 2, &need, &placement), WORKER_E_NO_CAPACITY);
	/* The GPU that is gone stays taken, and goes with its lease. */
	assert_int_equal(store_number(&world->store, "SELECT COUNT(*) AS n FROM worker_gpus"), 2);
	assert_int_equal(remove_lease(world, 1), 0);
	assert_int_equal(store_number(&world->store, "SELECT COUNT(*) AS n FROM worker_gpus"), 1);
	assert_int_equal(place(world, 2, &need, &placement), 0);
	/* The same report again writes nothing. */
	revision = row_of(world, 0).revision;
	assert_int_equal(report_gpus(world, 0, 1, 2), 0);
	assert_int_equal(row_of(world, 0).revision, revision);
	fleet_pulse_of(worker_state.fleet, world->machines[0], &pulse);
	assert_true(pulse.online);
}

/* ---- placing ---- */

static void test_each_condition_refuses(void **state)
{
	struct world *world = *state;
	struct worker_placement placement;
	struct worker_need need = need_of(1);

	assert_int_equal(place(world, 1, &need, &placement), WORKER_E_NO_CAPACITY);
	set_up_machine(world, 0, 2);
	need.gpu_model = "H100";
	assert_int_equal(place(world, 1, &need, &placement), WORKER_E_NO_CAPACITY);
	need = need_of(3);
	assert_int_equal(place(world, 1, &need, &placement), WORKER_E_NO_CAPACITY);
	need = need_of(0); /* class cpu is for machines without GPUs */
	assert_int_equal(place(world, 1, &need, &placement), WORKER_E_NO_CAPACITY);
	need = need_of(1);
	need.cpu_milli = 8001;
	assert_int_equal(place(world, 1, &need, &placement), WORKER_E_NO_CAPACITY);
	need = need_of(1);
	need.memory_bytes = 16 * GIB + 1;
	assert_int_equal(place(world, 1, &need, &placement), WORKER_E_NO_CAPACITY);
	need = need_of(1);
	need.disk_bytes = INT64_MAX;
	assert_int_equal(place(world, 1, &need, &placement), WORKER_E_NO_CAPACITY);
	need = need_of(2);
	need.max_rate_hour.micro = 999999;
	assert_int_equal(place(world, 1, &need, &placement), WORKER_E_NO_CAPACITY);
	need = need_of(1);
	need.avoid[need.n_avoid++] = world->machines[0];
	assert_int_equal(place(world, 1, &need, &placement), WORKER_E_NO_CAPACITY);
	need = need_of(1);
	need.machine = &world->machines[1];
	assert_int_equal(place(world, 1, &need, &placement), WORKER_E_NO_CAPACITY);
	need = need_of(2);
	need.gpu_model = "rtx4090";
	need.memory_bytes = 16 * GIB;
	need.max_rate_hour.micro = 1000000;
	need.machine = &world->machines[0];
	assert_int_equal(place(world, 1, &need, &placement), 0);
	assert_int_equal(placement.rate_hour.micro, 1000000);
	assert_int_equal(placement.n_gpus, 2);
	assert_string_not_equal(placement.gpus[0], placement.gpus[1]);
	assert_true(account_equal(placement.provider, account_of(0x77)));
}

static void test_cpu_only(void **state)
{
	struct world *world = *state;
	struct worker_need need = need_of(0);
	struct worker_placement placement;

	set_up_machine(world, 0, 0);
	need.cpu_milli = 1001;
	need.max_rate_hour.micro = 20019;
	assert_int_equal(place(world, 1, &need, &placement), WORKER_E_NO_CAPACITY);
	need.max_rate_hour.micro = 20020;
	assert_int_equal(place(world, 1, &need, &placement), 0);
	assert_int_equal(placement.rate_hour.micro, 20020);
	assert_int_equal(placement.n_gpus, 0);
	need = need_of(1);
	assert_int_equal(place(world, 2, &need, &placement), WORKER_E_NO_CAPACITY);
}

static void test_silence_paused_and_removal(void **state)
{
	struct world *world = *state;
	struct worker_need need = need_of(1);
	struct worker_placement placement;

	set_up_machine(world, 0, 1);
	store_exec(&world->store, "UPDATE workers SET paused = 1");
	/* The index does not know; the store refuses, and the index learns. */
	assert_int_equal(place(world, 1, &need, &placement), WORKER_E_NO_CAPACITY);
	assert_int_equal(store_number(&world->store, "SELECT COUNT(lease) AS n FROM worker_gpus"),
			 0);
	store_exec(&world->store, "UPDATE workers SET paused = 0, revision = revision + 1");
	assert_int_equal(worker_fleet_fill(&world->context, world->store.arena), 0);
	world->clock.ms += OFFLINE_MS + 1;
	assert_int_equal(place(world, 1, &need, &placement), WORKER_E_NO_CAPACITY);
	hear(world, 0);
	assert_int_equal(place(world, 1, &need, &placement), 0);
}

static void test_leases_give_back(void **state)
{
	struct world *world = *state;
	struct worker_need need = need_of(2);
	struct worker_placement placement;
	struct worker_row row;

	set_up_machine(world, 0, 2);
	assert_int_equal(place(world, 1, &need, &placement), 0);
	assert_int_equal(start_lease(world, 1), 0);
	assert_int_equal(start_lease(world, 1), WORKER_E_BUSY);
	assert_int_equal(start_lease(world, 9), ROUTE_E_NOT_FOUND);
	row = row_of(world, 0);
	assert_int_equal(row.cpu_milli_used, 1000);
	assert_int_equal(row.leases, 1);
	assert_int_equal(row.generation, 1);
	assert_int_equal(release_lease(world, 1), 0);
	assert_int_equal(release_lease(world, 1), 0);
	row = row_of(world, 0);
	assert_int_equal(row.cpu_milli_used, 0);
	assert_int_equal(row.memory_used, 0);
	assert_int_equal(row.disk_used, GIB); /* the stopped container is kept */
	assert_int_equal(row.leases, 1);
	assert_int_equal(place(world, 2, &need, &placement), 0);
	assert_int_equal(remove_lease(world, 1), 0);
	assert_int_equal(remove_lease(world, 1), 0);
	assert_int_equal(remove_lease(world, 2), 0); /* never started: gone at once */
	row = row_of(world, 0);
	assert_int_equal(row.disk_used, 0);
	assert_int_equal(row.leases, 0);
	assert_int_equal(row.generation, 2);
	assert_int_equal(store_number(&world->store, "SELECT COUNT(*) AS n FROM worker_leases"), 1);
	assert_int_equal(say_nothing_left(world, 0), 0);
	assert_int_equal(store_number(&world->store, "SELECT COUNT(*) AS n FROM worker_leases"), 0);
}

/* ---- trials ---- */

static struct worker_need trial_of(struct world *world, size_t machine)
{
	struct worker_need need = need_of(1);

	need.trial = true;
	need.machine = &world->machines[machine];
	return need;
}

static void assert_untouched(struct world *world, int64_t leases)
{
	struct worker_row row = row_of(world, 0);

	assert_int_equal(row.cpu_milli_used + row.memory_used + row.disk_used, 0);
	assert_int_equal(row.leases, leases);
	assert_int_equal(store_number(&world->store, "SELECT COUNT(lease) AS n FROM worker_gpus"),
			 0);
}

static void test_a_trial_holds_nothing(void **state)
{
	struct world *world = *state;
	struct worker_placement placement;
	struct worker_need need;

	set_up_machine(world, 0, 2);
	need = trial_of(world, 0);
	assert_int_equal(place(world, 1, &need, &placement), 0);
	assert_false(placement.displaces);
	assert_int_equal(placement.rate_hour.micro, 0);
	assert_string_equal(placement.gpus[0], "GPU-0-0");
	assert_int_equal(start_lease(world, 1), 0);
	assert_untouched(world, 1);
	/* Nothing is forgotten when the machine says again what it has. */
	assert_int_equal(report_gpus(world, 0, 2, 7), 0);
	assert_int_equal(store_number(&world->store, "SELECT COUNT(trial) AS n FROM worker_gpus"),
			 1);
	/* One a machine, and only where there is room. */
	assert_int_equal(place(world, 2, &need, &placement), WORKER_E_NO_CAPACITY);
	need.gpus = 2;
	assert_int_equal(place(world, 2, &need, &placement), WORKER_E_NO_CAPACITY);
	assert_int_equal(store_number(&world->store, "SELECT COUNT(*) AS n FROM worker_gpus g JOIN"
						     " workers w ON w.trial = g.trial"),
			 1);
	assert_int_equal(remove_lease(world, 1), 0);
	assert_int_equal(remove_lease(world, 1), 0);
	assert_untouched(world, 0);
	need.gpus = 1;
	need.cpu_milli = 7001;
	assert_int_equal(place(world, 2, &need, &placement), WORKER_E_NO_CAPACITY);
	need = trial_of(world, 0);
	need.gpus = 3;
	assert_int_equal(place(world, 2, &need, &placement), WORKER_E_NO_CAPACITY);
	need.gpus = 2;
	assert_int_equal(place(world, 2, &need, &placement), 0);
	assert_int_equal(release_lease(world, 2), 0);
	assert_int_equal(store_number(&world->store,
				      "SELECT (SELECT COUNT(trial) FROM worker_gpus) +"
				      " (SELECT COUNT(trial) FROM workers) AS n"),
			 0);
}

static void test_a_trial_gives_way(void **state)
{
	struct world *world = *state;
	struct worker_placement placement;
	struct worker_need need;
	struct rental_id displaced = rental_of(1);
	struct worker_row row;

	set_up_machine(world, 0, 1);
	need = trial_of(world, 0);
	assert_int_equal(place(world, 1, &need, &placement), 0);
	assert_int_equal(start_lease(world, 1), 0);
	need = need_of(1);
	need.cpu_milli = 8000;
	need.memory_bytes = 16 * GIB;
	need.disk_bytes = 100 * GIB;
	assert_int_equal(place(world, 2, &need, &placement), 0);
	assert_true(placement.displaces);
	assert_memory_equal(&placement.displaced, &displaced, sizeof(displaced));
	assert_string_equal(placement.gpus[0], "GPU-0-0");
	assert_int_equal(remove_lease(world, 1), 0);
	/* The tenant keeps what both had. */
	row = row_of(world, 0);
	assert_int_equal(row.cpu_milli_used, 8000);
	assert_int_equal(row.leases, 1);
	assert_false(row.tried);
	assert_int_equal(store_number(&world->store, "SELECT COUNT(lease) AS n FROM worker_gpus"),
			 1);
	assert_int_equal(start_lease(world, 2), 0);
	need = trial_of(world, 0);
	assert_int_equal(place(world, 3, &need, &placement), WORKER_E_NO_CAPACITY);
	assert_int_equal(remove_lease(world, 2), 0);
	assert_untouched(world, 0);
}

/* ---- many at once ---- */

enum { THREADS = 16, GPUS = 5 };

struct racer {
	struct world *world;
	uint8_t lease;
	int result;
	struct worker_placement placement;
	pthread_t thread;
};

static int race_fn(struct tx *tx, void *arg)
{
	struct racer *racer = arg;
	struct worker_need need = need_of(1);

	return worker_place(&racer->world->context, tx, lease_of(racer->lease),
			    rental_of(racer->lease), &need, &racer->placement);
}

static void *race(void *arg)
{
	struct racer *racer = arg;
	struct arena *arena;

	if (arena_new(1 << 20, &arena) < 0)
		abort();
	do {
		racer->result = db_run(racer->world->store.db, TX_WRITE, arena, race_fn, racer);
		arena_reset(arena);
	} while (racer->result == -EBUSY);
	arena_free(arena);
	return NULL;
}

static void test_nothing_is_sold_twice(void **state)
{
	struct world *world = *state;
	struct racer racers[THREADS];
	struct worker_placement placement;
	struct worker_need trial;
	int sold = 0;

	set_up_machine(world, 0, 3);
	set_up_machine(world, 1, GPUS - 3);
	trial = trial_of(world, 0);
	assert_int_equal(place(world, THREADS + 1, &trial, &placement), 0);
	for (uint8_t i = 0; i < THREADS; i++) {
		racers[i] = (struct racer){ world, (uint8_t)(i + 1), .result = 1 };
		assert_int_equal(pthread_create(&racers[i].thread, NULL, race, &racers[i]), 0);
	}
	for (int i = 0; i < THREADS; i++)
		assert_int_equal(pthread_join(racers[i].thread, NULL), 0);
	for (int i = 0; i < THREADS; i++) {
		assert_true(racers[i].result == 0 || racers[i].result == WORKER_E_NO_CAPACITY);
		sold += racers[i].result == 0;
		for (int k = 0; racers[i].result == 0 && k < i; k++)
			assert_true(racers[k].result != 0 ||
				    strcmp(racers[k].placement.gpus[0],
					   racers[i].placement.gpus[0]) != 0);
	}
	assert_int_equal(sold, GPUS);
	assert_int_equal(remove_lease(world, THREADS + 1), 0);
	assert_int_equal(row_of(world, 0).cpu_milli_used + row_of(world, 1).cpu_milli_used,
			 GPUS * 1000);
	assert_int_equal(store_number(&world->store, "SELECT COUNT(*) AS n FROM worker_leases"),
			 GPUS);
}

/* ---- reports ---- */

static void placed(struct world *world, uint8_t lease)
{
	struct worker_need need = need_of(1);
	struct worker_placement placement;

	assert_int_equal(place(world, lease, &need, &placement), 0);
	assert_int_equal(start_lease(world, lease), 0);
}

static enum worker_phase phase_of(struct world *world, uint8_t lease)
{
	struct worker_actual actual;

	assert_int_equal(actual_of(world, lease, &actual), 0);
	return actual.phase;
}

static void test_reports_only_move_forwards(void **state)
{
	struct world *world = *state;
	struct rental_id changed[16];
	struct worker_actual actual;

	set_up_machine(world, 0, 1);
	set_up_machine(world, 1, 0);
	placed(world, 1);
	assert_int_equal(phase_of(world, 1), WORKER_PHASE_NONE);
	assert_int_equal(take_changes(world, changed), 0);
	assert_int_equal(say(world, 0, 1, 2, WORKER_PHASE_RUNNING, ""), 0); /* never sent */
	assert_int_equal(say(world, 1, 1, 1, WORKER_PHASE_RUNNING, ""), 0); /* not its lease */
	assert_int_equal(say(world, 0, 9, 1, WORKER_PHASE_RUNNING, ""), 0);
	assert_int_equal(phase_of(world, 1), WORKER_PHASE_NONE);
	assert_int_equal(say(world, 0, 1, 1, WORKER_PHASE_RUNNING, ""), 0);
	assert_int_equal(take_changes(world, changed), 1);
	assert_true(rental_id_equal(changed[0], rental_of(1)));
	assert_int_equal(say(world, 0, 1, 1, WORKER_PHASE_RUNNING, ""), 0); /* nothing new */
	assert_int_equal(take_changes(world, changed), 0);
	assert_int_equal(say(world, 0, 1, 1, WORKER_PHASE_PULLING, ""), 0); /* backwards */
	assert_int_equal(phase_of(world, 1), WORKER_PHASE_RUNNING);
	assert_int_equal(want_lease(world, 1, WORKER_STOP), 0);
	assert_int_equal(want_lease(world, 1, WORKER_STOP), 0);
	assert_int_equal(row_of(world, 0).generation, 2);
	assert_int_equal(say(world, 0, 1, 2, WORKER_PHASE_STOPPING, ""), 0);
	assert_int_equal(say(world, 0, 1, 1, WORKER_PHASE_FAILED, "start_failed"), 0); /* older */
	assert_int_equal(phase_of(world, 1), WORKER_PHASE_STOPPING);
	assert_int_equal(say(world, 0, 1, 2, WORKER_PHASE_EXITED, "stopped"), 0);
	assert_int_equal(actual_of(world, 1, &actual), 0);
	assert_int_equal(actual.phase, WORKER_PHASE_EXITED);
	assert_int_equal(actual.n_ports, 1);
	assert_int_equal(actual.ports[0].container, 80);
	assert_int_equal(actual.ports[0].host, 32768);
	/* A complete report without a lease that stays says nothing of it. */
	assert_int_equal(say_nothing_left(world, 0), 0);
	assert_int_equal(phase_of(world, 1), WORKER_PHASE_EXITED);
	assert_int_equal(actual_of(world, 9, &actual), ROUTE_E_NOT_FOUND);
}

static void test_quality_follows_what_machines_do(void **state)
{
	struct world *world = *state;
	int64_t before, risen;

	set_up_machine(world, 0, 2);
	placed(world, 1);
	placed(world, 2);
	before = row_of(world, 0).quality;
	assert_int_equal(say(world, 0, 1, 1, WORKER_PHASE_RUNNING, ""), 0);
	risen = row_of(world, 0).quality;
	assert_true(risen > before);
	assert_int_equal(say(world, 0, 2, 1, WORKER_PHASE_FAILED, WIRE_REASON_ENGINE_DOWN), 0);
	assert_true(row_of(world, 0).quality < before);
}

/* ---- liveness ---- */

static void live(struct world *world)
{
	assert_int_equal(worker_liveness(&world->context, world->store.arena), 0);
	arena_reset(world->store.arena);
}

static void test_silence_loses_and_a_heartbeat_returns(void **state)
{
	struct world *world = *state;
	struct rental_id changed[16];
	struct worker_actual actual;

	set_up_machine(world, 0, 1);
	placed(world, 1);
	live(world);
	assert_int_equal(row_of(world, 0).seen_at_ms, world->clock.ms);
	world->clock.ms += OFFLINE_MS + 1;
	live(world);
	assert_int_equal(actual_of(world, 1, &actual), 0);
	assert_false(actual.online);
	assert_false(actual.lost);
	assert_int_equal(take_changes(world, changed), 0);
	world->clock.ms += LOST_MS - OFFLINE_MS;
	live(world);
	assert_true(row_of(world, 0).lost);
	assert_int_equal(take_changes(world, changed), 1);
	assert_int_equal(actual_of(world, 1, &actual), 0);
	assert_true(actual.lost);
	live(world);
	assert_int_equal(take_changes(world, changed), 0);
	hear(world, 0);
	live(world);
	assert_false(row_of(world, 0).lost);
	assert_int_equal(take_changes(world, changed), 1);
	assert_int_equal(actual_of(world, 1, &actual), 0);
	assert_true(actual.online);
}

/* The server was away for hours; the machines get as long as ever to be heard again. */
static void test_a_restart_gives_grace(void **state)
{
	struct world *world = *state;
	struct rental_id changed[16];
	struct worker_actual actual;

	set_up_machine(world, 0, 1);
	placed(world, 1);
	live(world);
	world->clock.ms += 100 * LOST_MS;
	world_restart(world);
	live(world);
	assert_int_equal(actual_of(world, 1, &actual), 0);
	assert_false(actual.lost);
	world->clock.ms += LOST_MS - 1;
	live(world);
	assert_int_equal(take_changes(world, changed), 0);
	world->clock.ms += 2;
	live(world);
	assert_int_equal(take_changes(world, changed), 1);
	assert_int_equal(actual_of(world, 1, &actual), 0);
	assert_true(actual.lost);
	/* Another restart takes nothing back before the machine is heard. */
	world_restart(world);
	live(world);
	assert_true(row_of(world, 0).lost);
}

static void test_a_restart_fills_the_index(void **state)
{
	struct world *world = *state;
	struct worker_need need = need_of(1);
	struct worker_placement placement;

	set_up_machine(world, 0, 1);
	set_up_machine(world, 1, 0);
	world_restart(world);
	assert_int_equal(fleet_count(worker_state.fleet), 2);
	assert_int_equal(place(world, 1, &need, &placement), WORKER_E_NO_CAPACITY);
	hear(world, 0);
	assert_int_equal(place(world, 1, &need, &placement), 0);
}

/* ---- a store that fails ---- */

static void test_a_fault_takes_nothing(void **state)
{
	struct world *world = *state;
	struct worker_need need = need_of(1);
	struct worker_placement placement;
	unsigned int n;

	set_up_machine(world, 0, 2);
	for (n = 1; n < 20; n++) {
		db_fault_at(world->store.db, DB_FAULT_STATEMENT, n, -EIO);
		if (place(world, 1, &need, &placement) == 0)
			break;
		db_fault_at(world->store.db, DB_FAULT_STATEMENT, 0, 0);
		assert_int_equal(row_of(world, 0).cpu_milli_used, 0);
		assert_int_equal(
			store_number(&world->store, "SELECT COUNT(lease) AS n FROM worker_gpus"),
			0);
	}
	assert_in_range(n, 3, 19);
	db_fault_at(world->store.db, DB_FAULT_STATEMENT, 0, 0);
	db_fault_at(world->store.db, DB_FAULT_COMMIT, 1, -EIO);
	assert_int_equal(place(world, 2, &need, &placement), -EIO);
	assert_int_equal(row_of(world, 0).cpu_milli_used, 1000);
	assert_int_equal(place(world, 2, &need, &placement), 0);
}

static int remove_fn(struct tx *tx, void *arg)
{
	struct world *world = arg;
	struct worker_row row;
	int r = worker_of(tx, account_of(0x77), world->machines[0], &row);

	return r != 0 ? r : worker_remove(&world->context, tx, &row);
}

static int foreign_fn(struct tx *tx, void *arg)
{
	struct world *world = arg;
	struct worker_row row;

	return worker_of(tx, account_of(0x78), world->machines[0], &row);
}

static void test_a_machine_goes_when_it_holds_nothing(void **state)
{
	struct world *world = *state;

	set_up_machine(world, 0, 1);
	placed(world, 1);
	assert_int_equal(store_run(&world->store, TX_READ, foreign_fn, world), ROUTE_E_NOT_FOUND);
	assert_int_equal(store_run(&world->store, TX_WRITE, remove_fn, world), WORKER_E_BUSY);
	assert_int_equal(remove_lease(world, 1), 0);
	assert_int_equal(store_run(&world->store, TX_WRITE, remove_fn, world), 0);
	assert_int_equal(store_number(&world->store, "SELECT COUNT(*) AS n FROM worker_leases"), 0);
	assert_int_equal(fleet_count(worker_state.fleet), 0);
	assert_int_equal(store_run(&world->store, TX_WRITE, remove_fn, world), ROUTE_E_NOT_FOUND);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WORLD_TEST(test_a_token_admits_once),
		WORLD_TEST(test_tokens_expire_and_are_counted),
		WORLD_TEST(test_a_machine_belongs_to_one_account),
		WORLD_TEST(test_implausible_claims_are_refused),
		WORLD_TEST(test_a_machine_that_shrinks_has_nothing_free),
		WORLD_TEST(test_each_condition_refuses),
		WORLD_TEST(test_cpu_only),
		WORLD_TEST(test_silence_paused_and_removal),
		WORLD_TEST(test_a_trial_holds_nothing),
		WORLD_TEST(test_a_trial_gives_way),
		WORLD_TEST(test_leases_give_back),
		WORLD_TEST(test_nothing_is_sold_twice),
		WORLD_TEST(test_reports_only_move_forwards),
		WORLD_TEST(test_quality_follows_what_machines_do),
		WORLD_TEST(test_silence_loses_and_a_heartbeat_returns),
		WORLD_TEST(test_a_restart_gives_grace),
		WORLD_TEST(test_a_restart_fills_the_index),
		WORLD_TEST(test_a_fault_takes_nothing),
		WORLD_TEST(test_a_machine_goes_when_it_holds_nothing),
	};

	return world_run(tests, ARRAY_SIZE(tests));
}
