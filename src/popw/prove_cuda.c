/* The prover on NVIDIA's GPUs, over the driver's own interface. A device belongs to the thread that opened it:
 * the driver's context is a thread's. */
#include <time.h>

#include "popw/cublaslt.h"
#include "popw/cuda_driver.h"
#include "popw/gpu.h"
#include "popw/prove_host.h"

enum {
	THREADS = 256, /* of every block */
	DP4A_SIDE = 64, /* of a block of matrix_dp4a */
	MMA_ROWS = 128,
	MMA_COLUMNS = 256,
	MMA_BLOCK_MEMORY = 4 * (MMA_ROWS + MMA_COLUMNS) * 64,
	MMA_CAPABILITY = 80, /* from it on there is matrix_mma */
};

enum kernel {
	KERNEL_PRG,
	KERNEL_FILL,
	KERNEL_WALK,
	KERNEL_HASH,
	KERNEL_RETILE,
	KERNEL_DP4A,
	KERNEL_MMA, /* last: not on all */
	KERNELS
};

static const char *const kernel_names[KERNELS] = { "prg",    "fill",        "walk",      "hash",
						   "retile", "matrix_dp4a", "matrix_mma" };

/* popw.cu for all architectures, made by the build; nothing where it found no nvcc. */
extern const unsigned char cuda_kernels[];
extern const size_t cuda_kernels_size;

struct cuda {
	struct gpu gpu; /* first: a gpu is cast to its cuda */
	struct cuda_driver driver;
	int device;
	int capability; /* 90 is 9.0 */
	int multiprocessors;
	void *context, *module;
	void *beside; /* the stream for what is read while the default one is busy */
	void *kernels[KERNELS]; /* matrix_mma's is NULL below MMA_CAPABILITY */
	struct cublaslt *lt; /* NULL: own kernels only */
};

static struct cuda *cuda_of(struct gpu *gpu)
{
	return (struct cuda *)gpu;
}

static int explain(struct cuda *cuda, const char *call, int result)
{
	const char *name = "an unknown fault";

	if (result == 0)
		return 0;
	cuda->driver.error_name(result, &name);
	return host_fail(&cuda->gpu.device, result == CUDA_OUT_OF_MEMORY ? -ENOMEM : -EIO,
			 "%s: %s (%d)", call, name, result);
}

/* ---- operations ---- */

static int cuda_allocate(struct gpu *gpu, uint64_t bytes, uint64_t *ret_handle)
{
	struct cuda *cuda = cuda_of(gpu);

	return explain(cuda, "cuMemAlloc", cuda->driver.allocate(ret_handle, bytes));
}

static void cuda_release(struct gpu *gpu, uint64_t handle)
{
	cuda_of(gpu)->driver.release(handle);
}

static int cuda_read(struct gpu *gpu, const struct gpu_buffer *from, uint64_t offset,
		     void *ret_bytes, size_t len)
{
	struct cuda *cuda = cuda_of(gpu);

	return explain(cuda, "cuMemcpyDtoH",
		       cuda->driver.read(ret_bytes, from->handle + offset, len));
}

static int cuda_read_beside(struct gpu *gpu, const struct gpu_buffer *from, void *ret_bytes,
			    size_t len)
{
	struct cuda *cuda = cuda_of(gpu);
	int result = cuda->driver.stream_read(ret_bytes, from->handle, len, cuda->beside);

	if (result == 0)
		result = cuda->driver.stream_finish(cuda->beside);
	return explain(cuda, "cuMemcpyDtoHAsync", result);
}

static int cuda_finish(struct gpu *gpu)
{
	struct cuda *cuda = cuda_of(gpu);

	return explain(cuda, "cuCtxSynchronize", cuda->driver.context_finish());
}

