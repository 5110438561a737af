#include "popw/cublaslt.h"

#include <dlfcn.h>

enum { /* of library_types.h, cublas_api.h and cublasLt.h */
       R_8I = 3,
       R_32I = 10,
       COMPUTE_32I = 72,
       OP_T = 1,
       DESC_TRANSA = 3,
       PREFERENCE_WORKSPACE_MAX = 1,
};

struct algorithm {
	uint64_t data[8];
};

struct heuristic {
	struct algorithm algorithm;
	size_t workspace_bytes;
	int state;
	float waves;
	int reserved[4];
};

struct calls {
	int (*create)(void **ret_handle);
	int (*destroy)(void *handle);
	int (*product_create)(void **ret_product, int compute, int scale_type);
	int (*product_destroy)(void *product);
	int (*product_set)(void *product, int attribute, const void *value, size_t size);
	int (*layout_create)(void **ret_layout, int type, uint64_t rows, uint64_t columns,
			     int64_t leading);
	int (*layout_destroy)(void *layout);
	int (*preference_create)(void **ret_preference);
	int (*preference_destroy)(void *preference);
	int (*preference_set)(void *preference, int attribute, const void *value, size_t size);
	int (*choose)(void *handle, void *product, void *a, void *b, void *c, void *d,
		      void *preference, int wanted, struct heuristic *ret_results, int *ret_count);
	int (*multiply)(void *handle, void *product, const void *alpha, const void *a,
			void *a_layout, const void *b, void *b_layout, const void *beta,
			const void *c, void *c_layout, void *d, void *d_layout,
			const struct algorithm *algorithm, void *workspace, size_t workspace_bytes,
			void *stream);
};

static const struct call {
	const char *name;
	size_t offset;
} names[] = {
	{ "cublasLtCreate", offsetof(struct calls, create) },
	{ "cublasLtDestroy", offsetof(struct calls, destroy) },
	{ "cublasLtMatmulDescCreate", offsetof(struct calls, product_create) },
	{ "cublasLtMatmulDescDestroy", offsetof(struct calls, product_destroy) },
	{ "cublasLtMatmulDescSetAttribute", offsetof(struct calls, product_set) },
	{ "cublasLtMatrixLayoutCreate", offsetof(struct calls, layout_create) },
	{ "cublasLtMatrixLayoutDestroy", offsetof(struct calls, layout_destroy) },
	{ "cublasLtMatmulPreferenceCreate", offsetof(struct calls, preference_create) },
	{ "cublasLtMatmulPreferenceDestroy", offsetof(struct calls, preference_destroy) },
	{ "cublasLtMatmulPreferenceSetAttribute", offsetof(struct calls, preference_set) },
	{ "cublasLtMatmulAlgoGetHeuristic", offsetof(struct calls, choose) },
	{ "cublasLtMatmul", offsetof(struct calls, multiply) },
};

struct cublaslt {
	struct calls calls;
	void *handle, *product;
	void *left, *right, *result; /* layouts */
	uint32_t m, n, k; /* prepared; 0: none */
	struct heuristic way;
};

static int load(struct calls *ret_calls)
{
	static const char *const libraries[] = { "libcublasLt.so.13", "libcublasLt.so.12",
						 "libcublasLt.so.11" };
	void *library = NULL;

	for (size_t i = 0; !library && i < ARRAY_SIZE(libraries); i++)
		library = dlopen(libraries[i], RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
	if (!library)
		return CUBLASLT_E_NONE;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		void *symbol = dlsym(library, names[i].name);

		if (!symbol)
			return CUBLASLT_E_NONE;
		/* POSIX lets an object pointer hold a function's; C has no cast for it. */
		memcpy((char *)ret_calls + names[i].offset, &symbol, sizeof(symbol));
	}
	return 0;
}

static void layouts_drop(struct cublaslt *lt)
{
	void **const layouts[] = { &lt->left, &lt->right, &lt->result };

	for (size_t i = 0; i < ARRAY_SIZE(layouts); i++) {
		if (*layouts[i])
			lt->calls.layout_destroy(*layouts[i]);
		*layouts[i] = NULL;
	}
	lt->m = lt->n = lt->k = 0;
}

void cublaslt_close(struct cublaslt *lt)
{
	if (!lt)
		return;
	layouts_drop(lt);
	if (lt->product)
		lt->calls.product_destroy(lt->product);
	if (lt->handle)
		lt->calls.destroy(lt->handle);
	free(lt);
}

int cublaslt_open(struct cublaslt **ret_lt)
{
	_cleanup_(cublaslt_closep) struct cublaslt *lt = calloc(1, sizeof(*lt));
	const int transposed = OP_T;
	int r;

	if (!lt)
		return -ENOMEM;
	r = load(&lt->calls);
	if (r != 0)
		return r;
	if (lt->calls.create(&lt->handle) != 0 ||
	    lt->calls.product_create(&lt->product, COMPUTE_32I, R_32I) != 0 ||
	    lt->calls.product_set(lt->product, DESC_TRANSA, &transposed, sizeof(transposed)) != 0)
		return CUBLASLT_E_NONE;
	*ret_lt = lt;
	lt = NULL;
	return 0;
}

static int choose(struct cublaslt *lt)
{
	const uint64_t workspace = CUBLASLT_WORKSPACE;
	void *preference;
	int r, count = 0;

	if (lt->calls.preference_create(&preference) != 0)
		return CUBLASLT_E_NONE;
	r = lt->calls.preference_set(preference, PREFERENCE_WORKSPACE_MAX, &workspace,
				     sizeof(workspace));
	if (r == 0)
		r = lt->calls.choose(lt->handle, lt->product, lt->left, lt->right, lt->result,
				     lt->result, preference, 1, &lt->way, &count);
	lt->calls.preference_destroy(preference);
	return r == 0 && count == 1 ? 0 : CUBLASLT_E_NONE;
}

/* The library's matrices lie by columns. So its left is our B, k x n and transposed, its right our A, k x m,
 * and its result n x m is our product by rows. It is the form that the int8 kernels want. */
int cublaslt_prepare(struct cublaslt *lt, uint32_t m, uint32_t n, uint32_t k)
{
	if (lt->m == m && lt->n == n && lt->k == k)
		return 0;
	layouts_drop(lt);
	if (lt->calls.layout_create(&lt->left, R_8I, k, n, k) != 0 ||
	    lt->calls.layout_create(&lt->right, R_8I, k, m, k) != 0 ||
	    lt->calls.layout_create(&lt->result, R_32I, n, m, n) != 0 || choose(lt) != 0)
		return CUBLASLT_E_NONE;
	lt->m = m;
	lt->n = n;
	lt->k = k;
	return 0;
}

int cublaslt_multiply(struct cublaslt *lt, uint64_t a, uint64_t b, uint64_t ret_rows,
		      uint64_t workspace)
{
	const int32_t one = 1, zero = 0;
	const void *left = (const void *)(uintptr_t)b, *right = (const void *)(uintptr_t)a;
	void *result = (void *)(uintptr_t)ret_rows;
	const int r = lt->calls.multiply(lt->handle, lt->product, &one, left, lt->left, right,
					 lt->right, &zero, result, lt->result, result, lt->result,
					 &lt->way.algorithm, (void *)(uintptr_t)workspace,
					 CUBLASLT_WORKSPACE, NULL);

	return r == 0 ? 0 : CUBLASLT_E_NONE;
}
