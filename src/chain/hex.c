#include "chain/hex.h"

#include "base/codec.h"

static bool has_prefix(const char *text, size_t len)
{
	return len >= 2 && text[0] == '0' && text[1] == 'x';
}

void hex_data(const void *bytes, size_t len, char *ret_text)
{
	ret_text[0] = '0';
	ret_text[1] = 'x';
	hex_encode(bytes, len, ret_text + 2);
}

int hex_data_parse(const char *text, size_t text_len, void *ret_bytes, size_t size, size_t *ret_len)
{
	size_t len = (text_len - 2) / 2;
	int r;

	if (!has_prefix(text, text_len) || text_len % 2 != 0)
		return -EINVAL;
	if (len > size)
		return -ENOSPC;
	r = hex_decode(text + 2, text_len - 2, ret_bytes, len);
	if (r == 0)
		*ret_len = len;
	return r;
}

int hex_data_exact(const char *text, size_t text_len, void *ret_bytes, size_t len)
{
	if (!has_prefix(text, text_len))
		return -EINVAL;
	return hex_decode(text + 2, text_len - 2, ret_bytes, len);
}

size_t hex_quantity(struct u256 value, char ret_text[static HEX_QUANTITY_SIZE])
{
	size_t digits = size_min((u256_bits(value) + 3) / 4, 64), skipped;
	uint8_t bytes[32];
	char all[65];

	u256_bytes(value, bytes);
	hex_encode(bytes, sizeof(bytes), all);
	skipped = 64 - (digits ? digits : 1);
	ret_text[0] = '0';
	ret_text[1] = 'x';
	memcpy(ret_text + 2, all + skipped, 65 - skipped);
	return 66 - skipped;
}

int hex_quantity_parse(const char *text, size_t len, struct u256 *ret_value)
{
	uint8_t bytes[32];
	char digits[64];

	if (!has_prefix(text, len) || len == 2 || (text[2] == '0' && len > 3))
		return -EINVAL;
	if (len > 2 + sizeof(digits))
		return -ERANGE;
	memset(digits, '0', sizeof(digits));
	memcpy(digits + sizeof(digits) - (len - 2), text + 2, len - 2);
	if (hex_decode(digits, sizeof(digits), bytes, sizeof(bytes)) < 0)
		return -EINVAL;
	*ret_value = u256_from_bytes(bytes);
	return 0;
}

int hex_quantity_u64(const char *text, size_t len, uint64_t *ret_value)
{
	struct u256 value;
	int r;

	r = hex_quantity_parse(text, len, &value);
	if (r < 0)
		return r;
	if (u256_bits(value) > 64)
		return -ERANGE;
	*ret_value = value.limbs[0];
	return 0;
}
