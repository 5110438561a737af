#include "rewards/tokens.h"

size_t tokens_text(struct tokens tokens, char ret_text[static TOKENS_TEXT_SIZE])
{
	char digits[TOKENS_TEXT_SIZE];
	unsigned __int128 left = tokens.units;
	size_t n = 0;

	do {
		digits[n++] = (char)('0' + (int)(left % 10));
		left /= 10;
	} while (left > 0);
	for (size_t i = 0; i < n; i++)
		ret_text[i] = digits[n - 1 - i];
	ret_text[n] = 0;
	return n;
}

int tokens_parse(const char *text, size_t len, struct tokens *ret_tokens)
{
	unsigned __int128 units = 0;

	if (len == 0 || (text[0] == '0' && len > 1))
		return -EINVAL;
	for (size_t i = 0; i < len; i++)
		if (text[i] < '0' || text[i] > '9')
			return -EINVAL;
	for (size_t i = 0; i < len; i++) {
		units = units * 10 + (unsigned int)(text[i] - '0');
		if (units > TOKENS_MAX)
			return -ERANGE;
	}
	ret_tokens->units = units;
	return 0;
}
