/* What answers hold, read strictly, and what refusals mean (rpc.h). */
#include "chain/hex.h"
#include "chain/rpc.h"

/* A text's length; 0, which is neither data nor a quantity, for what is none. */
static const char *text_of(const json_t *value, size_t *ret_len)
{
	*ret_len = json_string_length(value);
	return json_is_string(value) ? json_string_value(value) : "";
}

int rpc_quantity(const json_t *value, uint64_t *ret_value)
{
	size_t len;
	const char *text = text_of(value, &len);

	return hex_quantity_u64(text, len, ret_value) < 0 ? -EBADMSG : 0;
}

int rpc_bytes(const json_t *value, void *ret_bytes, size_t len)
{
	size_t text_len;
	const char *text = text_of(value, &text_len);

	return hex_data_exact(text, text_len, ret_bytes, len) < 0 ? -EBADMSG : 0;
}

int rpc_data(const json_t *value, size_t max, void *ret_bytes, size_t *ret_len)
{
	size_t text_len;
	const char *text = text_of(value, &text_len);

	return hex_data_parse(text, text_len, ret_bytes, max, ret_len) < 0 ? -EBADMSG : 0;
}

json_t *rpc_of_quantity(uint64_t value)
{
	char text[HEX_QUANTITY_SIZE];

	hex_quantity(u256_from(value), text);
	return json_string(text);
}

json_t *rpc_of_bytes(const void *bytes, size_t len)
{
	char *text = malloc(2 * len + 3);
	json_t *json;

	if (!text)
		return NULL;
	hex_data(bytes, len, text);
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
