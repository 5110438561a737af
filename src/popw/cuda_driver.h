/* cuda_driver.h - the few functions of NVIDIA's driver that the prover needs, by its documented C interface,
 * loaded when they are asked for: building needs nothing of CUDA. All return 0 or a CUresult. */
#pragma once

#include "base/base.h"

enum { /* CUdevice_attribute, CUfunction_attribute, CUresult, CUstream_flags */
       CUDA_MULTIPROCESSOR_COUNT = 16,
       CUDA_CAPABILITY_MAJOR = 75,
       CUDA_CAPABILITY_MINOR = 76,
       CUDA_BLOCK_MEMORY_MAX = 8, /* dynamic shared memory, bytes */
       CUDA_OUT_OF_MEMORY = 2,
       CUDA_NO_BINARY_FOR_GPU = 209,
       CUDA_STREAM_NON_BLOCKING = 1,
};

struct cuda_driver {
	int (*init)(unsigned int flags);
	int (*error_name)(int result, const char **ret_name);
	int (*device_count)(int *ret_count);
	int (*device)(int *ret_device, int index);
	int (*device_name)(char *ret_name, int size, int device);
	int (*device_uuid)(uint8_t *ret_uuid, int device);
	int (*device_memory)(size_t *ret_bytes, int device);
	int (*device_attribute)(int *ret_value, int attribute, int device);
	int (*context_retain)(void **ret_context, int device);
	int (*context_release)(int device);
	int (*context_use)(void *context);
	int (*context_finish)(void);
	int (*module_load)(void **ret_module, const void *image);
	int (*module_unload)(void *module);
	int (*module_function)(void **ret_function, void *module, const char *name);
	int (*function_set)(void *function, int attribute, int value);
	int (*allocate)(uint64_t *ret_address, size_t bytes);
	int (*release)(uint64_t address);
	int (*read)(void *ret_bytes, uint64_t address, size_t len);
	int (*stream_create)(void **ret_stream, unsigned int flags);
	int (*stream_destroy)(void *stream);
	int (*stream_finish)(void *stream);
	int (*stream_read)(void *ret_bytes, uint64_t address, size_t len, void *stream);
	int (*launch)(void *function, unsigned int grid_x, unsigned int grid_y, unsigned int grid_z,
		      unsigned int block_x, unsigned int block_y, unsigned int block_z,
		      unsigned int block_memory, void *stream, void **arguments, void **extra);
};

enum cuda_driver_outcome { CUDA_DRIVER_E_NONE = 1 /* no libcuda.so.1, or too old a one */ };

/* It stays loaded until the process ends: it keeps threads that live in it. */
_must_check_ int cuda_driver_open(struct cuda_driver *ret_driver);
