/* popw_bench.c - what one core of this machine does for a proof: verifies a session of full size, and computes
 * what a prover would, at every level of vector instructions that it has. */
#include "cmd/popw.h"

#include <jansson.h>
#include <time.h>

#include "cmd/failure.h"
#include "cmd/popw_bench_device.h"
#include "popw/class.h"
#include "popw/cpu.h"
#include "popw/rehearsal.h"
#include "popw/verify.h"

enum { ARENA_BYTES = 16 << 20, REPEATS = 3, SIDE = 512, ITEMS = 4096 };

static const struct option_row rows[] = {
	{ "backend", 'b', "NAME", "measure cuda, opencl, cpu or disk" },
	POPW_ROW_DEVICE,
	POPW_ROW_THREADS,
	POPW_ROW_FOLDER,
	{ "class", 'c', "NAME", "with --backend: whose shapes to take, like nvidia-t4" },
	{ "json", 0, NULL, "a line of JSON for each level" },
	{ 0 },
};
static const struct option_table table = {
	.usage = "kaisar popw bench [OPTIONS]",
	.about = "Measures one core: verifying a session of an H100's size (K 65536, 64 + 64 "
		 "openings),\n"
		 "and what proving it would take here. CPU time, the best of three.\n"
		 "With --backend it measures that device instead: how fast it fills its memory,\n"
		 "walks and multiplies; and prints the row for docs/popw-calibration.md.",
	.rows = rows,
};

struct bench {
	struct random_seeded random;
	struct rehearsal *rehearsal;
	struct verifier *verifier;
	struct arena *arena;
	struct prover_device *device;
	uint8_t *transcript;
	size_t transcript_len;
};

/* Milliseconds of CPU time, so that what else runs here weighs little. */
struct figures {
	double verify_ms, tile_ms, walk_ms, product_ms, items_ms;
};

static double now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
	return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

/* What is opened of an H100's session; what is not opened costs a verifier nothing, but for the length of
 * the paths. */
static void full_size(struct session *ret_plan)
{
	struct session_work work;

	class_work((uint16_t)class_find("nvidia-h100-sxm-80gb"), UINT64_C(80) << 30, &work);
	work.n_items = ITEMS;
	work.walks = SIDE;
	work.epochs = 1;
	work.n = work.m = SIDE;
	work.rounds = 1;
	*ret_plan = (struct session){
		.kind = SESSION_SELF_TEST,
		.device = SESSION_HOST,
		.flags = SESSION_HAS_WALK | SESSION_HAS_MATRIX,
		.work = work,
		.fill_ms = 1,
		.walk_ms = 1,
		.matrix_ms = 1,
	};
}

static int prepare(struct bench *bench)
{
	struct prover_exchange exchange;
	struct session plan;
	const char *detail;
	int r;

	random_seeded_init(&bench->random, 1);
	full_size(&plan);
	r = rehearsal_new(&bench->random.random, 15, &bench->rehearsal);
	if (r == 0)
		r = verifier_new(&bench->verifier);
	if (r == 0)
		r = arena_new(ARENA_BYTES, &bench->arena);
	if (r == 0)
		r = prover_cpu_open(0, &bench->device, &detail);
	if (r == 0)
		r = rehearsal_begin(bench->rehearsal, &plan, NULL);
	if (r < 0)
		return r;
	exchange = rehearsal_exchange(bench->rehearsal);
	r = prove(&bench->rehearsal->transcript.session, bench->device, &exchange);
	return r < 0 ? r
		     : rehearsal_transcript(bench->rehearsal, bench->arena, &bench->transcript,
					    &bench->transcript_len);
}

/* ---- what is measured ---- */

static int verify_once(struct bench *bench)
{
	struct arena_mark mark = arena_mark(bench->arena);
	struct transcript transcript;
	struct finding finding;
	int r;

	r = transcript_decode(bench->rehearsal->hasher, bench->transcript, bench->transcript_len,
			      bench->arena, &transcript, NULL);
	if (r == 0)
		verify(bench->verifier, &transcript, &finding);
	arena_rewind(bench->arena, mark);
	return r == 0 && finding.bits == PROOF_ALL ? 0 : -EBADMSG;
}

static int tiles_once(struct bench *bench)
{
	const struct session_work *work = &bench->rehearsal->transcript.session.work;
	struct prg_key key = { { 1 } };
	struct matrix_scratch scratch;
	struct tile tile;
	int r;

	r = matrix_scratch_init(&scratch, work->k);
	if (r < 0)
		return r;
	for (uint32_t i = 0; i < work->open_tiles; i++)
		matrix_tile_remade(&scratch, &key, &key, 0, work->k, work->n, i, &tile);
	matrix_scratch_done(&scratch);
	return 0;
}

static int walks_once(struct bench *bench)
{
	const struct session_work *work = &bench->rehearsal->transcript.session.work;
	_cleanup_(freep) struct walk_state *states = calloc(work->open_walks, sizeof(*states));
	struct prg_key key = { { 1 } };

	if (!states)
		return -ENOMEM;
	for (uint32_t i = 0; i < work->open_walks; i++)
		walk_start(&key, i, &states[i]);
	walk_epoch_remade(states, work->open_walks, &key, work->double_rounds, work->n_items,
			  work->steps);
	return 0;
}

