/* model_test.c - rentals under random reports, stops, empty balances, silences, jumps in time,
 * restarts and probes, held after each against what a plain reference allows. */
#include "modules/service/service_world.h"

#include "modules/service/service.h"
#include "modules/worker/worker_state.h"

enum { RENTALS = 3, STEPS = 60, RUNS = 40, RUNS_SLOW = 2 };

/* What happened to one rental, as a bystander would note it. */
struct notes {
	bool ordered;
	struct rental_id id;
	bool stop, broke, ran; /* ran: running was reported of the attempt that counts */
	bool exited, oom, image_missing, failed, waited, silent;
	int64_t started_ms;
	uint64_t sequence;
	bool ended;
	enum rental_state end;
};

/* One of a machine, which goes on until it ends or a tenant comes. */
struct probe {
	bool begun, ended;
	struct rental_id id;
	int64_t tenants; /* that the machine had before */
};

struct model {
	struct world *world;
	struct notes notes[RENTALS];
	struct probe probes[MACHINES];
	size_t machine; /* that a probe is for */
	unsigned int keys;
};

static unsigned int below(struct model *model, unsigned int bound)
{
	uint64_t value;

	assert_int_equal(random_below(&model->world->random.random, bound, &value), 0);
	return (unsigned int)value;
}

/* ---- the reference: which ends what happened allows ---- */

static bool end_allowed(const struct notes *notes, const struct rental *rental)
{
	switch (rental->reason) {
	case RENTAL_STOPPED_BY_TENANT:
		return notes->stop && rental->state == RENTAL_STOPPED;
	case RENTAL_BALANCE_EXHAUSTED:
		return notes->broke && rental->state == RENTAL_STOPPED;
	case RENTAL_EXITED:
		return notes->exited && rental->state == RENTAL_STOPPED;
	case RENTAL_OUT_OF_MEMORY:
		return notes->oom;
	case RENTAL_IMAGE_NOT_FOUND:
		return notes->image_missing && rental->state == RENTAL_FAILED &&
		       !rental_ran(rental);
	case RENTAL_WORKER_LOST:
		return notes->silent &&
		       rental->state == (rental_ran(rental) ? RENTAL_LOST : RENTAL_FAILED);
	case RENTAL_PULL_FAILED:
	case RENTAL_START_FAILED:
		return notes->failed && rental->state == RENTAL_FAILED;
	case RENTAL_CONTAINER_GONE:
		return notes->failed && rental->state == RENTAL_FAILED;
	case RENTAL_PLACE_TIMEOUT:
	case RENTAL_PULL_TIMEOUT:
	case RENTAL_START_TIMEOUT:
		return notes->waited && rental->state == RENTAL_FAILED && !rental_ran(rental);
	case RENTAL_STOP_TIMEOUT:
		return notes->waited && (notes->stop || notes->broke) && rental_ran(rental);
	default:
		return false;
	}
}

static void check_rental(struct model *model, struct notes *notes)
{
	struct rental rental = world_rental(model->world, notes->id);

	assert_true(rental.attempts >= 1 && rental.attempts <= RENTAL_ATTEMPTS_MAX);
	if (notes->ended) {
		/* An end is an end. */
		assert_int_equal(rental.state, notes->end);
		return;
	}
	if (!rental_ended(&rental))
		return;
	notes->ended = true;
	notes->end = rental.state;
	if (!end_allowed(notes, &rental))
		fail_msg("%s for %s, which nothing that happened explains",
			 rental_moves.names[rental.state], rental_reason_row(rental.reason)->name);
	if (!rental_reason_row(rental.reason)->retried || rental_ran(&rental))
		return;
	/* It gave up only after three attempts, or where no other machine was left in time. */
	assert_true(rental.attempts == RENTAL_ATTEMPTS_MAX || notes->waited);
}

/* Attempts of tenants on the machine, ever. */
static int64_t tenants_of(struct model *model, size_t machine)
{
	char sql[256], text[ADDRESS_TEXT_SIZE];

	address_text(secp_key_address(model->world->keys[machine]), text);
	snprintf(sql, sizeof(sql),
		 "SELECT COUNT(*) AS n FROM rental_attempts a JOIN rentals r ON r.id = a.rental"
		 " WHERE r.probe = 0 AND %s = lower('%s')",
		 model->world->store.kind == STORE_POSTGRES ? "encode(a.machine, 'hex')"
							    : "lower(hex(a.machine))",
		 text + 2);
	return world_count(model->world, sql);
}

