#include "modules/node/node.h"

#include "api/settings.h"
#include "security/secp.h"
#include "wire/sign.h"

bool node_send(const struct context *context, struct http_conn_id conn, struct arena *scratch,
	       const Wire__ToNode *message)
{
	const void *bytes;
	size_t len;
	int r = wire_encode_to_node(message, scratch, &bytes, &len);

	if (r == 0)
		ws_send(context->http, conn, WS_BINARY, bytes, len);
	arena_reset(scratch);
	return r == 0;
}

bool node_challenge(const struct context *context, struct http_conn_id conn, struct arena *scratch,
		    uint8_t nonce[static NODE_NONCE_SIZE])
{
	struct address network = context->settings->network;
	Wire__Challenge challenge = WIRE__CHALLENGE__INIT;
	Wire__ToNode message = WIRE__TO_NODE__INIT;

	challenge.nonce = (ProtobufCBinaryData){ NODE_NONCE_SIZE, nonce };
	challenge.network = (ProtobufCBinaryData){ sizeof(network.bytes), network.bytes };
	message.body_case = WIRE__TO_NODE__BODY_CHALLENGE;
	message.challenge = &challenge;
	return node_send(context, conn, scratch, &message);
}

bool node_welcome(const struct context *context, struct http_conn_id conn, struct arena *scratch)
{
	Wire__Welcome welcome = WIRE__WELCOME__INIT;
	Wire__ToNode message = WIRE__TO_NODE__INIT;

	welcome.heartbeat_ms = (uint32_t)context->settings->heartbeat_ms;
	welcome.usage_ms = (uint32_t)context->settings->charge_every_ms;
	welcome.server_now_ms = clock_now_ms(context->clock);
	message.body_case = WIRE__TO_NODE__BODY_WELCOME;
	message.welcome = &welcome;
	return node_send(context, conn, scratch, &message);
}

bool node_hello_holds(const struct context *context, const uint8_t nonce[static NODE_NONCE_SIZE],
		      const Wire__Hello *hello, struct machine_id *ret_node)
{
	struct hello_statement statement = { .network = context->settings->network };
	uint8_t digest[SIGN_DIGEST_SIZE];
	struct address signer;

	memcpy(statement.nonce, nonce, sizeof(statement.nonce));
	memcpy(&statement.machine, hello->machine.data, sizeof(statement.machine));
	hello_digest(&statement, digest);
	if (secp_recover(digest, hello->signature.data, &signer) != 0 ||
	    !address_equal(&signer, &statement.machine.address))
		return false;
	*ret_node = statement.machine;
	return true;
}
