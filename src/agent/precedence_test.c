#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <sys/stat.h>
#include <uv.h>

#include "agent/precedence.h"
#include "base/log.h"
#include "io/loop.h"
#include "popw/rehearsal.h"

#define GPU "GPU-00000000-0000-0000-0000-000000000001"

/* The real reconciler, whose engine is away, and the real prover, whose child sleeps. */
struct fixture {
	char folder[64], program[128];
	struct loop *loop;
	struct engine *engine;
	struct state *state;
	struct cdi *cdi;
	struct nvml nvml;
	struct rehearsal *rehearsal;
	struct reconcile *reconcile;
	struct prover *prover;
	struct precedence *precedence;
	int ends, yielded;
};

static const uint8_t lease_id[16] = { 1, 2, 3 };

static void on_lease(void *arg _unused_, struct lease *lease _unused_)
{
}

static void on_engine(void *arg _unused_, bool up _unused_)
{
}

static int on_send(void *arg, const Wire__ToServer *message)
{
	struct fixture *f = arg;

	assert_int_equal(message->body_case, WIRE__TO_SERVER__BODY_PROOF_END);
	assert_string_equal(message->proof_end->reason, WIRE_PROOF_YIELDED);
	/* It is told before the container is known of. */
	assert_null(reconcile_find(f->reconcile, lease_id));
	f->ends++;
	return 0;
}

static enum prover_tenants on_tenants(void *arg, const char *gpu)
{
	struct fixture *f = arg;

	return precedence_tenants(f->reconcile, gpu);
}

static void on_opened(void *arg _unused_, const struct summons *summons _unused_)
{
}

static void on_over(void *arg _unused_, const struct proof_id *id _unused_)
{
}

static void on_yielded(void *arg)
{
	struct fixture *f = arg;

	f->yielded++;
	precedence_go_on(f->precedence);
}

static void start_reconcile(struct fixture *f)
{
	const struct reconcile_config config = {
		.loop = f->loop,
		.engine = f->engine,
		.state = f->state,
		.clock = &clock_system,
		.container = { .cdi = f->cdi, .nvml = &f->nvml },
		.on_change = on_lease,
		.on_usage = on_lease,
		.on_lines = on_lease,
		.on_engine = on_engine,
		.arg = f,
	};

	assert_int_equal(reconcile_new(&config, &f->reconcile), 0);
}

static void start_prover(struct fixture *f)
{
	const struct prover_config config = {
		.loop = f->loop,
		.network = *secp_key_address(f->rehearsal->network),
		.key = f->rehearsal->machine,
		.nvml = &f->nvml,
		.program = f->program,
		.folder = f->folder,
		.gpu_backend = "cpu",
		.send = on_send,
		.tenants = on_tenants,
		.on_opened = on_opened,
		.on_over = on_over,
		.on_yielded = on_yielded,
		.arg = f,
	};

	assert_int_equal(prover_new(&config, &f->prover), 0);
	assert_int_equal(precedence_new(f->loop, f->reconcile, f->prover, &f->precedence), 0);
}

static void begin(struct fixture *f, uint8_t device)
{
	const struct session plan = {
		.kind = SESSION_STANDBY,
		.device = device,
		.flags = SESSION_HAS_MATRIX,
		.gpu_uuid[15] = device == SESSION_GPU,
		.work = { .k = 64, .n = 16, .m = 16, .rounds = 1, .open_tiles = 1 },
		.matrix_ms = 1000,
	};
	struct summons summons = { 0 };
	uint8_t bytes[SUMMONS_SIZE_MAX];
	Wire__Proof message = WIRE__PROOF__INIT;

	assert_int_equal(rehearsal_begin(f->rehearsal, &plan, NULL), 0);
	summons.session = f->rehearsal->transcript.session;
	memcpy(summons.members, f->rehearsal->transcript.members, sizeof(summons.members));
	message.session = (ProtobufCBinaryData){ 16, summons.session.id.bytes };
	message.kind = MESSAGE_SESSION;
	message.body = (ProtobufCBinaryData){ summons_encode(&summons, bytes), bytes };
	prover_message(f->prover, &message);
}

static void desire(struct fixture *f, Wire__Want want, const char *gpu)
{
	char *gpus[] = { (char *)gpu };
	Wire__Container container = WIRE__CONTAINER__INIT;
	Wire__Desired desired = WIRE__DESIRED__INIT;
	Wire__Lease lease = WIRE__LEASE__INIT, *leases[] = { &lease };

	container.image = (char *)"localhost/kaisar/demo:1";
	container.gpus = gpus;
	container.n_gpus = gpu ? 1 : 0;
	lease.lease = lease.rental = (ProtobufCBinaryData){ 16, (uint8_t *)lease_id };
	lease.generation = desired.generation = 1;
	lease.want = want;
	lease.container = &container;
	desired.leases = leases;
	desired.n_leases = 1;
	precedence_desired(f->precedence, &desired);
}

static void on_tick(void *arg)
{
	int *left = arg;

	--*left;
}

