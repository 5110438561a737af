/* libcuda.so.1 for tests: the driver's interface, as far as the prover uses it, over kernels that run on the CPU
 * (emulate.h). It shows that kernels and prover compute what they should, not that they run on a GPU.
 *
 *	KAISAR_EMULATE_CAPABILITY	of the device, 75 or 80 (default)
 */
#include <stdio.h>
#include <stdlib.h>

#include "emulate.h"

#pragma GCC diagnostic ignored "-Wunknown-pragmas"
#include "popw/popw.cu"
#pragma GCC diagnostic ignored "-Wmissing-prototypes"

enum { SUCCESS = 0, OUT_OF_MEMORY = 2, INVALID = 1, NOT_FOUND = 500, FATBIN_MAGIC = 0xba55ed50 };

#define ARGUMENT(type, i) (*(type *)arguments[i])

static void run_prg(void **arguments)
{
	prg(ARGUMENT(uint4 *, 0), ARGUMENT(struct key, 1), ARGUMENT(uint32_t, 2),
	    ARGUMENT(uint32_t, 3), ARGUMENT(uint32_t, 4), ARGUMENT(uint64_t, 5));
}

static void run_fill(void **arguments)
{
	fill(ARGUMENT(uint4 *, 0), ARGUMENT(struct key, 1), ARGUMENT(uint32_t, 2),
	     ARGUMENT(uint32_t, 3), ARGUMENT(uint64_t, 4));
}

static void run_walk(void **arguments)
{
	walk(ARGUMENT(const uint4 *, 0), ARGUMENT(const uint4 *, 1), ARGUMENT(uint4 *, 2),
	     ARGUMENT(struct key, 3), ARGUMENT(uint32_t, 4), ARGUMENT(uint32_t, 5),
	     ARGUMENT(uint32_t, 6));
}

static void run_hash(void **arguments)
{
	hash(ARGUMENT(const uint4 *, 0), ARGUMENT(uint32_t, 1), ARGUMENT(uint4 *, 2),
	     ARGUMENT(uint32_t, 3));
}

static void run_retile(void **arguments)
{
	retile(ARGUMENT(const uint4 *, 0), ARGUMENT(uint4 *, 1), ARGUMENT(uint32_t, 2),
	       ARGUMENT(uint64_t, 3));
}

static void run_matrix_dp4a(void **arguments)
{
	matrix_dp4a(ARGUMENT(const int32_t *, 0), ARGUMENT(const int32_t *, 1),
		    ARGUMENT(int32_t *, 2), ARGUMENT(uint32_t, 3), ARGUMENT(uint32_t, 4),
		    ARGUMENT(uint32_t, 5));
}

static void run_matrix_mma(void **arguments)
{
	matrix_mma(ARGUMENT(const int8_t *, 0), ARGUMENT(const int8_t *, 1), ARGUMENT(int32_t *, 2),
		   ARGUMENT(uint32_t, 3), ARGUMENT(uint32_t, 4), ARGUMENT(uint32_t, 5));
}

static struct function {
	const char *name;
	void (*run)(void **arguments);
	int capability; /* it is there from */
	size_t block_memory_max;
} functions[] = {
	{ "prg", run_prg, 0, 48 << 10 },
	{ "fill", run_fill, 0, 48 << 10 },
	{ "walk", run_walk, 0, 48 << 10 },
	{ "hash", run_hash, 0, 48 << 10 },
	{ "retile", run_retile, 0, 48 << 10 },
	{ "matrix_dp4a", run_matrix_dp4a, 0, 48 << 10 },
	{ "matrix_mma", run_matrix_mma, 80, 48 << 10 },
};

static int capability(void)
{
	const char *text = getenv("KAISAR_EMULATE_CAPABILITY");

	return text ? (int)strtol(text, NULL, 10) : 80;
}

int cuInit(unsigned int flags)
{
	return flags ? INVALID : SUCCESS;
}

int cuGetErrorName(int result, const char **ret_name)
{
	*ret_name = result == OUT_OF_MEMORY ? "CUDA_ERROR_OUT_OF_MEMORY"
					    : "CUDA_ERROR_OF_EMULATION";
	return SUCCESS;
}

int cuDeviceGetCount(int *ret_count)
{
	*ret_count = 1;
	return SUCCESS;
}

int cuDeviceGet(int *ret_device, int index)
{
	*ret_device = index;
	return index == 0 ? SUCCESS : INVALID;
}

