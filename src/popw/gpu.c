#include "popw/gpu.h"

#include "popw/prove_host.h"

static struct gpu *gpu_of(struct prover_device *device)
{
	return (struct gpu *)device;
}

int gpu_allocate(struct gpu *gpu, const char *what, uint64_t bytes, struct gpu_buffer *ret_buffer)
{
	int r;

	if (bytes > gpu->allocation_max)
		return host_fail(&gpu->device, -ENOMEM,
				 "%s: %" PRIu64 " bytes in one buffer, the device gives %" PRIu64,
				 what, bytes, gpu->allocation_max);
	r = gpu->ops->allocate(gpu, bytes, &ret_buffer->handle);
	if (r < 0)
		return r;
	ret_buffer->bytes = bytes;
	return 0;
}

void gpu_release(struct gpu *gpu, struct gpu_buffer *buffer)
{
	if (buffer->handle)
		gpu->ops->release(gpu, buffer->handle);
	*buffer = (struct gpu_buffer){ 0 };
}

/* ---- trees ---- */

/* Over leaves of @leaf_bytes that lie one behind the other. */
static int tree_make(struct gpu *gpu, const struct gpu_buffer *leaves_from, uint32_t leaf_bytes,
		     uint32_t leaves, const struct gpu_buffer *tree)
{
	struct gpu_hashes hashes = { .from = *leaves_from,
				     .to = *tree,
				     .to_offset = (uint64_t)leaves * HASH_SIZE,
				     .blocks = leaf_bytes / PRG_BLOCK,
				     .n = leaves };
	int r = gpu->ops->hash(gpu, &hashes);

	for (uint32_t n = leaves / 2; r == 0 && n; n /= 2) {
		hashes = (struct gpu_hashes){ .from = *tree,
					      .from_offset = (uint64_t)n * 2 * HASH_SIZE,
					      .to = *tree,
					      .to_offset = (uint64_t)n * HASH_SIZE,
					      .blocks = 1,
					      .n = n };
		r = gpu->ops->hash(gpu, &hashes);
	}
	return r;
}

static int tree_node(struct gpu *gpu, const struct gpu_buffer *tree, uint32_t node,
		     struct hash *ret_hash)
{
	return gpu->ops->read(gpu, tree, (uint64_t)node * HASH_SIZE, ret_hash->bytes, HASH_SIZE);
}

/* The siblings from the leaf up (tree.h), one read each. */
static int path_read(struct gpu *gpu, const struct gpu_buffer *tree, uint32_t leaves, uint32_t leaf,
		     struct hash *ret_path)
{
	int r = 0;

	for (uint32_t node = leaves + leaf; r == 0 && node > 1; node /= 2)
		r = tree_node(gpu, tree, node ^ 1, ret_path++);
	return r;
}

/* ---- walk phase ---- */

static void set_release(struct gpu *gpu)
{
	for (uint32_t i = 0; i < GPU_CHUNKS_MAX; i++)
		gpu_release(gpu, &gpu->set.chunks[i]);
	gpu->set.n_chunks = 0;
}

static void states_release(struct gpu *gpu)
{
	gpu_release(gpu, &gpu->states[0]);
	gpu_release(gpu, &gpu->states[1]);
	gpu_release(gpu, &gpu->state_tree);
	gpu->epochs = 0;
}

static void matrix_release(struct gpu *gpu)
{
	gpu_release(gpu, &gpu->product.a);
	gpu_release(gpu, &gpu->product.b);
	gpu_release(gpu, &gpu->product.tiles);
	gpu_release(gpu, &gpu->product.spare);
	gpu_release(gpu, &gpu->tile_tree);
	gpu->round = UINT32_MAX;
}

/* The largest power of two of items that one buffer holds. */
static uint32_t chunk_shift(const struct gpu *gpu)
{
	uint32_t shift = 0;

	while (shift < GPU_CHUNK_SHIFT_MAX && gpu->allocation_max / ITEM_BYTES >= UINT64_C(2)
											  << shift)
		shift++;
	return shift;
}

static uint32_t chunk_items(const struct gpu *gpu, uint32_t chunk)
{
	const uint64_t before = (uint64_t)chunk << gpu->set.shift;

	return (uint32_t)size_min(gpu->work.n_items - before, UINT64_C(1) << gpu->set.shift);
}

