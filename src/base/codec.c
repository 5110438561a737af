#include "base/codec.h"

static const char hex_digits[] = "0123456789abcdef";
static const char base32_digits[] = "0123456789abcdefghjkmnpqrstvwxyz";
static const char base64_digits[] =
	"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

void hex_encode(const void *bytes, size_t len, char *ret_text)
{
	const uint8_t *p = bytes;

	for (size_t i = 0; i < len; i++) {
		ret_text[2 * i] = hex_digits[p[i] >> 4];
		ret_text[2 * i + 1] = hex_digits[p[i] & 15];
	}
	ret_text[2 * len] = 0;
}

static int digit_value(const char *digits, char c)
{
	const char *at = c ? strchr(digits, c) : NULL;

	return at ? (int)(at - digits) : -1;
}

int hex_decode(const char *text, size_t text_len, void *ret_bytes, size_t len)
{
	uint8_t *out = ret_bytes;

	if (text_len != 2 * len)
		return -EINVAL;
	for (size_t i = 0; i < text_len; i++) {
		char c = text[i] >= 'A' && text[i] <= 'F' ? (char)(text[i] | 0x20) : text[i];

		if (digit_value(hex_digits, c) < 0)
			return -EINVAL;
	}
	for (size_t i = 0; i < len; i++) {
		int high = digit_value(hex_digits, (char)(text[2 * i] | 0x20));
		int low = digit_value(hex_digits, (char)(text[2 * i + 1] | 0x20));

		out[i] = (uint8_t)(high << 4 | low);
	}
	return 0;
}

void base64url_encode(const void *bytes, size_t len, char *ret_text)
{
	const uint8_t *p = bytes;
	uint32_t bits = 0;
	unsigned int held = 0;
	size_t n = 0;

	for (size_t i = 0; i < len; i++) {
		bits = bits << 8 | p[i];
		held += 8;
		while (held >= 6) {
			held -= 6;
			ret_text[n++] = base64_digits[bits >> held & 63];
		}
	}
	if (held > 0)
		ret_text[n++] = base64_digits[bits << (6 - held) & 63];
	ret_text[n] = 0;
}

int base64url_decode(const char *text, size_t text_len, void *ret_bytes, size_t size,
		     size_t *ret_len)
{
	uint8_t *out = ret_bytes;
	uint32_t bits = 0;
	unsigned int held = 0;
	size_t n = 0;

	if (text_len % 4 == 1)
		return -EINVAL;
	if (text_len / 4 * 3 + text_len % 4 * 3 / 4 > size)
		return -ENOSPC;
	for (size_t i = 0; i < text_len; i++) {
		int value = digit_value(base64_digits, text[i]);

		if (value < 0)
			return -EINVAL;
		bits = bits << 6 | (uint32_t)value;
		held += 6;
		if (held >= 8) {
			held -= 8;
			out[n++] = (uint8_t)(bits >> held);
		}
	}
	if (bits & ((1u << held) - 1))
		return -EINVAL;
	*ret_len = n;
	return 0;
}

void base32_id_encode(const uint8_t bytes[static 16], char ret_text[static BASE32_ID_LEN + 1])
{
	/* 130 bits in 26 digits: the first digit carries 3 bits, its top two are zero. */
	unsigned int held = 2, bits = 0;
	size_t n = 0;

	for (size_t i = 0; i < 16; i++) {
		bits = bits << 8 | bytes[i];
		held += 8;
		while (held >= 5) {
			held -= 5;
			ret_text[n++] = base32_digits[bits >> held & 31];
		}
	}
	ret_text[n] = 0;
}

int base32_id_decode(const char *text, size_t text_len, uint8_t ret_bytes[static 16])
{
	uint8_t bytes[16];
	unsigned int bits = 0, held = 0;
	size_t n = 0;

	if (text_len != BASE32_ID_LEN)
		return -EINVAL;
	for (size_t i = 0; i < text_len; i++) {
		int value = digit_value(base32_digits, text[i]);

		if (value < 0 || (i == 0 && value > 7))
			return -EINVAL;
		bits = bits << 5 | (unsigned int)value;
		held += i == 0 ? 3 : 5;
		if (held >= 8) {
			held -= 8;
			bytes[n++] = (uint8_t)(bits >> held);
		}
	}
	memcpy(ret_bytes, bytes, sizeof(bytes));
	return 0;
}
