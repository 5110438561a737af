#include "modules/service/service.h"

#include "modules/service/service_world.h"

static const struct world_report running = { WORKER_PHASE_RUNNING, "", 0 };
static const struct world_report exited = { WORKER_PHASE_EXITED, "exited", 0 };
static const struct world_report stopped = { WORKER_PHASE_EXITED, "stopped", 143 };
static const struct world_report engine_down = { WORKER_PHASE_FAILED, "engine_down", 0 };
static const struct world_report no_image = { WORKER_PHASE_FAILED, "image_not_found", 0 };

/* Machines of which no lease holds anything. */
#define FREE "SELECT COUNT(*) AS n FROM workers WHERE cpu_milli_used = 0 AND memory_used = 0"

struct step {
	struct world *world;
	struct machine_id machine;
	int64_t gpus;
	struct rental_id id;
	struct service_probe look;
};

static int begin_fn(struct tx *tx, void *arg)
{
	struct step *step = arg;

	return service_probe_begin(&step->world->context, tx, step->machine, step->gpus, &step->id);
}

static int end_fn(struct tx *tx, void *arg)
{
	struct step *step = arg;

	return service_probe_end(&step->world->context, tx, step->id);
}

static int look_fn(struct tx *tx, void *arg)
{
	struct step *step = arg;

	return service_probe_look(tx, step->id, &step->look);
}

static struct step first_machine(struct world *world)
{
	world->settings.probe_image = "busybox";
	world->settings.probe_deadline_ms = 30000;
	return (struct step){ .world = world, .machine = { *secp_key_address(world->keys[0]) } };
}

static struct step begun(struct world *world)
{
	struct step step = first_machine(world);

	assert_int_equal(world_tx(world, TX_WRITE, begin_fn, &step), 0);
	return step;
}

static void says(struct step *step, const struct world_report *report)
{
	world_report(step->world, step->id, report);
	world_turn(step->world);
	assert_int_equal(world_tx(step->world, TX_READ, look_fn, step), 0);
}

/* Nothing moved, and the machine has all of it back. */
static void assert_gone(struct world *world)
{
	assert_int_equal(world_count(world, "SELECT COUNT(*) AS n FROM billing_postings"), 0);
	assert_int_equal(world_count(world, "SELECT COUNT(*) AS n FROM rentals WHERE kept = 1 OR "
					    "ended_ms IS NULL"),
			 0);
	assert_int_equal(
		world_count(world, "SELECT COUNT(*) AS n FROM worker_leases WHERE removed = 0"), 0);
	world_check(world);
}

static void a_probe_runs_for_nothing_and_is_removed(void **state)
{
	struct world *world = *state;
	struct step step;

	/* Neither price nor proof is asked for. */
	store_exec(&world->store, "UPDATE workers SET core_hour = 0, proved = 0");
	world->settings.proof_required = 1;
	step = begun(world);
	says(&step, &running);
	assert_true(step.look.running);
	world_pass(world, 10000);
	assert_int_equal(world_usage(world, step.id, 1, 10, false), 0);
	assert_int_equal(world_tx(world, TX_WRITE, end_fn, &step), 0);
	assert_int_equal(world_tx(world, TX_WRITE, end_fn, &step), 0);
	says(&step, &stopped);
	assert_true(step.look.ended);
	assert_false(step.look.blamed);
	assert_gone(world);
	assert_int_equal(
		world_count(world, "SELECT COUNT(*) AS n FROM billing_leases WHERE billed = 1"), 0);
	assert_int_equal(world_count(world, "SELECT COUNT(*) AS n FROM events"), 0);
}

static void a_machine_has_one_probe_and_only_where_there_is_room(void **state)
{
	struct world *world = *state;
	struct step step = begun(world);
	struct rental_id rental;

	assert_int_equal(world_tx(world, TX_WRITE, begin_fn, &step), SERVICE_E_NO_CAPACITY);
	assert_int_equal(world_tx(world, TX_WRITE, end_fn, &step), 0);
	assert_gone(world);
	world_credit(world, 1000000000, "much");
	world->cpu_milli = CPUS * 1000 - 99;
	for (int i = 0; i < MACHINES; i++)
		assert_int_equal(world_order(world, 0, &rental), 0);
	assert_int_equal(world_tx(world, TX_WRITE, begin_fn, &step), SERVICE_E_NO_CAPACITY);
	step.machine.address.bytes[0] ^= 1;
	assert_int_equal(world_tx(world, TX_WRITE, begin_fn, &step), SERVICE_E_NO_CAPACITY);
	world_check(world);
}

