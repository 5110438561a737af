/* popw_bench_device.c - how fast a device fills, walks and multiplies, in the shapes of its class: what a row of
 * popw/class_table.h is made from. Nothing is verified: `kaisar popw self-test` is for that. */
#include "cmd/popw_bench_device.h"

#include <time.h>

#include "cmd/failure.h"
#include "popw/class.h"
#include "popw/session.h"

enum {
	PHASE_US = 3000000, /* so long at least, unless all epochs or rounds are done before */
	HOST_EPOCHS = 1024, /* of a few milliseconds each */
	HOST_MEMORY = 512 << 20, /* the set is half, and past the caches */
	HOST_ROUNDS = 2048,
	PROBE_ITEMS = 4096,
	FILL_MAX_S = 60, /* slower devices get the shapes of the CPU's class */
};

struct figures {
	uint64_t fill_us, walk_us, matrix_us;
	uint32_t epochs, rounds; /* in those times */
};

struct bench {
	struct prover_device *device;
	struct prover_info info;
	int class_;
	bool has_matrix;
	struct session_work work;
	struct figures figures;
};

static uint64_t now_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

static uint64_t us_since(uint64_t began)
{
	uint64_t us = now_us() - began;

	return us > 0 ? us : 1;
}

/* ---- measuring; the first epoch and round warm up ---- */

static int fill(struct bench *bench)
{
	const struct prg_key key = { { 'D' } };
	uint64_t began = now_us();
	int r;

	r = bench->device->ops->fill(bench->device, &key, &bench->work);
	bench->figures.fill_us = us_since(began);
	return r;
}

static void take_host_shapes(struct bench *bench)
{
	uint64_t memory = bench->info.memory_bytes;

	class_work(CLASS_CPU, memory < HOST_MEMORY ? memory : HOST_MEMORY, &bench->work);
	bench->work.epochs = HOST_EPOCHS;
	bench->work.rounds = HOST_ROUNDS;
}

/* OpenCL on a CPU would take hours for what a GPU does in seconds. */
static int fit(struct bench *bench)
{
	uint32_t n_items = bench->work.n_items;
	int r;

	bench->work.n_items = PROBE_ITEMS;
	r = fill(bench); /* the first may compile */
	if (r == 0)
		r = fill(bench);
	bench->work.n_items = n_items;
	if (r == 0 &&
	    bench->figures.fill_us * n_items / PROBE_ITEMS > FILL_MAX_S * UINT64_C(1000000)) {
		printf("too slow for the shapes of GPUs: those of the class cpu are taken\n");
		take_host_shapes(bench);
	}
	return r;
}

static int walk(struct bench *bench)
{
	const struct prover_ops *ops = bench->device->ops;
	const struct prg_key key = { { 'W' } };
	struct figures *figures = &bench->figures;
	uint64_t began = 0;
	struct hash root;
	int r;

	r = ops->walk_start(bench->device, &key);
	for (uint32_t epoch = 0; r == 0 && epoch < bench->work.epochs; epoch++) {
		const uint32_t salt[8] = { epoch + 1, 2, 3, 4, 5, 6, 7, 8 };

		r = ops->walk_epoch(bench->device, salt, epoch, &root);
		if (epoch == 0)
			began = now_us();
		figures->epochs = epoch;
		figures->walk_us = us_since(began);
		if (figures->walk_us > PHASE_US)
			break;
	}
	return r < 0 ? r : ops->walk_end(bench->device);
}

static int multiply(struct bench *bench)
{
	const struct prover_ops *ops = bench->device->ops;
	struct prg_key key = { { 'G' } };
	struct figures *figures = &bench->figures;
	uint64_t began = 0;
	struct hash root;
	int r;

	r = ops->matrix_start(bench->device, &key, &bench->work);
	for (uint32_t round = 0; r == 0 && round < bench->work.rounds; round++) {
		key.words[1] = round + 1;
		r = ops->matrix_round(bench->device, &key, round, &root);
		if (round == 0)
			began = now_us();
		figures->rounds = round;
		figures->matrix_us = us_since(began);
		if (figures->matrix_us > PHASE_US)
			break;
	}
	return r;
}

/* ---- what people read, and send ---- */

static double walk_gbps(const struct bench *bench)
{
	const struct session_work *work = &bench->work;

	return (double)work->walks * work->steps * ITEM_BYTES * bench->figures.epochs /
	       ((double)bench->figures.walk_us * 1e3);
}

