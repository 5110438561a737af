/* greeting.h - the two messages by which the control plane opens a session. False without memory. */
#pragma once

#include "api/route.h"

/* @scratch: for the encoded message; emptied. */
_must_check_ bool greeting_challenge(const struct context *context, struct http_conn_id conn,
				     struct arena *scratch, uint8_t nonce[static 32]);
_must_check_ bool greeting_welcome(const struct context *context, struct http_conn_id conn,
				   struct arena *scratch);
