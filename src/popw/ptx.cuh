/* ptx.cuh - how popw.cu and kernels_common.inc are to declare things in CUDA, and the instructions that the
 * product's kernel is made of, by the PTX ISA. tests/emulate/emulate.h has the same for a CPU. */
#pragma once

#include <stdint.h>

#define WORD uint32_t
#define FUNCTION static __device__ __forceinline__
#define TABLE static __constant__
#define KERNEL extern "C" __global__ void
/* The memory of a block whose size the launch says. */
#define BLOCK_MEMORY(name) extern __shared__ __align__(128) uint8_t name[]

FUNCTION uint32_t block_address(const void *in_block)
{
	return (uint32_t)__cvta_generic_to_shared(in_block);
}

/* 16 bytes on their way, past the first cache. They have arrived when their group has (copy_wait), for the
 * thread that sent for them; for others behind a barrier. */
FUNCTION void copy_begin(void *in_block, const void *global)
{
	asm volatile("cp.async.cg.shared.global [%0], [%1], 16;\n" ::"r"(block_address(in_block)),
		     "l"(global));
}

FUNCTION void copy_group_end(void)
{
	asm volatile("cp.async.commit_group;\n");
}

/* Until at most @groups of this thread's are on their way. A constant. */
#define copy_wait(groups) asm volatile("cp.async.wait_group %0;\n" ::"n"(groups))

/* Four matrices of 8 rows of 16 bytes. Thread 8 i + j of the warp says where row j of matrix i is; thread t
 * gets the word t % 4 of row t / 4 of each. */
FUNCTION void load_matrices(uint32_t ret_words[4], const void *row)
{
	asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0,%1,%2,%3}, [%4];\n"
		     : "=r"(ret_words[0]), "=r"(ret_words[1]), "=r"(ret_words[2]), "=r"(ret_words[3])
		     : "r"(block_address(row)));
}

/* The warp adds a product of 16 rows and 8 columns of 32 bytes to @sums. Thread t holds, with g = t / 4 and
 * q = t % 4: of A the words q and q + 4 of rows g and g + 8 (row g, g + 8, then the later words), of B the
 * words q and q + 4 of column g, of the sums columns 2 q and 2 q + 1 of rows g and g + 8. */
FUNCTION void multiply_add(int32_t sums[4], const uint32_t a[4], const uint32_t b[2])
{
	asm volatile("mma.sync.aligned.m16n8k32.row.col.s32.s8.s8.s32 "
		     "{%0,%1,%2,%3},{%4,%5,%6,%7},{%8,%9},{%0,%1,%2,%3};\n"
		     : "+r"(sums[0]), "+r"(sums[1]), "+r"(sums[2]), "+r"(sums[3])
		     : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
}
