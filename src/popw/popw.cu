/* popw.cu - the proofs' arithmetic in CUDA. prg.h, item.h, walk.h, matrix.h and tree.h say what is computed.
 * Blocks have 256 threads. It is C as well, so that tests/emulate/ can run this very text. */
#ifdef __CUDACC__
#include "popw/ptx.cuh"
#else
#include "emulate.h"
#endif

#include "popw/kernels_common.inc"

enum {
	THREADS = 256,
	TAG_ITEM = 0x57,
	TILE_WORDS = 128, /* 16 rows of 8 */
};

struct key {
	uint32_t words[8];
};

FUNCTION uint64_t thread_index(void)
{
	return (uint64_t)blockIdx.x * THREADS + threadIdx.x;
}

FUNCTION void store_block(const uint32_t block[16], uint4 *to)
{
#pragma unroll
	for (int i = 0; i < 4; i++)
		to[i] = make_uint4(block[4 * i], block[4 * i + 1], block[4 * i + 2],
				   block[4 * i + 3]);
}

/* Rows of @row_blocks blocks, one behind the other. A thread makes one block. */
KERNEL __launch_bounds__(THREADS) prg(uint4 *out, struct key key, uint32_t tag, uint32_t round,
				      uint32_t row_blocks, uint64_t blocks)
{
	const uint64_t i = thread_index();
	uint32_t block[16];

	if (i >= blocks)
		return;
	chacha_block(key.words, (uint32_t)(i % row_blocks), round, tag, (uint32_t)(i / row_blocks),
		     4, block);
	store_block(block, out + 4 * i);
}

/* Items from @first on, as many as @lanes / 4. A thread makes one lane. */
KERNEL __launch_bounds__(THREADS) fill(uint4 *out, struct key key, uint32_t double_rounds,
				       uint32_t first, uint64_t lanes)
{
	const uint64_t i = thread_index();
	uint32_t block[16];

	if (i >= lanes)
		return;
	chacha_block(key.words, first + (uint32_t)(i / 4), (uint32_t)(i % 4), TAG_ITEM, 0,
		     double_rounds, block);
	store_block(block, out + 4 * i);
}

/* An epoch. Four threads are a walk, each has one lane of its state; they read an item's four lanes side
 * by side, and change words between them behind each step. Threads too many walk the first walk
 * again and keep it to themselves, so that whole warps take part in every exchange. */
KERNEL __launch_bounds__(THREADS)
	walk(const uint4 *set, const uint4 *from, uint4 *to, struct key salt, uint32_t n_items,
	     uint32_t steps, uint32_t walks)
{
	const uint32_t lane = threadIdx.x % 4, number = (uint32_t)(thread_index() / 4);
	const uint32_t mine = number < walks ? number : 0, factor = 2 * mine + 1;
	const uint64_t place = (uint64_t)mine * 16 + lane * 4;
	uint32_t state[16];

#pragma unroll
	for (int i = 0; i < 4; i++) {
		const uint4 words = from[place + i];

		state[4 * i] = words.x;
		state[4 * i + 1] = words.y;
		state[4 * i + 2] = words.z;
		state[4 * i + 3] = words.w;
	}
	if (lane == 0) {
#pragma unroll
		for (int i = 0; i < 8; i++)
			state[4 + i] ^= salt.words[i] * factor;
	}
	for (uint32_t step = 0; step < steps; step++) {
		const uint32_t first = __shfl_sync(0xffffffffu, state[0], 0, 4);
		const uint4 *item = set + (uint64_t)__umulhi(first, n_items) * 16 + lane * 4;

#pragma unroll
		for (int i = 0; i < 4; i++) {
			const uint4 words = __ldg(item + i);

			state[4 * i] ^= words.x;
			state[4 * i + 1] ^= words.y;
			state[4 * i + 2] ^= words.z;
			state[4 * i + 3] ^= words.w;
		}
		double_round(state);
#pragma unroll
		for (int i = 4; i < 16; i++)
			state[i] = __shfl_sync(0xffffffffu, state[i], (lane + i / 4) % 4, 4);
	}
	if (number < walks)
		store_block(state, to + place);
}

/* Thread i hashes @blocks blocks, those from i * blocks on: a tile, a state, or two nodes. */
KERNEL __launch_bounds__(THREADS) hash(const uint4 *from, uint32_t blocks, uint4 *to, uint32_t n)
{
	const uint64_t i = thread_index();
	uint32_t state[8], words[16];

	if (i >= n)
		return;
	from += i * blocks * 4;
	sha_begin(state);
	for (uint32_t block = 0; block < blocks; block++) {
#pragma unroll
		for (int j = 0; j < 4; j++) {
			const uint4 four = from[4 * block + j];

			words[4 * j] = swap_bytes(four.x);
			words[4 * j + 1] = swap_bytes(four.y);
			words[4 * j + 2] = swap_bytes(four.z);
			words[4 * j + 3] = swap_bytes(four.w);
		}
		sha_block(state, words);
	}
	sha_end(state, blocks);
	to[2 * i] = make_uint4(swap_bytes(state[0]), swap_bytes(state[1]), swap_bytes(state[2]),
			       swap_bytes(state[3]));
	to[2 * i + 1] = make_uint4(swap_bytes(state[4]), swap_bytes(state[5]), swap_bytes(state[6]),
				   swap_bytes(state[7]));
}

