/* The prover on any device that OpenCL 1.2 offers. */
#include "popw/gpu.h"
#include "popw/opencl_library.h"
#include "popw/prove_host.h"

enum {
	DEVICES_MAX = 64,
	WORK_GROUP = 64, /* of the one-dimensional kernels */
	PRODUCT_GROUP = 16, /* the product's are 16 x 16 and make 64 x 64 words */
	ARGUMENTS_MAX = 15,
	BUILD_LOG_MAX = 8192,
};

enum kernel { KERNEL_PRG, KERNEL_FILL, KERNEL_WALK, KERNEL_HASH, KERNEL_MATRIX, KERNELS };

static const char *const kernel_names[KERNELS] = { "prg", "fill", "walk", "hash", "matrix" };

/* The text of the kernels, made by the build. */
extern const unsigned char opencl_kernels[];
extern const size_t opencl_kernels_size;

struct opencl {
	struct gpu gpu; /* first: a gpu is cast to its opencl */
	struct opencl_library library;
	cl_device_id device;
	cl_context context;
	cl_command_queue queue, beside; /* for what is read while the other one is busy */
	cl_program program;
	cl_kernel kernels[KERNELS];
};

static struct opencl *opencl_of(struct gpu *gpu)
{
	return (struct opencl *)gpu;
}

static cl_mem memory_of(uint64_t handle)
{
	return (cl_mem)(uintptr_t)handle;
}

/* Drivers may put off an allocation until a buffer is used, so any call may say that it does not fit. */
static int explain(struct opencl *opencl, const char *call, cl_int status)
{
	const bool memory = status == CL_MEM_OBJECT_ALLOCATION_FAILURE ||
			    status == CL_OUT_OF_HOST_MEMORY || status == CL_INVALID_BUFFER_SIZE;

	return host_fail(&opencl->gpu.device, memory ? -ENOMEM : -EIO, "%s: %s (%d)", call,
			 opencl_status_name(status), (int)status);
}

/* ---- operations ---- */

static int opencl_allocate(struct gpu *gpu, uint64_t bytes, uint64_t *ret_handle)
{
	struct opencl *opencl = opencl_of(gpu);
	cl_int status;
	cl_mem memory = opencl->library.create_buffer(opencl->context, CL_MEM_READ_WRITE, bytes,
						      NULL, &status);

	if (status != CL_SUCCESS)
		return explain(opencl, "clCreateBuffer", status);
	*ret_handle = (uintptr_t)memory;
	return 0;
}

static void opencl_release(struct gpu *gpu, uint64_t handle)
{
	opencl_of(gpu)->library.release_buffer(memory_of(handle));
}

static int read_on(struct opencl *opencl, cl_command_queue queue, const struct gpu_buffer *from,
		   uint64_t offset, void *ret_bytes, size_t len)
{
	const cl_int status = opencl->library.enqueue_read(queue, memory_of(from->handle), CL_TRUE,
							   offset, len, ret_bytes, 0, NULL, NULL);

	return status == CL_SUCCESS ? 0 : explain(opencl, "clEnqueueReadBuffer", status);
}

static int opencl_read(struct gpu *gpu, const struct gpu_buffer *from, uint64_t offset,
		       void *ret_bytes, size_t len)
{
	return read_on(opencl_of(gpu), opencl_of(gpu)->queue, from, offset, ret_bytes, len);
}

static int opencl_read_beside(struct gpu *gpu, const struct gpu_buffer *from, void *ret_bytes,
			      size_t len)
{
	struct opencl *opencl = opencl_of(gpu);
	const cl_int status = opencl->library.flush(opencl->queue); /* what is queued shall run */

	if (status != CL_SUCCESS)
		return explain(opencl, "clFlush", status);
	return read_on(opencl, opencl->beside, from, 0, ret_bytes, len);
}

static int opencl_finish(struct gpu *gpu)
{
	struct opencl *opencl = opencl_of(gpu);
	const cl_int status = opencl->library.finish(opencl->queue);

	return status == CL_SUCCESS ? 0 : explain(opencl, "clFinish", status);
}

struct argument {
	const void *value;
	size_t size;
};

