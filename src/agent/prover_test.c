#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>
#include <uv.h>

#include "agent/prover.h"
#include "base/log.h"
#include "io/loop.h"
#include "popw/rehearsal.h"

#define GPU_0 "GPU-00000000-0000-0000-0000-000000000000"
#define GPU_1 "GPU-00000000-0000-0000-0000-000000000001"

enum { PANEL = 3 };

/* A network of one rehearsal, and the machine that it asks; its child is the real one, or a script that
 * says it is. */
struct fixture {
	char folder[64], program[128];
	struct random_seeded random;
	struct loop *loop;
	struct rehearsal *rehearsal;
	struct nvml nvml;
	struct prover *prover;
	enum prover_tenants tenants;
	uint64_t nonces_ms, slack_ms;
	int full; /* messages that the link does not take at first */
	bool answering; /* the panel's nonces come when they are due */
	int filled, roots, seals, opens, opened, over, ends, yielded;
	char reason[32], detail[256];
};

/* ---- the network ---- */

static const struct session *session_of(const struct fixture *f)
{
	return &f->rehearsal->transcript.session;
}

static void give(struct fixture *f, enum message_kind kind, const void *bytes, size_t len)
{
	Wire__Proof message = WIRE__PROOF__INIT;

	message.session = (ProtobufCBinaryData){ 16, (uint8_t *)session_of(f)->id.bytes };
	message.kind = kind;
	message.body = (ProtobufCBinaryData){ len, (uint8_t *)bytes };
	prover_message(f->prover, &message);
}

static void give_nonces(struct fixture *f, uint8_t k)
{
	const struct nonces_message *message;
	uint8_t bytes[NONCES_SIZE_MAX];

	assert_int_equal(rehearsal_nonces(f->rehearsal, k, &message), 0);
	give(f, MESSAGE_NONCES, bytes, nonces_encode(message, bytes));
}

static size_t summon(struct fixture *f, uint8_t ret_bytes[static SUMMONS_SIZE_MAX])
{
	struct summons summons = { .session = *session_of(f) };

	memcpy(summons.members, f->rehearsal->transcript.members, sizeof(summons.members));
	return summons_encode(&summons, ret_bytes);
}

static void give_session(struct fixture *f)
{
	uint8_t bytes[SUMMONS_SIZE_MAX];

	give(f, MESSAGE_SESSION, bytes, summon(f, bytes));
}

static const char *tag_of(const Wire__Proof *message)
{
	return message->kind == MESSAGE_FILLED ? TAG_FILLED
	       : message->kind == MESSAGE_SEAL ? TAG_SEAL
					       : TAG_OPEN;
}

static void hear(struct fixture *f, const Wire__Proof *message)
{
	const struct transcript *transcript = &f->rehearsal->transcript;
	struct seal seal;

	assert_memory_equal(message->session.data, session_of(f)->id.bytes, 16);
	if (message->kind != MESSAGE_ROOT)
		assert_true(message_signed_by(
			f->rehearsal->hasher, tag_of(message), &transcript->session_digest,
			&transcript->session.machine, message->body.data, message->body.len));
	assert_int_equal(
		rehearsal_hear(f->rehearsal, message->kind, message->body.data, message->body.len),
		0);
	f->filled += message->kind == MESSAGE_FILLED;
	f->roots += message->kind == MESSAGE_ROOT;
	f->seals += message->kind == MESSAGE_SEAL;
	f->opens += message->kind == MESSAGE_OPEN;
	if (message->kind == MESSAGE_SEAL)
		assert_int_equal(seal_decode(message->body.data, message->body.len, &seal), 0);
}

