/* fake_engine_test.c - leases on an engine that misbehaves: each ends with a reason or goes on, within
 * the deadlines, without asking in circles, and nothing is counted that is not known to have run. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <malloc.h>
#include <unistd.h>
#include <uv.h>

#include "agent/fake_engine.h"
#include "agent/reconcile.h"
#include "base/log.h"
#include "io/loop.h"

/* Deadlines of seconds would make a test of minutes. */
enum { DEADLINE_MS = 60, PATIENCE_MS = 15000, WATCH_MS = 400, CALLS_MAX = 120 };

struct fixture {
	char folder[64], socket[96];
	struct loop *loop;
	struct fake_engine *fake;
	struct engine *engine;
	struct state *state;
	struct reconcile *reconcile;
	struct cdi *cdi;
	struct nvml nvml;
	struct clock_fake clock;
	struct lease_id lease;
	uint64_t generation;
	struct meter last;
	int usages;
};

static void on_change(void *arg _unused_, struct lease *lease _unused_)
{
}

static void on_usage(void *arg, struct lease *lease)
{
	struct fixture *f = arg;

	f->usages++;
	f->last = lease->meter;
}

static void on_engine(void *arg _unused_, bool up _unused_)
{
}

static int start(struct fixture *f)
{
	const struct reconcile_config config = {
		.loop = f->loop,
		.engine = f->engine,
		.state = f->state,
		.clock = &f->clock.clock,
		.container = { .cdi = f->cdi, .nvml = &f->nvml },
		.on_change = on_change,
		.on_usage = on_usage,
		.on_lines = on_change,
		.on_engine = on_engine,
		.arg = f,
	};

	return reconcile_new(&config, &f->reconcile);
}

static int set_up(void **state)
{
	static const char *const nowhere[] = { NULL };
	struct fixture *f = calloc(1, sizeof(*f));
	int r;

	*state = f;
	log_init(false, LOG_ERROR);
	/* Ten seconds behind the run that the fake tells of. */
	clock_fake_init(&f->clock, 1795366810000);
	snprintf(f->folder, sizeof(f->folder), "/tmp/kaisar-fake-XXXXXX");
	if (!mkdtemp(f->folder))
		return -1;
	snprintf(f->socket, sizeof(f->socket), "%s/engine.sock", f->folder);
	r = loop_new(&f->loop) < 0 || cdi_load(nowhere, &f->cdi) < 0 ||
	    lease_id_make(&clock_system, &random_system, &f->lease) < 0 ||
	    state_open(f->folder, &f->state) < 0 ||
	    fake_engine_new(f->loop, f->socket, &f->fake) < 0 ||
	    engine_new(f->loop, f->socket, &f->engine) < 0;
	if (r)
		return -1;
	engine_hurry(f->engine, DEADLINE_MS);
	return start(f);
}

static int tear_down(void **state)
{
	struct fixture *f = *state;
	char command[96];

	reconcile_free(f->reconcile);
	engine_free(f->engine);
	fake_engine_free(f->fake);
	loop_free(f->loop);
	state_close(f->state);
	cdi_free(f->cdi);
	snprintf(command, sizeof(command), "rm -r '%s'", f->folder);
	free(f);
	return system(command);
}

static void want_with(struct fixture *f, Wire__Want wanted, Wire__Container *container)
{
	Wire__Desired desired = WIRE__DESIRED__INIT;
	Wire__Lease lease = WIRE__LEASE__INIT, *leases[] = { &lease };

	lease.lease = lease.rental = (ProtobufCBinaryData){ 16, f->lease.bytes };
	lease.generation = desired.generation = ++f->generation;
	lease.want = wanted;
	lease.container = container;
	desired.leases = leases;
	desired.n_leases = wanted == WIRE__WANT__WANT_NONE ? 0 : 1;
	assert_int_equal(reconcile_desired(f->reconcile, &desired), 0);
}

static void want(struct fixture *f, Wire__Want wanted)
{
	Wire__Container container = WIRE__CONTAINER__INIT;

	container.image = (char *)"fake";
	container.cpu_milli = 500;
	container.memory_bytes = 32 << 20;
	container.stop_timeout_s = 1;
	want_with(f, wanted, &container);
}

static struct lease *lease_of(struct fixture *f)
{
	return reconcile_find(f->reconcile, f->lease.bytes);
}

static void on_late(void *arg)
{
	bool *late = arg;

	*late = true;
}

typedef bool reached_fn(struct fixture *f);

static bool never(struct fixture *f _unused_)
{
	return false;
}

