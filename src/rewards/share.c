#include "rewards/share.h"

#include <assert.h>

static int by_remainder(const void *a, const void *b, void *arg)
{
	const struct u256 *remainders = arg;
	uint32_t left = *(const uint32_t *)a, right = *(const uint32_t *)b;
	int order = u256_compare(&remainders[right], &remainders[left]);

	return order ? order : (left > right) - (left < right);
}

static struct u256 sum_of(const struct u256 *weights, size_t n)
{
	struct u256 sum = { 0 };

	for (size_t i = 0; i < n; i++)
		sum = u256_add(sum, weights[i]);
	return sum;
}

static int give_left(uint64_t left, struct u256 *remainders, size_t n, struct arena *arena,
		     struct tokens *parts)
{
	uint32_t *order = arena_array(arena, n, sizeof(*order));

	if (!order)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++)
		order[i] = (uint32_t)i;
	qsort_r(order, n, sizeof(*order), by_remainder, remainders);
	for (uint64_t i = 0; i < left; i++)
		parts[order[i]].units++;
	return 0;
}

static int share_by(struct tokens allotted, struct u256 sum, const struct u256 *weights, size_t n,
		    struct arena *arena, struct tokens *parts)
{
	struct u256 *remainders = arena_array(arena, n, sizeof(*remainders));
	struct u256 pot = u256_from(allotted.units);
	unsigned __int128 left = allotted.units;

	if (!remainders)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		struct u256 exact = u256_mul(pot, weights[i]);

		parts[i].units = u256_low(u256_divide(exact, sum, &remainders[i]));
		left -= parts[i].units;
	}
	/* Each remainder is below the sum, so their own sum is below n of them. */
	assert(left < n);
	return left > 0 ? give_left((uint64_t)left, remainders, n, arena, parts) : 0;
}

int share_out(struct tokens allotted, const struct u256 *weights, size_t n, struct arena *arena,
	      struct tokens *ret_parts)
{
	struct arena_mark mark = arena_mark(arena);
	struct u256 sum = sum_of(weights, n);
	int r;

	assert(n <= UINT32_MAX);
	if (u256_is_zero(sum))
		return SHARE_E_WEIGHTLESS;
	r = share_by(allotted, sum, weights, n, arena, ret_parts);
	arena_rewind(arena, mark);
	return r;
}

void share_split(struct tokens whole, uint32_t second_bp, struct tokens *ret_first,
		 struct tokens *ret_second)
{
	unsigned __int128 exact = whole.units * second_bp;
	unsigned __int128 second = exact / BASIS_POINTS;

	assert(second_bp <= BASIS_POINTS && whole.units <= TOKENS_MAX);
	/* The second part's remainder is the larger one when it is above half a unit. */
	if (exact % BASIS_POINTS * 2 > BASIS_POINTS)
		second++;
	ret_first->units = whole.units - second;
	ret_second->units = second;
}