static int arguments_set(struct opencl *opencl, enum kernel kernel,
			 const struct argument *arguments, cl_uint n)
{
	for (cl_uint i = 0; i < n; i++) {
		const cl_int status = opencl->library.set_argument(
			opencl->kernels[kernel], i, arguments[i].size, arguments[i].value);

		if (status != CL_SUCCESS)
			return explain(opencl, kernel_names[kernel], status);
	}
	return 0;
}

/* At least @items work-items, in whole groups; the kernels leave out what is too much. */
static int launch(struct opencl *opencl, enum kernel kernel, uint64_t items,
		  const struct argument *arguments, cl_uint n)
{
	const size_t group = WORK_GROUP, size = (items + group - 1) / group * group;
	cl_int status;
	int r;

	r = arguments_set(opencl, kernel, arguments, n);
	if (r < 0)
		return r;
	status = opencl->library.enqueue_kernel(opencl->queue, opencl->kernels[kernel], 1, NULL,
						&size, &group, 0, NULL, NULL);
	return status == CL_SUCCESS ? 0 : explain(opencl, kernel_names[kernel], status);
}

static int opencl_prg(struct gpu *gpu, const struct gpu_buffer *to, const struct prg_key *key,
		      enum prg_tag tag, uint32_t round, uint32_t row_bytes, uint32_t rows)
{
	const cl_mem out = memory_of(to->handle);
	const cl_uint tag_word = tag, row_blocks = row_bytes / PRG_BLOCK;
	const cl_ulong blocks = (cl_ulong)row_blocks * rows;
	const struct argument arguments[] = {
		{ &out, sizeof(out) },
		{ key, sizeof(*key) },
		{ &tag_word, sizeof(tag_word) },
		{ &round, sizeof(round) },
		{ &row_blocks, sizeof(row_blocks) },
		{ &blocks, sizeof(blocks) },
	};

	return launch(opencl_of(gpu), KERNEL_PRG, blocks, arguments, ARRAY_SIZE(arguments));
}

static int opencl_fill(struct gpu *gpu, const struct gpu_buffer *to, const struct prg_key *key,
		       uint32_t double_rounds, uint32_t first, uint32_t n)
{
	const cl_mem out = memory_of(to->handle);
	const cl_ulong lanes = (cl_ulong)n * (ITEM_BYTES / PRG_BLOCK);
	const struct argument arguments[] = {
		{ &out, sizeof(out) },
		{ key, sizeof(*key) },
		{ &double_rounds, sizeof(double_rounds) },
		{ &first, sizeof(first) },
		{ &lanes, sizeof(lanes) },
	};

	return launch(opencl_of(gpu), KERNEL_FILL, lanes, arguments, ARRAY_SIZE(arguments));
}

static int opencl_walk(struct gpu *gpu, const struct gpu_set *set, const struct gpu_buffer *from,
		       const struct gpu_buffer *to, const uint32_t salt[static 8],
		       const struct session_work *work)
{
	const cl_mem in = memory_of(from->handle), out = memory_of(to->handle);
	const cl_uint steps = work->steps;
	cl_mem chunks[GPU_CHUNKS_MAX];
	struct argument arguments[ARGUMENTS_MAX] = {
		[GPU_CHUNKS_MAX] = { &in, sizeof(in) },
		{ &out, sizeof(out) },
		{ salt, 8 * sizeof(*salt) },
		{ &set->shift, sizeof(set->shift) },
		{ &work->n_items, sizeof(work->n_items) },
		{ &steps, sizeof(steps) },
		{ &work->walks, sizeof(work->walks) },
	};

	/* Some drivers refuse a buffer that is NULL: those that are not there are the first. */
	for (uint32_t i = 0; i < GPU_CHUNKS_MAX; i++) {
		chunks[i] = memory_of(set->chunks[i < set->n_chunks ? i : 0].handle);
		arguments[i] = (struct argument){ &chunks[i], sizeof(chunks[i]) };
	}
	return launch(opencl_of(gpu), KERNEL_WALK, work->walks, arguments, ARGUMENTS_MAX);
}

