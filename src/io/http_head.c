#include "io/http_head.h"

#include <http_parser.h>
#include <strings.h>

struct head_parse {
	const char *bytes;
	struct http_head *head;
	bool too_many;
	bool complete;
};

static struct http_span span_of(const struct head_parse *parse, const char *at, size_t len)
{
	return (struct http_span){ (uint32_t)(at - parse->bytes), (uint32_t)len };
}

static int on_url(http_parser *parser, const char *at, size_t len)
{
	struct head_parse *parse = parser->data;

	parse->head->target = span_of(parse, at, len);
	return 0;
}

static int on_field(http_parser *parser, const char *at, size_t len)
{
	struct head_parse *parse = parser->data;

	if (parse->head->n_headers == HTTP_HEADERS_MAX) {
		parse->too_many = true;
		return 1;
	}
	parse->head->names[parse->head->n_headers] = span_of(parse, at, len);
	/* Empty unless a value comes. */
	parse->head->values[parse->head->n_headers] = span_of(parse, at + len, 0);
	parse->head->n_headers++;
	return 0;
}

static int on_value(http_parser *parser, const char *at, size_t len)
{
	struct head_parse *parse = parser->data;

	while (len > 0 && (at[len - 1] == ' ' || at[len - 1] == '\t'))
		len--;
	parse->head->values[parse->head->n_headers - 1] = span_of(parse, at, len);
	return 0;
}

static int on_headers_complete(http_parser *parser)
{
	struct head_parse *parse = parser->data;

	parse->head->minor = parser->http_minor;
	parse->head->keep_alive = http_should_keep_alive(parser);
	parse->head->upgrade = parser->upgrade;
	parse->head->has_length = parser->flags & F_CONTENTLENGTH;
	parse->head->length = parse->head->has_length ? parser->content_length : 0;
	parse->complete = true;
	/* The body is read by http_reader. */
	http_parser_pause(parser, 1);
	return 0;
}

static bool span_is(const struct head_parse *parse, struct http_span span, const char *text)
{
	return span.len == strlen(text) && strncasecmp(parse->bytes + span.at, text, span.len) == 0;
}

/* Whether the value could be the host of a URL, a port behind it: nothing that ends an authority
 * elsewhere, and no list. */
static bool host_valid(const char *value, size_t len)
{
	static const char others[] = "-._~%!$&'()*+;=:[]";

	for (size_t i = 0; i < len; i++) {
		char c = value[i];

		if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
		      (c != '\0' && strchr(others, c))))
			return false;
	}
	return len > 0;
}

static bool digits_valid(const char *value, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (value[i] < '0' || value[i] > '9')
			return false;
	return len > 0;
}

/* What http-parser leaves open: how often the headers that frame a message may come, and with
 * what. NULL if well. */
static const char *check_headers(struct head_parse *parse)
{
	struct http_head *head = parse->head;
	size_t hosts = 0, lengths = 0, codings = 0;

	for (size_t i = 0; i < head->n_headers; i++) {
		struct http_span name = head->names[i], value = head->values[i];

		if (span_is(parse, name, "host")) {
			if (hosts++ > 0 || !host_valid(parse->bytes + value.at, value.len))
				return "Host must come once and name one host";
		} else if (span_is(parse, name, "content-length")) {
			if (lengths++ > 0 || !digits_valid(parse->bytes + value.at, value.len))
				return "Content-Length must come once and be a number";
		} else if (span_is(parse, name, "transfer-encoding")) {
			if (codings++ > 0 || !span_is(parse, value, "chunked"))
				return "Transfer-Encoding can only be chunked";
		}
	}
	if (hosts == 0 && head->minor == 1)
		return "Host is missing";
	if (codings > 0 && lengths > 0)
		return "Content-Length and Transfer-Encoding exclude each other";
	if (codings > 0 && head->minor == 0)
		return "HTTP/1.0 has no Transfer-Encoding";
	head->chunked = codings > 0;
	return NULL;
}

static int refuse_parser(const http_parser *parser, const struct head_parse *parse,
			 const char **ret_why)
{
	if (parse->too_many) {
		*ret_why = "too many headers";
		return 431;
	}
	switch (HTTP_PARSER_ERRNO(parser)) {
	case HPE_HEADER_OVERFLOW:
		*ret_why = "the header is too long";
		return 431;
	case HPE_INVALID_METHOD:
		*ret_why = "there is no such method";
		return 400;
	case HPE_INVALID_VERSION:
	case HPE_INVALID_CONSTANT:
		*ret_why = "the version must be HTTP/1.1";
		return 400;
	default:
		*ret_why = "the request is malformed";
		return 400;
	}
}

int http_head_parse(const char *bytes, size_t len, struct http_head *ret_head, const char **ret_why)
{
	static const http_parser_settings settings = {
		.on_url = on_url,
		.on_header_field = on_field,
		.on_header_value = on_value,
		.on_headers_complete = on_headers_complete,
	};
	struct head_parse parse = { .bytes = bytes, .head = ret_head };
	http_parser parser;

	ret_head->n_headers = 0;
	ret_head->chunked = false;
	http_parser_init(&parser, HTTP_REQUEST);
	parser.data = &parse;
	http_parser_execute(&parser, &settings, bytes, len);
	if (!parse.complete)
		return refuse_parser(&parser, &parse, ret_why);
	if (parser.http_major != 1 || parser.http_minor > 1) {
		*ret_why = "only HTTP/1.0 and HTTP/1.1 are spoken here";
		return 505;
	}
	*ret_why = check_headers(&parse);
	return *ret_why ? 400 : 0;
}
