/* inventory.h - what the machine has, and how busy it is, from /proc, statvfs and NVML. */
#pragma once

#include "agent/nvml.h"
#include "wire/wire.h"

struct inventory {
	Wire__Inventory wire; /* points into this struct */
	char cpu_model[128], os[128], kernel[128], engine[80];
	Wire__Gpu gpus[NVML_GPUS_MAX], *gpu_list[NVML_GPUS_MAX];
};

/* @folder: the file system whose free space is offered. @nvml outlives the inventory. What cannot be
 * read stays 0 or "". */
void inventory_read(struct inventory *inventory, const struct nvml *nvml, const char *folder,
		    const char *engine);

/* CPU time so far, to tell how busy the machine was between two looks. */
struct load {
	uint64_t busy, total;
};

/* Since the last call; the first tells the average since boot. */
uint32_t load_cpu_permille(struct load *load);
uint64_t load_memory_used_bytes(void);
uint64_t load_disk_free_bytes(const char *folder);
