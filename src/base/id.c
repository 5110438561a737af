#include "base/id.h"

#include "base/codec.h"

int id_make(const struct clock *clock, struct random *random, uint8_t ret_bytes[static 16])
{
	uint64_t ms = (uint64_t)clock_now_ms(clock);
	uint8_t bytes[16];
	int r;

	r = random_fill(random, bytes, sizeof(bytes));
	if (r < 0)
		return r;
	for (size_t i = 0; i < 6; i++)
		bytes[i] = (uint8_t)(ms >> (40 - 8 * i));
	memcpy(ret_bytes, bytes, sizeof(bytes));
	return 0;
}

void id_text(const char *prefix, const uint8_t bytes[static 16], char ret_text[static ID_TEXT_SIZE])
{
	char digits[BASE32_ID_LEN + 1];

	base32_id_encode(bytes, digits);
	snprintf(ret_text, ID_TEXT_SIZE, "%.4s-%s", prefix, digits);
}

int id_parse(const char *prefix, const char *text, uint8_t ret_bytes[static 16])
{
	size_t len = strlen(prefix);

	if (strncmp(text, prefix, len) != 0 || text[len] != '-')
		return -EINVAL;
	return base32_id_decode(text + len + 1, strlen(text + len + 1), ret_bytes);
}
