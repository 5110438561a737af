#include "agent/inventory.h"

#include <sys/statvfs.h>
#include <sys/utsname.h>
#include <unistd.h>

/* The rest of the first line of @path that starts with @key, behind its separators. */
static bool find_line(const char *path, const char *key, char *ret_text, size_t size)
{
	FILE *file = fopen(path, "re");
	char line[512];
	bool found = false;

	if (!file)
		return false;
	while (!found && fgets(line, sizeof(line), file))
		found = strncmp(line, key, strlen(key)) == 0;
	fclose(file);
	if (found) {
		const char *at = line + strlen(key) + strspn(line + strlen(key), " \t:=\"");

		snprintf(ret_text, size, "%.*s", (int)strcspn(at, "\"\n"), at);
	}
	return found;
}

static uint64_t memory_kib(const char *key)
{
	char text[64] = "0";

	find_line("/proc/meminfo", key, text, sizeof(text));
	return strtoull(text, NULL, 10);
}

uint64_t load_memory_used_bytes(void)
{
	uint64_t total = memory_kib("MemTotal"), available = memory_kib("MemAvailable");

	return total > available ? (total - available) * 1024 : 0;
}

uint64_t load_disk_free_bytes(const char *folder)
{
	struct statvfs fs;

	return statvfs(folder, &fs) == 0 ? (uint64_t)fs.f_bavail * fs.f_frsize : 0;
}

uint32_t load_cpu_permille(struct load *load)
{
	unsigned long long t[8] = { 0 };
	struct load now = { 0 };
	char text[256];
	uint64_t busy, total;

	if (!find_line("/proc/stat", "cpu ", text, sizeof(text)) ||
	    sscanf(text, "%llu %llu %llu %llu %llu %llu %llu %llu", &t[0], &t[1], &t[2], &t[3],
		   &t[4], &t[5], &t[6], &t[7]) < 4)
		return 0;
	for (size_t i = 0; i < ARRAY_SIZE(t); i++)
		now.total += t[i];
	/* Idle, and waiting for a disk. */
	now.busy = now.total - t[3] - t[4];
	busy = now.busy - load->busy;
	total = now.total - load->total;
	*load = now;
	return total > 0 && busy <= total ? (uint32_t)(busy * 1000 / total) : 0;
}

static void read_gpus(struct inventory *inventory, const struct nvml *nvml)
{
	for (size_t i = 0; i < nvml->n_gpus; i++) {
		Wire__Gpu *gpu = &inventory->gpus[i];

		wire__gpu__init(gpu);
		gpu->uuid = (char *)nvml->gpus[i].uuid;
		gpu->model = (char *)nvml->gpus[i].model;
		gpu->memory_bytes = nvml->gpus[i].memory_bytes;
		gpu->driver = (char *)nvml->driver;
		gpu->cuda = (char *)nvml->cuda;
		inventory->gpu_list[i] = gpu;
	}
	inventory->wire.gpus = inventory->gpu_list;
	inventory->wire.n_gpus = nvml->n_gpus;
}

void inventory_read(struct inventory *inventory, const struct nvml *nvml, const char *folder,
		    const char *engine)
{
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);
	struct utsname name;

	*inventory = (struct inventory){ 0 };
	wire__inventory__init(&inventory->wire);
	if (!find_line("/proc/cpuinfo", "model name", inventory->cpu_model,
		       sizeof(inventory->cpu_model)))
		snprintf(inventory->cpu_model, sizeof(inventory->cpu_model), "unknown");
	if (!find_line("/etc/os-release", "PRETTY_NAME", inventory->os, sizeof(inventory->os)))
		snprintf(inventory->os, sizeof(inventory->os), "Linux");
	if (uname(&name) == 0)
		snprintf(inventory->kernel, sizeof(inventory->kernel), "%s", name.release);
	snprintf(inventory->engine, sizeof(inventory->engine), "%s", engine);
	inventory->wire.cpu_count = cpus > 0 ? (uint32_t)cpus : 1;
	inventory->wire.cpu_model = inventory->cpu_model;
	inventory->wire.memory_bytes = memory_kib("MemTotal") * 1024;
	inventory->wire.disk_bytes = load_disk_free_bytes(folder);
	inventory->wire.os = inventory->os;
	inventory->wire.kernel = inventory->kernel;
	inventory->wire.engine = inventory->engine;
	read_gpus(inventory, nvml);
}
