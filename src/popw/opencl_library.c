#include "popw/opencl_library.h"

#include <dlfcn.h>

enum { PLATFORMS_MAX = 16 };

static const struct call {
	const char *name;
	size_t offset;
} calls[] = {
	{ "clGetPlatformIDs", offsetof(struct opencl_library, get_platforms) },
	{ "clGetDeviceIDs", offsetof(struct opencl_library, get_devices) },
	{ "clGetDeviceInfo", offsetof(struct opencl_library, get_device_info) },
	{ "clCreateContext", offsetof(struct opencl_library, create_context) },
	{ "clReleaseContext", offsetof(struct opencl_library, release_context) },
	{ "clCreateCommandQueue", offsetof(struct opencl_library, create_queue) },
	{ "clReleaseCommandQueue", offsetof(struct opencl_library, release_queue) },
	{ "clCreateProgramWithSource", offsetof(struct opencl_library, create_program) },
	{ "clBuildProgram", offsetof(struct opencl_library, build_program) },
	{ "clGetProgramBuildInfo", offsetof(struct opencl_library, get_build_info) },
	{ "clReleaseProgram", offsetof(struct opencl_library, release_program) },
	{ "clCreateKernel", offsetof(struct opencl_library, create_kernel) },
	{ "clReleaseKernel", offsetof(struct opencl_library, release_kernel) },
	{ "clSetKernelArg", offsetof(struct opencl_library, set_argument) },
	{ "clEnqueueNDRangeKernel", offsetof(struct opencl_library, enqueue_kernel) },
	{ "clCreateBuffer", offsetof(struct opencl_library, create_buffer) },
	{ "clReleaseMemObject", offsetof(struct opencl_library, release_buffer) },
	{ "clEnqueueReadBuffer", offsetof(struct opencl_library, enqueue_read) },
	{ "clFlush", offsetof(struct opencl_library, flush) },
	{ "clFinish", offsetof(struct opencl_library, finish) },
};

int opencl_library_open(struct opencl_library *ret_library)
{
	void *handle = dlopen("libOpenCL.so.1", RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
	struct opencl_library library;

	if (!handle)
		return OPENCL_LIBRARY_E_NONE;
	for (size_t i = 0; i < ARRAY_SIZE(calls); i++) {
		void *symbol = dlsym(handle, calls[i].name);

		if (!symbol)
			return OPENCL_LIBRARY_E_NONE;
		/* POSIX lets an object pointer hold a function's; C has no cast for it. */
		memcpy((char *)&library + calls[i].offset, &symbol, sizeof(symbol));
	}
	*ret_library = library;
	return 0;
}

size_t opencl_library_devices(const struct opencl_library *library, cl_device_id *ret_devices,
			      size_t max)
{
	cl_platform_id platforms[PLATFORMS_MAX];
	cl_uint n_platforms = 0, n;
	size_t found = 0;

	if (library->get_platforms(PLATFORMS_MAX, platforms, &n_platforms) != CL_SUCCESS)
		return 0;
	for (cl_uint i = 0; i < n_platforms && i < PLATFORMS_MAX && found < max; i++) {
		n = 0;
		if (library->get_devices(platforms[i], CL_DEVICE_TYPE_ALL, (cl_uint)(max - found),
					 ret_devices + found, &n) == CL_SUCCESS)
			found += size_min(n, max - found);
	}
	return found;
}

const char *opencl_status_name(cl_int status)
{
	switch (status) {
	case CL_DEVICE_NOT_AVAILABLE:
		return "CL_DEVICE_NOT_AVAILABLE";
	case CL_COMPILER_NOT_AVAILABLE:
		return "CL_COMPILER_NOT_AVAILABLE";
	case CL_MEM_OBJECT_ALLOCATION_FAILURE:
		return "CL_MEM_OBJECT_ALLOCATION_FAILURE";
	case CL_OUT_OF_RESOURCES:
		return "CL_OUT_OF_RESOURCES";
	case CL_OUT_OF_HOST_MEMORY:
		return "CL_OUT_OF_HOST_MEMORY";
	case CL_BUILD_PROGRAM_FAILURE:
		return "CL_BUILD_PROGRAM_FAILURE";
	case CL_INVALID_BUFFER_SIZE:
		return "CL_INVALID_BUFFER_SIZE";
	case CL_INVALID_WORK_GROUP_SIZE:
		return "CL_INVALID_WORK_GROUP_SIZE";
	}
	return "another fault";
}
