#include "base/address.h"

#include "base/codec.h"
#include "base/keccak.h"

void address_text(const struct address *address, char ret_text[static ADDRESS_TEXT_SIZE])
{
	uint8_t digest[32];
	char *digits = ret_text + 2;

	memcpy(ret_text, "0x", 2);
	hex_encode(address->bytes, sizeof(address->bytes), digits);
	keccak256(digits, 40, digest);
	for (size_t i = 0; i < 40; i++) {
		unsigned int nibble = digest[i / 2] >> (i % 2 ? 0 : 4) & 15;

		if (digits[i] >= 'a' && nibble >= 8)
			digits[i] = (char)(digits[i] - 'a' + 'A');
	}
}

static bool has_between(const char *text, char from, char to)
{
	for (; *text; text++)
		if (*text >= from && *text <= to)
			return true;
	return false;
}

int address_parse_checksummed(const char *text, struct address *ret_address)
{
	char canonical[ADDRESS_TEXT_SIZE];
	struct address address;

	if (strncmp(text, "0x", 2) != 0 || strlen(text) != ADDRESS_TEXT_SIZE - 1)
		return -EINVAL;
	if (hex_decode(text + 2, 40, address.bytes, sizeof(address.bytes)) < 0)
		return -EINVAL;
	address_text(&address, canonical);
	if (strcmp(text, canonical) != 0)
		return -EINVAL;
	*ret_address = address;
	return 0;
}

int address_parse(const char *text, struct address *ret_address)
{
	struct address address;

	if (strncmp(text, "0x", 2) != 0 || strlen(text) != ADDRESS_TEXT_SIZE - 1)
		return -EINVAL;
	if (has_between(text + 2, 'a', 'f') && has_between(text + 2, 'A', 'F'))
		return address_parse_checksummed(text, ret_address);
	if (hex_decode(text + 2, 40, address.bytes, sizeof(address.bytes)) < 0)
		return -EINVAL;
	*ret_address = address;
	return 0;
}