static int on_send(void *arg, const Wire__ToServer *message)
{
	struct fixture *f = arg;

	if (f->full > 0) {
		f->full--;
		return -EAGAIN;
	}
	if (message->body_case == WIRE__TO_SERVER__BODY_PROOF) {
		hear(f, message->proof);
		return 0;
	}
	assert_int_equal(message->body_case, WIRE__TO_SERVER__BODY_PROOF_END);
	assert_memory_equal(message->proof_end->session.data, session_of(f)->id.bytes, 16);
	f->ends++;
	snprintf(f->reason, sizeof(f->reason), "%s", message->proof_end->reason);
	snprintf(f->detail, sizeof(f->detail), "%s", message->proof_end->detail);
	return 0;
}

/* ---- the machine ---- */

static enum prover_tenants on_tenants(void *arg, const char *gpu _unused_)
{
	struct fixture *f = arg;

	return f->tenants;
}

static void on_opened(void *arg, const struct summons *summons)
{
	struct fixture *f = arg;

	assert_memory_equal(summons->session.id.bytes, session_of(f)->id.bytes, 16);
	f->opened++;
}

static void on_over(void *arg, const struct proof_id *id)
{
	struct fixture *f = arg;

	assert_memory_equal(id->bytes, session_of(f)->id.bytes, 16);
	f->over++;
}

static void on_yielded(void *arg)
{
	struct fixture *f = arg;

	assert_false(prover_yielding(f->prover));
	f->yielded++;
}

static struct session plan_of(uint8_t kind, uint8_t device)
{
	struct session plan = {
		.kind = kind,
		.device = device,
		.flags = SESSION_HAS_WALK | SESSION_HAS_MATRIX,
		.chain_id = 1,
		.work = { .n_items = 1500,
			  .double_rounds = 2,
			  .walks = 64,
			  .steps = 5,
			  .epochs = 3,
			  .k = 192,
			  .n = 64,
			  .m = 128,
			  .rounds = 2,
			  .open_walks = 16,
			  .open_tiles = 16 },
		.fill_ms = 60000,
		.walk_ms = 60000,
		.matrix_ms = 60000,
	};

	return plan;
}

static void begin(struct fixture *f, const struct session *plan)
{
	const char *detail = "";

	if (rehearsal_begin(f->rehearsal, plan, &detail) < 0)
		fail_msg("%s", detail);
}

static void start(struct fixture *f)
{
	const struct prover_config config = {
		.loop = f->loop,
		.network = *secp_key_address(f->rehearsal->network),
		.key = f->rehearsal->machine,
		.nvml = &f->nvml,
		.program = f->program,
		.folder = f->folder,
		.gpu_backend = "cpu",
		.nonces_ms = f->nonces_ms,
		.slack_ms = f->slack_ms,
		.send = on_send,
		.tenants = on_tenants,
		.on_opened = on_opened,
		.on_over = on_over,
		.on_yielded = on_yielded,
		.arg = f,
	};

	assert_int_equal(prover_new(&config, &f->prover), 0);
}

/* The child is this script; it tells its number in the file "pid". */
static void start_fake(struct fixture *f, const char *script)
{
	FILE *file;

	snprintf(f->program, sizeof(f->program), "%s/fake_prover", f->folder);
	file = fopen(f->program, "we");
	assert_non_null(file);
	fprintf(file, "#!/bin/sh\necho $$ >%s/pid\n%s\n", f->folder, script);
	assert_int_equal(fclose(file), 0);
	assert_int_equal(chmod(f->program, 0700), 0);
	start(f);
}

/* 0: it did not say yet. */
static pid_t child_pid(const struct fixture *f)
{
	char path[128], text[32] = "";
	FILE *file;

	snprintf(path, sizeof(path), "%s/pid", f->folder);
	file = fopen(path, "re");
	if (!file)
		return 0;
	if (!fgets(text, sizeof(text), file))
		text[0] = 0;
	fclose(file);
	return (pid_t)strtol(text, NULL, 10);
}

static bool child_runs(const struct fixture *f)
{
	pid_t pid = child_pid(f);

	return pid > 0 && kill(pid, 0) == 0;
}

/* ---- the loop ---- */

static void on_tick(void *arg)
{
	int *left = arg;

	--*left;
}

