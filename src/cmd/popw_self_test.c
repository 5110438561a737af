/* popw_self_test.c - a machine proves itself what it can do: a made-up panel of three in this process, the
 * prover in a child process as under the agent, and the verdict that a real panel would come to. */
#include "cmd/popw.h"

#include <signal.h>
#include <time.h>

#include "cmd/failure.h"
#include "cmd/file.h"
#include "cmd/popw_child.h"
#include "popw/judge.h"
#include "popw/rehearsal.h"

enum {
	PANEL = 3,
	PHASE_MS = 600000, /* the longest that a session may give a phase */
	SEND_MS = 10000,
	ARENA_BYTES = 16 << 20,
	HOST_MEMORY = 128 << 20,
	QUICK_ITEMS = 1 << 16,
	QUICK_WALKS = 1024,
	QUICK_SIDE = 1024,
	QUICK_K = 4096,
};

static const struct option_row rows[] = {
	POPW_ROW_BACKEND,
	POPW_ROW_DEVICE,
	POPW_ROW_THREADS,
	POPW_ROW_FOLDER,
	{ "class", 'c', "NAME",
	  "the class to be reached, like nvidia-t4 (cpu; of a GPU the best)" },
	{ "quick", 'q', NULL, "little work: whether proofs hold; speed is not judged" },
	{ "save", 's', "FILE", "keep the record, for `kaisar popw verify`" },
	{ 0 },
};
static const struct option_table table = {
	.usage = "kaisar popw self-test [OPTIONS]",
	.about = "Proves to itself what this machine can do, as a panel would have it proved, and "
		 "says\n"
		 "what would come of it. Ends with 0 where the test was passed.",
	.rows = rows,
};

struct self_test {
	struct popw_choice choice;
	bool quick;
	int class_; /* CLASS_UNKNOWN: whatever is earned */
	char backend[16];
	struct prover_info info;

	struct rehearsal *rehearsal;
	struct verifier *verifier;
	struct arena *arena;
	struct frame *frame;
	struct popw_child child;

	uint32_t fill_us, walk_us, matrix_us, verify_us;
	uint8_t *transcript;
	size_t transcript_len;
	struct finding finding;
	struct testimony panel;
	struct verdict verdict;
};

static int64_t now_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static uint32_t us_since(int64_t start)
{
	int64_t us = now_us() - start;

	return us < 1 ? 1 : us > UINT32_MAX ? UINT32_MAX : (uint32_t)us;
}

/* ---- what is to be done ---- */

static uint32_t at_most(uint32_t value, uint32_t most)
{
	return value < most ? value : most;
}

static void make_quick(struct session_work *work)
{
	work->n_items = at_most(work->n_items, QUICK_ITEMS);
	work->walks = at_most(work->walks, QUICK_WALKS);
	work->epochs = (uint16_t)at_most(work->epochs, 2);
	work->k = at_most(work->k, QUICK_K);
	work->n = at_most(work->n, QUICK_SIDE);
	work->m = at_most(work->m, QUICK_SIDE);
	work->rounds = (uint16_t)at_most(work->rounds, 2);
}

static void make_plan(const struct self_test *test, struct session *ret_plan)
{
	bool host = strcmp(test->backend, "cpu") == 0, disk = strcmp(test->backend, "disk") == 0;
	uint64_t memory = test->info.memory_bytes;

	/* A host's own people need not wait for half of its memory. */
	if ((host || disk) && memory > HOST_MEMORY)
		memory = HOST_MEMORY;
	*ret_plan = (struct session){
		.kind = SESSION_SELF_TEST,
		.device = host   ? SESSION_HOST
			  : disk ? SESSION_DISK
				 : SESSION_GPU,
		.flags = SESSION_HAS_WALK | SESSION_HAS_MATRIX,
		.class_ = (uint16_t)test->class_,
		.gpu_index = (uint16_t)(host || disk ? 0 : test->choice.device),
		.fill_ms = PHASE_MS,
		.walk_ms = PHASE_MS,
		.matrix_ms = PHASE_MS,
	};
	if (ret_plan->device == SESSION_GPU)
		memcpy(ret_plan->gpu_uuid, test->info.uuid, SESSION_UUID_SIZE);
	class_work((uint16_t)test->class_, memory, &ret_plan->work);
	if (test->quick)
		make_quick(&ret_plan->work);
}

/* ---- the session ---- */

static int send_session(struct self_test *test)
{
	uint8_t bytes[SESSION_SIZE];

	session_encode(&test->rehearsal->transcript.session, bytes);
	return frame_write(test->child.in, SEND_MS, MESSAGE_SESSION, bytes, sizeof(bytes));
}