/* ---- C = A * B, B by columns, into tiles that lie one behind the other ---- */

FUNCTION uint64_t tile_word(uint32_t row, uint32_t column, uint32_t n)
{
	const uint64_t tile = (uint64_t)(row / 16) * (n / 8) + column / 8;

	return tile * TILE_WORDS + row % 16 * 8 + column % 8;
}

/* A product that lies by rows (cuBLASLt's) into tiles, four words a thread. */
KERNEL __launch_bounds__(THREADS) retile(const uint4 *rows, uint4 *tiles, uint32_t n,
					 uint64_t quarters)
{
	const uint64_t i = thread_index(), tile = i / (TILE_WORDS / 4);
	const uint32_t within = (uint32_t)(i % (TILE_WORDS / 4));
	const uint64_t row = tile / (n / 8) * 16 + within / 2;
	const uint64_t column = tile % (n / 8) * 8 + within % 2 * 4;

	if (i < quarters)
		tiles[i] = rows[(row * n + column) / 4];
}

/* For every device with dot products of four bytes (sm_61 on), and every shape. A block makes 64 x 64 words,
 * each thread 4 x 4, from pieces of 64 bytes of 64 rows and of 64 columns. A and B have whole
 * multiples of 64 rows; tiles that are not there are not written. */
enum { SIDE = 64, PIECE = 16 /* words of 4 bytes */ };

KERNEL __launch_bounds__(THREADS) matrix_dp4a(const int32_t *a, const int32_t *b, int32_t *tiles,
					      uint32_t m, uint32_t n, uint32_t k)
{
	/* By words, and one more a row, so that neither writing nor reading meets in one bank. */
	static __shared__ int32_t rows[PIECE][SIDE + 1], columns[PIECE][SIDE + 1];
	const uint32_t x = threadIdx.x % 16, y = threadIdx.x / 16;
	const uint32_t column0 = blockIdx.x * SIDE, row0 = blockIdx.y * SIDE;
	int32_t sums[4][4] = { { 0 } };

	for (uint32_t piece = 0; piece < k / 64; piece++) {
#pragma unroll
		for (uint32_t turn = 0; turn < SIDE * PIECE / THREADS; turn++) {
			const uint32_t i = turn * THREADS + threadIdx.x;
			const uint32_t line = i / PIECE, word = i % PIECE;
			const uint64_t within = (uint64_t)piece * PIECE + word;

			rows[word][line] = a[(uint64_t)(row0 + line) * (k / 4) + within];
			columns[word][line] = b[(uint64_t)(column0 + line) * (k / 4) + within];
		}
		__syncthreads();
#pragma unroll
		for (int word = 0; word < PIECE; word++) {
#pragma unroll
			for (int i = 0; i < 4; i++) {
#pragma unroll
				for (int j = 0; j < 4; j++)
					sums[i][j] = __dp4a(rows[word][y * 4 + i],
							    columns[word][x * 4 + j], sums[i][j]);
			}
		}
		__syncthreads();
	}
#pragma unroll
	for (uint32_t i = 0; i < 4; i++) {
#pragma unroll
		for (uint32_t j = 0; j < 4; j++) {
			const uint32_t row = row0 + y * 4 + i, column = column0 + x * 4 + j;

			if (row < m && column < n)
				tiles[tile_word(row, column, n)] = sums[i][j];
		}
	}
}

/* With the matrix units, sm_80 on: m a multiple of 128, n of 256. A block makes 128 x 256 words, each of its
 * eight warps 64 x 64, from pieces of 64 bytes of each row and column. Four stages of pieces are in the
 * block's memory, 96 KiB: while one is multiplied, the next three are on their way. */
#if !defined(__CUDA_ARCH__) || __CUDA_ARCH__ >= 800
enum {
	BLOCK_ROWS = 128,
	BLOCK_COLUMNS = 256,
	STEP = 64, /* bytes of K in a stage */
	STAGES = 4,
	STAGE_BYTES = (BLOCK_ROWS + BLOCK_COLUMNS) * STEP,
	WARP_SIDE = 64,
	GROUP = 8, /* rows of blocks that run side by side, so that they share what the L2 holds */
};

/* Where 16 bytes of a line lie in a stage. Chunks change places from one pair of lines to the next, so that
 * eight lines' same chunk, which load_matrices reads at once, come from all banks. */
FUNCTION uint32_t stage_place(uint32_t line, uint32_t chunk)
{
	return line * STEP + ((chunk ^ line / 2) % 4) * 16;
}

