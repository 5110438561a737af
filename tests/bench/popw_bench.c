/* popw_bench.c - what verifying and proving cost on one core: popw_bench verify LEVEL | ratio | prove | gemm, LEVEL
 * being avx512, avx2 or scalar. Prints figures by name, one a line.
 *
 * Where a session is opened follows from its roots, so that a transcript of a full-size session cannot be
 * made without proving it. Verifying costs as much for a small product: what counts is K, the steps and the
 * openings, and only the paths are shorter. `verify` proves such a session, and adds the missing nodes. */
#include "base/base.h"

#include <time.h>

#ifdef HAVE_DNNL
#include <dnnl.h>
#endif

#include "base/arena.h"
#include "popw/class.h"
#include "popw/cpu.h"
#include "popw/matrix.h"
#include "popw/rehearsal.h"
#include "popw/verify.h"

enum { PANEL = 15, RUNS = 9, FULL_WALK_DEPTH = 16, FULL_TILE_DEPTH = 19 };

static double cpu_seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static int by_value(const void *a, const void *b)
{
	double left = *(const double *)a, right = *(const double *)b;

	return (left > right) - (left < right);
}

static double median(double *values, size_t n)
{
	qsort(values, n, sizeof(*values), by_value);
	return values[n / 2];
}

static int fail(const char *what, const char *detail)
{
	fprintf(stderr, "popw_bench: %s: %s\n", what, detail);
	return 1;
}

/* ---- a session, proved ---- */

struct bench {
	struct random_seeded random;
	struct rehearsal *rehearsal;
	struct prover_device *device;
	struct verifier *verifier;
	struct session plan;
	double prove_s; /* of one core */
};

static struct session plan_of(struct session_work work)
{
	return (struct session){
		.kind = SESSION_SELF_TEST,
		.device = SESSION_HOST,
		.flags = SESSION_HAS_WALK | SESSION_HAS_MATRIX,
		.fill_ms = 600000,
		.walk_ms = 600000,
		.matrix_ms = 600000,
		.work = work,
	};
}

static int prove_plan(struct bench *bench)
{
	struct prover_exchange exchange;
	const char *detail = "out of memory";
	double began;
	int r;

	random_seeded_init(&bench->random, 1);
	r = rehearsal_new(&bench->random.random, PANEL, &bench->rehearsal);
	if (r == 0)
		r = verifier_new(&bench->verifier);
	if (r == 0)
		r = prover_cpu_open(1, &bench->device, &detail);
	if (r == 0)
		r = rehearsal_begin(bench->rehearsal, &bench->plan, &detail);
	if (r != 0)
		return fail("the session", detail);
	exchange = rehearsal_exchange(bench->rehearsal);
	began = cpu_seconds();
	r = prove(&bench->rehearsal->transcript.session, bench->device, &exchange);
	bench->prove_s = cpu_seconds() - began;
	return r == 0 ? 0 : fail("proving", bench->device->detail);
}

static void bench_done(struct bench *bench)
{
	if (bench->device)
		bench->device->ops->close(bench->device);
	verifier_free(bench->verifier);
	rehearsal_free(bench->rehearsal);
}

/* Of a core; what must hold does. @more: nodes to be hashed besides. */
static int verify_s(struct bench *bench, size_t more, double *ret_s)
{
	const struct transcript *transcript = &bench->rehearsal->transcript;
	struct hasher *hasher = verifier_hasher(bench->verifier);
	double times[RUNS];

	for (int i = 0; i < RUNS; i++) {
		struct hash node[2] = { 0 };
		struct finding finding;
		double began = cpu_seconds();

		verify(bench->verifier, transcript, &finding);
		for (size_t n = 0; n < more; n++)
			hasher_once(hasher, node, sizeof(node), &node[n % 2]);
		times[i] = cpu_seconds() - began;
		if (finding.bits != PROOF_ALL)
			return fail("verifying", finding.detail);
	}
	*ret_s = median(times, RUNS);
	return 0;
}

/* ---- verify ---- */

static int force(const char *name)
{
	static const struct {
		const char *name;
		enum cpu_level level;
	} levels[] = { { "avx512", CPU_AVX512 }, { "avx2", CPU_AVX2 }, { "scalar", CPU_SCALAR } };

	for (size_t i = 0; i < ARRAY_SIZE(levels); i++)
		if (strcmp(levels[i].name, name) == 0)
			return cpu_level_force(levels[i].level);
	return -EINVAL;
}