/* What the panel gives when it is due. */
static void answer(struct fixture *f)
{
	static const uint8_t ks[] = { NONCE_FILL, NONCE_WALK, NONCE_MATRIX, NONCE_OPEN };
	int done = f->filled + f->seals;

	if (f->answering && f->rehearsal->transcript.nonces[ks[done] - 1].k == 0)
		give_nonces(f, ks[done]);
}

static bool run_until(struct fixture *f, bool (*over)(const struct fixture *f), int ticks)
{
	struct loop_timer *timer;

	assert_int_equal(loop_timer_new(f->loop, 5, 5, on_tick, &ticks, &timer), 0);
	while (!over(f) && ticks > 0) {
		answer(f);
		uv_run(loop_uv(f->loop), UV_RUN_ONCE);
	}
	loop_timer_free(timer);
	return over(f);
}

static void until(struct fixture *f, bool (*over)(const struct fixture *f))
{
	if (!run_until(f, over, 4000))
		fail_msg("it never came: end '%s' %s", f->reason, f->detail);
}

static bool ended(const struct fixture *f)
{
	return f->ends > 0;
}

static bool is_open(const struct fixture *f)
{
	return f->opens > 0;
}

static bool is_over(const struct fixture *f)
{
	return f->over > 0;
}

static bool runs(const struct fixture *f)
{
	return child_runs(f);
}

static bool gone(const struct fixture *f)
{
	return !child_runs(f);
}

static bool has_yielded(const struct fixture *f)
{
	return f->yielded > 0;
}

static bool is_filled(const struct fixture *f)
{
	return f->filled > 0;
}

static void judge_it(struct fixture *f)
{
	Wire__ProofEnd end = WIRE__PROOF_END__INIT;

	end.session = (ProtobufCBinaryData){ 16, (uint8_t *)session_of(f)->id.bytes };
	end.reason = (char *)"judged";
	prover_message_end(f->prover, &end);
}

static int set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	const char *program = getenv("KAISAR_BIN");

	*state = f;
	log_init(false, LOG_ERROR + 1);
	snprintf(f->folder, sizeof(f->folder), "/tmp/prover_test.XXXXXX");
	if (!program || !mkdtemp(f->folder) || loop_new(&f->loop) < 0)
		return -1;
	snprintf(f->program, sizeof(f->program), "%s", program);
	random_seeded_init(&f->random, 5);
	f->nvml.n_gpus = 2;
	snprintf(f->nvml.gpus[0].uuid, sizeof(f->nvml.gpus[0].uuid), "%s", GPU_0);
	snprintf(f->nvml.gpus[1].uuid, sizeof(f->nvml.gpus[1].uuid), "%s", GPU_1);
	f->nvml.gpus[1].index = 1;
	return rehearsal_new(&f->random.random, PANEL, &f->rehearsal);
}

static int tear_down(void **state)
{
	struct fixture *f = *state;
	char path[128];

	prover_free(f->prover);
	loop_free(f->loop);
	rehearsal_free(f->rehearsal);
	snprintf(path, sizeof(path), "%s/fake_prover", f->folder);
	unlink(path);
	snprintf(path, sizeof(path), "%s/pid", f->folder);
	unlink(path);
	rmdir(f->folder);
	free(f);
	return 0;
}

/* ---- sessions that are proved ---- */

static void assert_whole(struct fixture *f)
{
	const struct session_work *work = &session_of(f)->work;
	struct arena *arena;
	uint8_t *bytes;
	size_t len;

	assert_int_equal(f->filled, 1);
	assert_int_equal(f->roots, work->epochs + work->rounds);
	assert_int_equal(f->seals, 2);
	assert_int_equal(f->opened, 1);
	assert_int_equal(f->ends, 0);
	assert_int_equal(arena_new(TRANSCRIPT_SIZE_MAX, &arena), 0);
	assert_int_equal(rehearsal_transcript(f->rehearsal, arena, &bytes, &len), 0);
	arena_free(arena);
}

