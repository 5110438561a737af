/* ws_request.h - what a WebSocket client asks: the URL to connect to and the upgrade as text. */
#pragma once

#include "io/http_server.h"
#include "io/ws_handshake.h"

/* @url: ws:// or wss://. @ret_key is fresh; @ret_url (http or https, for libcurl) and @ret_text are
 * the caller's to free. -EINVAL: the URL, or a header that cannot be sent. -ENOMEM. */
_must_check_ int ws_request_make(const char *url, const struct http_header *headers,
				 size_t n_headers, char ret_key[static WS_KEY_SIZE], char **ret_url,
				 char **ret_text);
