/* What answers hold, read strictly, and what refusals mean (rpc.h). */
#include "base/codec.h"
#include "chain/rpc.h"

/* The digits behind "0x"; NULL for anything else. */
static const char *digits(const json_t *value, size_t *ret_len)
{
	const char *text = json_string_value(value);
	size_t len = json_string_length(value);

	if (!text || len < 2 || text[0] != '0' || text[1] != 'x' || strlen(text) != len)
		return NULL;
	*ret_len = len - 2;
	return text + 2;
}

int rpc_quantity(const json_t *value, uint64_t *ret_value)
{
	size_t len;
	const char *text = digits(value, &len);
	char padded[17] = "0000000000000000";
	uint8_t bytes[8];
	uint64_t number = 0;

	if (!text || len == 0 || len > 16 || (text[0] == '0' && len > 1))
		return -EBADMSG;
	memcpy(padded + 16 - len, text, len);
	if (hex_decode(padded, 16, bytes, sizeof(bytes)) < 0)
		return -EBADMSG;
	for (size_t i = 0; i < sizeof(bytes); i++)
		number = number << 8 | bytes[i];
	*ret_value = number;
	return 0;
}

int rpc_bytes(const json_t *value, void *ret_bytes, size_t len)
{
	size_t n;
	const char *text = digits(value, &n);

	return text && hex_decode(text, n, ret_bytes, len) == 0 ? 0 : -EBADMSG;
}

int rpc_data(const json_t *value, size_t max, void *ret_bytes, size_t *ret_len)
{
	size_t n;
	const char *text = digits(value, &n);

	if (!text || n % 2 != 0 || n / 2 > max || hex_decode(text, n, ret_bytes, n / 2) < 0)
		return -EBADMSG;
	*ret_len = n / 2;
	return 0;
}

json_t *rpc_of_quantity(uint64_t value)
{
	char text[19];

	snprintf(text, sizeof(text), "0x%" PRIx64, value);
	return json_string(text);
}

json_t *rpc_of_bytes(const void *bytes, size_t len)
{
	char *text = malloc(2 * len + 3);
	json_t *json;

	if (!text)
		return NULL;
	memcpy(text, "0x", 2);
	hex_encode(bytes, len, text + 2);
	json = json_string(text);
	free(text);
	return json;
}

/* What geth, reth, erigon, anvil and Frontier (peaq) say; in lower case, the first that fits. */
enum rpc_error_kind rpc_error_kind(const struct rpc_error *error)
{
	static const struct {
		const char *part;
		enum rpc_error_kind kind;
	} parts[] = {
		{ "already known", RPC_ERROR_KNOWN },
		{ "already imported", RPC_ERROR_KNOWN },
		{ "alreadyknown", RPC_ERROR_KNOWN },
		{ "underpriced", RPC_ERROR_UNDERPRICED },
		{ "priority is too low", RPC_ERROR_UNDERPRICED },
		{ "fee too low", RPC_ERROR_UNDERPRICED },
		{ "max fee per gas less than block base fee", RPC_ERROR_UNDERPRICED },
		{ "nonce too low", RPC_ERROR_NONCE_LOW },
		{ "nonce is too low", RPC_ERROR_NONCE_LOW },
		{ "oldnonce", RPC_ERROR_NONCE_LOW },
		{ "insufficient funds", RPC_ERROR_FUNDS },
		{ "insufficient balance", RPC_ERROR_FUNDS },
		{ "revert", RPC_ERROR_REVERTED },
		{ "rate limit", RPC_ERROR_LIMIT },
		{ "too many requests", RPC_ERROR_LIMIT },
		{ "block range", RPC_ERROR_LIMIT },
		{ "query returned more than", RPC_ERROR_LIMIT },
	};

	if (error->code == 3)
		return RPC_ERROR_REVERTED;
	if (error->code == -32005)
		return RPC_ERROR_LIMIT;
	for (size_t i = 0; i < ARRAY_SIZE(parts); i++)
		if (strcasestr(error->message, parts[i].part))
			return parts[i].kind;
	return RPC_ERROR_OTHER;
}