static void the_child_proves(void **state)
{
	struct session plan = plan_of(SESSION_REGISTRATION, SESSION_HOST);
	struct fixture *f = *state;

	start(f);
	begin(f, &plan);
	give_session(f);
	f->answering = true;
	until(f, is_open);
	assert_whole(f);
	f->answering = false;
	judge_it(f);
	until(f, is_over);
	assert_int_equal(f->ends, 0);
}

static void a_gpu_is_proved_beside_a_full_link(void **state)
{
	struct session plan = plan_of(SESSION_STANDBY, SESSION_GPU);
	struct fixture *f = *state;

	start(f);
	plan.gpu_uuid[15] = 1;
	plan.gpu_index = 1;
	begin(f, &plan);
	f->full = 3;
	give_session(f);
	f->answering = true;
	until(f, is_open);
	assert_whole(f);
}

static long resident_kib(void)
{
	FILE *file = fopen("/proc/self/statm", "re");
	long pages = 0;

	assert_non_null(file);
	assert_int_equal(fscanf(file, "%*d %ld", &pages), 1);
	fclose(file);
	return pages * (sysconf(_SC_PAGESIZE) / 1024);
}

/* The data set of 128 MiB is the child's. */
static void the_agent_stays_small(void **state)
{
	struct session plan = plan_of(SESSION_STANDBY, SESSION_HOST);
	struct fixture *f = *state;
	long before = resident_kib();

	plan.work.n_items = 1 << 19;
	plan.work.double_rounds = 1;
	start(f);
	begin(f, &plan);
	give_session(f);
	f->answering = true;
	until(f, is_open);
	assert_true(resident_kib() - before < 48 << 10);
}

/* ---- sessions that are refused ---- */

static void assert_refused(struct fixture *f, const char *reason)
{
	assert_int_equal(f->ends, 1);
	assert_string_equal(f->reason, reason);
	assert_true(f->detail[0] != 0);
	f->ends = 0;
}

static void only_our_network_asks(void **state)
{
	struct session plan = plan_of(SESSION_STANDBY, SESSION_HOST);
	struct fixture *f = *state;
	struct session *session = &f->rehearsal->transcript.session;
	uint8_t bytes[SUMMONS_SIZE_MAX];
	size_t len;

	start_fake(f, "sleep 100");
	begin(f, &plan);
	session->signature[3] ^= 1;
	give_session(f);
	assert_refused(f, WIRE_PROOF_REFUSED);
	session->signature[3] ^= 1;
	session->network.bytes[0] ^= 1;
	give_session(f);
	assert_refused(f, WIRE_PROOF_REFUSED);
	session->network.bytes[0] ^= 1;
	len = summon(f, bytes);
	give(f, MESSAGE_SESSION, bytes, len - 1);
	assert_refused(f, WIRE_PROOF_REFUSED);
	bytes[SESSION_SIZE] ^= 1; /* a member that is not of the panel */
	give(f, MESSAGE_SESSION, bytes, len);
	assert_refused(f, WIRE_PROOF_REFUSED);
	len = summon(f, bytes);
	session->id.bytes[0] ^= 1; /* the message says another session than its SESSION */
	give(f, MESSAGE_SESSION, bytes, len);
	assert_refused(f, WIRE_PROOF_REFUSED);
	assert_false(child_runs(f));
}

static void another_machine_s_session_is_refused(void **state)
{
	struct session plan = plan_of(SESSION_STANDBY, SESSION_HOST);
	struct fixture *f = *state;
	struct secp_key *ours = f->rehearsal->machine;

	f->rehearsal->machine = f->rehearsal->members[0];
	start_fake(f, "sleep 100");
	f->rehearsal->machine = ours;
	begin(f, &plan);
	give_session(f);
	assert_refused(f, WIRE_PROOF_REFUSED);
	assert_non_null(strstr(f->detail, "another machine"));
}

