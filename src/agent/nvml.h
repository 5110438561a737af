/* nvml.h - the machine's NVIDIA GPUs through libnvidia-ml.so.1, which is loaded at run time: a machine
 * without it simply has none. */
#pragma once

#include "base/base.h"

enum { NVML_GPUS_MAX = 64 };

struct nvml_gpu {
	unsigned int index;
	char uuid[96];
	char model[96];
	uint64_t memory_bytes;
};

struct nvml {
	void *library; /* NULL: there is none */
	char driver[81];
	char cuda[16]; /* "12.4" */
	struct nvml_gpu gpus[NVML_GPUS_MAX];
	size_t n_gpus;
};

/* Never fails: what cannot be read is logged and left out. */
void nvml_init(struct nvml *nvml);
void nvml_done(struct nvml *nvml);

/* NULL: not here. */
const struct nvml_gpu *nvml_find(const struct nvml *nvml, const char *uuid);