/* @blocks of THREADS each. */
static int launch(struct cuda *cuda, enum kernel kernel, const uint32_t blocks[2],
		  uint32_t block_memory, void **arguments)
{
	const int result = cuda->driver.launch(cuda->kernels[kernel], blocks[0], blocks[1], 1,
					       THREADS, 1, 1, block_memory, NULL, arguments, NULL);

	return explain(cuda, kernel_names[kernel], result);
}

/* At least @threads of them; the kernels leave out what is too much. */
static int launch_threads(struct cuda *cuda, enum kernel kernel, uint64_t threads, void **arguments)
{
	const uint32_t blocks[2] = { (uint32_t)((threads + THREADS - 1) / THREADS), 1 };

	return launch(cuda, kernel, blocks, 0, arguments);
}

static int cuda_prg(struct gpu *gpu, const struct gpu_buffer *to, const struct prg_key *key,
		    enum prg_tag tag, uint32_t round, uint32_t row_bytes, uint32_t rows)
{
	uint64_t out = to->handle;
	struct prg_key words = *key;
	uint32_t tag_word = tag, row_blocks = row_bytes / PRG_BLOCK;
	uint64_t blocks = (uint64_t)row_blocks * rows;
	void *arguments[] = { &out, &words, &tag_word, &round, &row_blocks, &blocks };

	return launch_threads(cuda_of(gpu), KERNEL_PRG, blocks, arguments);
}

static int cuda_fill(struct gpu *gpu, const struct gpu_buffer *to, const struct prg_key *key,
		     uint32_t double_rounds, uint32_t first, uint32_t n)
{
	uint64_t out = to->handle, lanes = (uint64_t)n * (ITEM_BYTES / PRG_BLOCK);
	struct prg_key words = *key;
	void *arguments[] = { &out, &words, &double_rounds, &first, &lanes };

	return launch_threads(cuda_of(gpu), KERNEL_FILL, lanes, arguments);
}

static int cuda_walk(struct gpu *gpu, const struct gpu_set *set, const struct gpu_buffer *from,
		     const struct gpu_buffer *to, const uint32_t salt[static 8],
		     const struct session_work *work)
{
	uint64_t items = set->chunks[0].handle, in = from->handle, out = to->handle;
	uint32_t n_items = work->n_items, steps = work->steps, walks = work->walks;
	struct prg_key words;
	void *arguments[] = { &items, &in, &out, &words, &n_items, &steps, &walks };

	if (set->n_chunks > 1)
		return host_fail(&gpu->device, -ENOMEM, "a data set of more than 512 GiB");
	memcpy(words.words, salt, sizeof(words.words));
	return launch_threads(cuda_of(gpu), KERNEL_WALK, (uint64_t)walks * 4, arguments);
}

static int cuda_hash(struct gpu *gpu, const struct gpu_hashes *hashes)
{
	uint64_t from = hashes->from.handle + hashes->from_offset;
	uint64_t to = hashes->to.handle + hashes->to_offset;
	uint32_t blocks = hashes->blocks, n = hashes->n;
	void *arguments[] = { &from, &blocks, &to, &n };

	return launch_threads(cuda_of(gpu), KERNEL_HASH, n, arguments);
}

/* ---- products ---- */

static int multiply_by_kernel(struct cuda *cuda, const struct gpu_product *product)
{
	uint64_t a = product->a.handle, b = product->b.handle, tiles = product->tiles.handle;
	uint32_t m = product->m, n = product->n, k = product->k;
	void *arguments[] = { &a, &b, &tiles, &m, &n, &k };

	if (cuda->kernels[KERNEL_MMA] && m % MMA_ROWS == 0 && n % MMA_COLUMNS == 0) {
		const uint32_t blocks[2] = { m / MMA_ROWS * (n / MMA_COLUMNS), 1 };

		return launch(cuda, KERNEL_MMA, blocks, MMA_BLOCK_MEMORY, arguments);
	} else {
		const uint32_t blocks[2] = { gpu_padded(n) / DP4A_SIDE, gpu_padded(m) / DP4A_SIDE };

		return launch(cuda, KERNEL_DP4A, blocks, 0, arguments);
	}
}

