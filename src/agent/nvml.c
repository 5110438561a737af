#include "agent/nvml.h"

#include <dlfcn.h>

#include "base/log.h"

/* The few of NVML's functions that are needed, by its documented C interface. */
struct nvml_memory {
	unsigned long long total, free, used;
};

struct calls {
	int (*init)(void);
	int (*shutdown)(void);
	int (*driver_version)(char *text, unsigned int len);
	int (*cuda_version)(int *version);
	int (*count)(unsigned int *count);
	int (*by_index)(unsigned int index, void **device);
	int (*name)(void *device, char *text, unsigned int len);
	int (*uuid)(void *device, char *text, unsigned int len);
	int (*memory)(void *device, struct nvml_memory *memory);
};

/* POSIX lets an object pointer hold a function's; C has no cast for it. */
static bool find(void *library, const char *name, void *function)
{
	void *symbol = dlsym(library, name);

	memcpy(function, &symbol, sizeof(symbol));
	return symbol != NULL;
}

static bool find_all(void *library, struct calls *calls)
{
	return find(library, "nvmlInit_v2", &calls->init) &&
	       find(library, "nvmlShutdown", &calls->shutdown) &&
	       find(library, "nvmlSystemGetDriverVersion", &calls->driver_version) &&
	       find(library, "nvmlSystemGetCudaDriverVersion", &calls->cuda_version) &&
	       find(library, "nvmlDeviceGetCount_v2", &calls->count) &&
	       find(library, "nvmlDeviceGetHandleByIndex_v2", &calls->by_index) &&
	       find(library, "nvmlDeviceGetName", &calls->name) &&
	       find(library, "nvmlDeviceGetUUID", &calls->uuid) &&
	       find(library, "nvmlDeviceGetMemoryInfo", &calls->memory);
}

static void read_gpu(struct nvml *nvml, const struct calls *calls, unsigned int index)
{
	struct nvml_gpu *gpu = &nvml->gpus[nvml->n_gpus];
	struct nvml_memory memory;
	void *device;

	if (calls->by_index(index, &device) != 0 ||
	    calls->uuid(device, gpu->uuid, sizeof(gpu->uuid)) != 0 ||
	    calls->name(device, gpu->model, sizeof(gpu->model)) != 0 ||
	    calls->memory(device, &memory) != 0) {
		log_warn("nvml.unreadable_gpu", log_int("index", index));
		return;
	}
	gpu->index = index;
	gpu->memory_bytes = memory.total;
	nvml->n_gpus++;
}

static void read_all(struct nvml *nvml, const struct calls *calls)
{
	unsigned int count = 0;
	int cuda = 0;

	if (calls->driver_version(nvml->driver, sizeof(nvml->driver)) != 0)
		nvml->driver[0] = 0;
	if (calls->cuda_version(&cuda) == 0)
		snprintf(nvml->cuda, sizeof(nvml->cuda), "%d.%d", cuda / 1000, cuda % 1000 / 10);
	if (calls->count(&count) != 0)
		log_warn("nvml.no_count", log_text("driver", nvml->driver));
	for (unsigned int i = 0; i < count && nvml->n_gpus < NVML_GPUS_MAX; i++)
		read_gpu(nvml, calls, i);
}

void nvml_init(struct nvml *nvml)
{
	struct calls calls;

	*nvml = (struct nvml){ 0 };
	nvml->library = dlopen("libnvidia-ml.so.1", RTLD_NOW | RTLD_LOCAL);
	if (!nvml->library)
		return;
	if (!find_all(nvml->library, &calls) || calls.init() != 0) {
		log_warn("nvml.unusable", log_text("library", "libnvidia-ml.so.1"));
		return;
	}
	read_all(nvml, &calls);
	/* Nothing of the driver stays open: the agent is small at rest. */
	calls.shutdown();
}

void nvml_done(struct nvml *nvml)
{
	if (nvml->library)
		dlclose(nvml->library);
	*nvml = (struct nvml){ 0 };
}

const struct nvml_gpu *nvml_find(const struct nvml *nvml, const char *uuid)
{
	for (size_t i = 0; i < nvml->n_gpus; i++)
		if (strcmp(nvml->gpus[i].uuid, uuid) == 0)
			return &nvml->gpus[i];
	return NULL;
}
