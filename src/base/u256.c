#include "base/u256.h"

#include <assert.h>

enum { LIMBS = 4, LIMB_BITS = 64 };

struct u256 u256_from(unsigned __int128 value)
{
	return (struct u256){ { (uint64_t)value, (uint64_t)(value >> LIMB_BITS) } };
}

unsigned __int128 u256_low(struct u256 a)
{
	assert(a.limbs[2] == 0 && a.limbs[3] == 0);
	return (unsigned __int128)a.limbs[1] << LIMB_BITS | a.limbs[0];
}

struct u256 u256_from_bytes(const uint8_t bytes[static 32])
{
	struct u256 value = { 0 };

	for (int i = 0; i < 32; i++)
		value.limbs[(31 - i) / 8] |= (uint64_t)bytes[i] << (31 - i) % 8 * 8;
	return value;
}

void u256_bytes(struct u256 a, uint8_t ret_bytes[static 32])
{
	for (int i = 0; i < 32; i++)
		ret_bytes[i] = (uint8_t)(a.limbs[(31 - i) / 8] >> (31 - i) % 8 * 8);
}

unsigned int u256_bits(struct u256 a)
{
	for (unsigned int i = LIMBS; i-- > 0;)
		if (a.limbs[i])
			return (i + 1) * LIMB_BITS - (unsigned int)__builtin_clzll(a.limbs[i]);
	return 0;
}

bool u256_is_zero(struct u256 a)
{
	return (a.limbs[0] | a.limbs[1] | a.limbs[2] | a.limbs[3]) == 0;
}

int u256_compare(const struct u256 *a, const struct u256 *b)
{
	for (int i = LIMBS - 1; i >= 0; i--)
		if (a->limbs[i] != b->limbs[i])
			return a->limbs[i] < b->limbs[i] ? -1 : 1;
	return 0;
}

struct u256 u256_add(struct u256 a, struct u256 b)
{
	unsigned __int128 carry = 0;
	struct u256 sum;

	for (int i = 0; i < LIMBS; i++) {
		carry += (unsigned __int128)a.limbs[i] + b.limbs[i];
		sum.limbs[i] = (uint64_t)carry;
		carry >>= LIMB_BITS;
	}
	assert(carry == 0);
	return sum;
}

struct u256 u256_subtract(struct u256 a, struct u256 b)
{
	unsigned __int128 borrow = 0;
	struct u256 rest;

	for (int i = 0; i < LIMBS; i++) {
		unsigned __int128 taken = (unsigned __int128)b.limbs[i] + borrow;

		borrow = taken > a.limbs[i];
		rest.limbs[i] = (uint64_t)(a.limbs[i] - taken);
	}
	assert(borrow == 0);
	return rest;
}

struct u256 u256_mul(struct u256 a, struct u256 b)
{
	uint64_t wide[2 * LIMBS] = { 0 };
	struct u256 product;

	for (int i = 0; i < LIMBS; i++) {
		unsigned __int128 carry = 0;

		for (int j = 0; j < LIMBS; j++) {
			carry += (unsigned __int128)a.limbs[i] * b.limbs[j] + wide[i + j];
			wide[i + j] = (uint64_t)carry;
			carry >>= LIMB_BITS;
		}
		wide[i + LIMBS] = (uint64_t)carry;
	}
	for (int i = LIMBS; i < 2 * LIMBS; i++)
		assert(wide[i] == 0);
	memcpy(product.limbs, wide, sizeof(product.limbs));
	return product;
}

/* ---- division: Knuth, The Art of Computer Programming 2, section 4.3.1, algorithm D, in base
 * 2^64 ---- */

static int limbs_used(const struct u256 *a)
{
	int n = LIMBS;

	while (n > 0 && a->limbs[n - 1] == 0)
		n--;
	return n;
}

/* @n limbs shifted left by @bits < 64, the bits that leave them returned. */
static uint64_t shift_left(const uint64_t *from, int n, int bits, uint64_t *to)
{
	uint64_t carry = 0;

	for (int i = 0; i < n; i++) {
		uint64_t limb = from[i];

		to[i] = limb << bits | carry;
		carry = bits ? limb >> (LIMB_BITS - bits) : 0;
	}
	return carry;
}

static struct u256 divide_by_limb(struct u256 dividend, uint64_t divisor,
				  struct u256 *ret_remainder)
{
	unsigned __int128 rest = 0;
	struct u256 quotient;

