#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <uv.h>

#include "agent/reconcile.h"
#include "base/log.h"
#include "io/loop.h"

/* Lives of leases on a real engine; KAISAR_TEST_ENGINE names its socket. */
struct fixture {
	char folder[64], script[256], image[64];
	struct loop *loop;
	struct engine *engine;
	struct state *state;
	struct reconcile *reconcile;
	struct cdi *cdi;
	struct nvml nvml;
	const struct clock *clock;
	struct clock_fake fake;
	struct lease_id lease;
	uint64_t generation;
	int usages, downs;
	struct meter last; /* as the last record was made */
};

static void on_change(void *arg _unused_, struct lease *lease _unused_)
{
}

static void on_lines(void *arg _unused_, struct lease *lease _unused_)
{
}

static void on_usage(void *arg, struct lease *lease)
{
	struct fixture *f = arg;

	f->usages++;
	f->last = lease->meter;
}

static void on_engine(void *arg, bool up)
{
	struct fixture *f = arg;

	f->downs += !up;
}

static void start(struct fixture *f)
{
	struct reconcile_config config = {
		.loop = f->loop,
		.engine = f->engine,
		.state = f->state,
		.clock = f->clock,
		.container = { .cdi = f->cdi, .nvml = &f->nvml },
		.on_change = on_change,
		.on_usage = on_usage,
		.on_lines = on_lines,
		.on_engine = on_engine,
		.arg = f,
	};

	/* A network of the test's own: other agents' containers are not ours to remove. */
	config.container.network.bytes[0] = 0x7e;
	assert_int_equal(reconcile_new(&config, &f->reconcile), 0);
}

static void stop(struct fixture *f)
{
	reconcile_free(f->reconcile);
	f->reconcile = NULL;
}

static int set_up(void **state)
{
	static const char *const nowhere[] = { NULL };
	const char *socket = getenv("KAISAR_TEST_ENGINE");
	struct fixture *f = calloc(1, sizeof(*f));

	*state = f;
	log_init(false, LOG_ERROR);
	snprintf(f->folder, sizeof(f->folder), "/tmp/kaisar-reconcile-XXXXXX");
	snprintf(f->image, sizeof(f->image), "localhost/kaisar/demo:1");
	f->clock = &clock_system;
	return !mkdtemp(f->folder) || loop_new(&f->loop) < 0 || cdi_load(nowhere, &f->cdi) < 0 ||
	       lease_id_make(&clock_system, &random_system, &f->lease) < 0 ||
	       state_open(f->folder, &f->state) < 0 ||
	       engine_new(f->loop, socket ? socket : "/nonexistent/engine.sock", &f->engine) < 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;
	char command[96];

	stop(f);
	engine_free(f->engine);
	loop_free(f->loop);
	state_close(f->state);
	cdi_free(f->cdi);
	snprintf(command, sizeof(command), "rm -r '%s'", f->folder);
	free(f);
	return system(command);
}