static bool wait_for(struct fixture *f, reached_fn *reached, uint64_t ms)
{
	struct loop_timer *timer;
	bool late = false;

	assert_int_equal(loop_timer_new(f->loop, ms, 0, on_late, &late, &timer), 0);
	while (!reached(f) && !late)
		uv_run(loop_uv(f->loop), UV_RUN_ONCE);
	loop_timer_free(timer);
	return reached(f);
}

static void until(struct fixture *f, reached_fn *reached)
{
	assert_true(wait_for(f, reached, PATIENCE_MS));
}

static bool is_up(struct fixture *f)
{
	return reconcile_engine_up(f->reconcile);
}

static bool is_running(struct fixture *f)
{
	return lease_of(f)->seen == SEEN_RUNNING;
}

static bool has_ended(struct fixture *f)
{
	return lease_ended(lease_of(f));
}

static bool is_absent(struct fixture *f)
{
	return fake_engine_container(f->fake) == FAKE_ABSENT;
}

static bool is_gone(struct fixture *f)
{
	struct lease *lease = lease_of(f);

	if (lease && meter_owes(&lease->meter))
		reconcile_settle(f->reconcile, &f->lease, lease->meter.sequence);
	return !lease;
}

static void break_call(struct fixture *f, const char *method, const char *path, enum fake_act act,
		       unsigned int times)
{
	const struct fake_rule rule = {
		.method = method, .path = path, .act = act, .times = times
	};

	fake_engine_break(f->fake, &rule);
}

/* A little while passes in which the engine is not asked in circles. */
static void asks_calmly(struct fixture *f)
{
	unsigned int calls = fake_engine_calls(f->fake);

	(void)wait_for(f, never, WATCH_MS);
	assert_true(fake_engine_calls(f->fake) - calls < CALLS_MAX * WATCH_MS / 1000);
}

/* Whatever it was: when the engine is sound again, nothing is left behind. */
static void clean(struct fixture *f)
{
	fake_engine_heal(f->fake);
	want(f, WIRE__WANT__WANT_NONE);
	until(f, is_gone);
	until(f, is_absent);
}

static void fails_as(struct fixture *f, const char *reason)
{
	until(f, has_ended);
	assert_int_equal(lease_of(f)->phase, WIRE__PHASE__PHASE_FAILED);
	assert_string_equal(lease_of(f)->reason, reason);
	assert_string_not_equal(lease_of(f)->detail, "");
	asks_calmly(f);
	assert_int_equal(f->usages, 0);
	clean(f);
}

static void a_sound_one(void **state)
{
	struct fixture *f = *state;

	until(f, is_up);
	want(f, WIRE__WANT__WANT_RUN);
	until(f, is_running);
	want(f, WIRE__WANT__WANT_STOP);
	until(f, has_ended);
	assert_int_equal(f->last.seconds, 5);
	assert_true(f->last.final);
	clean(f);
}

/* Each way to break each call on the way to a run, for ever: a reason within the deadlines. */
static void breaks_for_ever(struct fixture *f, const char *method, const char *path,
			    enum fake_act act, const char *reason)
{
	until(f, is_up);
	break_call(f, method, path, act, 0);
	want(f, WIRE__WANT__WANT_RUN);
	fails_as(f, reason);
}

#define FOR_EVER(name, method, path, act, reason)                   \
	static void name(void **state)                              \
	{                                                           \
		breaks_for_ever(*state, method, path, act, reason); \
	}

FOR_EVER(create_hangs, "POST", "containers/create", FAKE_HANG, WIRE_REASON_ENGINE_DOWN)
FOR_EVER(create_half_answers, "POST", "containers/create", FAKE_HALF, WIRE_REASON_ENGINE_DOWN)
FOR_EVER(create_stops_half_way, "POST", "containers/create", FAKE_HALF_BODY,
	 WIRE_REASON_ENGINE_DOWN)
FOR_EVER(create_is_cut, "POST", "containers/create", FAKE_CUT, WIRE_REASON_ENGINE_DOWN)
FOR_EVER(create_floods, "POST", "containers/create", FAKE_FLOOD, WIRE_REASON_ENGINE_DOWN)
FOR_EVER(create_says_garbage, "POST", "containers/create", FAKE_GARBAGE, WIRE_REASON_CREATE_FAILED)
FOR_EVER(create_fails, "POST", "containers/create", FAKE_ERROR, WIRE_REASON_CREATE_FAILED)
FOR_EVER(name_is_taken_by_nothing, "POST", "containers/create", FAKE_CONFLICT,
	 WIRE_REASON_ENGINE_DOWN)
