#include "popw/cuda_driver.h"

#include <dlfcn.h>

static const struct call {
	const char *name;
	size_t offset;
} calls[] = {
	{ "cuInit", offsetof(struct cuda_driver, init) },
	{ "cuGetErrorName", offsetof(struct cuda_driver, error_name) },
	{ "cuDeviceGetCount", offsetof(struct cuda_driver, device_count) },
	{ "cuDeviceGet", offsetof(struct cuda_driver, device) },
	{ "cuDeviceGetName", offsetof(struct cuda_driver, device_name) },
	{ "cuDeviceGetUuid_v2", offsetof(struct cuda_driver, device_uuid) },
	{ "cuDeviceTotalMem_v2", offsetof(struct cuda_driver, device_memory) },
	{ "cuDeviceGetAttribute", offsetof(struct cuda_driver, device_attribute) },
	{ "cuDevicePrimaryCtxRetain", offsetof(struct cuda_driver, context_retain) },
	{ "cuDevicePrimaryCtxRelease_v2", offsetof(struct cuda_driver, context_release) },
	{ "cuCtxSetCurrent", offsetof(struct cuda_driver, context_use) },
	{ "cuCtxSynchronize", offsetof(struct cuda_driver, context_finish) },
	{ "cuModuleLoadData", offsetof(struct cuda_driver, module_load) },
	{ "cuModuleUnload", offsetof(struct cuda_driver, module_unload) },
	{ "cuModuleGetFunction", offsetof(struct cuda_driver, module_function) },
	{ "cuFuncSetAttribute", offsetof(struct cuda_driver, function_set) },
	{ "cuMemAlloc_v2", offsetof(struct cuda_driver, allocate) },
	{ "cuMemFree_v2", offsetof(struct cuda_driver, release) },
	{ "cuMemcpyDtoH_v2", offsetof(struct cuda_driver, read) },
	{ "cuStreamCreate", offsetof(struct cuda_driver, stream_create) },
	{ "cuStreamDestroy_v2", offsetof(struct cuda_driver, stream_destroy) },
	{ "cuStreamSynchronize", offsetof(struct cuda_driver, stream_finish) },
	{ "cuMemcpyDtoHAsync_v2", offsetof(struct cuda_driver, stream_read) },
	{ "cuLaunchKernel", offsetof(struct cuda_driver, launch) },
};

int cuda_driver_open(struct cuda_driver *ret_driver)
{
	void *handle = dlopen("libcuda.so.1", RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
	struct cuda_driver driver;

	if (!handle)
		return CUDA_DRIVER_E_NONE;
	for (size_t i = 0; i < ARRAY_SIZE(calls); i++) {
		void *symbol = dlsym(handle, calls[i].name);

		if (!symbol)
			return CUDA_DRIVER_E_NONE;
		/* POSIX lets an object pointer hold a function's; C has no cast for it. */
		memcpy((char *)&driver + calls[i].offset, &symbol, sizeof(symbol));
	}
	*ret_driver = driver;
	return 0;
}