/* Every machine is rented whole; one of them is being tried. */
static void a_tenant_takes_what_a_probe_holds(void **state)
{
	static const struct world_report *const reports[] = { NULL, &running };
	struct world *world = *state;

	world_credit(world, 1000000000, "much");
	world->cpu_milli = CPUS * 1000;
	for (size_t i = 0; i < ARRAY_SIZE(reports); i++) {
		struct rental_id rentals[MACHINES], none;
		struct step step = begun(world);
		int64_t quality;

		if (reports[i])
			says(&step, reports[i]);
		quality = world_count(world, "SELECT SUM(quality) AS n FROM workers");
		assert_int_equal(world_count(world, FREE), MACHINES);
		for (int k = 0; k < MACHINES; k++)
			assert_int_equal(world_order(world, 0, &rentals[k]), 0);
		assert_int_equal(world_order(world, 0, &none), SERVICE_E_NO_CAPACITY);
		assert_int_equal(world_tx(world, TX_READ, look_fn, &step), 0);
		assert_true(step.look.ended && step.look.yielded);
		assert_false(step.look.blamed);
		assert_string_equal(step.look.reason, "yielded");
		assert_string_equal(step.look.detail, "A tenant rented what it held.");
		/* What its machine says afterwards is nothing to it. */
		world_report(world, step.id, &stopped);
		world_turn(world);
		assert_int_equal(world_count(world, "SELECT SUM(quality) AS n FROM workers"),
				 quality);
		world_check(world);
		for (int k = 0; k < MACHINES; k++)
			assert_int_equal(world_stop(world, rentals[k]), 0);
		world_turn(world);
		assert_int_equal(world_count(world, FREE), MACHINES);
		world_check(world);
	}
}

static void a_probe_needs_the_gpus_that_it_counts(void **state)
{
	struct world *world = *state;
	struct step step = first_machine(world);

	step.gpus = 1;
	assert_int_equal(world_tx(world, TX_WRITE, begin_fn, &step), SERVICE_E_NO_CAPACITY);
	world_check(world);
}

/* Pulling has half an hour; a probe has not. */
static void a_probe_ends_in_time_whatever_happens(void **state)
{
	static const struct world_report pulling = { WORKER_PHASE_PULLING, "", 0 };
	struct world *world = *state;
	struct step step = begun(world);

	says(&step, &pulling);
	world_pass(world, 30000);
	says(&step, &pulling);
	assert_true(step.look.ended && step.look.blamed);
	assert_string_equal(step.look.reason, "term_ended");
	assert_gone(world);
	step = begun(world);
	says(&step, &running);
	world_pass(world, 30000);
	says(&step, &running);
	says(&step, &stopped);
	assert_true(step.look.ended && step.look.blamed);
	assert_gone(world);
}

static void whose_fault_an_end_is(void **state)
{
	struct world *world = *state;
	struct step step = begun(world);

	says(&step, &engine_down);
	assert_true(step.look.ended && step.look.blamed);
	step = begun(world);
	says(&step, &exited);
	assert_true(step.look.ended && step.look.blamed);
	step = begun(world);
	says(&step, &no_image);
	assert_true(step.look.ended);
	assert_false(step.look.blamed);
	assert_gone(world);
}

int probe_tests(void)
{
	const struct CMUnitTest tests[] = {
		WORLD_TEST(a_probe_runs_for_nothing_and_is_removed),
		WORLD_TEST(a_machine_has_one_probe_and_only_where_there_is_room),
		WORLD_TEST(a_tenant_takes_what_a_probe_holds),
		WORLD_TEST(a_probe_needs_the_gpus_that_it_counts),
		WORLD_TEST(a_probe_ends_in_time_whatever_happens),
		WORLD_TEST(whose_fault_an_end_is),
	};

	return world_run(tests, ARRAY_SIZE(tests));
}
