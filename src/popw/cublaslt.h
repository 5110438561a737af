/* cublaslt.h - exact products by NVIDIA's cuBLASLt, where the machine has it: it holds kernels for each
 * architecture's own matrix instructions, the fastest that there are. Loaded when it is asked for; its
 * documented C interface is declared here.
 *
 * int8 operands and int32 sums are exact, so its bits are those of any other way. */
#pragma once

#include "base/base.h"

struct cublaslt;

enum cublaslt_outcome { CUBLASLT_E_NONE = 1 /* no library, or it has no way for this */ };

/* With the device's context current. -ENOMEM. */
_must_check_ int cublaslt_open(struct cublaslt **ret_lt);
void cublaslt_close(struct cublaslt *lt);

enum { CUBLASLT_WORKSPACE = 32 << 20 }; /* bytes, what NVIDIA advises for its latest devices */

/* Chooses a way for m x n x k, unless it is the shape of the last call. */
_must_check_ int cublaslt_prepare(struct cublaslt *lt, uint32_t m, uint32_t n, uint32_t k);

/* Queues the prepared product: @a by rows, @b by columns, @ret_rows by rows; all of them, and
 * CUBLASLT_WORKSPACE bytes of @workspace, are addresses on the device. Returns CUBLASLT_E_NONE where the library
 * refuses. */
_must_check_ int cublaslt_multiply(struct cublaslt *lt, uint64_t a, uint64_t b, uint64_t ret_rows,
				   uint64_t workspace);

static inline void cublaslt_closep(struct cublaslt **lt)
{
	cublaslt_close(*lt);
}
