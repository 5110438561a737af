/* opencl_library.h - the machine's OpenCL, loaded when it is asked for: building needs the headers only. */
#pragma once

#include "base/base.h"

#define CL_TARGET_OPENCL_VERSION 120
#include <CL/cl.h>

struct opencl_library {
	__typeof__(clGetPlatformIDs) *get_platforms;
	__typeof__(clGetDeviceIDs) *get_devices;
	__typeof__(clGetDeviceInfo) *get_device_info;
	__typeof__(clCreateContext) *create_context;
	__typeof__(clReleaseContext) *release_context;
	__typeof__(clCreateCommandQueue) *create_queue;
	__typeof__(clReleaseCommandQueue) *release_queue;
	__typeof__(clCreateProgramWithSource) *create_program;
	__typeof__(clBuildProgram) *build_program;
	__typeof__(clGetProgramBuildInfo) *get_build_info;
	__typeof__(clReleaseProgram) *release_program;
	__typeof__(clCreateKernel) *create_kernel;
	__typeof__(clReleaseKernel) *release_kernel;
	__typeof__(clSetKernelArg) *set_argument;
	__typeof__(clEnqueueNDRangeKernel) *enqueue_kernel;
	__typeof__(clCreateBuffer) *create_buffer;
	__typeof__(clReleaseMemObject) *release_buffer;
	__typeof__(clEnqueueReadBuffer) *enqueue_read;
	__typeof__(clFlush) *flush;
	__typeof__(clFinish) *finish;
};

enum opencl_library_outcome {
	OPENCL_LIBRARY_E_NONE = 1 /* no libOpenCL.so.1, or not a whole one */
};

/* It stays loaded until the process ends: drivers leave threads behind that live in it. */
_must_check_ int opencl_library_open(struct opencl_library *ret_library);

/* Every device of every platform, in the loader's order; at most @max of them. Returns how many. */
size_t opencl_library_devices(const struct opencl_library *library, cl_device_id *ret_devices,
			      size_t max);

/* "CL_OUT_OF_RESOURCES"; for those that happen, else "another fault". */
const char *opencl_status_name(cl_int status);