	for (int i = LIMBS - 1; i >= 0; i--) {
		rest = rest << LIMB_BITS | dividend.limbs[i];
		quotient.limbs[i] = (uint64_t)(rest / divisor);
		rest %= divisor;
	}
	*ret_remainder = u256_from(rest);
	return quotient;
}

/* The quotient's next limb, right or one too large. @u points to n + 1 limbs, @v to n >= 2. */
static uint64_t estimate(const uint64_t *u, const uint64_t *v, int n)
{
	unsigned __int128 top = (unsigned __int128)u[n] << LIMB_BITS | u[n - 1];
	unsigned __int128 digit = top / v[n - 1], rest = top % v[n - 1];

	if (digit > UINT64_MAX) {
		digit = UINT64_MAX;
		rest = top - digit * v[n - 1];
	}
	while (rest <= UINT64_MAX && digit * v[n - 2] > (rest << LIMB_BITS | u[n - 2])) {
		digit--;
		rest += v[n - 1];
	}
	return (uint64_t)digit;
}

/* u -= digit * v over n + 1 limbs; gives what had to be borrowed. */
static uint64_t subtract_product(uint64_t *u, const uint64_t *v, int n, uint64_t digit)
{
	unsigned __int128 product = 0;
	uint64_t borrow = 0;

	for (int i = 0; i <= n; i++) {
		uint64_t before = u[i], limb;

		product += i < n ? (unsigned __int128)digit * v[i] : 0;
		limb = (uint64_t)product;
		u[i] = before - limb - borrow;
		borrow = before < limb || (before == limb && borrow);
		product >>= LIMB_BITS;
	}
	return borrow;
}

static void add_back(uint64_t *u, const uint64_t *v, int n)
{
	unsigned __int128 carry = 0;

	for (int i = 0; i < n; i++) {
		carry += (unsigned __int128)u[i] + v[i];
		u[i] = (uint64_t)carry;
		carry >>= LIMB_BITS;
	}
	u[n] += (uint64_t)carry;
}

struct u256 u256_divide(struct u256 dividend, struct u256 divisor, struct u256 *ret_remainder)
{
	uint64_t u[LIMBS + 1] = { 0 }, v[LIMBS] = { 0 };
	struct u256 quotient = { 0 };
	int n = limbs_used(&divisor), bits;

	assert(n > 0);
	if (n == 1)
		return divide_by_limb(dividend, divisor.limbs[0], ret_remainder);
	bits = __builtin_clzll(divisor.limbs[n - 1]);
	shift_left(divisor.limbs, n, bits, v);
	u[LIMBS] = shift_left(dividend.limbs, LIMBS, bits, u);
	for (int i = LIMBS - n; i >= 0; i--) {
		uint64_t digit = estimate(u + i, v, n);

		if (subtract_product(u + i, v, n, digit)) {
			digit--;
			add_back(u + i, v, n);
		}
		quotient.limbs[i] = digit;
	}
	for (int i = 0; i < LIMBS; i++)
		ret_remainder->limbs[i] = bits ? u[i] >> bits | u[i + 1] << (LIMB_BITS - bits)
					       : u[i];
	return quotient;
}

/* ---- text ---- */

size_t u256_text(struct u256 a, char ret_text[static U256_TEXT_SIZE])
{
	char digits[U256_TEXT_SIZE];
	size_t n = 0;

	do {
		struct u256 digit;

		a = divide_by_limb(a, 10, &digit);
		digits[n++] = (char)('0' + digit.limbs[0]);
	} while (!u256_is_zero(a));
	for (size_t i = 0; i < n; i++)
		ret_text[i] = digits[n - 1 - i];
	ret_text[n] = 0;
	return n;
}

/* a = 10 a + digit; gives what no longer fits. */
static uint64_t append_digit(struct u256 *a, unsigned int digit)
{
	unsigned __int128 carry = digit;

	for (int i = 0; i < LIMBS; i++) {
		carry += (unsigned __int128)a->limbs[i] * 10;
		a->limbs[i] = (uint64_t)carry;
		carry >>= LIMB_BITS;
	}
	return (uint64_t)carry;
}

int u256_parse(const char *text, size_t len, struct u256 *ret_value)
{
	struct u256 value = { 0 };

	if (len == 0 || (text[0] == '0' && len > 1))
		return -EINVAL;
	for (size_t i = 0; i < len; i++)
		if (text[i] < '0' || text[i] > '9')
			return -EINVAL;
	for (size_t i = 0; i < len; i++)
		if (append_digit(&value, (unsigned int)(text[i] - '0')))
			return -ERANGE;
	*ret_value = value;
	return 0;
}