static double matrix_tops(const struct bench *bench)
{
	const struct session_work *work = &bench->work;

	return 2. * work->k * work->n * work->m * bench->figures.rounds /
	       ((double)bench->figures.matrix_us * 1e6);
}

static double set_gib(const struct bench *bench)
{
	return (double)bench->work.n_items * ITEM_BYTES / (1 << 30);
}

static void print_rates(const struct bench *bench)
{
	const struct session_work *work = &bench->work;
	double fill_s = (double)bench->figures.fill_us / 1e6;

	printf("device    %s: %s\n", bench->device->ops->backend, bench->info.name);
	printf("fill      %.3f GiB in %.3f s: %.0f items a second of %u double rounds\n",
	       set_gib(bench), fill_s, work->n_items / fill_s, work->double_rounds);
	printf("walk      %u walks of %u steps: %.3f GB/s\n", work->walks, work->steps,
	       walk_gbps(bench));
	if (bench->has_matrix)
		printf("multiply  %u x %u x %u: %.3f TOPS, %.0f tiles a second\n", work->m, work->n,
		       work->k, matrix_tops(bench),
		       (double)session_tiles(work) * bench->figures.rounds * 1e6 /
			       (double)bench->figures.matrix_us);
}

/* As docs/popw-calibration.md has it; the driver's version only who measures knows. */
static void print_row(const struct bench *bench)
{
	printf("\nfor docs/popw-calibration.md:\n\n");
	printf("| %s | DRIVER | %s | %.4g | %.4g | %.1f | %.4g | DATE |\n",
	       bench->class_ == CLASS_UNKNOWN ? "CARD" : class_rows[bench->class_].name,
	       bench->info.name, matrix_tops(bench), walk_gbps(bench),
	       (double)bench->figures.fill_us / 1e6, set_gib(bench));
}

static void print_class(const struct bench *bench)
{
	const struct class_row *row;

	if (bench->class_ == CLASS_UNKNOWN)
		return;
	row = &class_rows[bench->class_];
	printf("\nof %s's references: multiply %.0f permille, walk %.0f permille; 800 pass%s\n",
	       row->name, matrix_tops(bench) * 1e9 / (double)row->matrix_mops,
	       walk_gbps(bench) * 1e9 / (double)row->walk_kbps,
	       row->measured ? "" : " (provisional)");
}

/* ---- the subcommand ---- */

static int run(struct bench *bench)
{
	int r;

	r = bench->class_ == CLASS_CPU ? 0 : fit(bench);
	if (r == 0)
		r = fill(bench);
	if (r == 0)
		r = walk(bench);
	if (r == 0 && bench->has_matrix)
		r = multiply(bench);
	if (r < 0 && bench->device->detail[0])
		return cli_fail(r == -ENOMEM ? PROVER_EXIT_NO_MEMORY : CLI_FAILED, "%s: %s",
				bench->device->ops->backend, bench->device->detail);
	if (r < 0)
		return cli_fault(r, bench->device->ops->backend);
	print_rates(bench);
	if (bench->has_matrix) {
		print_row(bench);
		print_class(bench);
	}
	return fflush(stdout) != 0 ? cli_fault(-errno, "standard output") : 0;
}

static void plan(struct bench *bench, const char *class_name)
{
	const char *backend = bench->device->ops->backend;
	bool disk = strcmp(backend, "disk") == 0;
	bool gpu = !disk && strcmp(backend, "cpu") != 0;

	bench->device->ops->info(bench->device, &bench->info);
	bench->has_matrix = !disk;
	bench->class_ = class_name ? class_find(class_name) : gpu ? CLASS_UNKNOWN : CLASS_CPU;
	class_work((uint16_t)bench->class_, bench->info.memory_bytes, &bench->work);
	if (bench->class_ == CLASS_CPU)
		take_host_shapes(bench);
}

int popw_bench_device(const struct options *options)
{
	const char *name = options_get(options, "class", NULL);
	struct bench bench = { .class_ = -1 };
	struct popw_choice choice;
	int status;

	if (name && class_find(name) < 0)
		return options_refuse(options->table, "--class: there is no class '%s'", name);
	status = popw_choice_read(options, &choice);
	if (status != 0)
		return status;
	status = popw_device_open(&choice, &bench.device);
	if (status != 0)
		return status;
	plan(&bench, name);
	status = run(&bench);
	bench.device->ops->close(bench.device);
	return status;
}