static int set_allocate(struct gpu *gpu)
{
	const uint32_t shift = chunk_shift(gpu);
	const uint64_t chunks = ((gpu->work.n_items - UINT64_C(1)) >> shift) + 1;
	int r = 0;

	if (chunks > GPU_CHUNKS_MAX)
		return host_fail(&gpu->device, -ENOMEM,
				 "a data set of %" PRIu64
				 " MiB: the device gives %d buffers of %" PRIu64 " MiB",
				 ((uint64_t)gpu->work.n_items * ITEM_BYTES) >> 20, GPU_CHUNKS_MAX,
				 ((uint64_t)ITEM_BYTES << shift) >> 20);
	gpu->set.shift = shift;
	gpu->set.n_chunks = (uint32_t)chunks;
	for (uint32_t i = 0; r == 0 && i < chunks; i++)
		r = gpu_allocate(gpu, "the data set", (uint64_t)chunk_items(gpu, i) * ITEM_BYTES,
				 &gpu->set.chunks[i]);
	return r;
}

static int states_allocate(struct gpu *gpu)
{
	const struct session_work *work = &gpu->work;
	const uint64_t bytes = (uint64_t)work->walks * sizeof(struct walk_state);
	int r;

	r = host_memory_check(&gpu->device, walk_log_bytes(work), "what the walks leave");
	if (r < 0)
		return r;
	r = walk_log_init(&gpu->log, work);
	if (r < 0)
		return host_fail(&gpu->device, r, "no memory for what the walks leave");
	r = gpu_allocate(gpu, "the states", bytes, &gpu->states[0]);
	if (r == 0)
		r = gpu_allocate(gpu, "the states", bytes, &gpu->states[1]);
	if (r == 0)
		r = gpu_allocate(gpu, "the tree of states", 2 * (uint64_t)work->walks * HASH_SIZE,
				 &gpu->state_tree);
	return r;
}

static int fill(struct prover_device *device, const struct prg_key *seed_d,
		const struct session_work *work)
{
	struct gpu *gpu = gpu_of(device);
	int r;

	/* All that the last session left. */
	set_release(gpu);
	states_release(gpu);
	walk_log_done(&gpu->log);
	matrix_release(gpu);
	gpu->work = *work;
	r = set_allocate(gpu);
	if (r == 0)
		r = states_allocate(gpu);
	for (uint32_t i = 0; r == 0 && i < gpu->set.n_chunks; i++)
		r = gpu->ops->fill(gpu, &gpu->set.chunks[i], seed_d, work->double_rounds,
				   i << gpu->set.shift, chunk_items(gpu, i));
	return r < 0 ? r : gpu->ops->finish(gpu);
}

static int walk_begin(struct prover_device *device, const struct prg_key *seed_w)
{
	struct gpu *gpu = gpu_of(device);

	return gpu->ops->prg(gpu, &gpu->states[0], seed_w, PRG_STATE, 0, sizeof(struct walk_state),
			     gpu->work.walks);
}

/* Brings the last epoch's states and tree home; they lie still until the one that is walked beside is
 * hashed. */
static int epoch_keep(struct gpu *gpu)
{
	const size_t walks = gpu->work.walks, epoch = gpu->epochs - 1;
	int r;

	r = gpu->ops->read_beside(gpu, &gpu->states[gpu->epochs % 2],
				  gpu->log.states + epoch * walks,
				  walks * sizeof(struct walk_state));
	if (r < 0)
		return r;
	return gpu->ops->read_beside(gpu, &gpu->state_tree, gpu->log.nodes + 2 * epoch * walks,
				     2 * walks * sizeof(struct hash));
}

static int walk_once(struct prover_device *device, const uint32_t salt[static 8], uint32_t epoch,
		     struct hash *ret_root)
{
	struct gpu *gpu = gpu_of(device);
	const struct gpu_buffer *after = &gpu->states[(epoch + 1) % 2];
	int r;

	r = gpu->ops->walk(gpu, &gpu->set, &gpu->states[epoch % 2], after, salt, &gpu->work);
	if (r == 0 && epoch > 0)
		r = epoch_keep(gpu);
	if (r == 0)
		r = tree_make(gpu, after, sizeof(struct walk_state), gpu->work.walks,
			      &gpu->state_tree);
	if (r == 0)
		r = tree_node(gpu, &gpu->state_tree, 1, ret_root);
	if (r == 0)
		gpu->epochs = epoch + 1;
	return r;
}

static int walk_end(struct prover_device *device)
{
	struct gpu *gpu = gpu_of(device);
	const int r = gpu->epochs ? epoch_keep(gpu) : 0;

	set_release(gpu);
	states_release(gpu);
	return r;
}

