/* emulate.h - popw.cu on a CPU: what the kernels use of CUDA and PTX, for a block of threads that take turns.
 *
 * Every thread is a fiber with a stack of its own. At a barrier, and where a warp does something together, it
 * waits until the others are there. Fragments of matrices lie where the PTX ISA says
 * (mma.m16n8k32 with .s8, ldmatrix .x4), and what cp.async sends for arrives when it is waited
 * for, no sooner, so that a missing wait shows. */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct dim3 {
	uint32_t x, y, z;
};

typedef struct {
	uint32_t x, y, z, w;
} uint4;

typedef struct {
	int32_t x, y;
} int2;

/* ---- how the kernels declare things ---- */

#define WORD uint32_t
#define FUNCTION static inline
#define TABLE static const
#define KERNEL static void
#define BLOCK_MEMORY(name) uint8_t *name = emulate_block_memory()
#define __launch_bounds__(...)
#define __shared__
#define blockIdx (*emulate_block())
#define threadIdx (*emulate_thread())

/* ---- launches ---- */

/* Runs @kernel(@arguments) for each thread of each block. Blocks run one after another. Aborts, with a
 * line on standard error, where threads wait for what never comes. */
void emulate_launch(void (*kernel)(void **arguments), void **arguments, struct dim3 grid,
		    uint32_t threads, size_t block_memory);

/* ---- what a thread sees ---- */

const struct dim3 *emulate_block(void);
const struct dim3 *emulate_thread(void);
uint8_t *emulate_block_memory(void);

void __syncthreads(void);
/* Among @width lanes side by side; all of the warp take part. */
uint32_t __shfl_sync(uint32_t mask, uint32_t word, uint32_t lane, uint32_t width);

void copy_begin(void *in_block, const void *global);
void copy_group_end(void);
void copy_wait(uint32_t groups);
void load_matrices(uint32_t ret_words[4], const void *row);
void multiply_add(int32_t sums[4], const uint32_t a[4], const uint32_t b[2]);

static inline uint4 make_uint4(uint32_t x, uint32_t y, uint32_t z, uint32_t w)
{
	return (uint4){ x, y, z, w };
}

static inline int2 make_int2(int32_t x, int32_t y)
{
	return (int2){ x, y };
}

static inline uint4 __ldg(const uint4 *from)
{
	return *from;
}

static inline uint32_t __umulhi(uint32_t a, uint32_t b)
{
	return (uint32_t)((uint64_t)a * b >> 32);
}

static inline int32_t emulate_byte(uint32_t word, uint32_t i)
{
	return (int8_t)(word >> 8 * i);
}

static inline int32_t __dp4a(int32_t a, int32_t b, int32_t sum)
{
	for (uint32_t i = 0; i < 4; i++)
		sum += emulate_byte((uint32_t)a, i) * emulate_byte((uint32_t)b, i);
	return sum;
}
