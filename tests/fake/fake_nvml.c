/* fake_nvml.c - a libnvidia-ml.so.1 for machines without a GPU: two cards, "fake" in nothing but here.
 * It stands behind NVML's documented C interface, so that all of the agent, the matcher and the engine
 * is tried with it; it proves nothing about a real card. */
#include <stdio.h>

enum { CARDS = 2 };

struct memory {
	unsigned long long total, free, used;
};

static int cards[CARDS] = { 0, 1 };

int nvmlInit_v2(void);
int nvmlShutdown(void);
int nvmlSystemGetDriverVersion(char *text, unsigned int len);
int nvmlSystemGetCudaDriverVersion(int *version);
int nvmlDeviceGetCount_v2(unsigned int *count);
int nvmlDeviceGetHandleByIndex_v2(unsigned int index, void **device);
int nvmlDeviceGetName(void *device, char *text, unsigned int len);
int nvmlDeviceGetUUID(void *device, char *text, unsigned int len);
int nvmlDeviceGetMemoryInfo(void *device, struct memory *memory);

int nvmlInit_v2(void)
{
	return 0;
}

int nvmlShutdown(void)
{
	return 0;
}

int nvmlSystemGetDriverVersion(char *text, unsigned int len)
{
	snprintf(text, len, "550.54.15");
	return 0;
}

int nvmlSystemGetCudaDriverVersion(int *version)
{
	*version = 12040;
	return 0;
}

int nvmlDeviceGetCount_v2(unsigned int *count)
{
	*count = CARDS;
	return 0;
}

int nvmlDeviceGetHandleByIndex_v2(unsigned int index, void **device)
{
	if (index >= CARDS)
		return 2; /* NVML_ERROR_INVALID_ARGUMENT */
	*device = &cards[index];
	return 0;
}

int nvmlDeviceGetName(void *device, char *text, unsigned int len)
{
	(void)device;
	snprintf(text, len, "NVIDIA GeForce RTX 4090");
	return 0;
}

int nvmlDeviceGetUUID(void *device, char *text, unsigned int len)
{
	snprintf(text, len, "GPU-00000000-0000-0000-0000-00000000000%d", *(int *)device);
	return 0;
}

int nvmlDeviceGetMemoryInfo(void *device, struct memory *memory)
{
	(void)device;
	*memory = (struct memory){ .total = 24ull << 30, .free = 24ull << 30 };
	return 0;
}