static void a_gpu_that_is_not_here_is_refused(void **state)
{
	struct session plan = plan_of(SESSION_STANDBY, SESSION_GPU);
	struct fixture *f = *state;

	start_fake(f, "sleep 100");
	plan.gpu_uuid[15] = 2;
	begin(f, &plan);
	give_session(f);
	assert_refused(f, WIRE_PROOF_NO_DEVICE);
}

static void one_session_a_device(void **state)
{
	struct session plan = plan_of(SESSION_STANDBY, SESSION_HOST);
	struct fixture *f = *state;

	start_fake(f, "sleep 100");
	begin(f, &plan);
	give_session(f);
	begin(f, &plan);
	give_session(f);
	assert_refused(f, WIRE_PROOF_BUSY);
	plan.device = SESSION_GPU;
	begin(f, &plan);
	give_session(f);
	plan.gpu_uuid[15] = 1;
	begin(f, &plan);
	give_session(f);
	assert_int_equal(f->ends, 0);
}

/* ---- provers that fail ---- */

static void give_fake(struct fixture *f, const char *script)
{
	struct session plan = plan_of(SESSION_STANDBY, SESSION_HOST);

	plan.fill_ms = 1;
	start_fake(f, script);
	begin(f, &plan);
	give_session(f);
	f->answering = true;
	until(f, ended);
	assert_int_equal(f->filled, 0);
}

static void one_that_dies_says_why(void **state)
{
	struct fixture *f = *state;

	give_fake(f, "echo no electricity >&2; exit 1");
	assert_string_equal(f->reason, WIRE_PROOF_BROKEN);
	assert_string_equal(f->detail, "no electricity");
	assert_int_equal(f->over, 0);
}

static void too_little_memory_is_told_apart(void **state)
{
	struct fixture *f = *state;

	give_fake(f, "echo 'needs 9 GiB, has 8' >&2; exit 4");
	assert_string_equal(f->reason, WIRE_PROOF_NO_MEMORY);
	assert_string_equal(f->detail, "needs 9 GiB, has 8");
}

static void no_device_is_told_apart(void **state)
{
	struct fixture *f = *state;

	give_fake(f, "exit 3");
	assert_string_equal(f->reason, WIRE_PROOF_NO_DEVICE);
}

static void a_crash_is_told(void **state)
{
	struct fixture *f = *state;

	give_fake(f, "kill -SEGV $$");
	assert_string_equal(f->reason, WIRE_PROOF_BROKEN);
	assert_non_null(strstr(f->detail, "signal 11"));
}

static void one_that_babbles_is_killed(void **state)
{
	struct fixture *f = *state;

	give_fake(f, "while :; do echo babble; done");
	assert_string_equal(f->reason, WIRE_PROOF_BROKEN);
	until(f, gone);
}

/* A ROOT where FILLED should come. */
static void the_order_is_kept(void **state)
{
	struct fixture *f = *state;

	give_fake(f, "printf '\\065\\0\\0\\0\\006'; head -c 53 /dev/zero; sleep 100");
	assert_string_equal(f->reason, WIRE_PROOF_BROKEN);
	until(f, gone);
}

static void one_that_hangs_is_killed(void **state)
{
	struct fixture *f = *state;

	f->slack_ms = 300;
	give_fake(f, "sleep 100");
	assert_string_equal(f->reason, WIRE_PROOF_BROKEN);
	until(f, gone);
}

static void one_that_is_not_there_is_told(void **state)
{
	struct session plan = plan_of(SESSION_STANDBY, SESSION_HOST);
	struct fixture *f = *state;

	snprintf(f->program, sizeof(f->program), "/nowhere/kaisar");
	start(f);
	begin(f, &plan);
	give_session(f);
	until(f, ended);
	assert_string_equal(f->reason, WIRE_PROOF_BROKEN);
}