/* By cuBLASLt into the spare buffer, then into tiles. Its outcome CUBLASLT_E_NONE: not this shape. */
static int multiply_by_library(struct cuda *cuda, struct gpu_product *product)
{
	const uint64_t bytes = (uint64_t)product->m * product->n * sizeof(int32_t);
	uint64_t rows, tiles = product->tiles.handle, quarters = bytes / 16;
	uint32_t n = product->n;
	void *arguments[] = { &rows, &tiles, &n, &quarters };
	int r;

	r = cublaslt_prepare(cuda->lt, product->m, product->n, product->k);
	if (r == 0 && !product->spare.handle)
		r = gpu_allocate(&cuda->gpu, "the product by rows", bytes + CUBLASLT_WORKSPACE,
				 &product->spare);
	if (r != 0)
		return r;
	rows = product->spare.handle;
	r = cublaslt_multiply(cuda->lt, product->a.handle, product->b.handle, rows, rows + bytes);
	return r != 0 ? r : launch_threads(cuda, KERNEL_RETILE, quarters, arguments);
}

static int cuda_multiply(struct gpu *gpu, struct gpu_product *product)
{
	struct cuda *cuda = cuda_of(gpu);

	if (cuda->lt) {
		const int r = multiply_by_library(cuda, product);

		if (r != CUBLASLT_E_NONE)
			return r;
	}
	return multiply_by_kernel(cuda, product);
}

/* ---- which way is faster ---- */

struct race {
	struct gpu_product product;
	struct tile *tiles[2]; /* by kernel, by library */
	size_t bytes; /* of each */
};

static void race_done(struct cuda *cuda, struct race *race)
{
	gpu_release(&cuda->gpu, &race->product.a);
	gpu_release(&cuda->gpu, &race->product.b);
	gpu_release(&cuda->gpu, &race->product.tiles);
	gpu_release(&cuda->gpu, &race->product.spare);
	free(race->tiles[0]);
	free(race->tiles[1]);
}

/* A block of matrix_mma for each multiprocessor, of a length that grows with them. */
static int race_init(struct cuda *cuda, struct race *race)
{
	const uint32_t blocks = (uint32_t)cuda->multiprocessors;
	const uint32_t across = blocks < 8 ? blocks : 8, down = (blocks + across - 1) / across;
	struct gpu_product *product = &race->product;
	int r;

	*race = (struct race){ .product = { .m = down * MMA_ROWS,
					    .n = across * MMA_COLUMNS,
					    .k = (uint32_t)size_min(128 * blocks, 16384) } };
	race->bytes = (size_t)product->m * product->n * sizeof(int32_t);
	for (size_t i = 0; i < ARRAY_SIZE(race->tiles); i++) {
		race->tiles[i] = malloc(race->bytes);
		if (!race->tiles[i])
			return host_fail(&cuda->gpu.device, -ENOMEM,
					 "no memory to compare products");
	}
	r = gpu_allocate(&cuda->gpu, "A", (uint64_t)product->m * product->k, &product->a);
	if (r == 0)
		r = gpu_allocate(&cuda->gpu, "B", (uint64_t)product->n * product->k, &product->b);
	if (r == 0)
		r = gpu_allocate(&cuda->gpu, "the product", race->bytes, &product->tiles);
	if (r == 0)
		r = cuda_prg(&cuda->gpu, &product->a, &(struct prg_key){ { 1 } }, PRG_A, 0,
			     product->k, product->m);
	if (r == 0)
		r = cuda_prg(&cuda->gpu, &product->b, &(struct prg_key){ { 2 } }, PRG_B, 0,
			     product->k, product->n);
	return r;
}

static int64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * INT64_C(1000000000) + now.tv_nsec;
}