/* Says what the control plane wants of the one lease. */
static void want(struct fixture *f, Wire__Want wanted)
{
	char *command[] = { (char *)"/bin/sh", (char *)"-c", f->script };
	Wire__Container container = WIRE__CONTAINER__INIT;
	Wire__Desired desired = WIRE__DESIRED__INIT;
	Wire__Lease lease = WIRE__LEASE__INIT, *leases[] = { &lease };

	container.image = f->image;
	container.command = command;
	container.n_command = 3;
	container.cpu_milli = 500;
	container.memory_bytes = 32 << 20;
	container.pids = 32;
	container.stop_timeout_s = 1;
	lease.lease = lease.rental = (ProtobufCBinaryData){ 16, f->lease.bytes };
	lease.generation = desired.generation = ++f->generation;
	lease.want = wanted;
	lease.container = &container;
	desired.leases = leases;
	desired.n_leases = wanted == WIRE__WANT__WANT_NONE ? 0 : 1;
	assert_int_equal(reconcile_desired(f->reconcile, &desired), 0);
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

static void until(struct fixture *f, reached_fn *reached)
{
	struct loop_timer *timer;
	bool late = false;

	assert_int_equal(loop_timer_new(f->loop, 20000, 0, on_late, &late, &timer), 0);
	while (!reached(f) && !late)
		uv_run(loop_uv(f->loop), UV_RUN_ONCE);
	loop_timer_free(timer);
	assert_true(reached(f));
}

static bool is_up(struct fixture *f)
{
	return reconcile_engine_up(f->reconcile);
}

static bool is_running(struct fixture *f)
{
	return lease_of(f)->seen == SEEN_RUNNING;
}

static bool is_over(struct fixture *f)
{
	return lease_ended(lease_of(f)) && lease_of(f)->logged;
}

static bool is_removed(struct fixture *f)
{
	return lease_of(f)->seen == SEEN_ABSENT && !lease_of(f)->call;
}

static bool is_gone(struct fixture *f)
{
	struct lease *lease = lease_of(f);

	/* The control plane's receipt. */
	if (lease && meter_owes(&lease->meter))
		reconcile_settle(f->reconcile, &f->lease, lease->meter.sequence);
	return !lease;
}

static void clean(struct fixture *f)
{
	want(f, WIRE__WANT__WANT_NONE);
	until(f, is_gone);
}

static struct fixture *begin(void **state, const char *script)
{
	struct fixture *f = *state;

	/* The suite names an engine; who runs this alone may have none. */
	if (!getenv("KAISAR_TEST_ENGINE")) {
		print_message("skipped: KAISAR_TEST_ENGINE names no engine\n");
		skip();
	}
	snprintf(f->script, sizeof(f->script), "%s", script);
	start(f);
	until(f, is_up);
	return f;
}

static bool has_line(struct fixture *f, const char *text, int *ret_times)
{
	struct logbook_cursor cursor = { .next = 1 };
	struct logbook_line *line = malloc(sizeof(*line));
	int times = 0;

	while (logbook_read(lease_of(f)->book, &cursor, line) == 0)
		times += line->len == strlen(text) && memcmp(line->text, text, line->len) == 0;
	free(line);
	if (ret_times)
		*ret_times = times;
	return times > 0;
}

static void runs_until_it_is_stopped(void **state)
{
	struct fixture *f = begin(state, "trap 'echo bye; exit 4' TERM; echo hi; sleep 60 & wait");

	want(f, WIRE__WANT__WANT_RUN);
	until(f, is_running);
	assert_int_equal(lease_of(f)->phase, WIRE__PHASE__PHASE_RUNNING);
	want(f, WIRE__WANT__WANT_STOP);
	until(f, is_over);
	assert_string_equal(lease_of(f)->reason, WIRE_REASON_STOPPED);
	assert_int_equal(lease_of(f)->phase, WIRE__PHASE__PHASE_EXITED);
	assert_true(f->last.final);
	assert_true(has_line(f, "hi", NULL));
	/* It ends once: wanting it again starts nothing. */
	want(f, WIRE__WANT__WANT_RUN);
	assert_null(lease_of(f)->call);
	clean(f);
}

static bool other_runs_alone(struct fixture *f)
{
	bool runs = lease_of(f)->seen == SEEN_RUNNING;

	for (struct lease *lease = reconcile_leases(f->reconcile); lease; lease = lease->next)
		if (lease != lease_of(f) && lease->seen == SEEN_RUNNING)
			assert_false(runs);
	return runs;
}

/* They may have the same GPU. */
static void what_is_to_go_goes_before_another_starts(void **state)
{
	struct fixture *f = begin(state, "trap '' TERM; sleep 60 & wait; wait; sleep 60");
	struct lease_id first = f->lease;

	want(f, WIRE__WANT__WANT_RUN);
	until(f, is_running);
	assert_int_equal(lease_id_make(&clock_system, &random_system, &f->lease), 0);
	want(f, WIRE__WANT__WANT_RUN);
	assert_true(lease_leaving(reconcile_find(f->reconcile, first.bytes)));
	until(f, other_runs_alone);
	clean(f);
	f->lease = first;
	until(f, is_gone);
}

static void tells_how_it_ended(void **state)
{
	struct fixture *f = begin(state, "echo out; echo err >&2; exit 3");

	want(f, WIRE__WANT__WANT_RUN);
	until(f, is_over);
	assert_string_equal(lease_of(f)->reason, WIRE_REASON_EXITED);
	assert_int_equal(lease_of(f)->exit_code, 3);
	assert_true(has_line(f, "out", NULL) && has_line(f, "err", NULL));
	assert_true(has_line(f, "Ended with exit code 3 (exited)", NULL));
	clean(f);
}

static void memory_that_runs_out_is_said(void **state)
{
	struct fixture *f = begin(state, "exec tail /dev/zero");

	want(f, WIRE__WANT__WANT_RUN);
	until(f, is_over);
	assert_string_equal(lease_of(f)->reason, WIRE_REASON_OUT_OF_MEMORY);
	clean(f);
}

static void an_image_that_is_nowhere(void **state)
{
	struct fixture *f = begin(state, "true");

	snprintf(f->image, sizeof(f->image), "localhost/kaisar/none:1");
	want(f, WIRE__WANT__WANT_RUN);
	until(f, is_over);
	assert_int_equal(lease_of(f)->phase, WIRE__PHASE__PHASE_FAILED);
	assert_string_equal(lease_of(f)->reason, WIRE_REASON_IMAGE_NOT_FOUND);
	assert_string_not_equal(lease_of(f)->detail, "");
	assert_int_equal(f->usages, 0);
	clean(f);
}

/* An agent that comes back finds its container, counts on, and repeats no line. */
static void a_restart_loses_nothing(void **state)
{
	struct fixture *f = begin(state, "echo once; sleep 60");
	int64_t started_ms;
	uint64_t sequence;
	int times;

	want(f, WIRE__WANT__WANT_RUN);
	until(f, is_running);
	lease_meter(lease_of(f));
	started_ms = f->last.first_started_ms;
	sequence = f->last.sequence;
	stop(f);
	start(f);
	until(f, is_running);
	assert_int_equal(lease_of(f)->phase, WIRE__PHASE__PHASE_RUNNING);
	want(f, WIRE__WANT__WANT_STOP);
	until(f, is_over);
	assert_int_equal(f->last.first_started_ms, started_ms);
	assert_true(f->last.sequence > sequence);
	assert_true(has_line(f, "once", &times));
	assert_int_equal(times, 1);
	clean(f);
}

static bool is_orphanless(struct fixture *f)
{
	return !lease_of(f);
}

static void on_counted(void *arg, const struct engine_reply *reply)
{
	struct container_state *state = arg;

	state->exit_code = reply->status;
}

static int status_of(struct fixture *f)
{
	struct container_state answer = { .exit_code = -1 };
	char name[CONTAINER_NAME_SIZE];
	struct engine_call *call;

	container_name(&f->lease, name);
	assert_int_equal(engine_inspect(f->engine, name, on_counted, &answer, &call), 0);
	while (answer.exit_code < 0)
		uv_run(loop_uv(f->loop), UV_RUN_ONCE);
	return answer.exit_code;
}

static bool is_swept(struct fixture *f)
{
	return status_of(f) == 404;
}

/* What nobody wants goes, but not before the control plane has spoken. */
static void missing_data_destroys_nothing(void **state)
{
	struct fixture *f = begin(state, "sleep 60");
	char name[64] = "leases/", text[ID_TEXT_SIZE];

	want(f, WIRE__WANT__WANT_RUN);
	until(f, is_running);
	stop(f);
	lease_id_text(&f->lease, text);
	snprintf(name, sizeof(name), "leases/%s.json", text);
	assert_int_equal(state_remove(f->state, name), 0);
	assert_int_equal(state_remove(f->state, "desired"), 0);
	start(f);
	until(f, is_up);
	assert_int_equal(status_of(f), 200);
	assert_true(is_orphanless(f));
	want(f, WIRE__WANT__WANT_NONE);
	until(f, is_swept);
}

static void on_removed(void *arg, const struct engine_reply *reply)
{
	bool *done = arg;

	assert_true(engine_ok(reply));
	*done = true;
}

static void removed_behind_our_back(void **state)
{
	struct fixture *f = begin(state, "sleep 60");
	struct engine_call *call;
	bool done = false;

	want(f, WIRE__WANT__WANT_RUN);
	until(f, is_running);
	assert_int_equal(
		engine_remove(f->engine, lease_of(f)->container.id, on_removed, &done, &call), 0);
	until(f, is_over);
	/* Killed first, then gone: either is what happened. */
	assert_true(lease_ended(lease_of(f)));
	until(f, is_removed);
	clean(f);
}

static void a_start_that_fails_leaves_nothing(void **state)
{
	struct fixture *f = begin(state, "");
	char *command[] = { (char *)"/no/such/program" };
	Wire__Container container = WIRE__CONTAINER__INIT;
	Wire__Desired desired = WIRE__DESIRED__INIT;
	Wire__Lease lease = WIRE__LEASE__INIT, *leases[] = { &lease };

	container.image = f->image;
	container.command = command;
	container.n_command = 1;
	container.cpu_milli = 500;
	container.memory_bytes = 32 << 20;
	lease.lease = lease.rental = (ProtobufCBinaryData){ 16, f->lease.bytes };
	lease.generation = desired.generation = ++f->generation;
	lease.want = WIRE__WANT__WANT_RUN;
	lease.container = &container;
	desired.leases = leases;
	desired.n_leases = 1;
	assert_int_equal(reconcile_desired(f->reconcile, &desired), 0);
	until(f, is_over);
	assert_string_equal(lease_of(f)->reason, WIRE_REASON_COMMAND_NOT_FOUND);
	until(f, is_removed);
	assert_int_equal(status_of(f), 404);
	assert_int_equal(f->usages, 0);
	clean(f);
}

static bool is_down(struct fixture *f)
{
	return f->downs > 0;
}

static bool has_failed(struct fixture *f)
{
	return lease_ended(lease_of(f));
}

/* No engine at all: waits its minute, then says so. Needs none. */
static void an_engine_that_stays_away(void **state)
{
	struct fixture *f = *state;

	clock_fake_init(&f->fake, 1000000);
	f->clock = &f->fake.clock;
	engine_free(f->engine);
	assert_int_equal(engine_new(f->loop, "/nonexistent/engine.sock", &f->engine), 0);
	start(f);
	until(f, is_down);
	want(f, WIRE__WANT__WANT_RUN);
	f->fake.ms += RECONCILE_ENGINE_DOWN_MS - 1;
	for (int i = 0; i < 20; i++)
		uv_run(loop_uv(f->loop), UV_RUN_NOWAIT);
	assert_false(lease_ended(lease_of(f)));
	f->fake.ms += 1;
	until(f, has_failed);
	assert_string_equal(lease_of(f)->reason, WIRE_REASON_ENGINE_DOWN);
	assert_int_equal(f->usages, 0);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(an_engine_that_stays_away),
		TEST(runs_until_it_is_stopped),
		TEST(what_is_to_go_goes_before_another_starts),
		TEST(tells_how_it_ended),
		TEST(memory_that_runs_out_is_said),
		TEST(an_image_that_is_nowhere),
		TEST(a_restart_loses_nothing),
		TEST(missing_data_destroys_nothing),
		TEST(removed_behind_our_back),
		TEST(a_start_that_fails_leaves_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
