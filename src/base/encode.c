#include "base/encode.h"

#include "base/clock.h"
#include "base/codec.h"

json_t *encode_time(int64_t ms)
{
	char text[CLOCK_TEXT_SIZE];

	if (ms == 0)
		return json_null();
	clock_text(ms, text);
	return json_string(text);
}

json_t *encode_address(const struct address *address)
{
	char text[ADDRESS_TEXT_SIZE];

	address_text(address, text);
	return json_string(text);
}

json_t *encode_amount(struct amount amount)
{
	char text[AMOUNT_TEXT_SIZE];

	amount_text(amount, text);
	return json_string(text);
}

json_t *encode_bytes(const void *bytes, size_t len)
{
	char text[2 + 2 * ENCODE_BYTES_MAX + 1] = "0x";

	if (len > ENCODE_BYTES_MAX)
		return NULL;
	hex_encode(bytes, len, text + 2);
	return json_string(text);
}

json_t *encode_texts(const struct field_texts *texts)
{
	json_t *list = json_array();

	for (size_t i = 0; list && i < texts->n; i++)
		if (json_array_append_new(list, json_string(texts->items[i])) < 0) {
			json_decref(list);
			return NULL;
		}
	return list;
}

json_t *encode_ints(const struct field_ints *ints)
{
	json_t *list = json_array();

	for (size_t i = 0; list && i < ints->n; i++)
		if (json_array_append_new(list, json_integer(ints->items[i])) < 0) {
			json_decref(list);
			return NULL;
		}
	return list;
}