static void a_panel_that_is_silent_ends_it(void **state)
{
	struct session plan = plan_of(SESSION_STANDBY, SESSION_HOST);
	struct fixture *f = *state;

	f->nonces_ms = 300;
	start_fake(f, "sleep 100");
	begin(f, &plan);
	give_session(f);
	until(f, ended);
	assert_string_equal(f->reason, WIRE_PROOF_NO_NONCES);
	until(f, gone);
}

/* Nonces that the network did not sign, of another phase, or of another session change nothing. */
static void false_nonces_are_left(void **state)
{
	struct session plan = plan_of(SESSION_STANDBY, SESSION_HOST);
	const struct nonces_message *message;
	struct fixture *f = *state;
	uint8_t bytes[NONCES_SIZE_MAX];
	size_t len;

	start(f);
	begin(f, &plan);
	give_session(f);
	assert_int_equal(rehearsal_nonces(f->rehearsal, NONCE_FILL, &message), 0);
	len = nonces_encode(message, bytes);
	bytes[NONCES_HEAD_SIZE] ^= 1;
	give(f, MESSAGE_NONCES, bytes, len);
	assert_int_equal(rehearsal_nonces(f->rehearsal, NONCE_WALK, &message), 0);
	give(f, MESSAGE_NONCES, bytes, nonces_encode(message, bytes));
	give(f, MESSAGE_NONCES, bytes, 20);
	assert_false(run_until(f, is_filled, 20));
	give_nonces(f, NONCE_FILL);
	until(f, is_filled);
	assert_int_equal(f->ends, 0);
}

/* ---- tenants, and the link ---- */

static char *const gpu_1[] = { (char *)GPU_1 };

static void begin_on(struct fixture *f, uint8_t kind, uint8_t device, uint8_t gpu)
{
	struct session plan = plan_of(kind, device);

	plan.gpu_uuid[15] = gpu;
	begin(f, &plan);
	give_session(f);
}

static void a_tenant_goes_first(void **state)
{
	struct fixture *f = *state;

	start_fake(f, "sleep 100");
	begin_on(f, SESSION_STANDBY, SESSION_GPU, 1);
	until(f, runs);
	prover_yield(f->prover, gpu_1, 1);
	assert_int_equal(f->ends, 1);
	assert_string_equal(f->reason, WIRE_PROOF_YIELDED);
	assert_true(prover_yielding(f->prover));
	until(f, has_yielded);
	assert_false(child_runs(f));
	assert_int_equal(f->yielded, 1);
}

static void the_host_yields_to_any_tenant(void **state)
{
	struct fixture *f = *state;

	start_fake(f, "sleep 100");
	begin_on(f, SESSION_STANDBY, SESSION_HOST, 0);
	prover_yield(f->prover, NULL, 0);
	assert_string_equal(f->reason, WIRE_PROOF_YIELDED);
	until(f, has_yielded);
}

static void another_gpu_goes_on(void **state)
{
	struct fixture *f = *state;

	start_fake(f, "sleep 100");
	begin_on(f, SESSION_STANDBY, SESSION_GPU, 0);
	prover_yield(f->prover, gpu_1, 1);
	assert_int_equal(f->ends, 0);
	assert_false(prover_yielding(f->prover));
	until(f, runs);
}

static void a_rented_gpu_is_proved_beside_its_tenant(void **state)
{
	struct fixture *f = *state;

	f->tenants = TENANTS_ON_IT;
	start_fake(f, "sleep 100");
	begin_on(f, SESSION_STANDBY, SESSION_GPU, 1);
	assert_refused(f, WIRE_PROOF_YIELDED);
	begin_on(f, SESSION_RENTED, SESSION_GPU, 1);
	prover_yield(f->prover, gpu_1, 1);
	assert_int_equal(f->ends, 0);
	until(f, runs);
}

static int nice_beside(struct fixture *f, enum prover_tenants tenants)
{
	f->tenants = tenants;
	begin_on(f, SESSION_STANDBY, SESSION_HOST, 0);
	until(f, runs);
	return getpriority(PRIO_PROCESS, (id_t)child_pid(f));
}

