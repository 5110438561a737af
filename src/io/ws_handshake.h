/* ws_handshake.h - how a WebSocket begins (RFC 6455 section 4): the keys, the client's request, and
 * what a server answered to it. */
#pragma once

#include "base/base.h"

enum { WS_KEY_SIZE = 25, WS_ACCEPT_SIZE = 29, WS_ANSWER_BODY_MAX_BYTES = 4096 };

/* A fresh key of 16 random bytes. */
_must_check_ int ws_handshake_key(char ret_key[static WS_KEY_SIZE]);

/* What the server must say to it. */
void ws_handshake_accept(const char *key, char ret_accept[static WS_ACCEPT_SIZE]);

struct ws_answer {
	int status;
	bool accepted; /* 101 with the right Sec-WebSocket-Accept */
	size_t len; /* of the header; frames follow it when accepted */
	size_t body_len;
	char body[WS_ANSWER_BODY_MAX_BYTES]; /* when refused; longer ones are cut */
};

enum ws_answer_outcome { WS_ANSWER_E_MORE = 1 };

/* Looks at all that came so far; @ended: nothing more will. Outcome: as above. -EPROTO: this is no
 * answer to a WebSocket request. */
_must_check_ int ws_handshake_answer(const char *bytes, size_t len, bool ended, const char *key,
				     struct ws_answer *ret_answer);
