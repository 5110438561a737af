#include "base/text.h"

size_t text_character(const char *at, size_t len)
{
	const uint8_t *s = (const uint8_t *)at;
	uint8_t low = 0x80, high = 0xbf;
	size_t n;

	if (len == 0 || (s[0] >= 0x80 && s[0] < 0xc2) || s[0] > 0xf4)
		return 0;
	n = s[0] < 0x80 ? 1 : s[0] < 0xe0 ? 2 : s[0] < 0xf0 ? 3 : 4;
	if (len < n)
		return 0;
	if (s[0] == 0xe0)
		low = 0xa0;
	else if (s[0] == 0xed)
		high = 0x9f;
	else if (s[0] == 0xf0)
		low = 0x90;
	else if (s[0] == 0xf4)
		high = 0x8f;
	if (n > 1 && (s[1] < low || s[1] > high))
		return 0;
	for (size_t i = 2; i < n; i++)
		if ((s[i] & 0xc0) != 0x80)
			return 0;
	return n;
}

/* Where the last character of @text begins: its bytes but the first are 10xxxxxx. */
static size_t last_character(const char *text, size_t len)
{
	size_t at = len - 1;

	while (at > 0 && len - at < 4 && ((uint8_t)text[at] & 0xc0) == 0x80)
		at--;
	return at;
}

void text_trim(char *text)
{
	size_t len = strlen(text), at;

	if (len == 0)
		return;
	at = last_character(text, len);
	if (text_character(text + at, len - at) == 0)
		text[at] = 0;
}

void text_copy(char *ret_text, size_t size, const char *text)
{
	size_t len = strnlen(text, size - 1);

	memcpy(ret_text, text, len);
	ret_text[len] = 0;
	text_trim(ret_text);
}