/* A probe yields when a tenant comes to its machine, and only then. */
static void check_probe(struct model *model, size_t machine)
{
	struct probe *probe = &model->probes[machine];
	struct rental rental = world_rental(model->world, probe->id);
	int64_t tenants = tenants_of(model, machine);

	if (probe->ended) {
		assert_true(rental_ended(&rental));
		return;
	}
	probe->ended = rental_ended(&rental);
	assert_true(probe->ended || tenants == probe->tenants);
	assert_true(rental.reason != RENTAL_YIELDED || tenants > probe->tenants);
	assert_true(!probe->ended || !rental.kept);
}

static void check(struct model *model)
{
	world_check(model->world);
	for (size_t i = 0; i < MACHINES; i++)
		if (model->probes[i].begun)
			check_probe(model, i);
	for (size_t i = 0; i < RENTALS; i++)
		if (model->notes[i].ordered)
			check_rental(model, &model->notes[i]);
}

/* ---- what may happen ---- */

static void do_order(struct model *model, struct notes *notes)
{
	if (!notes->ordered)
		notes->ordered = world_order(model->world, 0, &notes->id) == 0;
}

static const struct world_report *some_report(struct model *model)
{
	static const struct world_report reports[] = {
		{ WORKER_PHASE_PULLING, "", 0 },
		{ WORKER_PHASE_STARTING, "", 0 },
		{ WORKER_PHASE_RUNNING, "", 0 },
		{ WORKER_PHASE_RUNNING, "", 0 },
		{ WORKER_PHASE_RUNNING, "", 0 },
		{ WORKER_PHASE_STOPPING, "", 0 },
		{ WORKER_PHASE_EXITED, "exited", 1 },
		{ WORKER_PHASE_EXITED, "stopped", 143 },
		{ WORKER_PHASE_EXITED, "out_of_memory", 137 },
		{ WORKER_PHASE_FAILED, "pull_failed", 0 },
		{ WORKER_PHASE_FAILED, "image_not_found", 0 },
		{ WORKER_PHASE_FAILED, "balance_exhausted", 0 },
	};

	return &reports[below(model, ARRAY_SIZE(reports))];
}

static void do_report(struct model *model, struct notes *notes)
{
	const struct world_report *report = some_report(model);

	world_report(model->world, notes->id, report);
	notes->exited |= report->phase == WORKER_PHASE_EXITED;
	notes->oom |= strcmp(report->reason, "out_of_memory") == 0;
	notes->image_missing |= strcmp(report->reason, "image_not_found") == 0;
	notes->failed |= report->phase == WORKER_PHASE_FAILED;
}

static int begin_fn(struct tx *tx, void *arg)
{
	struct model *model = arg;
	size_t at = model->machine;
	struct machine_id machine = { *secp_key_address(model->world->keys[at]) };

	return service_probe_begin(&model->world->context, tx, machine, 0, &model->probes[at].id);
}

static int end_fn(struct tx *tx, void *arg)
{
	struct model *model = arg;

	return service_probe_end(&model->world->context, tx, model->probes[model->machine].id);
}

static void do_probe(struct model *model)
{
	struct probe *probe = &model->probes[model->machine = below(model, MACHINES)];

	if (probe->begun && !probe->ended) {
		assert_int_equal(world_tx(model->world, TX_WRITE, end_fn, model), 0);
		return;
	}
	*probe = (struct probe){ .tenants = tenants_of(model, model->machine) };
	probe->begun = world_tx(model->world, TX_WRITE, begin_fn, model) == 0;
}

static void do_probe_report(struct model *model)
{
	const struct probe *probe = &model->probes[below(model, MACHINES)];

	if (probe->begun)
		world_report(model->world, probe->id, some_report(model));
}

static void end_probes(struct model *model)
{
	for (model->machine = 0; model->machine < MACHINES; model->machine++)
		if (model->probes[model->machine].begun)
			assert_int_equal(world_tx(model->world, TX_WRITE, end_fn, model), 0);
}

