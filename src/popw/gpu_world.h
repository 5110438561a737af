/* gpu_world.h - for tests: everything that a device answers, against the arithmetic by the book. */
#pragma once

#include "popw/gpu.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#include "popw/vectors.h"

static inline struct prg_key gpu_key(uint32_t name)
{
	struct prg_key key;

	for (uint32_t i = 0; i < ARRAY_SIZE(key.words); i++)
		key.words[i] = name * 0x9e3779b9u + i * 0x85ebca6bu;
	return key;
}

static inline void *gpu_host(size_t bytes)
{
	void *memory = aligned_alloc(64, (bytes + 63) / 64 * 64);

	assert_non_null(memory);
	return memory;
}

static inline void assert_done(struct prover_device *device, int r)
{
	if (r)
		print_message("%s: %s\n", device->ops->backend, device->detail);
	assert_int_equal(r, 0);
}

/* The tree over leaves of @leaf_bytes that lie one behind the other; 2 * leaves nodes. */
static inline struct hash *book_tree(const void *from, size_t leaf_bytes, uint32_t leaves)
{
	_cleanup_(hasher_freep) struct hasher *hasher = NULL;
	struct hash *nodes = gpu_host(2 * leaves * sizeof(*nodes));

	assert_int_equal(hasher_new(&hasher), 0);
	for (uint32_t i = 0; i < leaves; i++)
		hasher_once(hasher, (const char *)from + i * leaf_bytes, leaf_bytes,
			    &nodes[leaves + i]);
	tree_build(hasher, nodes, leaves);
	return nodes;
}

static inline void assert_path(const struct hash *path, const struct hash *nodes, uint32_t leaves,
			       uint32_t leaf)
{
	struct hash expected[TREE_DEPTH_MAX];

	tree_path(nodes, leaves, leaf, expected);
	assert_memory_equal(path, expected, tree_depth(leaves) * sizeof(*expected));
}

/* ---- walk phase ---- */

static inline void assert_walk_opened(struct prover_device *device, uint32_t walk, uint32_t epoch,
				      const struct walk_state *before, struct hash *const *trees,
				      uint32_t walks)
{
	const struct walk_state zero = { 0 };
	struct walk_opening opening;

	assert_done(device, device->ops->open_walk(device, walk, epoch, &opening));
	assert_memory_equal(&opening.before, epoch ? before : &zero, sizeof(zero));
	if (epoch)
		assert_path(opening.path_before, trees[epoch - 1], walks, walk);
	assert_path(opening.path_after, trees[epoch], walks, walk);
}

/* A whole walk phase, and openings behind its end. */
static inline void assert_walks(struct prover_device *device, const struct session_work *work)
{
	const struct prg_key seed_d = gpu_key(1), seed_w = gpu_key(2);
	const size_t bytes = work->walks * sizeof(struct walk_state);
	_cleanup_(freep) struct item *items = gpu_host((size_t)work->n_items * sizeof(*items));
	_cleanup_(freep) struct walk_state *states = gpu_host((work->epochs + 1) * bytes);
	struct hash *trees[8], root;

	assert_true(work->epochs <= ARRAY_SIZE(trees));
	item_fill(&seed_d, work->double_rounds, 0, work->n_items, items);
	for (uint32_t w = 0; w < work->walks; w++)
		walk_start(&seed_w, w, &states[w]);
	assert_done(device, device->ops->fill(device, &seed_d, work));
	assert_done(device, device->ops->walk_start(device, &seed_w));
	for (uint32_t epoch = 0; epoch < work->epochs; epoch++) {
		const struct prg_key salt = gpu_key(100 + epoch);
		struct walk_state *after = states + (epoch + 1) * work->walks;

		memcpy(after, after - work->walks, bytes);
		for (uint32_t w = 0; w < work->walks; w++)
			walk_enter(&after[w], w, salt.words);
		walk_epoch(after, work->walks, items, work->n_items, work->steps);
		trees[epoch] = book_tree(after, sizeof(*after), work->walks);
		assert_done(device, device->ops->walk_epoch(device, salt.words, epoch, &root));
		assert_memory_equal(&root, &trees[epoch][1], sizeof(root));
	}
	assert_done(device, device->ops->walk_end(device));
	for (uint32_t i = 0; i < 2U * work->epochs; i++) {
		const uint32_t walk = i * 7 % work->walks, epoch = i * 5 % work->epochs;

		assert_walk_opened(device, walk, epoch, &states[epoch * work->walks + walk], trees,
				   work->walks);
	}
	for (uint32_t epoch = 0; epoch < work->epochs; epoch++)
		free(trees[epoch]);
}

/* ---- matrix phase ---- */