static int opencl_hash(struct gpu *gpu, const struct gpu_hashes *hashes)
{
	const cl_mem from = memory_of(hashes->from.handle), to = memory_of(hashes->to.handle);
	const cl_ulong from_word = hashes->from_offset / 4, to_word = hashes->to_offset / 4;
	const struct argument arguments[] = {
		{ &from, sizeof(from) },
		{ &from_word, sizeof(from_word) },
		{ &hashes->blocks, sizeof(hashes->blocks) },
		{ &to, sizeof(to) },
		{ &to_word, sizeof(to_word) },
		{ &hashes->n, sizeof(hashes->n) },
	};

	return launch(opencl_of(gpu), KERNEL_HASH, hashes->n, arguments, ARRAY_SIZE(arguments));
}

static int opencl_multiply(struct gpu *gpu, struct gpu_product *product)
{
	struct opencl *opencl = opencl_of(gpu);
	const cl_mem a = memory_of(product->a.handle), b = memory_of(product->b.handle);
	const cl_mem tiles = memory_of(product->tiles.handle);
	const struct argument arguments[] = {
		{ &a, sizeof(a) },
		{ &b, sizeof(b) },
		{ &tiles, sizeof(tiles) },
		{ &product->m, sizeof(product->m) },
		{ &product->n, sizeof(product->n) },
		{ &product->k, sizeof(product->k) },
	};
	const size_t group[2] = { PRODUCT_GROUP, PRODUCT_GROUP };
	/* Four words of a row, and of a column, to a work-item. */
	const size_t size[2] = { gpu_padded(product->n) / 4, gpu_padded(product->m) / 4 };
	cl_int status;
	int r;

	r = arguments_set(opencl, KERNEL_MATRIX, arguments, ARRAY_SIZE(arguments));
	if (r < 0)
		return r;
	status = opencl->library.enqueue_kernel(opencl->queue, opencl->kernels[KERNEL_MATRIX], 2,
						NULL, size, group, 0, NULL, NULL);
	return status == CL_SUCCESS ? 0 : explain(opencl, "matrix", status);
}

static void opencl_close(struct gpu *gpu)
{
	struct opencl *opencl = opencl_of(gpu);

	for (size_t i = 0; i < KERNELS; i++)
		if (opencl->kernels[i])
			opencl->library.release_kernel(opencl->kernels[i]);
	if (opencl->program)
		opencl->library.release_program(opencl->program);
	if (opencl->beside)
		opencl->library.release_queue(opencl->beside);
	if (opencl->queue)
		opencl->library.release_queue(opencl->queue);
	if (opencl->context)
		opencl->library.release_context(opencl->context);
	free(opencl);
}

static const struct gpu_ops opencl_ops = {
	.backend = "opencl",
	.close = opencl_close,
	.allocate = opencl_allocate,
	.release = opencl_release,
	.read = opencl_read,
	.read_beside = opencl_read_beside,
	.finish = opencl_finish,
	.prg = opencl_prg,
	.fill = opencl_fill,
	.walk = opencl_walk,
	.hash = opencl_hash,
	.multiply = opencl_multiply,
};

/* ---- opening ---- */

/* The compiler's first line is what fits into a detail. */
static int explain_build(struct opencl *opencl, cl_int status)
{
	static _Thread_local char text[BUILD_LOG_MAX];
	size_t len = 0;

	if (opencl->library.get_build_info(opencl->program, opencl->device, CL_PROGRAM_BUILD_LOG,
					   sizeof(text) - 1, text, &len) != CL_SUCCESS)
		return explain(opencl, "clBuildProgram", status);
	text[size_min(len, sizeof(text) - 1)] = 0;
	return host_fail(&opencl->gpu.device, -EIO, "clBuildProgram: %s: %.*s",
			 opencl_status_name(status), (int)strcspn(text, "\n"), text);
}