static void do_use(struct model *model, struct notes *notes)
{
	struct rental rental = world_rental(model->world, notes->id);
	int64_t seconds = (model->world->clock.ms - rental.started_ms) / 1000;

	if (rental.state == RENTAL_RUNNING && seconds > 0)
		(void)!world_usage(model->world, notes->id, ++notes->sequence, seconds, false);
}

/* Nobody can pay any longer, until somebody can again. */
static void do_money(struct model *model)
{
	char key[16];

	snprintf(key, sizeof(key), "c%u", ++model->keys);
	world_credit(model->world, 1 + below(model, 300000), key);
}

static void do_wait(struct model *model)
{
	static const int64_t waits_ms[] = { 500, 3000, 20000, 70000, 310000 };
	size_t i = below(model, ARRAY_SIZE(waits_ms));

	world_pass(model->world, waits_ms[i]);
	for (size_t j = 0; j < RENTALS; j++) {
		model->notes[j].waited = true;
		model->notes[j].broke = true;
		for (size_t k = 0; k < MACHINES; k++)
			model->notes[j].silent |= model->world->silent[k];
	}
}

static void do_silence(struct model *model)
{
	bool *silent = &model->world->silent[below(model, MACHINES)];

	*silent = !*silent;
}

/* The process starts again: its memory is what the store says. */
static void do_restart(struct model *model)
{
	worker_module.stop();
	assert_int_equal(worker_module.start(&model->world->context), 0);
	world_pass(model->world, 1);
}

static void do_something(struct model *model)
{
	struct notes *notes = &model->notes[below(model, RENTALS)];

	if (below(model, 8) == 0)
		return do_probe(model);
	if (!notes->ordered)
		return do_order(model, notes);
	switch (below(model, 16)) {
	case 0:
		assert_int_equal(world_stop(model->world, notes->id), 0);
		notes->stop = true;
		break;
	case 1:
		do_money(model);
		break;
	case 2:
		do_silence(model);
		break;
	case 3:
		do_restart(model);
		break;
	case 4:
	case 5:
	case 6:
		do_wait(model);
		break;
	case 7:
	case 8:
		do_use(model, notes);
		break;
	case 9:
		do_probe_report(model);
		break;
	case 10:
		/* A hint is lost, or nobody has looked yet. */
		return;
	default:
		do_report(model, notes);
	}
	if (below(model, 3) > 0)
		world_turn(model->world);
	else
		assert_int_equal(world_settle(model->world, notes->id), 0);
}

/* Left alone for long, every rental ends, and every container is removed. */
static void wind_up(struct model *model)
{
	for (size_t i = 0; i < RENTALS; i++)
		if (model->notes[i].ordered) {
			assert_int_equal(world_stop(model->world, model->notes[i].id), 0);
			model->notes[i].stop = true;
		}
	end_probes(model);
	do_wait(model);
	world_pass(model->world, 60000);
	world_turn(model->world);
	check(model);
	assert_int_equal(world_count(model->world,
				     "SELECT COUNT(*) AS n FROM rentals WHERE ended_ms IS NULL"),
			 0);
	world_pass(model->world, model->world->settings.keep_stopped_ms + 60000);
	world_turn(model->world);
	check(model);
	assert_int_equal(world_count(model->world,
				     "SELECT COUNT(*) AS n FROM worker_leases WHERE removed = 0"),
			 0);
	assert_int_equal(
		world_count(model->world, "SELECT COUNT(*) AS n FROM workers WHERE leases <> 0"),
		0);
}

static void what_happens_explains_every_end(void **state)
{
	struct world *world = *state;
	int runs = world->store.kind == STORE_MEMORY ? RUNS : RUNS_SLOW;
	int64_t seed = 1;

	for (int run = 0; run < runs; run++) {
		struct model model = { .world = world, .keys = (unsigned int)run * 1000 };

		world->settings.probe_image = "busybox";
		world->settings.probe_deadline_ms = 30000;
		random_seeded_init(&world->random, (uint64_t)seed++);
		do_money(&model);
		do_money(&model);
		for (int i = 0; i < STEPS; i++) {
			do_something(&model);
			check(&model);
		}
		memset(world->silent, 0, sizeof(world->silent));
		wind_up(&model);
	}
}

int model_tests(void)
{
	const struct CMUnitTest tests[] = { WORLD_TEST(what_happens_explains_every_end) };

	return world_run(tests, ARRAY_SIZE(tests));
}
