/* libcublasLt.so.13 for tests: the few functions that the prover uses, by three loops.
 *
 *	KAISAR_EMULATE_CUBLASLT	"right": exact; "wrong": one sum of each product is off by one; else the library
 *		has no device
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#pragma GCC diagnostic ignored "-Wmissing-prototypes"

enum { SUCCESS = 0, NOT_INITIALIZED = 1, INVALID = 7 };

struct layout {
	int type;
	uint64_t rows, columns;
	int64_t leading;
};

struct product {
	int compute, scale_type, transpose_left;
};

struct heuristic {
	uint64_t algorithm[8];
	size_t workspace_bytes;
	int state;
	float waves;
	int reserved[4];
};

static bool is(const char *what)
{
	const char *text = getenv("KAISAR_EMULATE_CUBLASLT");

	return text && strcmp(text, what) == 0;
}

int cublasLtCreate(void **ret_handle)
{
	*ret_handle = NULL;
	if (!is("right") && !is("wrong"))
		return NOT_INITIALIZED;
	*ret_handle = malloc(1);
	return SUCCESS;
}

int cublasLtDestroy(void *handle)
{
	free(handle);
	return SUCCESS;
}

int cublasLtMatmulDescCreate(void **ret_product, int compute, int scale_type)
{
	struct product *product = malloc(sizeof(*product));

	*product = (struct product){ compute, scale_type, 0 };
	*ret_product = product;
	return SUCCESS;
}

int cublasLtMatmulDescDestroy(void *product)
{
	free(product);
	return SUCCESS;
}

int cublasLtMatmulDescSetAttribute(void *product, int attribute, const void *value, size_t size)
{
	if (attribute != 3 || size != sizeof(int))
		return INVALID;
	memcpy(&((struct product *)product)->transpose_left, value, size);
	return SUCCESS;
}

int cublasLtMatrixLayoutCreate(void **ret_layout, int type, uint64_t rows, uint64_t columns,
			       int64_t leading)
{
	struct layout *layout = malloc(sizeof(*layout));

	*layout = (struct layout){ type, rows, columns, leading };
	*ret_layout = layout;
	return SUCCESS;
}

int cublasLtMatrixLayoutDestroy(void *layout)
{
	free(layout);
	return SUCCESS;
}

int cublasLtMatmulPreferenceCreate(void **ret_preference)
{
	*ret_preference = malloc(1);
	return SUCCESS;
}

int cublasLtMatmulPreferenceDestroy(void *preference)
{
	free(preference);
	return SUCCESS;
}

int cublasLtMatmulPreferenceSetAttribute(void *preference, int attribute, const void *value,
					 size_t size)
{
	(void)preference;
	(void)value;
	return attribute == 1 && size == sizeof(uint64_t) ? SUCCESS : INVALID;
}

int cublasLtMatmulAlgoGetHeuristic(void *handle, void *product, void *a, void *b, void *c, void *d,
				   void *preference, int wanted, struct heuristic *ret_results,
				   int *ret_count)
{
	(void)handle, (void)product, (void)a, (void)b, (void)c, (void)d, (void)preference,
		(void)wanted;
	*ret_results = (struct heuristic){ .state = SUCCESS };
	*ret_count = 1;
	return SUCCESS;
}

static bool fits(const struct product *how, const struct layout *a, const struct layout *b,
		 const struct layout *d)
{
	return how->compute == 72 && how->scale_type == 10 && how->transpose_left == 1 &&
	       a->type == 3 && b->type == 3 && d->type == 10 && a->rows == b->rows &&
	       a->columns == d->rows && b->columns == d->columns;
}

/* All by columns: d = a' * b. */
int cublasLtMatmul(void *handle, void *product, const void *alpha, const int8_t *a,
		   const struct layout *a_layout, const int8_t *b, const struct layout *b_layout,
		   const void *beta, const void *c, const struct layout *c_layout, int32_t *d,
		   const struct layout *d_layout, const void *algorithm, void *workspace,
		   size_t workspace_bytes, void *stream)
{
	(void)handle, (void)c, (void)c_layout, (void)algorithm, (void)workspace,
		(void)workspace_bytes, (void)stream;
	if (!fits(product, a_layout, b_layout, d_layout) || *(const int32_t *)alpha != 1 ||
	    *(const int32_t *)beta != 0)
		return INVALID;
	for (uint64_t column = 0; column < d_layout->columns; column++) {
		for (uint64_t row = 0; row < d_layout->rows; row++) {
			const int8_t *left = a + row * (uint64_t)a_layout->leading;
			const int8_t *right = b + column * (uint64_t)b_layout->leading;
			int32_t sum = 0;

			for (uint64_t k = 0; k < a_layout->rows; k++)
				sum += left[k] * right[k];
			d[column * (uint64_t)d_layout->leading + row] = sum;
		}
	}
	d[d_layout->rows * d_layout->columns / 2] += is("wrong");
	return SUCCESS;
}