/* Sends the nonces @k, and hears the prover until it has said @last. */
static int run_phase(struct self_test *test, enum session_nonce k, enum message_kind last,
		     uint32_t *ret_us)
{
	const struct nonces_message *message;
	uint8_t bytes[NONCES_SIZE_MAX];
	int64_t start;
	int r;

	r = rehearsal_nonces(test->rehearsal, (uint8_t)k, &message);
	if (r < 0)
		return r;
	start = now_us();
	r = frame_write(test->child.in, SEND_MS, MESSAGE_NONCES, bytes,
			nonces_encode(message, bytes));
	while (r == 0) {
		r = frame_read(test->child.out, PHASE_MS, test->frame);
		if (r == 0)
			r = rehearsal_hear(test->rehearsal, test->frame->kind, test->frame->bytes,
					   test->frame->len);
		if (r == 0 && test->frame->kind == last)
			break;
	}
	*ret_us = us_since(start);
	return r;
}

static int run_session(struct self_test *test)
{
	uint32_t open_us;
	int r;

	r = send_session(test);
	fputs("filling ...", stderr);
	if (r == 0)
		r = run_phase(test, NONCE_FILL, MESSAGE_FILLED, &test->fill_us);
	fputs(" walking ...", stderr);
	if (r == 0)
		r = run_phase(test, NONCE_WALK, MESSAGE_SEAL, &test->walk_us);
	fputs(" multiplying ...", stderr);
	if (r == 0)
		r = run_phase(test, NONCE_MATRIX, MESSAGE_SEAL, &test->matrix_us);
	fputs(" opening ...", stderr);
	if (r == 0)
		r = run_phase(test, NONCE_OPEN, MESSAGE_OPEN, &open_us);
	fputs("\n", stderr);
	return r;
}

/* 0 or an exit status. What ails the prover it has said itself. */
static int prove_in_child(struct self_test *test)
{
	int r, status;

	r = popw_child_start(&test->choice, false, &test->child);
	if (r < 0)
		return cli_fault(r, "the prover");
	r = run_session(test);
	/* One that has closed its end has its reason to tell. */
	status = popw_child_end(&test->child, r < 0 && r != -EPIPE);
	if (r == -ETIMEDOUT)
		return cli_fail(CLI_TIMEOUT, "the prover said nothing for ten minutes");
	if (r < 0 && status <= 0)
		return cli_fault(r, "the prover");
	return status < 0 ? cli_fault(status, "the prover") : status;
}

/* ---- the panel ---- */

static int find(struct self_test *test, struct result *ret_result)
{
	struct transcript transcript;
	const char *detail = "";
	int64_t start;
	int r;

	r = rehearsal_transcript(test->rehearsal, test->arena, &test->transcript,
				 &test->transcript_len);
	if (r < 0)
		return r;
	start = now_us();
	r = transcript_decode(test->rehearsal->hasher, test->transcript, test->transcript_len,
			      test->arena, &transcript, &detail);
	if (r != 0)
		return r < 0 ? r : -EBADMSG;
	verify(test->verifier, &transcript, &test->finding);
	test->verify_us = us_since(start);
	*ret_result = (struct result){ .bits = test->finding.bits,
				       .fill_us = test->fill_us,
				       .walk_us = test->walk_us,
				       .matrix_us = test->matrix_us };
	hasher_once(test->rehearsal->hasher, test->transcript, test->transcript_len,
		    &ret_result->transcript);
	return 0;
}

static int judge_it(struct self_test *test)
{
	struct testimony *panel = &test->panel;
	int r;

	r = find(test, &panel->results[0]);
	for (uint32_t i = 0; r == 0 && i < PANEL; i++) {
		panel->results[i] = panel->results[0];
		r = rehearsal_sign_result(test->rehearsal, i, &panel->results[i]);
		panel->set |= 1u << i;
	}
	if (r == 0)
		r = rehearsal_testify(test->rehearsal, panel->set, panel);
	if (r == 0)
		judge_testimony(&test->rehearsal->transcript.session, panel, &test->verdict);
	return r < 0 ? cli_fault(r, "the panel") : 0;
}

static int save(struct self_test *test, const char *path)
{
	uint8_t *bytes;
	size_t len;
	int r;

	r = record_encode(test->transcript, test->transcript_len, &test->panel, test->arena, &bytes,
			  &len);
	if (r == 0)
		r = file_write(path, bytes, len, 0644);
	return r < 0 ? cli_fault(r, path) : 0;
}

/* ---- what people read ---- */

struct unit {
	const char *name;
	double of; /* of what is measured makes one */
};

static void print_row(const char *what, struct unit unit, uint64_t reached, uint64_t reference,
		      uint32_t needed_permille)
{
	double expected = (double)reference / unit.of;

	printf("%-14s %12.3f", what, (double)reached / unit.of);
	if (reference > 0)
		printf(" %12.3f %12.3f %9" PRIu64, expected * needed_permille / 1000, expected,
		       reached * 1000 / reference);
	printf("  %s\n", unit.name);
}

/* The CPU's figures are a thousandth of a GPU's. */
static struct unit scaled(uint64_t figure, const char *large, const char *small)
{
	return figure >= 1000000 ? (struct unit){ large, 1e6 } : (struct unit){ small, 1e3 };
}