/* The best of three, behind one that is read back. */
static int race_run(struct cuda *cuda, struct race *race, bool library, int64_t *ret_ns)
{
	int64_t best = INT64_MAX;
	int r = 0;

	for (int i = 0; r == 0 && i < 4; i++) {
		const int64_t began = now_ns();

		r = library ? multiply_by_library(cuda, &race->product)
			    : multiply_by_kernel(cuda, &race->product);
		if (r == 0 && i == 0)
			r = cuda_read(&cuda->gpu, &race->product.tiles, 0, race->tiles[library],
				      race->bytes);
		if (r == 0)
			r = cuda_finish(&cuda->gpu);
		if (i > 0 && now_ns() - began < best)
			best = now_ns() - began;
	}
	*ret_ns = best;
	return r;
}

/* cuBLASLt is used where its product is the kernel's, bit for bit, and comes sooner. Anything that goes wrong
 * on its side leaves the kernel. */
static int library_choose(struct cuda *cuda)
{
	int64_t kernel_ns = 0, library_ns = 0;
	struct race race;
	bool better = false;
	int r;

	r = cublaslt_open(&cuda->lt);
	if (r != 0)
		return r < 0 ? r : 0;
	/* Where there is no room to compare, as beside a tenant, the kernel does. */
	if (race_init(cuda, &race) == 0) {
		r = race_run(cuda, &race, false, &kernel_ns);
		better = r == 0 && race_run(cuda, &race, true, &library_ns) == 0 &&
			 memcmp(race.tiles[0], race.tiles[1], race.bytes) == 0 &&
			 library_ns < kernel_ns;
	}
	race_done(cuda, &race);
	if (!better) {
		cublaslt_close(cuda->lt);
		cuda->lt = NULL;
	}
	return r;
}

/* ---- the device ---- */

static void cuda_close(struct gpu *gpu)
{
	struct cuda *cuda = cuda_of(gpu);

	cublaslt_close(cuda->lt);
	if (cuda->beside)
		cuda->driver.stream_destroy(cuda->beside);
	if (cuda->module)
		cuda->driver.module_unload(cuda->module);
	if (cuda->context)
		cuda->driver.context_release(cuda->device);
	free(cuda);
}

static const struct gpu_ops cuda_ops = {
	.backend = "cuda",
	.close = cuda_close,
	.allocate = cuda_allocate,
	.release = cuda_release,
	.read = cuda_read,
	.read_beside = cuda_read_beside,
	.finish = cuda_finish,
	.prg = cuda_prg,
	.fill = cuda_fill,
	.walk = cuda_walk,
	.hash = cuda_hash,
	.multiply = cuda_multiply,
};

static int kernels_load(struct cuda *cuda)
{
	int result = cuda->driver.module_load(&cuda->module, cuda_kernels);

	if (result == CUDA_NO_BINARY_FOR_GPU)
		return host_fail(&cuda->gpu.device, PROVER_E_NONE,
				 "the kernels are built for newer GPUs than sm_%d: take opencl",
				 cuda->capability);
	if (result != 0)
		return explain(cuda, "cuModuleLoadData (the kernels need a newer driver)", result);
	for (size_t i = 0; i < KERNELS; i++) {
		if (i == KERNEL_MMA && cuda->capability < MMA_CAPABILITY)
			continue;
		result = cuda->driver.module_function(&cuda->kernels[i], cuda->module,
						      kernel_names[i]);
		if (result == 0 && i == KERNEL_MMA)
			result = cuda->driver.function_set(cuda->kernels[i], CUDA_BLOCK_MEMORY_MAX,
							   MMA_BLOCK_MEMORY);
		if (result != 0)
			return explain(cuda, kernel_names[i], result);
	}
	return 0;
}