static int open_walk(struct prover_device *device, uint32_t walk, uint32_t epoch,
		     struct walk_opening *ret_opening)
{
	walk_log_open(&gpu_of(device)->log, walk, epoch, ret_opening);
	return 0;
}

/* ---- matrix phase ---- */

static int matrix_start(struct prover_device *device, const struct prg_key *seed_g,
			const struct session_work *work)
{
	struct gpu *gpu = gpu_of(device);
	struct gpu_product *product = &gpu->product;
	const uint64_t tiles = session_tiles(work);
	int r;

	matrix_release(gpu);
	product->m = work->m;
	product->n = work->n;
	product->k = work->k;
	r = gpu_allocate(gpu, "A", (uint64_t)gpu_padded(work->m) * work->k, &product->a);
	if (r == 0)
		r = gpu_allocate(gpu, "B", (uint64_t)gpu_padded(work->n) * work->k, &product->b);
	if (r == 0)
		r = gpu_allocate(gpu, "the product", tiles * sizeof(struct tile), &product->tiles);
	if (r == 0)
		r = gpu_allocate(gpu, "the product's tree", 2 * tiles * HASH_SIZE, &gpu->tile_tree);
	if (r < 0)
		return r;
	return gpu->ops->prg(gpu, &product->b, seed_g, PRG_B, 0, work->k, gpu_padded(work->n));
}

static uint32_t product_tiles(const struct gpu_product *product)
{
	return product->m / TILE_ROWS * (product->n / TILE_COLUMNS);
}

/* Makes product and tree be those of @round. */
static int round_make(struct gpu *gpu, const struct prg_key *seed_i, uint32_t round)
{
	struct gpu_product *product = &gpu->product;
	int r;

	if (gpu->round == round && memcmp(&gpu->round_seed, seed_i, sizeof(*seed_i)) == 0)
		return 0;
	gpu->round = UINT32_MAX;
	r = gpu->ops->prg(gpu, &product->a, seed_i, PRG_A, round, product->k,
			  gpu_padded(product->m));
	if (r == 0)
		r = gpu->ops->multiply(gpu, product);
	if (r == 0)
		r = tree_make(gpu, &product->tiles, sizeof(struct tile), product_tiles(product),
			      &gpu->tile_tree);
	if (r < 0)
		return r;
	gpu->round = round;
	gpu->round_seed = *seed_i;
	return 0;
}

static int matrix_round(struct prover_device *device, const struct prg_key *seed_i, uint32_t round,
			struct hash *ret_root)
{
	struct gpu *gpu = gpu_of(device);
	const int r = round_make(gpu, seed_i, round);

	return r < 0 ? r : tree_node(gpu, &gpu->tile_tree, 1, ret_root);
}

static int open_tiles(struct prover_device *device, const struct prg_key *seed_i, uint32_t round,
		      const uint32_t *tiles, size_t n, struct tile_opening *ret_openings)
{
	struct gpu *gpu = gpu_of(device);
	const struct gpu_product *product = &gpu->product;
	int r = round_make(gpu, seed_i, round);

	for (size_t i = 0; r == 0 && i < n; i++) {
		struct tile_opening opening = { 0 };

		r = gpu->ops->read(gpu, &product->tiles, (uint64_t)tiles[i] * sizeof(opening.tile),
				   opening.tile.words, sizeof(opening.tile));
		if (r == 0)
			r = path_read(gpu, &gpu->tile_tree, product_tiles(product), tiles[i],
				      opening.path);
		if (r == 0)
			ret_openings[i] = opening;
	}
	return r;
}

/* ---- the device ---- */

static void gpu_close(struct prover_device *device)
{
	struct gpu *gpu = gpu_of(device);

	set_release(gpu);
	states_release(gpu);
	walk_log_done(&gpu->log);
	matrix_release(gpu);
	gpu->ops->close(gpu);
}

static void gpu_info(struct prover_device *device, struct prover_info *ret_info)
{
	*ret_info = gpu_of(device)->info;
}

void gpu_init(struct gpu *gpu)
{
	gpu->prover_ops = (struct prover_ops){
		.backend = gpu->ops->backend,
		.close = gpu_close,
		.info = gpu_info,
		.fill = fill,
		.walk_start = walk_begin,
		.walk_epoch = walk_once,
		.open_walk = open_walk,
		.walk_end = walk_end,
		.matrix_start = matrix_start,
		.matrix_round = matrix_round,
		.open_tiles = open_tiles,
	};
	gpu->device.ops = &gpu->prover_ops;
	gpu->round = UINT32_MAX;
}