static void it_works_as_any_program_on_an_idle_machine(void **state)
{
	struct fixture *f = *state;

	start_fake(f, "sleep 100");
	assert_int_equal(nice_beside(f, TENANTS_NONE), getpriority(PRIO_PROCESS, 0));
}

static void beside_tenants_it_is_nice(void **state)
{
	struct fixture *f = *state;

	start_fake(f, "sleep 100");
	assert_int_equal(nice_beside(f, TENANTS_BESIDE), 10);
}

static bool never(const struct fixture *f _unused_)
{
	return false;
}

static bool takes_another(struct fixture *f)
{
	f->ends = 0;
	begin_on(f, SESSION_STANDBY, SESSION_HOST, 0);
	return f->ends == 0;
}

static void nothing_runs_on_without_the_link(void **state)
{
	struct fixture *f = *state;

	start_fake(f, "sleep 100");
	begin_on(f, SESSION_STANDBY, SESSION_HOST, 0);
	until(f, runs);
	prover_drop(f->prover);
	assert_int_equal(f->ends, 0);
	until(f, gone);
	/* And the device is free again, once all that the child said is read. */
	for (int left = 1000; !takes_another(f); left--) {
		assert_int_not_equal(left, 0);
		assert_false(run_until(f, never, 1));
	}
}

static void nothing_runs_on_without_the_agent(void **state)
{
	struct fixture *f = *state;

	start_fake(f, "sleep 100");
	begin_on(f, SESSION_STANDBY, SESSION_HOST, 0);
	until(f, runs);
	prover_free(f->prover);
	f->prover = NULL;
	until(f, gone);
}

static void uuids(void **state _unused_)
{
	static const char *const wrong[] = {
		"",
		"GPU-0",
		"MIG-00000000-0000-0000-0000-000000000000",
		"GPU-00000000-0000-0000-0000-00000000000g",
		"GPU-00000000+0000-0000-0000-000000000000",
		"GPU-000000000000-0000-0000-00000000-0000",
		"GPU-00000000-0000-0000-0000-0000000000000",
	};
	uint8_t uuid[SESSION_UUID_SIZE];

	assert_int_equal(prover_uuid("GPU-01234567-89ab-cdef-FEDC-ba9876543210", uuid), 0);
	assert_memory_equal(uuid,
			    "\x01\x23\x45\x67\x89\xab\xcd\xef\xfe\xdc\xba\x98\x76\x54\x32\x10", 16);
	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++)
		assert_int_equal(prover_uuid(wrong[i], uuid), -EINVAL);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(the_child_proves),
		TEST(a_gpu_is_proved_beside_a_full_link),
		TEST(the_agent_stays_small),
		TEST(only_our_network_asks),
		TEST(another_machine_s_session_is_refused),
		TEST(a_gpu_that_is_not_here_is_refused),
		TEST(one_session_a_device),
		TEST(one_that_dies_says_why),
		TEST(too_little_memory_is_told_apart),
		TEST(no_device_is_told_apart),
		TEST(a_crash_is_told),
		TEST(one_that_babbles_is_killed),
		TEST(the_order_is_kept),
		TEST(one_that_hangs_is_killed),
		TEST(one_that_is_not_there_is_told),
		TEST(a_panel_that_is_silent_ends_it),
		TEST(false_nonces_are_left),
		TEST(a_tenant_goes_first),
		TEST(the_host_yields_to_any_tenant),
		TEST(another_gpu_goes_on),
		TEST(a_rented_gpu_is_proved_beside_its_tenant),
		TEST(it_works_as_any_program_on_an_idle_machine),
		TEST(beside_tenants_it_is_nice),
		TEST(nothing_runs_on_without_the_link),
		TEST(nothing_runs_on_without_the_agent),
		cmocka_unit_test(uuids),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
