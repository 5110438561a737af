/* gpu.h - the prover of every kind of GPU, over the few operations in which OpenCL and CUDA differ.
 *
 * On the device are the data set in chunks of a power of two of items, the states of two epochs, the
 * operands, the product and a tree of each phase. The walks' states and trees go to the host's memory
 * while the next epoch is walked, because they would not fit beside the data set. Of rounds only
 * roots, and tiles and paths that are opened, are read back; an opened round is computed again. */
#pragma once

#include "popw/prover.h"
#include "popw/walk_log.h"

enum {
	GPU_CHUNKS_MAX = 8, /* buffers of a data set */
	GPU_CHUNK_SHIFT_MAX = 31, /* 2^31 items are 512 GiB */
	GPU_PAD =
		64, /* operands have a multiple of so many rows; what they add is not in the product */
};

struct gpu;

struct gpu_buffer {
	uint64_t handle; /* the backend's; 0: none */
	uint64_t bytes;
};

/* How many hashes of how many bytes each, from where to where (bytes). */
struct gpu_hashes {
	struct gpu_buffer from, to;
	uint64_t from_offset, to_offset;
	uint32_t blocks; /* PRG_BLOCK bytes each: a tile, a state, or two nodes */
	uint32_t n;
};

struct gpu_set {
	struct gpu_buffer chunks[GPU_CHUNKS_MAX];
	uint32_t n_chunks;
	uint32_t shift; /* items in a chunk: 2^shift */
};

struct gpu_product {
	struct gpu_buffer a, b; /* rows and columns of k bytes, padded */
	struct gpu_buffer tiles;
	struct gpu_buffer spare; /* the backend's own, from its first product of this shape on */
	uint32_t m, n, k;
};

/* Queued in order; read and finish wait. All return 0 or a fault that the device's detail explains. */
struct gpu_ops {
	const char *backend;
	void (*close)(struct gpu *gpu); /* frees it */
	int (*allocate)(struct gpu *gpu, uint64_t bytes, uint64_t *ret_handle);
	void (*release)(struct gpu *gpu, uint64_t handle);
	int (*read)(struct gpu *gpu, const struct gpu_buffer *from, uint64_t offset,
		    void *ret_bytes, size_t len);
	/* Of what is finished, while what is queued goes on. */
	int (*read_beside)(struct gpu *gpu, const struct gpu_buffer *from, void *ret_bytes,
			   size_t len);
	int (*finish)(struct gpu *gpu);

	/* @rows of @row_bytes of the stream, from row 0 on. */
	int (*prg)(struct gpu *gpu, const struct gpu_buffer *to, const struct prg_key *key,
		   enum prg_tag tag, uint32_t round, uint32_t row_bytes, uint32_t rows);
	int (*fill)(struct gpu *gpu, const struct gpu_buffer *to, const struct prg_key *key,
		    uint32_t double_rounds, uint32_t first, uint32_t n);
	int (*walk)(struct gpu *gpu, const struct gpu_set *set, const struct gpu_buffer *from,
		    const struct gpu_buffer *to, const uint32_t salt[static 8],
		    const struct session_work *work);
	int (*hash)(struct gpu *gpu, const struct gpu_hashes *hashes);
	int (*multiply)(struct gpu *gpu, struct gpu_product *product);
};

struct gpu {
	struct prover_device device; /* first: a device is cast to its gpu */
	struct prover_ops prover_ops; /* the device's: alike but for the backend's name */
	const struct gpu_ops *ops;
	struct prover_info info;
	uint64_t allocation_max; /* of one buffer, bytes */

	struct session_work work;
	struct gpu_set set;
	struct gpu_buffer
		states[2]; /* with which an epoch begins and ends, by turns; the first at 0 */
	struct gpu_buffer state_tree;
	uint32_t epochs; /* walked */
	struct walk_log log; /* of all of them but the last, until walk_end */
	struct gpu_product product;
	struct gpu_buffer tile_tree;
	struct prg_key round_seed; /* what product and tree are of ... */
	uint32_t round; /* ... UINT32_MAX: nothing */
};

/* For a backend that has opened one and set ops, info and allocation_max. */
void gpu_init(struct gpu *gpu);

/* A buffer of its own. -ENOMEM: more than allocation_max, or than there is; @what it is for is said. */
_must_check_ int gpu_allocate(struct gpu *gpu, const char *what, uint64_t bytes,
			      struct gpu_buffer *ret_buffer);
void gpu_release(struct gpu *gpu, struct gpu_buffer *buffer);

static inline uint32_t gpu_padded(uint32_t rows)
{
	return (rows + GPU_PAD - 1) / GPU_PAD * GPU_PAD;
}
