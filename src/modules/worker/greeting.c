#include "modules/worker/greeting.h"

#include "api/settings.h"
#include "wire/wire.h"

static bool send_message(const struct context *context, struct http_conn_id conn,
			 struct arena *scratch, const Wire__ToNode *message)
{
	const void *bytes;
	size_t len;
	int r = wire_encode_to_node(message, scratch, &bytes, &len);

	if (r == 0)
		ws_send(context->http, conn, WS_BINARY, bytes, len);
	arena_reset(scratch);
	return r == 0;
}

bool greeting_challenge(const struct context *context, struct http_conn_id conn,
			struct arena *scratch, uint8_t nonce[static 32])
{
	struct address network = context->settings->network;
	Wire__Challenge challenge = WIRE__CHALLENGE__INIT;
	Wire__ToNode message = WIRE__TO_NODE__INIT;

	challenge.nonce = (ProtobufCBinaryData){ 32, nonce };
	challenge.network = (ProtobufCBinaryData){ sizeof(network.bytes), network.bytes };
	message.body_case = WIRE__TO_NODE__BODY_CHALLENGE;
	message.challenge = &challenge;
	return send_message(context, conn, scratch, &message);
}

bool greeting_welcome(const struct context *context, struct http_conn_id conn,
		      struct arena *scratch)
{
	Wire__Welcome welcome = WIRE__WELCOME__INIT;
	Wire__ToNode message = WIRE__TO_NODE__INIT;

	welcome.heartbeat_ms = (uint32_t)context->settings->heartbeat_ms;
	welcome.usage_ms = (uint32_t)context->settings->charge_every_ms;
	welcome.server_now_ms = clock_now_ms(context->clock);
	message.body_case = WIRE__TO_NODE__BODY_WELCOME;
	message.welcome = &welcome;
	return send_message(context, conn, scratch, &message);
}
