/* node.h - how the control plane opens a session with a node, a worker's agent or a checker: it sends
 * a challenge, the node answers with a hello that its key signed, it welcomes the node. */
#pragma once

#include "api/route.h"
#include "wire/wire.h"

enum { NODE_NONCE_SIZE = 32 };

/* One message. @scratch: for its encoding; emptied. False without memory. */
_must_check_ bool node_send(const struct context *context, struct http_conn_id conn,
			    struct arena *scratch, const Wire__ToNode *message);
_must_check_ bool node_challenge(const struct context *context, struct http_conn_id conn,
				 struct arena *scratch, uint8_t nonce[static NODE_NONCE_SIZE]);
_must_check_ bool node_welcome(const struct context *context, struct http_conn_id conn,
			       struct arena *scratch);

/* Whether the hello is signed by the key whose address it names, over @nonce and this network. */
bool node_hello_holds(const struct context *context, const uint8_t nonce[static NODE_NONCE_SIZE],
		      const Wire__Hello *hello, struct machine_id *ret_node);
