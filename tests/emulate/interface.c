/* What the prover declares of NVIDIA's interfaces for itself, against NVIDIA's headers where they are. Compiling is the
 * test. */
#include "popw/cublaslt.c"
#include "popw/cuda_driver.h"

#include <cublasLt.h>
#include <cuda.h>

#define SAME(ours, theirs) _Static_assert((int)(ours) == (int)(theirs), #theirs)

SAME(CUDA_MULTIPROCESSOR_COUNT, CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT);
SAME(CUDA_CAPABILITY_MAJOR, CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR);
SAME(CUDA_CAPABILITY_MINOR, CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR);
SAME(CUDA_BLOCK_MEMORY_MAX, CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES);
SAME(CUDA_OUT_OF_MEMORY, CUDA_ERROR_OUT_OF_MEMORY);
SAME(CUDA_NO_BINARY_FOR_GPU, CUDA_ERROR_NO_BINARY_FOR_GPU);
SAME(CUDA_STREAM_NON_BLOCKING, CU_STREAM_NON_BLOCKING);
SAME(sizeof(uint64_t), sizeof(CUdeviceptr));
SAME(sizeof(int), sizeof(CUdevice));
SAME(16, sizeof(CUuuid));

SAME(R_8I, CUDA_R_8I);
SAME(R_32I, CUDA_R_32I);
SAME(COMPUTE_32I, CUBLAS_COMPUTE_32I);
SAME(OP_T, CUBLAS_OP_T);
SAME(DESC_TRANSA, CUBLASLT_MATMUL_DESC_TRANSA);
SAME(PREFERENCE_WORKSPACE_MAX, CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES);
SAME(sizeof(struct algorithm), sizeof(cublasLtMatmulAlgo_t));
SAME(sizeof(struct heuristic), sizeof(cublasLtMatmulHeuristicResult_t));
SAME(offsetof(struct heuristic, state), offsetof(cublasLtMatmulHeuristicResult_t, state));

int main(void)
{
	return 0;
}