/* Proved as fast as may be, verified at the level. */
static int bench_verify(const char *level)
{
	struct bench bench = { .plan = plan_of((struct session_work){
				       .n_items = 16384,
				       .double_rounds = 256,
				       .walks = 64,
				       .steps = 1024,
				       .epochs = 232, /* as of an H100, like the rounds */
				       .k = 65536,
				       .n = 64,
				       .m = 64,
				       .rounds = 452,
				       .open_walks = 64,
				       .open_tiles = 64,
			       }) };
	const struct session_work *work = &bench.plan.work;
	size_t more = work->open_walks * 2 * (FULL_WALK_DEPTH - tree_depth(work->walks)) +
		      work->open_tiles * (FULL_TILE_DEPTH - tree_depth(session_tiles(work)));
	double s = 0;
	int status;

	status = prove_plan(&bench);
	if (status == 0 && force(level) < 0)
		status = fail(level, "not on this machine");
	if (status == 0)
		status = verify_s(&bench, more, &s);
	if (status == 0)
		printf("seconds %.4f\n", s);
	bench_done(&bench);
	return status;
}

/* ---- ratio ---- */

/* Operations on 32-bit words of an item, a step with its item at hand, a block of the PRG. */
static double item_ops(const struct session_work *work)
{
	return 4 * (96. * work->double_rounds + 16);
}

static double prove_ops(const struct session_work *work)
{
	double steps = (double)work->walks * work->steps * work->epochs;
	double blocks = (double)(work->m * (double)work->rounds + work->n) * work->k / 64;

	return work->n_items * item_ops(work) + steps * (4 * 96 + 64) + blocks * (4 * 96 + 16) +
	       2. * work->k * work->n * work->m * work->rounds;
}

static double verify_ops(const struct session_work *work)
{
	double steps = (double)work->open_walks * work->steps;
	double blocks = (double)work->open_tiles * (TILE_ROWS + TILE_COLUMNS) * work->k / 64;

	return steps * (item_ops(work) + 4 * 96 + 64) + blocks * (4 * 96 + 16) +
	       2. * work->open_tiles * TILE_WORDS * work->k;
}

static int bench_ratio(void)
{
	struct bench bench = { .plan = plan_of((struct session_work){
				       .n_items = 1 << 19,
				       .double_rounds = 256,
				       .walks = 4096,
				       .steps = 16,
				       .epochs = 16,
				       .k = 2048,
				       .n = 4096,
				       .m = 4096,
				       .rounds = 16,
				       .open_walks = 64,
				       .open_tiles = 64,
			       }) };
	struct session_work full;
	double s = 0;
	int status;

	class_work((uint16_t)class_find("nvidia-h100-sxm-80gb"), UINT64_C(80) << 30, &full);
	printf("counted %.0f\n", prove_ops(&full) / verify_ops(&full));
	status = prove_plan(&bench);
	if (status == 0)
		status = verify_s(&bench, 0, &s);
	if (status == 0)
		printf("small_counted %.0f\nsmall_measured %.0f\nprove_s %.3f\nverify_s %.5f\n",
		       prove_ops(&bench.plan.work) / verify_ops(&bench.plan.work),
		       bench.prove_s / s, bench.prove_s, s);
	bench_done(&bench);
	return status;
}

/* ---- prove ---- */

static int print_tiles(void)
{
	struct matrix_scratch scratch;
	struct prg_key key = { { 1 } };
	struct tile tile;
	double began;
	uint32_t n = 0;

	if (matrix_scratch_init(&scratch, MATRIX_K_MAX) < 0)
		return fail("tiles", "out of memory");
	for (began = cpu_seconds(); cpu_seconds() - began < 0.5; n++)
		matrix_tile_remade(&scratch, &key, &key, 0, MATRIX_K_MAX, 8192, n, &tile);
	printf("tiles_per_second %.0f\n", n / (cpu_seconds() - began));
	matrix_scratch_done(&scratch);
	return 0;
}

/* 64 MiB of items: past every cache. */
static int print_steps(void)
{
	enum { ITEMS = 1 << 18, WALKS = 1024, STEPS = 256 };
	struct item *items = calloc(ITEMS, sizeof(*items));
	struct walk_state *states = calloc(WALKS, sizeof(*states));
	struct prg_key key = { { 2 } };
	double began;
	uint32_t n = 0;

	if (!items || !states) {
		free(items);
		free(states);
		return fail("walk", "out of memory");
	}
	item_fill(&key, 1, 0, ITEMS, items);
	for (uint32_t w = 0; w < WALKS; w++)
		walk_start(&key, w, &states[w]);
	for (began = cpu_seconds(); cpu_seconds() - began < 0.5; n++)
		walk_epoch(states, WALKS, items, ITEMS, STEPS);
	printf("steps_per_second %.0f\n", (double)n * WALKS * STEPS / (cpu_seconds() - began));
	free(items);
	free(states);
	return 0;
}

