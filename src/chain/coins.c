#include "chain/coins.h"

#include <assert.h>

static bool all_digits(const char *text, size_t len)
{
	return strspn(text, "0123456789") >= len;
}

int coins_parse(const char *text, unsigned int decimals, struct u256 *ret_amount)
{
	size_t whole = strcspn(text, "."), part = strlen(text) - whole;
	char digits[U256_TEXT_SIZE + COINS_DECIMALS_MAX + 1];
	size_t first;

	/* The point is none of the decimals. */
	if (part > 0)
		part--;
	if (decimals > COINS_DECIMALS_MAX || whole == 0 || part > decimals ||
	    (text[whole] && part == 0) || !all_digits(text, whole) ||
	    !all_digits(text + whole + (part > 0), part))
		return -EINVAL;
	while (whole > 1 && *text == '0') {
		text++;
		whole--;
	}
	if (whole >= U256_TEXT_SIZE)
		return -ERANGE;
	memset(digits, '0', sizeof(digits));
	memcpy(digits, text, whole);
	if (part > 0)
		memcpy(digits + whole, text + whole + 1, part);
	digits[whole + decimals] = '\0';
	first = strspn(digits, "0");
	if (!digits[first])
		first--;
	return u256_parse(digits + first, strlen(digits + first), ret_amount);
}

void coins_text(struct u256 amount, unsigned int decimals, char ret_text[static COINS_TEXT_SIZE])
{
	char digits[U256_TEXT_SIZE], padded[U256_TEXT_SIZE + COINS_DECIMALS_MAX + 1];
	size_t len = u256_text(amount, digits), zeros = len > decimals ? 0 : decimals + 1 - len;
	size_t whole, end;

	assert(decimals <= COINS_DECIMALS_MAX);
	if (decimals == 0) {
		snprintf(ret_text, COINS_TEXT_SIZE, "%s.0", digits);
		return;
	}
	/* At least one digit before the point. */
	memset(padded, '0', zeros);
	memcpy(padded + zeros, digits, len);
	whole = zeros + len - decimals;
	end = zeros + len;
	while (end > whole + 1 && padded[end - 1] == '0')
		end--;
	snprintf(ret_text, COINS_TEXT_SIZE, "%.*s.%.*s", (int)whole, padded, (int)(end - whole),
		 padded + whole);
}
