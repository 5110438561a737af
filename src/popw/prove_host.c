#include "popw/prove_host.h"

#include <stdarg.h>
#include <unistd.h>

int host_fail(struct prover_device *device, int fault, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(device->detail, sizeof(device->detail), format, args);
	va_end(args);
	return fault;
}

/* ---- memory ---- */

uint64_t host_memory_available(void)
{
	FILE *file = fopen("/proc/meminfo", "re");
	unsigned long long kib = 0;
	char line[128];

	if (!file)
		return 0;
	while (fgets(line, sizeof(line), file))
		if (sscanf(line, "MemAvailable: %llu kB", &kib) == 1)
			break;
	fclose(file);
	return (uint64_t)kib << 10;
}

/* The kernel promises more than there is, and kills whoever takes it at its word: so ask first. */
int host_memory_check(struct prover_device *device, uint64_t bytes, const char *what)
{
	uint64_t available = host_memory_available();

	if (available == 0 || bytes <= available)
		return 0;
	return host_fail(device, -ENOMEM,
			 "%s would take %" PRIu64 " MiB of memory, %" PRIu64 " MiB are available",
			 what, bytes >> 20, available >> 20);
}

/* ---- its life ---- */

int host_init(struct host_prover *host, const struct prover_ops *ops, unsigned int threads,
	      const char **ret_detail)
{
	long processors = sysconf(_SC_NPROCESSORS_ONLN);
	int r;

	*host = (struct host_prover){ .device.ops = ops };
	if (threads == 0)
		threads = (unsigned int)(processors < 1 ? 1 : processors);
	if (threads > PROVER_THREADS_MAX) {
		*ret_detail = "too many threads: at most 1024";
		return -EINVAL;
	}
	r = crew_new(threads, &host->crew);
	if (r < 0)
		*ret_detail =
			"the threads cannot be started: allow more processes (ulimit -u, TasksMax)";
	return r;
}

void host_done(struct host_prover *host)
{
	walk_log_done(&host->log);
	host_rounds_done(&host->rounds);
	crew_free(host->crew);
}

/* ---- operations ---- */

int host_begin(struct prover_device *device, const struct prg_key *seed_d,
	       const struct session_work *work, uint64_t set_bytes)
{
	struct host_prover *host = host_of(device);
	int r;

	walk_log_done(&host->log);
	host_rounds_done(&host->rounds);
	r = host_memory_check(device, set_bytes + walk_log_bytes(work), "the walk phase");
	if (r < 0)
		return r;
	host->seed_d = *seed_d;
	host->work = *work;
	r = walk_log_init(&host->log, work);
	return r < 0 ? host_fail(device, r, "no memory for the walks' states") : 0;
}

int host_walk_start(struct prover_device *device, const struct prg_key *seed_w)
{
	struct host_prover *host = host_of(device);

	return walk_log_start(&host->log, host->crew, seed_w);
}

int host_open_walk(struct prover_device *device, uint32_t walk, uint32_t epoch,
		   struct walk_opening *ret_opening)
{
	walk_log_open(&host_of(device)->log, walk, epoch, ret_opening);
	return 0;
}

int host_matrix_start(struct prover_device *device, const struct prg_key *seed_g,
		      const struct session_work *work)
{
	struct host_prover *host = host_of(device);
	int r;

	host_rounds_done(&host->rounds);
	r = host_memory_check(device, host_rounds_bytes(work, crew_size(host->crew)),
			      "the matrix phase");
	if (r < 0)
		return r;
	r = host_rounds_init(&host->rounds, host->crew, seed_g, work, (size_t)HOST_TREES_MIB << 20);
	return r < 0 ? host_fail(device, r, "no memory for the matrices") : 0;
}

int host_matrix_round(struct prover_device *device, const struct prg_key *seed_i, uint32_t round,
		      struct hash *ret_root)
{
	return host_rounds_run(&host_of(device)->rounds, seed_i, round, ret_root);
}

int host_open_tiles(struct prover_device *device, const struct prg_key *seed_i, uint32_t round,
		    const uint32_t *tiles, size_t n, struct tile_opening *ret_openings)
{
	return host_rounds_open(&host_of(device)->rounds, seed_i, round, tiles, n, ret_openings);
}