static int bench_prove(void)
{
	struct bench bench = { 0 };
	struct session_work work;
	int status;

	class_work(CLASS_CPU, UINT64_C(128) << 20, &work);
	bench.plan = plan_of(work);
	status = print_tiles();
	if (status == 0)
		status = print_steps();
	if (status == 0)
		status = prove_plan(&bench);
	if (status == 0)
		printf("session_seconds %.3f\n", bench.prove_s);
	bench_done(&bench);
	return status;
}

/* ---- the product beside a library's ---- */

#ifdef HAVE_DNNL

enum { SIDE = 1024, DEPTH = 4096, TURNS = 7 };

static double gops(double s)
{
	return 2. * SIDE * SIDE * DEPTH / s / 1e9;
}

static int32_t element(const struct tile *tiles, uint32_t row, uint32_t column)
{
	const struct tile *tile =
		&tiles[row / TILE_ROWS * (SIDE / TILE_COLUMNS) + column / TILE_COLUMNS];

	return tile->words[row % TILE_ROWS * TILE_COLUMNS + column % TILE_COLUMNS];
}

static bool are_equal(const struct tile *tiles, const int32_t *product)
{
	for (uint32_t r = 0; r < SIDE; r++)
		for (uint32_t c = 0; c < SIDE; c++)
			if (element(tiles, r, c) != product[(size_t)r * SIDE + c])
				return false;
	return true;
}

/* By turns; B lies by columns, which is what 'T' says. */
static int measure_gemm(const int8_t *a, const int8_t *b, struct tile *tiles, int32_t *product)
{
	const int32_t zero = 0;
	double ours[TURNS], theirs[TURNS];

	for (int i = 0; i < TURNS; i++) {
		double began = cpu_seconds();

		if (matrix_multiply(a, b, SIDE, SIDE, DEPTH, tiles) < 0)
			return fail("gemm", "out of memory");
		ours[i] = cpu_seconds() - began;
		began = cpu_seconds();
		if (dnnl_gemm_s8s8s32('N', 'T', 'F', SIDE, SIDE, DEPTH, 1, a, DEPTH, 0, b, DEPTH, 0,
				      0, product, SIDE, &zero) != dnnl_success)
			return fail("gemm", "oneDNN refuses");
		theirs[i] = cpu_seconds() - began;
	}
	if (!are_equal(tiles, product))
		return fail("gemm", "the products differ");
	printf("ours_gops %.1f\ntheirs_gops %.1f\n", gops(median(ours, TURNS)),
	       gops(median(theirs, TURNS)));
	return 0;
}

static int bench_gemm(void)
{
	_cleanup_(freep) int8_t *a = aligned_alloc(64, SIDE * DEPTH);
	_cleanup_(freep) int8_t *b = aligned_alloc(64, SIDE * DEPTH);
	_cleanup_(freep) struct tile *tiles = aligned_alloc(64, (size_t)SIDE * SIDE * 4);
	_cleanup_(freep) int32_t *product = aligned_alloc(64, (size_t)SIDE * SIDE * 4);
	struct prg_key key = { { 3 } };

	if (!a || !b || !tiles || !product)
		return fail("gemm", "out of memory");
	prg_row(&key, PRG_A, 0, 0, 0, a, SIDE * DEPTH);
	prg_row(&key, PRG_B, 0, 0, 0, b, SIDE * DEPTH);
	return measure_gemm(a, b, tiles, product);
}

#else

static int bench_gemm(void)
{
	return fail("gemm",
		    "built without oneDNN: install libdnnl-dev, and configure the build anew");
}

#endif

int main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "";

	if (argc == 3 && strcmp(what, "verify") == 0)
		return bench_verify(argv[2]);
	if (argc == 2 && strcmp(what, "ratio") == 0)
		return bench_ratio();
	if (argc == 2 && strcmp(what, "prove") == 0)
		return bench_prove();
	if (argc == 2 && strcmp(what, "gemm") == 0)
		return bench_gemm();
	fprintf(stderr, "usage: popw_bench verify avx512|avx2|scalar | ratio | prove | gemm\n");
	return 2;
}
