#include "io/ws_handshake.h"

#include <http_parser.h>
#include <openssl/evp.h>
#include <strings.h>

#include "base/random.h"
#include "base/sha1.h"

int ws_handshake_key(char ret_key[static WS_KEY_SIZE])
{
	uint8_t bytes[16];
	int r = random_fill(&random_system, bytes, sizeof(bytes));

	if (r < 0)
		return r;
	EVP_EncodeBlock((unsigned char *)ret_key, bytes, sizeof(bytes));
	return 0;
}

void ws_handshake_accept(const char *key, char ret_accept[static WS_ACCEPT_SIZE])
{
	static const char magic[] = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
	uint8_t digest[20];
	char text[64];
	int len;

	len = snprintf(text, sizeof(text), "%s%s", key, magic);
	sha1(text, (size_t)len, digest);
	EVP_EncodeBlock((unsigned char *)ret_accept, digest, sizeof(digest));
}

struct answer_parse {
	struct ws_answer *answer;
	const char *key;
	bool in_accept; /* the header whose value comes */
	bool accept_right;
	bool complete;
};

static int on_field(http_parser *parser, const char *at, size_t len)
{
	static const char name[] = "sec-websocket-accept";
	struct answer_parse *parse = parser->data;

	parse->in_accept = len == sizeof(name) - 1 && strncasecmp(at, name, len) == 0;
	return 0;
}

static int on_value(http_parser *parser, const char *at, size_t len)
{
	struct answer_parse *parse = parser->data;
	char accept[WS_ACCEPT_SIZE];

	if (!parse->in_accept)
		return 0;
	ws_handshake_accept(parse->key, accept);
	parse->accept_right = len == strlen(accept) && memcmp(at, accept, len) == 0;
	return 0;
}

static int on_headers_complete(http_parser *parser)
{
	struct answer_parse *parse = parser->data;

	parse->answer->status = parser->status_code;
	parse->answer->accepted = parser->status_code == 101 && parser->upgrade &&
				  parse->accept_right;
	return 0;
}

static int on_body(http_parser *parser, const char *at, size_t len)
{
	struct ws_answer *answer = ((struct answer_parse *)parser->data)->answer;

	len = size_min(len, sizeof(answer->body) - answer->body_len);
	memcpy(answer->body + answer->body_len, at, len);
	answer->body_len += len;
	return 0;
}

static int on_complete(http_parser *parser)
{
	struct answer_parse *parse = parser->data;

	parse->complete = true;
	http_parser_pause(parser, 1);
	return 0;
}

int ws_handshake_answer(const char *bytes, size_t len, bool ended, const char *key,
			struct ws_answer *ret_answer)
{
	static const http_parser_settings settings = {
		.on_header_field = on_field,
		.on_header_value = on_value,
		.on_headers_complete = on_headers_complete,
		.on_body = on_body,
		.on_message_complete = on_complete,
	};
	struct answer_parse parse = { .answer = ret_answer, .key = key };
	http_parser parser;

	ret_answer->status = 0;
	ret_answer->accepted = false;
	ret_answer->body_len = 0;
	/* A header looked at whole: its values come in one piece each. */
	if (!memmem(bytes, len, "\r\n\r\n", 4))
		return ended ? -EPROTO : WS_ANSWER_E_MORE;
	http_parser_init(&parser, HTTP_RESPONSE);
	parser.data = &parse;
	ret_answer->len = http_parser_execute(&parser, &settings, bytes, len);
	if (!parse.complete && ended && HTTP_PARSER_ERRNO(&parser) == HPE_OK)
		http_parser_execute(&parser, &settings, bytes, 0);
	if (parse.complete) {
		/* It stops before the last LF when it is paused. */
		ret_answer->len = (size_t)((char *)memmem(bytes, len, "\r\n\r\n", 4) + 4 - bytes);
		return ret_answer->status == 101 && !ret_answer->accepted ? -EPROTO : 0;
	}
	if (HTTP_PARSER_ERRNO(&parser) != HPE_OK || ended)
		return ret_answer->status > 101 ? 0 : -EPROTO;
	return WS_ANSWER_E_MORE;
}