static void print_table(const struct self_test *test, const struct class_row *row)
{
	const struct session_work *work = &test->rehearsal->transcript.session.work;
	const struct measured *measured = &test->verdict.measured;

	printf("device         %s: %s\n", test->backend, test->info.name);
	printf("class          %s%s\n\n", row ? row->name : "none claimed",
	       row && !row->measured ? " (its figures are provisional)" : "");
	printf("%-14s %12s%s\n", "", "reached", row ? "       needed     expected  permille" : "");
	print_row("matrix units",
		  scaled(row ? row->matrix_mops : measured->matrix_mops, "TOPS", "GOPS"),
		  measured->matrix_mops, row ? row->matrix_mops : 0, CLASS_PASS_PERMILLE);
	print_row("walk", scaled(row ? row->walk_kbps : measured->walk_kbps, "GB/s", "MB/s"),
		  measured->walk_kbps, row ? row->walk_kbps : 0, CLASS_PASS_PERMILLE);
	print_row("data set", (struct unit){ "MiB", 1 }, measured->set_mib, row ? row->set_mib : 0,
		  1000);
	printf("\nfill %.3f s, walk %.3f s, %u rounds %.3f s; %u + %u openings verified in %.3f "
	       "s\n",
	       test->fill_us / 1e6, test->walk_us / 1e6, work->rounds, test->matrix_us / 1e6,
	       work->open_walks, work->open_tiles, test->verify_us / 1e6);
}

static const char *class_name(int class_)
{
	return class_ >= 0 && (size_t)class_ < class_rows_n ? class_rows[class_].name : "no class";
}

/* 0 passed, else CLI_FAILED. */
static int print_sentence(const struct self_test *test)
{
	const struct verdict *verdict = &test->verdict;

	if (verdict->bits != PROOF_ALL) {
		printf("FAILED: what was computed is not right: %s.\n", test->finding.detail);
		return CLI_FAILED;
	}
	if (test->quick) {
		printf("PASSED: what was computed is right, bit for bit. Speed was not judged.\n");
		return 0;
	}
	if (verdict->outcome == VERDICT_PASSED && verdict->earned >= 0) {
		printf("PASSED: right bit for bit, and fast enough for %s: score %.3f.\n",
		       class_name(verdict->earned), verdict->score_milli / 1000.);
		return 0;
	}
	printf("NOT PASSED: right bit for bit, but not enough for %s; a panel would give it %s.\n",
	       test->class_ == CLASS_UNKNOWN ? "any class" : class_name(test->class_),
	       class_name(verdict->earned));
	return CLI_FAILED;
}

/* ---- the subcommand ---- */

static int run(struct self_test *test, const char *path)
{
	struct session plan;
	const char *detail = "";
	int r, status;

	make_plan(test, &plan);
	r = rehearsal_begin(test->rehearsal, &plan, &detail);
	if (r == -EINVAL)
		return cli_fail(CLI_FAILED, "no session for this device: %s", detail);
	if (r < 0)
		return cli_fault(r, "self-test");
	status = prove_in_child(test);
	if (status == 0)
		status = judge_it(test);
	if (status == 0 && path)
		status = save(test, path);
	if (status != 0)
		return status;
	print_table(test, test->class_ == CLASS_UNKNOWN ? NULL : &class_rows[test->class_]);
	status = print_sentence(test);
	return fflush(stdout) != 0 ? cli_fault(-errno, "standard output") : status;
}

static int begin(struct self_test *test, const struct options *options)
{
	const char *name = options_get(options, "class", NULL);
	bool gpu;
	int status;

	status = popw_choice_read(options, &test->choice);
	if (status != 0)
		return status;
	if (name && class_find(name) < 0)
		return options_refuse(options->table, "--class: there is no class '%s'", name);
	status = popw_child_info(&test->choice, test->backend, &test->info);
	if (status != 0)
		return status;
	gpu = strcmp(test->backend, "cpu") != 0 && strcmp(test->backend, "disk") != 0;
	test->class_ = name ? class_find(name) : gpu ? CLASS_UNKNOWN : CLASS_CPU;
	test->quick = options_has(options, "quick");
	return 0;
}

static int allocate(struct self_test *test)
{
	int r;

	test->frame = malloc(sizeof(*test->frame));
	if (!test->frame)
		return -ENOMEM;
	r = rehearsal_new(&random_system, PANEL, &test->rehearsal);
	if (r == 0)
		r = verifier_new(&test->verifier);
	return r < 0 ? r : arena_new(ARENA_BYTES, &test->arena);
}

int popw_self_test(int argc, char **argv)
{
	struct self_test test = { .class_ = -1 };
	struct options options;
	const char *path;
	int r, status;

	if (options_read(&table, argc, argv, &options, &status) != 0)
		return status;
	path = options_get(&options, "save", NULL);
	r = path ? file_can_write(path) : 0;
	if (r < 0)
		return cli_fail(CLI_USAGE, "--save %s: %s", path, strerror(-r));
	signal(SIGPIPE, SIG_IGN);
	status = begin(&test, &options);
	if (status != 0)
		return status;
	r = allocate(&test);
	status = r < 0 ? cli_fault(r, "self-test") : run(&test, path);
	arena_free(test.arena);
	verifier_free(test.verifier);
	rehearsal_free(test.rehearsal);
	free(test.frame);
	return status;
}