static void until_yielded(struct fixture *f)
{
	struct loop_timer *timer;
	int left = 2000;

	assert_int_equal(loop_timer_new(f->loop, 5, 5, on_tick, &left, &timer), 0);
	while (!f->yielded && left > 0)
		uv_run(loop_uv(f->loop), UV_RUN_ONCE);
	loop_timer_free(timer);
	assert_int_equal(f->yielded, 1);
}

static int set_up(void **state)
{
	static const char *const nowhere[] = { NULL };
	struct fixture *f = calloc(1, sizeof(*f));
	FILE *file;

	*state = f;
	log_init(false, LOG_ERROR + 1);
	snprintf(f->folder, sizeof(f->folder), "/tmp/kaisar-precedence-XXXXXX");
	f->nvml.n_gpus = 1;
	snprintf(f->nvml.gpus[0].uuid, sizeof(f->nvml.gpus[0].uuid), "%s", GPU);
	if (!mkdtemp(f->folder) || loop_new(&f->loop) < 0 || cdi_load(nowhere, &f->cdi) < 0 ||
	    state_open(f->folder, &f->state) < 0 ||
	    engine_new(f->loop, "/nonexistent/engine.sock", &f->engine) < 0 ||
	    rehearsal_new(&random_system, 1, &f->rehearsal) < 0)
		return -1;
	snprintf(f->program, sizeof(f->program), "%s/fake_prover", f->folder);
	file = fopen(f->program, "we");
	fprintf(file, "#!/bin/sh\nsleep 100\n");
	if (fclose(file) != 0 || chmod(f->program, 0700) < 0)
		return -1;
	start_reconcile(f);
	start_prover(f);
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;
	char command[96];

	precedence_free(f->precedence);
	prover_free(f->prover);
	reconcile_free(f->reconcile);
	engine_free(f->engine);
	loop_free(f->loop);
	state_close(f->state);
	cdi_free(f->cdi);
	rehearsal_free(f->rehearsal);
	snprintf(command, sizeof(command), "rm -r '%s'", f->folder);
	free(f);
	return system(command);
}

/* The lease is not even known to the reconciler before the child is gone. */
static void the_child_goes_before_the_container_comes(void **state)
{
	struct fixture *f = *state;

	begin(f, SESSION_GPU);
	desire(f, WIRE__WANT__WANT_RUN, GPU);
	assert_int_equal(f->ends, 1);
	assert_null(reconcile_find(f->reconcile, lease_id));
	until_yielded(f);
	assert_non_null(reconcile_find(f->reconcile, lease_id));
}

static void the_host_is_everybody_s(void **state)
{
	struct fixture *f = *state;

	begin(f, SESSION_HOST);
	desire(f, WIRE__WANT__WANT_RUN, NULL);
	assert_int_equal(f->ends, 1);
	until_yielded(f);
	assert_non_null(reconcile_find(f->reconcile, lease_id));
}

static void what_needs_no_gpu_waits_for_none(void **state)
{
	struct fixture *f = *state;

	begin(f, SESSION_GPU);
	desire(f, WIRE__WANT__WANT_RUN, NULL);
	assert_int_equal(f->ends, 0);
	assert_non_null(reconcile_find(f->reconcile, lease_id));
}

static void what_is_to_stop_waits_for_none(void **state)
{
	struct fixture *f = *state;

	begin(f, SESSION_GPU);
	desire(f, WIRE__WANT__WANT_STOP, GPU);
	assert_int_equal(f->ends, 0);
	assert_non_null(reconcile_find(f->reconcile, lease_id));
}

/* With the link, what is held goes: the control plane says it again. */
static void what_is_held_is_forgotten_with_the_link(void **state)
{
	struct fixture *f = *state;

	begin(f, SESSION_GPU);
	desire(f, WIRE__WANT__WANT_RUN, GPU);
	precedence_drop(f->precedence);
	until_yielded(f);
	assert_null(reconcile_find(f->reconcile, lease_id));
}

static void a_rented_device_is_told_apart(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(precedence_tenants(f->reconcile, GPU), TENANTS_NONE);
	desire(f, WIRE__WANT__WANT_RUN, GPU);
	assert_int_equal(precedence_tenants(f->reconcile, GPU), TENANTS_ON_IT);
	assert_int_equal(precedence_tenants(f->reconcile, "another"), TENANTS_BESIDE);
	assert_int_equal(precedence_tenants(f->reconcile, NULL), TENANTS_ON_IT);
	reconcile_find(f->reconcile, lease_id)->seen = SEEN_RUNNING;
	assert_int_equal(precedence_tenants(f->reconcile, NULL), TENANTS_BESIDE);
	assert_int_equal(precedence_tenants(f->reconcile, GPU), TENANTS_ON_IT);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(the_child_goes_before_the_container_comes),
		TEST(the_host_is_everybody_s),
		TEST(what_needs_no_gpu_waits_for_none),
		TEST(what_is_to_stop_waits_for_none),
		TEST(what_is_held_is_forgotten_with_the_link),
		TEST(a_rented_device_is_told_apart),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
