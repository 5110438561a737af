/* popw.cl - the proofs' arithmetic in OpenCL 1.2, behind kernels_common.inc. prg.h, item.h, walk.h, matrix.h
 * and tree.h say what is computed. One-dimensional kernels get their size rounded up, so each has a
 * bound. */

enum { TAG_ITEM = 0x57, STATE_WORDS = 64, TILE_WORDS = 128 };

struct key {
	uint words[8];
};

static void store_block(const uint block[16], __global uint *to)
{
	for (uint i = 0; i < 4; i++)
		vstore4((uint4)(block[4 * i], block[4 * i + 1], block[4 * i + 2], block[4 * i + 3]),
			i, to);
}

/* Rows of @row_blocks blocks, one behind the other. A work-item makes one block. */
__kernel void prg(__global uint *out, struct key key, uint tag, uint round, uint row_blocks,
		  ulong blocks)
{
	const ulong i = get_global_id(0);
	uint block[16];

	if (i >= blocks)
		return;
	chacha_block(key.words, (uint)(i % row_blocks), round, tag, (uint)(i / row_blocks), 4,
		     block);
	store_block(block, out + 16 * i);
}

/* Items from @first on, as many as @lanes / 4. A work-item makes one lane. */
__kernel void fill(__global uint *out, struct key key, uint double_rounds, uint first, ulong lanes)
{
	const ulong i = get_global_id(0);
	uint block[16];

	if (i >= lanes)
		return;
	chacha_block(key.words, first + (uint)(i / 4), (uint)(i % 4), TAG_ITEM, 0, double_rounds,
		     block);
	store_block(block, out + 16 * i);
}

/* One step of a walk: the item goes into the state, each lane through a double round, and the four
 * quarters of each new lane come from four different lanes. */
static void walk_step(uint state[STATE_WORDS], __global const uint *item)
{
	uint mixed[STATE_WORDS];

	for (uint i = 0; i < STATE_WORDS / 4; i++) {
		const uint4 words = vload4(i, item);

		mixed[4 * i] = state[4 * i] ^ words.x;
		mixed[4 * i + 1] = state[4 * i + 1] ^ words.y;
		mixed[4 * i + 2] = state[4 * i + 2] ^ words.z;
		mixed[4 * i + 3] = state[4 * i + 3] ^ words.w;
	}
	for (uint lane = 0; lane < 4; lane++)
		double_round(mixed + 16 * lane);
	for (uint lane = 0; lane < 4; lane++)
		for (uint j = 0; j < 16; j++)
			state[16 * lane + j] = mixed[16 * ((lane + j / 4) % 4) + j];
}

/* An epoch. A work-item is a walk; the data set lies in up to eight buffers of 2^chunk_shift items. */
__kernel void walk(__global const uint *set0, __global const uint *set1, __global const uint *set2,
		   __global const uint *set3, __global const uint *set4, __global const uint *set5,
		   __global const uint *set6, __global const uint *set7, __global const uint *from,
		   __global uint *to, struct key salt, uint chunk_shift, uint n_items, uint steps,
		   uint walks)
{
	const uint w = get_global_id(0);
	uint state[STATE_WORDS];

	if (w >= walks)
		return;
	for (uint i = 0; i < STATE_WORDS; i++)
		state[i] = from[(ulong)w * STATE_WORDS + i];
	for (uint i = 0; i < 8; i++)
		state[4 + i] ^= salt.words[i] * (2 * w + 1);
	for (uint step = 0; step < steps; step++) {
		const uint index = mul_hi(state[0], n_items), chunk = index >> chunk_shift;
		const uint within = index - (chunk << chunk_shift);
		__global const uint *set = set0;

		if (chunk == 1)
			set = set1;
		else if (chunk == 2)
			set = set2;
		else if (chunk == 3)
			set = set3;
		else if (chunk == 4)
			set = set4;
		else if (chunk == 5)
			set = set5;
		else if (chunk == 6)
			set = set6;
		else if (chunk == 7)
			set = set7;
		walk_step(state, set + (ulong)within * STATE_WORDS);
	}
	for (uint i = 0; i < STATE_WORDS; i++)
		to[(ulong)w * STATE_WORDS + i] = state[i];
}

/* Work-item i hashes @blocks blocks, those from i * blocks on: a tile, a state, or two nodes. Places are
 * in words. */
__kernel void hash(__global const uint *from, ulong from_word, uint blocks, __global uint *to,
		   ulong to_word, uint n)
{
	const uint i = get_global_id(0);
	uint state[8], words[16];

	if (i >= n)
		return;
	from += from_word + (ulong)i * blocks * 16;
	to += to_word + (ulong)i * 8;
	sha_begin(state);
	for (uint block = 0; block < blocks; block++) {
		for (uint j = 0; j < 16; j++)
			words[j] = swap_bytes(from[16 * block + j]);
		sha_block(state, words);
	}
	sha_end(state, blocks);
	for (uint j = 0; j < 8; j++)
		to[j] = swap_bytes(state[j]);
}

/* C = A * B, B by columns. A work-group of 16 x 16 makes 64 x 64 words of C, each work-item 4 x 4, from
 * pieces of 64 bytes of 64 rows and of 64 columns. A and B have whole multiples of 64 rows; C's tiles
 * that are not there are not written. */
enum { SIDE = 64, PIECE = 16 /* words of 4 bytes */ };

__kernel __attribute__((reqd_work_group_size(16, 16, 1))) void
matrix(__global const char *a, __global const char *b, __global int *tiles, uint m, uint n, uint k)
{
	/* One word more a row, so that rows begin in different banks. */
	__local char4 rows[SIDE][PIECE + 1], columns[SIDE][PIECE + 1];
	const uint x = get_local_id(0), y = get_local_id(1);
	const uint column0 = get_group_id(0) * SIDE, row0 = get_group_id(1) * SIDE;
	int sums[4][4] = { { 0 } };

	for (uint piece = 0; piece < k / 64; piece++) {
		for (uint i = y * 16 + x; i < SIDE * PIECE; i += 256) {
			const ulong within = (ulong)piece * PIECE + i % PIECE;

			rows[i / PIECE][i % PIECE] = vload4(within,
							    a + (ulong)(row0 + i / PIECE) * k);
			columns[i / PIECE][i % PIECE] = vload4(
				within, b + (ulong)(column0 + i / PIECE) * k);
		}
		barrier(CLK_LOCAL_MEM_FENCE);
		for (uint word = 0; word < PIECE; word++) {
			int4 left[4], right[4];

			for (uint i = 0; i < 4; i++) {
				left[i] = convert_int4(rows[y * 4 + i][word]);
				right[i] = convert_int4(columns[x * 4 + i][word]);
			}
			for (uint i = 0; i < 4; i++)
				for (uint j = 0; j < 4; j++) {
					const int4 p = left[i] * right[j];

					sums[i][j] += p.x + p.y + p.z + p.w;
				}
		}
		barrier(CLK_LOCAL_MEM_FENCE);
	}
	for (uint i = 0; i < 4; i++)
		for (uint j = 0; j < 4; j++) {
			const uint row = row0 + y * 4 + i, column = column0 + x * 4 + j;
			const ulong tile = (ulong)(row / 16) * (n / 8) + column / 8;

			if (row < m && column < n)
				tiles[tile * TILE_WORDS + row % 16 * 8 + column % 8] = sums[i][j];
		}
}
