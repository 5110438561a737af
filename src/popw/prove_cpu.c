#include "popw/prover.h"

#include <sys/mman.h>

#include "popw/cpu.h"
#include "popw/prove_host.h"

enum { ITEMS_A_TURN = 1024, WALKS_A_TURN = 16 };

struct cpu_prover {
	struct host_prover host;
	struct item *items; /* the data set */
	size_t items_bytes;
	struct walk_state *states; /* of the epoch at hand */
};

static struct cpu_prover *cpu_of(struct prover_device *device)
{
	return (struct cpu_prover *)device;
}

static void drop_items(struct cpu_prover *cpu)
{
	if (cpu->items)
		munmap(cpu->items, cpu->items_bytes);
	cpu->items = NULL;
}

/* In huge pages where there are any: each step reads from a page of its own. */
static int reserve_items(struct cpu_prover *cpu, size_t bytes)
{
	void *items = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (items == MAP_FAILED)
		return -errno;
	(void)madvise(items, bytes, MADV_HUGEPAGE); /* a kernel without them is slower, no worse */
	cpu->items = items;
	cpu->items_bytes = bytes;
	return 0;
}

static int fill_some(void *arg, _unused_ unsigned int worker, size_t i)
{
	struct cpu_prover *cpu = arg;
	const struct session_work *work = &cpu->host.work;
	uint32_t first = (uint32_t)i * ITEMS_A_TURN;

	item_fill(&cpu->host.seed_d, work->double_rounds, first,
		  size_min(ITEMS_A_TURN, work->n_items - first), cpu->items + first);
	return 0;
}

static int fill(struct prover_device *device, const struct prg_key *seed_d,
		const struct session_work *work)
{
	struct cpu_prover *cpu = cpu_of(device);
	size_t bytes = (size_t)work->n_items * ITEM_BYTES;
	int r;

	drop_items(cpu);
	r = host_begin(device, seed_d, work, bytes);
	if (r < 0)
		return r;
	r = reserve_items(cpu, bytes);
	if (r < 0)
		return host_fail(device, r, "no memory for a data set of %zu MiB", bytes >> 20);
	return crew_run(cpu->host.crew, (work->n_items + ITEMS_A_TURN - 1) / ITEMS_A_TURN,
			fill_some, cpu);
}

static int walk_some(void *arg, _unused_ unsigned int worker, size_t i)
{
	const struct cpu_prover *cpu = arg;
	const struct session_work *work = &cpu->host.work;
	size_t first = i * WALKS_A_TURN;

	walk_epoch(cpu->states + first, size_min(WALKS_A_TURN, work->walks - first), cpu->items,
		   work->n_items, work->steps);
	return 0;
}

static int epoch(struct prover_device *device, const uint32_t salt[static 8], uint32_t index,
		 struct hash *ret_root)
{
	struct cpu_prover *cpu = cpu_of(device);
	struct host_prover *host = &cpu->host;
	int r;

	cpu->states = walk_log_enter(&host->log, index, salt);
	r = crew_run(host->crew, (host->work.walks + WALKS_A_TURN - 1) / WALKS_A_TURN, walk_some,
		     cpu);
	return r < 0 ? r : walk_log_seal(&host->log, host->crew, index, ret_root);
}

static int walk_end(struct prover_device *device)
{
	drop_items(cpu_of(device));
	return 0;
}

static void info(struct prover_device *device, struct prover_info *ret_info)
{
	unsigned int threads = crew_size(host_of(device)->crew);

	*ret_info = (struct prover_info){ .memory_bytes = host_memory_available() };
	snprintf(ret_info->name, sizeof(ret_info->name), "%s, %u thread%s",
		 cpu_level_name(cpu_level()), threads, threads == 1 ? "" : "s");
}

static void close_cpu(struct prover_device *device)
{
	struct cpu_prover *cpu = cpu_of(device);

	drop_items(cpu);
	host_done(&cpu->host);
	free(cpu);
}

static const struct prover_ops ops = {
	.backend = "cpu",
	.close = close_cpu,
	.info = info,
	.fill = fill,
	.walk_start = host_walk_start,
	.walk_epoch = epoch,
	.open_walk = host_open_walk,
	.walk_end = walk_end,
	.matrix_start = host_matrix_start,
	.matrix_round = host_matrix_round,
	.open_tiles = host_open_tiles,
};

int prover_cpu_open(unsigned int threads, struct prover_device **ret_device,
		    const char **ret_detail)
{
	struct cpu_prover *cpu = calloc(1, sizeof(*cpu));
	int r;

	if (!cpu) {
		*ret_detail = "no memory";
		return -ENOMEM;
	}
	r = host_init(&cpu->host, &ops, threads, ret_detail);
	if (r < 0) {
		free(cpu);
		return r;
	}
	*ret_device = &cpu->host.device;
	return 0;
}