static int product_once(struct bench *bench)
{
	const struct session_work *work = &bench->rehearsal->transcript.session.work;
	_cleanup_(freep) int8_t *a = aligned_alloc(64, (size_t)SIDE * work->k);
	_cleanup_(freep) struct tile *tiles = calloc(session_tiles(work), sizeof(*tiles));
	struct prg_key key = { { 1 } };

	if (!a || !tiles)
		return -ENOMEM;
	for (uint32_t i = 0; i < SIDE; i++)
		prg_row(&key, PRG_A, i, 0, 0, a + (size_t)i * work->k, work->k);
	return matrix_multiply(a, a, SIDE, SIDE, work->k, tiles);
}

static int items_once(struct bench *bench)
{
	const struct session_work *work = &bench->rehearsal->transcript.session.work;
	_cleanup_(freep) struct item *items = calloc(ITEMS, sizeof(*items));
	struct prg_key key = { { 1 } };

	if (!items)
		return -ENOMEM;
	item_fill(&key, work->double_rounds, 0, ITEMS, items);
	return 0;
}

static int best_of(struct bench *bench, int (*once)(struct bench *bench), double *ret_ms)
{
	double best = 0;

	for (int i = 0; i < REPEATS; i++) {
		double start = now_ms(), ms;
		int r;

		r = once(bench);
		if (r < 0)
			return r;
		ms = now_ms() - start;
		best = i == 0 || ms < best ? ms : best;
	}
	*ret_ms = best;
	return 0;
}

static int measure(struct bench *bench, struct figures *ret_figures)
{
	struct figures figures;
	int r;

	r = best_of(bench, verify_once, &figures.verify_ms);
	if (r == 0)
		r = best_of(bench, tiles_once, &figures.tile_ms);
	if (r == 0)
		r = best_of(bench, walks_once, &figures.walk_ms);
	if (r == 0)
		r = best_of(bench, product_once, &figures.product_ms);
	if (r == 0)
		r = best_of(bench, items_once, &figures.items_ms);
	if (r == 0)
		*ret_figures = figures;
	return r;
}

/* ---- what is printed ---- */

/* The time that the rounds of an H100's session would take this core, by that of verifying it. */
static double proving_to_verifying(const struct bench *bench, const struct figures *figures)
{
	const struct session_work *here = &bench->rehearsal->transcript.session.work;
	struct session_work full;

	class_work((uint16_t)class_find("nvidia-h100-sxm-80gb"), UINT64_C(80) << 30, &full);
	return figures->product_ms / figures->verify_ms * full.rounds *
	       ((double)full.k * full.n * full.m) / ((double)here->k * here->n * here->m);
}

static int print_level(const struct bench *bench, bool as_json, enum cpu_level level,
		       const struct figures *figures)
{
	const struct session_work *work = &bench->rehearsal->transcript.session.work;
	double gops = 2e-6 * work->k * work->n * work->m / figures->product_ms;
	double ratio = proving_to_verifying(bench, figures);
	double items = ITEMS / figures->items_ms * 1e3;
	_cleanup_(freep) char *text = NULL;
	json_t *json;

	if (!as_json) {
		printf("%-14s %10.1f %10.1f %10.1f %12.1f %12.0f %12.0f\n", cpu_level_name(level),
		       figures->verify_ms, figures->tile_ms, figures->walk_ms, gops, items, ratio);
		return 0;
	}
	json = json_pack("{ss sf sf sf sf sf sf}", "level", cpu_level_name(level), "verify_ms",
			 figures->verify_ms, "tiles_ms", figures->tile_ms, "walks_ms",
			 figures->walk_ms, "product_gops", gops, "items_per_second", items,
			 "proving_to_verifying", ratio);
	text = json ? json_dumps(json, JSON_COMPACT | JSON_REAL_PRECISION(6)) : NULL;
	json_decref(json);
	if (!text)
		return -ENOMEM;
	puts(text);
	return 0;
}

static int run(struct bench *bench, bool as_json)
{
	int r;

	r = prepare(bench);
	if (r == 0 && !as_json)
		printf("%-14s %10s %10s %10s %12s %12s %12s\n", "one core", "verify ms", "64 tiles",
		       "64 walks", "product GOPS", "items/s", "prove/verify");
	for (enum cpu_level level = CPU_AVX512; r == 0 && level >= CPU_SCALAR; level--) {
		struct figures figures;

		if (cpu_level_force(level) < 0)
			continue;
		r = measure(bench, &figures);
		if (r == 0)
			r = print_level(bench, as_json, level, &figures);
	}
	if (r == 0 && fflush(stdout) != 0)
		r = -errno;
	return r;
}

int popw_bench(int argc, char **argv)
{
	struct bench bench = { .rehearsal = NULL };
	struct options options;
	int r, status;

	if (options_read(&table, argc, argv, &options, &status) != 0)
		return status;
	if (options_has(&options, "backend"))
		return popw_bench_device(&options);
	r = run(&bench, options_has(&options, "json"));
	if (bench.device)
		bench.device->ops->close(bench.device);
	arena_free(bench.arena);
	verifier_free(bench.verifier);
	rehearsal_free(bench.rehearsal);
	return r < 0 ? cli_fault(r, "bench") : 0;
}
