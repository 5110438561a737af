#include "base/amount.h"

enum { MICRO = 1000000, SECONDS_AN_HOUR = 3600, BASIS_POINTS = 10000 };

int amount_add(struct amount a, struct amount b, struct amount *ret_sum)
{
	int64_t sum;

	if (__builtin_add_overflow(a.micro, b.micro, &sum))
		return -ERANGE;
	ret_sum->micro = sum;
	return 0;
}

int amount_sub(struct amount a, struct amount b, struct amount *ret_difference)
{
	int64_t difference;

	if (__builtin_sub_overflow(a.micro, b.micro, &difference))
		return -ERANGE;
	ret_difference->micro = difference;
	return 0;
}

int amount_mul(struct amount a, int64_t factor, struct amount *ret_product)
{
	int64_t product;

	if (__builtin_mul_overflow(a.micro, factor, &product))
		return -ERANGE;
	ret_product->micro = product;
	return 0;
}

static int scaled(struct amount amount, int64_t factor, int64_t divisor, struct amount *ret)
{
	__int128 exact;

	if (amount.micro < 0 || factor < 0)
		return -EINVAL;
	exact = (__int128)amount.micro * factor / divisor;
	if (exact > INT64_MAX)
		return -ERANGE;
	ret->micro = (int64_t)exact;
	return 0;
}

int amount_for_seconds(struct amount rate_hour, int64_t seconds, struct amount *ret_amount)
{
	return scaled(rate_hour, seconds, SECONDS_AN_HOUR, ret_amount);
}

int amount_share(struct amount amount, int64_t basis_points, struct amount *ret_share)
{
	if (basis_points > BASIS_POINTS)
		return -EINVAL;
	return scaled(amount, basis_points, BASIS_POINTS, ret_share);
}

void amount_text(struct amount amount, char ret_text[static AMOUNT_TEXT_SIZE])
{
	uint64_t magnitude = amount.micro < 0 ? 0 - (uint64_t)amount.micro : (uint64_t)amount.micro;
	int n;

	n = snprintf(ret_text, AMOUNT_TEXT_SIZE, "%s%" PRIu64 ".%06" PRIu64,
		     amount.micro < 0 ? "-" : "", magnitude / MICRO, magnitude % MICRO);
	while (n > 0 && ret_text[n - 1] == '0' && ret_text[n - 2] != '.')
		ret_text[--n] = 0;
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

int amount_parse(const char *text, struct amount *ret_amount)
{
	bool negative = *text == '-';
	const char *p = text + negative;
	int64_t value = 0;
	int places = -1;

	if (!is_digit(*p))
		return -EINVAL;
	for (; *p; p++) {
		if (*p == '.' && places < 0 && is_digit(p[1])) {
			places = 0;
			continue;
		}
		if (!is_digit(*p) || places == 6)
			return -EINVAL;
		if (__builtin_mul_overflow(value, 10, &value) ||
		    __builtin_sub_overflow(value, *p - '0', &value))
			return -ERANGE;
		if (places >= 0)
			places++;
	}
	for (int i = places < 0 ? 0 : places; i < 6; i++)
		if (__builtin_mul_overflow(value, 10, &value))
			return -ERANGE;
	if (!negative && __builtin_sub_overflow(0, value, &value))
		return -ERANGE;
	ret_amount->micro = value;
	return 0;
}