static int program_build(struct opencl *opencl)
{
	const char *text = (const char *)opencl_kernels;
	cl_int status;

	opencl->program = opencl->library.create_program(opencl->context, 1, &text,
							 &opencl_kernels_size, &status);
	if (status != CL_SUCCESS)
		return explain(opencl, "clCreateProgramWithSource", status);
	status = opencl->library.build_program(opencl->program, 1, &opencl->device, "-cl-std=CL1.2",
					       NULL, NULL);
	if (status != CL_SUCCESS)
		return explain_build(opencl, status);
	for (size_t i = 0; i < KERNELS; i++) {
		opencl->kernels[i] = opencl->library.create_kernel(opencl->program, kernel_names[i],
								   &status);
		if (status != CL_SUCCESS)
			return explain(opencl, kernel_names[i], status);
	}
	return 0;
}

static int context_open(struct opencl *opencl)
{
	cl_int status;

	opencl->context = opencl->library.create_context(NULL, 1, &opencl->device, NULL, NULL,
							 &status);
	if (status != CL_SUCCESS)
		return explain(opencl, "clCreateContext", status);
	opencl->queue = opencl->library.create_queue(opencl->context, opencl->device, 0, &status);
	if (status == CL_SUCCESS)
		opencl->beside = opencl->library.create_queue(opencl->context, opencl->device, 0,
							      &status);
	return status == CL_SUCCESS ? 0 : explain(opencl, "clCreateCommandQueue", status);
}

enum { DEVICE_UUID_KHR = 0x106a }; /* CL_DEVICE_UUID_KHR of cl_khr_device_uuid; zeros without it */

static int info_read(struct opencl *opencl)
{
	struct prover_info *info = &opencl->gpu.info;
	__typeof__(opencl->library.get_device_info) get = opencl->library.get_device_info;
	cl_ulong memory = 0, allocation = 0;
	cl_int status;

	status = get(opencl->device, CL_DEVICE_NAME, sizeof(info->name) - 1, info->name, NULL);
	if (status == CL_SUCCESS)
		status = get(opencl->device, CL_DEVICE_GLOBAL_MEM_SIZE, sizeof(memory), &memory,
			     NULL);
	if (status == CL_SUCCESS)
		status = get(opencl->device, CL_DEVICE_MAX_MEM_ALLOC_SIZE, sizeof(allocation),
			     &allocation, NULL);
	if (status != CL_SUCCESS)
		return explain(opencl, "clGetDeviceInfo", status);
	if (get(opencl->device, DEVICE_UUID_KHR, sizeof(info->uuid), info->uuid, NULL) !=
	    CL_SUCCESS)
		memset(info->uuid, 0, sizeof(info->uuid));
	info->memory_bytes = memory;
	opencl->gpu.allocation_max = allocation;
	return 0;
}

static int device_find(struct opencl *opencl, unsigned int index, const char **ret_detail)
{
	static _Thread_local char text[128];
	cl_device_id devices[DEVICES_MAX];
	size_t n;

	if (opencl_library_open(&opencl->library) != 0) {
		*ret_detail = "no libOpenCL.so.1 on this machine: install an OpenCL loader "
			      "(ocl-icd-libopencl1) and the GPU's driver for it";
		return PROVER_E_NONE;
	}
	n = opencl_library_devices(&opencl->library, devices, DEVICES_MAX);
	if (index >= n) {
		snprintf(
			text, sizeof(text),
			"no OpenCL device %u: the machine has %zu; install the GPU's OpenCL driver",
			index, n);
		*ret_detail = text;
		return PROVER_E_NONE;
	}
	opencl->device = devices[index];
	return 0;
}

int prover_opencl_open(unsigned int index, struct prover_device **ret_device,
		       const char **ret_detail)
{
	static _Thread_local char text[sizeof((*ret_device)->detail)];
	struct opencl *opencl = calloc(1, sizeof(*opencl));
	int r;

	if (!opencl) {
		*ret_detail = "no memory";
		return -ENOMEM;
	}
	opencl->gpu.ops = &opencl_ops;
	gpu_init(&opencl->gpu);
	r = device_find(opencl, index, ret_detail);
	if (r == 0) {
		r = info_read(opencl);
		if (r == 0)
			r = context_open(opencl);
		if (r == 0)
			r = program_build(opencl);
		memcpy(text, opencl->gpu.device.detail, sizeof(text));
		*ret_detail = text;
	}
	if (r != 0)
		opencl_close(&opencl->gpu);
	else
		*ret_device = &opencl->gpu.device;
	return r;
}