static inline void assert_tiles_opened(struct prover_device *device, const struct prg_key *seed,
				       uint32_t round, const struct tile *tiles,
				       const struct hash *tree, uint32_t n)
{
	const uint32_t which[] = { n - 1, 0, n / 3, n / 3 };
	struct tile_opening openings[ARRAY_SIZE(which)];

	assert_done(device, device->ops->open_tiles(device, seed, round, which, ARRAY_SIZE(which),
						    openings));
	for (size_t i = 0; i < ARRAY_SIZE(which); i++) {
		assert_memory_equal(&openings[i].tile, &tiles[which[i]], sizeof(*tiles));
		assert_path(openings[i].path, tree, n, which[i]);
	}
}

enum { GPU_ROUNDS_MAX = 2 };

/* work.rounds of them, and openings of each. */
static inline void assert_matrices(struct prover_device *device, const struct session_work *work)
{
	const struct prg_key seed_g = gpu_key(3);
	const uint32_t n = session_tiles(work);
	_cleanup_(freep) int8_t *a = gpu_host((size_t)work->m * work->k);
	_cleanup_(freep) int8_t *b = gpu_host((size_t)work->n * work->k);
	struct tile *tiles[GPU_ROUNDS_MAX];
	struct hash *trees[GPU_ROUNDS_MAX], root;

	assert_in_range(work->rounds, 1, GPU_ROUNDS_MAX);
	for (uint32_t c = 0; c < work->n; c++)
		prg_row(&seed_g, PRG_B, c, 0, 0, b + (size_t)c * work->k, work->k);
	assert_done(device, device->ops->matrix_start(device, &seed_g, work));
	for (uint32_t round = 0; round < work->rounds; round++) {
		const struct prg_key seed = gpu_key(200 + round);

		for (uint32_t r = 0; r < work->m; r++)
			prg_row(&seed, PRG_A, r, round, 0, a + (size_t)r * work->k, work->k);
		tiles[round] = gpu_host(n * sizeof(struct tile));
		assert_int_equal(matrix_multiply(a, b, work->m, work->n, work->k, tiles[round]), 0);
		trees[round] = book_tree(tiles[round], sizeof(struct tile), n);
		assert_done(device, device->ops->matrix_round(device, &seed, round, &root));
		assert_memory_equal(&root, &trees[round][1], sizeof(root));
	}
	/* The first round is computed again, the second still held when it comes first. */
	for (uint32_t i = work->rounds; i--;) {
		const struct prg_key seed = gpu_key(200 + i);

		assert_tiles_opened(device, &seed, i, tiles[i], trees[i], n);
		free(tiles[i]);
		free(trees[i]);
	}
}

/* ---- the values of vectors.h ---- */

static inline struct prg_key vector_key(const char *text)
{
	_cleanup_(hasher_freep) struct hasher *hasher = NULL;
	struct prg_key key;
	struct hash hash;

	assert_int_equal(hasher_new(&hasher), 0);
	hasher_once(hasher, text, strlen(text), &hash);
	prg_key_from(hash.bytes, &key);
	return key;
}

static inline void assert_walk_vectors(struct prover_device *device)
{
	const struct prg_key seed_d = vector_key(VECTOR_KEY_D), seed_w = vector_key(VECTOR_KEY_W);
	const struct session_work work = { .n_items = VECTOR_WALK_ITEMS,
					   .double_rounds = VECTOR_WALK_DOUBLE_ROUNDS,
					   .walks = VECTOR_WALK_WALKS,
					   .steps = VECTOR_WALK_STEPS,
					   .epochs = VECTOR_WALK_EPOCHS };
	struct walk_opening opening;
	struct prg_key salt;
	struct hash root;

	assert_done(device, device->ops->fill(device, &seed_d, &work));
	assert_done(device, device->ops->walk_start(device, &seed_w));
	for (uint32_t epoch = 0; epoch < work.epochs; epoch++) {
		prg_key_from(vector_walk_salts[epoch], &salt);
		assert_done(device, device->ops->walk_epoch(device, salt.words, epoch, &root));
		assert_memory_equal(&root, vector_walk_roots[epoch], sizeof(root));
	}
	assert_done(device, device->ops->walk_end(device));
	for (uint32_t epoch = 1; epoch < work.epochs; epoch++) {
		assert_done(device, device->ops->open_walk(device, 0, epoch, &opening));
		assert_memory_equal(&opening.before, vector_walk_states[epoch - 1],
				    sizeof(opening.before));
	}
}

static inline void assert_matrix_vectors(struct prover_device *device)
{
	const struct prg_key seed_g = vector_key(VECTOR_KEY_G);
	const struct prg_key seed = vector_key(VECTOR_KEY_ROUND);
	const struct session_work work = { .m = VECTOR_MATRIX_M,
					   .n = VECTOR_MATRIX_N,
					   .k = VECTOR_MATRIX_K };
	struct hash root;

	assert_done(device, device->ops->matrix_start(device, &seed_g, &work));
	assert_done(device, device->ops->matrix_round(device, &seed, VECTOR_MATRIX_ROUND, &root));
	assert_memory_equal(&root, vector_matrix_root, sizeof(root));
}