/* Sends for the pieces @lines of @from, which has rows of @k bytes. */
FUNCTION void stage_lines(uint8_t *to, const int8_t *from, uint32_t k, uint32_t lines)
{
#pragma unroll
	for (uint32_t turn = 0; turn < lines * (STEP / 16) / THREADS; turn++) {
		const uint32_t i = turn * THREADS + threadIdx.x;
		const uint32_t line = i / (STEP / 16), chunk = i % (STEP / 16);

		copy_begin(to + stage_place(line, chunk), from + (uint64_t)line * k + chunk * 16);
	}
}

/* A warp's 64 x 64 words add the products of a stage. */
FUNCTION void stage_multiply(const uint8_t *rows, const uint8_t *columns, int32_t sums[4][8][4])
{
	const uint32_t lane = threadIdx.x % 32;

#pragma unroll
	for (uint32_t half = 0; half < STEP / 32; half++) {
		uint32_t a[4][4], b[8][2], words[4];

#pragma unroll
		for (int i = 0; i < 4; i++)
			load_matrices(a[i], rows + stage_place(i * 16 + lane % 16,
							       half * 2 + lane / 16));
		/* Two tiles' columns at once: lanes 0-15 name one's two chunks, 16-31 the other's. */
#pragma unroll
		for (int j = 0; j < 4; j++) {
			load_matrices(words,
				      columns + stage_place(j * 16 + lane / 16 * 8 + lane % 8,
							    half * 2 + lane / 8 % 2));
			b[2 * j][0] = words[0];
			b[2 * j][1] = words[1];
			b[2 * j + 1][0] = words[2];
			b[2 * j + 1][1] = words[3];
		}
#pragma unroll
		for (int i = 0; i < 4; i++) {
#pragma unroll
			for (int j = 0; j < 8; j++)
				multiply_add(sums[i][j], a[i], b[j]);
		}
	}
}

/* The block's first row and column: down a group of rows of blocks, then to the next column. */
FUNCTION void block_place(uint32_t m, uint32_t n, uint32_t *ret_row, uint32_t *ret_column)
{
	const uint32_t down = m / BLOCK_ROWS, across = n / BLOCK_COLUMNS;
	const uint32_t group = blockIdx.x / (GROUP * across), within = blockIdx.x % (GROUP * across);
	const uint32_t left = down - group * GROUP, rows = left < GROUP ? left : GROUP;

	*ret_row = (group * GROUP + within % rows) * BLOCK_ROWS;
	*ret_column = within / rows * BLOCK_COLUMNS;
}

KERNEL __launch_bounds__(THREADS, 1) matrix_mma(const int8_t *a, const int8_t *b, int32_t *tiles,
						uint32_t m, uint32_t n, uint32_t k)
{
	BLOCK_MEMORY(stages);
	const uint32_t warp = threadIdx.x / 32, lane = threadIdx.x % 32, steps = k / STEP;
	const uint32_t warp_row = warp % 2 * WARP_SIDE, warp_column = warp / 2 * WARP_SIDE;
	int32_t sums[4][8][4] = { { { 0 } } };
	uint32_t row0, column0;

	block_place(m, n, &row0, &column0);
	a += (uint64_t)row0 * k;
	b += (uint64_t)column0 * k;
	/* A turn of the loop sends for a stage and multiplies the one sent for STAGES - 1 turns before. Every
	 * turn ends a group, also an empty one, so that waiting can count groups. */
	for (uint32_t turn = 0; turn < steps + STAGES - 1; turn++) {
		if (turn >= STAGES - 1) {
			copy_wait(STAGES - 2);
			/* Others' copies have arrived, and nobody reads the stage that is next to be
			 * overwritten. */
			__syncthreads();
		}
		if (turn < steps) {
			uint8_t *stage = stages + turn % STAGES * STAGE_BYTES;

			stage_lines(stage, a + (uint64_t)turn * STEP, k, BLOCK_ROWS);
			stage_lines(stage + BLOCK_ROWS * STEP, b + (uint64_t)turn * STEP, k,
				    BLOCK_COLUMNS);
		}
		copy_group_end();
		if (turn >= STAGES - 1) {
			const uint8_t *stage = stages + (turn + 1) % STAGES * STAGE_BYTES;

			stage_multiply(stage + warp_row * STEP,
				       stage + (BLOCK_ROWS + warp_column) * STEP, sums);
		}
	}
#pragma unroll
	for (uint32_t i = 0; i < 4; i++) {
#pragma unroll
		for (uint32_t j = 0; j < 8; j++) {
			const uint64_t word = tile_word(row0 + warp_row + i * 16 + lane / 4,
							column0 + warp_column + j * 8 + lane % 4 * 2,
							n);

			*(int2 *)(tiles + word) = make_int2(sums[i][j][0], sums[i][j][1]);
			*(int2 *)(tiles + word + 64) = make_int2(sums[i][j][2], sums[i][j][3]);
		}
	}
}
#endif