int cuDeviceGetName(char *ret_name, int size, int device)
{
	(void)device;
	snprintf(ret_name, (size_t)size, "emulated GPU");
	return SUCCESS;
}

int cuDeviceGetUuid_v2(uint8_t *ret_uuid, int device)
{
	(void)device;
	memset(ret_uuid, 0x5a, 16);
	return SUCCESS;
}

int cuDeviceTotalMem_v2(size_t *ret_bytes, int device)
{
	(void)device;
	*ret_bytes = 64 << 20;
	return SUCCESS;
}

int cuDeviceGetAttribute(int *ret_value, int attribute, int device)
{
	(void)device;
	switch (attribute) {
	case 16: /* multiprocessors */
		*ret_value = 1;
		return SUCCESS;
	case 75:
		*ret_value = capability() / 10;
		return SUCCESS;
	case 76:
		*ret_value = capability() % 10;
		return SUCCESS;
	}
	return INVALID;
}

int cuDevicePrimaryCtxRetain(void **ret_context, int device)
{
	(void)device;
	*ret_context = functions;
	return SUCCESS;
}

int cuDevicePrimaryCtxRelease_v2(int device)
{
	(void)device;
	return SUCCESS;
}

int cuCtxSetCurrent(void *context)
{
	return context == functions ? SUCCESS : INVALID;
}

int cuCtxSynchronize(void)
{
	return SUCCESS;
}

/* That it is a fat binary is all that can be told of it here. */
int cuModuleLoadData(void **ret_module, const void *image)
{
	uint32_t magic;

	memcpy(&magic, image, sizeof(magic));
	*ret_module = functions;
	return magic == FATBIN_MAGIC ? SUCCESS : INVALID;
}

int cuModuleUnload(void *module)
{
	return module == functions ? SUCCESS : INVALID;
}

int cuModuleGetFunction(void **ret_function, void *module, const char *name)
{
	(void)module;
	for (size_t i = 0; i < sizeof(functions) / sizeof(*functions); i++) {
		if (strcmp(functions[i].name, name) == 0 &&
		    functions[i].capability <= capability()) {
			*ret_function = &functions[i];
			return SUCCESS;
		}
	}
	return NOT_FOUND;
}

int cuFuncSetAttribute(void *function, int attribute, int value)
{
	if (attribute != 8 || value > 99 << 10) /* what the smallest of sm_80 on have */
		return INVALID;
	((struct function *)function)->block_memory_max = (size_t)value;
	return SUCCESS;
}

int cuMemAlloc_v2(uint64_t *ret_address, size_t bytes)
{
	void *memory = bytes <= 64 << 20 ? aligned_alloc(256, (bytes + 255) / 256 * 256) : NULL;

	if (!memory)
		return OUT_OF_MEMORY;
	memset(memory, 0xdd, bytes);
	*ret_address = (uintptr_t)memory;
	return SUCCESS;
}

int cuMemFree_v2(uint64_t address)
{
	free((void *)(uintptr_t)address);
	return SUCCESS;
}

int cuMemcpyDtoH_v2(void *ret_bytes, uint64_t address, size_t len)
{
	memcpy(ret_bytes, (const void *)(uintptr_t)address, len);
	return SUCCESS;
}

int cuStreamCreate(void **ret_stream, unsigned int flags)
{
	*ret_stream = functions;
	return flags == 1 ? SUCCESS : INVALID;
}

int cuStreamDestroy_v2(void *stream)
{
	return stream == functions ? SUCCESS : INVALID;
}

int cuStreamSynchronize(void *stream)
{
	return stream == functions ? SUCCESS : INVALID;
}

int cuMemcpyDtoHAsync_v2(void *ret_bytes, uint64_t address, size_t len, void *stream)
{
	return stream == functions ? cuMemcpyDtoH_v2(ret_bytes, address, len) : INVALID;
}

int cuLaunchKernel(void *function, unsigned int grid_x, unsigned int grid_y, unsigned int grid_z,
		   unsigned int block_x, unsigned int block_y, unsigned int block_z,
		   unsigned int block_memory, void *stream, void **arguments, void **extra)
{
	const struct function *kernel = function;

	if (!grid_x || !grid_y || grid_y > 65535 || grid_z != 1 || block_x != THREADS ||
	    block_y != 1 || block_z != 1 || block_memory > kernel->block_memory_max || stream ||
	    extra)
		return INVALID;
	emulate_launch(kernel->run, arguments, (struct dim3){ grid_x, grid_y, 1 }, block_x,
		       block_memory);
	return SUCCESS;
}