FOR_EVER(start_hangs, "POST", "/start", FAKE_HANG, WIRE_REASON_ENGINE_DOWN)
FOR_EVER(start_fails, "POST", "/start", FAKE_ERROR, WIRE_REASON_START_FAILED)
FOR_EVER(start_does_nothing, "POST", "/start", FAKE_IGNORE, WIRE_REASON_ENGINE_DOWN)
FOR_EVER(inspect_fails, "GET", "containers/kaisar", FAKE_ERROR, WIRE_REASON_ENGINE_DOWN)
FOR_EVER(inspect_says_garbage, "GET", "containers/kaisar", FAKE_GARBAGE, WIRE_REASON_ENGINE_DOWN)
FOR_EVER(inspect_hangs, "GET", "containers/kaisar", FAKE_HANG, WIRE_REASON_ENGINE_DOWN)

/* Once, at each call: the next try goes through, and one container runs. */
static void breaks_once(void **state)
{
	static const struct {
		const char *method, *path;
		enum fake_act act;
	} cases[] = {
		{ "POST", "containers/create", FAKE_HANG },
		{ "POST", "containers/create", FAKE_CUT },
		{ "POST", "/start", FAKE_CUT },
		{ "POST", "/start", FAKE_HALF_BODY },
		{ "GET", "containers/kaisar", FAKE_ERROR },
		{ "GET", "containers/json", FAKE_GARBAGE },
		{ "GET", "/events", FAKE_CUT },
		{ "GET", "/version", FAKE_GARBAGE },
		{ "POST", "containers/create", FAKE_SLOW },
		{ "GET", "/logs", FAKE_FLOOD },
	};
	struct fixture *f = *state;

	until(f, is_up);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		break_call(f, cases[i].method, cases[i].path, cases[i].act, 1);
		want(f, WIRE__WANT__WANT_RUN);
		until(f, is_running);
		assert_int_equal(fake_engine_container(f->fake), FAKE_RUNNING);
		clean(f);
		f->usages = 0;
	}
}

static void a_stop_that_does_nothing(void **state)
{
	struct fixture *f = *state;

	until(f, is_up);
	want(f, WIRE__WANT__WANT_RUN);
	until(f, is_running);
	break_call(f, "POST", "/stop", FAKE_IGNORE, 0);
	want(f, WIRE__WANT__WANT_STOP);
	asks_calmly(f);
	assert_int_equal(lease_of(f)->phase, WIRE__PHASE__PHASE_STOPPING);
	clean(f);
}

/* A list that shows what is not there: the inspection is what counts. */
static void a_list_that_lies(void **state)
{
	struct fixture *f = *state;

	until(f, is_up);
	want(f, WIRE__WANT__WANT_RUN);
	until(f, is_running);
	fake_engine_set(f->fake, FAKE_EXITED);
	break_call(f, "GET", "containers/json", FAKE_LIE, 0);
	lease_look(lease_of(f));
	until(f, has_ended);
	assert_string_equal(lease_of(f)->reason, WIRE_REASON_EXITED);
	assert_int_equal(f->last.seconds, 5);
	asks_calmly(f);
	clean(f);
}

static void a_container_that_is_lost(void **state)
{
	struct fixture *f = *state;

	until(f, is_up);
	want(f, WIRE__WANT__WANT_RUN);
	until(f, is_running);
	lease_meter(lease_of(f));
	assert_int_equal(f->last.seconds, 10);
	f->clock.ms += 5000;
	fake_engine_set(f->fake, FAKE_ABSENT);
	lease_look(lease_of(f));
	until(f, has_ended);
	assert_string_equal(lease_of(f)->reason, WIRE_REASON_CONTAINER_GONE);
	/* Not a second more than was known to have run. */
	assert_int_equal(f->last.seconds, 10);
	assert_true(f->last.final);
	asks_calmly(f);
	clean(f);
}

/* Its files are gone and no list is to be had, until it is removed by its id. */
static void a_container_that_is_torn(void **state)
{
	struct fixture *f = *state;

	until(f, is_up);
	want(f, WIRE__WANT__WANT_RUN);
	until(f, is_running);
	fake_engine_set(f->fake, FAKE_TORN);
	lease_look(lease_of(f));
	until(f, has_ended);
	assert_string_equal(lease_of(f)->reason, WIRE_REASON_CONTAINER_GONE);
	until(f, is_up);
	assert_int_equal(fake_engine_container(f->fake), FAKE_ABSENT);
	clean(f);
}