static int info_read(struct cuda *cuda)
{
	const struct cuda_driver *driver = &cuda->driver;
	struct prover_info *info = &cuda->gpu.info;
	int result, major = 0, minor = 0;
	size_t memory = 0;

	result = driver->device_name(info->name, sizeof(info->name), cuda->device);
	if (result == 0)
		result = driver->device_uuid(info->uuid, cuda->device);
	if (result == 0)
		result = driver->device_memory(&memory, cuda->device);
	if (result == 0)
		result = driver->device_attribute(&major, CUDA_CAPABILITY_MAJOR, cuda->device);
	if (result == 0)
		result = driver->device_attribute(&minor, CUDA_CAPABILITY_MINOR, cuda->device);
	if (result == 0)
		result = driver->device_attribute(&cuda->multiprocessors, CUDA_MULTIPROCESSOR_COUNT,
						  cuda->device);
	info->memory_bytes = memory;
	cuda->capability = 10 * major + minor;
	return explain(cuda, "cuDeviceGetAttribute", result);
}

/* What computes the products stands behind the device's name. */
static void name_complete(struct cuda *cuda)
{
	const char *way = cuda->lt ? "cuBLASLt" : cuda->kernels[KERNEL_MMA] ? "mma.sync" : "dp4a";
	char *name = cuda->gpu.info.name;
	const size_t len = strnlen(name, sizeof(cuda->gpu.info.name));

	snprintf(name + len, sizeof(cuda->gpu.info.name) - len, ", sm_%d, %s", cuda->capability,
		 way);
}

static int device_open(struct cuda *cuda)
{
	int r;

	r = info_read(cuda);
	if (r == 0)
		r = explain(cuda, "cuDevicePrimaryCtxRetain",
			    cuda->driver.context_retain(&cuda->context, cuda->device));
	if (r == 0)
		r = explain(cuda, "cuCtxSetCurrent", cuda->driver.context_use(cuda->context));
	if (r == 0)
		r = explain(cuda, "cuStreamCreate",
			    cuda->driver.stream_create(&cuda->beside, CUDA_STREAM_NON_BLOCKING));
	if (r == 0)
		r = kernels_load(cuda);
	if (r == 0)
		r = library_choose(cuda);
	if (r == 0)
		name_complete(cuda);
	return r;
}

static int device_find(struct cuda *cuda, unsigned int index, const char **ret_detail)
{
	static _Thread_local char text[128];
	int count = 0;

	if (cuda_kernels_size == 0) {
		*ret_detail = "built without CUDA kernels: build again where nvcc is";
		return PROVER_E_NONE;
	}
	if (cuda_driver_open(&cuda->driver) != 0) {
		*ret_detail = "no libcuda.so.1 on this machine: install NVIDIA's driver";
		return PROVER_E_NONE;
	}
	if (cuda->driver.init(0) != 0 || cuda->driver.device_count(&count) != 0 ||
	    index >= (unsigned int)count || cuda->driver.device(&cuda->device, (int)index) != 0) {
		snprintf(text, sizeof(text),
			 "no CUDA device %u: the machine has %d; does nvidia-smi list it?", index,
			 count);
		*ret_detail = text;
		return PROVER_E_NONE;
	}
	return 0;
}

int prover_cuda_open(unsigned int index, struct prover_device **ret_device, const char **ret_detail)
{
	static _Thread_local char text[sizeof((*ret_device)->detail)];
	struct cuda *cuda = calloc(1, sizeof(*cuda));
	int r;

	if (!cuda) {
		*ret_detail = "no memory";
		return -ENOMEM;
	}
	cuda->gpu.ops = &cuda_ops;
	cuda->gpu.allocation_max = UINT64_MAX;
	gpu_init(&cuda->gpu);
	r = device_find(cuda, index, ret_detail);
	if (r == 0) {
		r = device_open(cuda);
		memcpy(text, cuda->gpu.device.detail, sizeof(text));
		*ret_detail = text;
	}
	if (r != 0)
		cuda_close(&cuda->gpu);
	else
		*ret_device = &cuda->gpu.device;
	return r;
}