/* The whole engine in each kind of trouble: its leases wait, then fail with it. */
static void a_list_that_never_comes(void **state)
{
	static const enum fake_act acts[] = { FAKE_HANG, FAKE_GARBAGE, FAKE_ERROR, FAKE_FLOOD };
	struct fixture *f = *state;

	for (size_t i = 0; i < ARRAY_SIZE(acts); i++) {
		until(f, is_up);
		break_call(f, "GET", "containers/json", acts[i], 0);
		break_call(f, "GET", "/events", FAKE_CUT, 0);
		break_call(f, "POST", "containers/create", FAKE_HANG, 0);
		want(f, WIRE__WANT__WANT_RUN);
		asks_calmly(f);
		f->clock.ms += RECONCILE_ENGINE_DOWN_MS;
		until(f, has_ended);
		assert_string_equal(lease_of(f)->reason, WIRE_REASON_ENGINE_DOWN);
		assert_int_equal(f->usages, 0);
		clean(f);
	}
}

static void spoil(struct fixture *f, const char *name, const char *with)
{
	char path[192];
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s", f->folder, name);
	file = fopen(path, "r+");
	assert_non_null(file);
	assert_true(fputs(with, file) >= 0);
	fclose(file);
}

/* Nothing of what was wanted can be read any longer: nothing is done about it before the control
 * plane has spoken. */
static void damaged_state_destroys_nothing(void **state)
{
	struct fixture *f = *state;
	char record[96], text[ID_TEXT_SIZE];

	until(f, is_up);
	want(f, WIRE__WANT__WANT_RUN);
	until(f, is_running);
	reconcile_free(f->reconcile);
	lease_id_text(&f->lease, text);
	snprintf(record, sizeof(record), "leases/%s.json", text);
	spoil(f, record, "torn");
	spoil(f, "desired", "torn");
	assert_int_equal(start(f), 0);
	until(f, is_up);
	asks_calmly(f);
	assert_int_equal(fake_engine_container(f->fake), FAKE_RUNNING);
	want(f, WIRE__WANT__WANT_RUN);
	until(f, is_running);
	clean(f);
}

static void a_later_version_is_left_alone(void **state)
{
	struct fixture *f = *state;

	until(f, is_up);
	want(f, WIRE__WANT__WANT_RUN);
	until(f, is_running);
	reconcile_free(f->reconcile);
	spoil(f, "desired", "kaisar-state 9 ");
	assert_int_equal(start(f), -EPROTONOSUPPORT);
	assert_int_equal(fake_engine_container(f->fake), FAKE_RUNNING);
	f->reconcile = NULL;
}

/* Bytes without an end are cut off, not gathered. */
static void a_flood_takes_no_memory(void **state)
{
	struct fixture *f = *state;
	size_t before;

	until(f, is_up);
	before = mallinfo2().uordblks;
	engine_hurry(f->engine, 5000);
	break_call(f, "GET", "containers/kaisar", FAKE_FLOOD, 0);
	want(f, WIRE__WANT__WANT_RUN);
	(void)wait_for(f, never, 1000);
	assert_true(mallinfo2().uordblks < before + 4 * (size_t)ENGINE_ANSWER_MAX);
	clean(f);
}

static bool is_pulling(struct fixture *f)
{
	return lease_of(f)->pull != NULL;
}

/* A control plane that forgets, while the image comes, what is to run. */
static void what_is_to_run_is_taken_away(void **state)
{
	struct fixture *f = *state;

	until(f, is_up);
	break_call(f, "POST", "containers/create", FAKE_MISSING, 1);
	break_call(f, "POST", "images/create", FAKE_SLOW, 1);
	want(f, WIRE__WANT__WANT_RUN);
	until(f, is_pulling);
	want_with(f, WIRE__WANT__WANT_RUN, NULL);
	fails_as(f, WIRE_REASON_CREATE_FAILED);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_sound_one),
		TEST(create_hangs),
		TEST(create_half_answers),
		TEST(create_stops_half_way),
		TEST(create_is_cut),
		TEST(create_floods),
		TEST(create_says_garbage),
		TEST(create_fails),
		TEST(name_is_taken_by_nothing),
		TEST(start_hangs),
		TEST(start_fails),
		TEST(start_does_nothing),
		TEST(inspect_fails),
		TEST(inspect_says_garbage),
		TEST(inspect_hangs),
		TEST(breaks_once),
		TEST(a_stop_that_does_nothing),
		TEST(a_list_that_lies),
		TEST(a_container_that_is_lost),
		TEST(a_container_that_is_torn),
		TEST(a_list_that_never_comes),
		TEST(a_flood_takes_no_memory),
		TEST(what_is_to_run_is_taken_away),
		TEST(damaged_state_destroys_nothing),
		TEST(a_later_version_is_left_alone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
