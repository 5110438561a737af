#include "io/http_reader.h"

#include <strings.h>

enum {
	BUFFER_FIRST_BYTES = 8192,
	CHUNK_LINE_MAX_BYTES = 4096, /* an extension, or all trailers */
};

void http_reader_shared_done(struct http_reader_shared *shared)
{
	free(shared->spare);
	shared->spare = NULL;
}

static void start_request(struct http_reader *reader)
{
	reader->state = HTTP_READER_HEADER;
	reader->line = (struct http_reader_line){ .first = true };
	reader->scanned = 0;
	reader->body_len = 0;
	reader->expects = false;
}

void http_reader_init(struct http_reader *reader, struct http_reader_shared *shared)
{
	reader->shared = shared;
	reader->bytes = NULL;
	reader->size = reader->start = reader->end = 0;
	reader->nul_at = NULL;
	reader->why = NULL;
	start_request(reader);
}

static void release(struct http_reader *reader)
{
	if (reader->size == BUFFER_FIRST_BYTES && !reader->shared->spare)
		reader->shared->spare = reader->bytes;
	else
		free(reader->bytes);
	reader->bytes = NULL;
	reader->size = reader->start = reader->end = 0;
}

void http_reader_done(struct http_reader *reader)
{
	release(reader);
}

static int grow(struct http_reader *reader)
{
	size_t size = reader->size ? reader->size * 2 : BUFFER_FIRST_BYTES;
	char *bytes;

	if (!reader->bytes && reader->shared->spare) {
		reader->bytes = reader->shared->spare;
		reader->shared->spare = NULL;
		reader->size = BUFFER_FIRST_BYTES;
		return 0;
	}
	bytes = realloc(reader->bytes, size);
	if (!bytes)
		return -ENOMEM;
	reader->bytes = bytes;
	reader->size = size;
	return 0;
}

int http_reader_space(struct http_reader *reader, char **ret_at, size_t *ret_len)
{
	/* One byte stays free for the NUL behind a body. */
	if (reader->end + 1 >= reader->size) {
		if (reader->start > 0) {
			memmove(reader->bytes, reader->bytes + reader->start,
				reader->end - reader->start);
			reader->end -= reader->start;
			reader->start = 0;
		} else {
			int r = grow(reader);

			if (r < 0)
				return r;
		}
	}
	*ret_at = reader->bytes + reader->end;
	*ret_len = reader->size - 1 - reader->end;
	return 0;
}

void http_reader_take(struct http_reader *reader, size_t len)
{
	reader->end += len;
	if (http_reader_empty(reader) && reader->state == HTTP_READER_HEADER)
		release(reader);
}

/* ---- the header, byte by byte: what http-parser would let pass ---- */

static int refuse(struct http_reader *reader, int status, const char *why)
{
	reader->why = why;
	return status;
}

static bool is_token(unsigned char c)
{
	if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9'))
		return true;
	return c > ' ' && strchr("!#$%&'*+-.^_`|~", c);
}

enum line_outcome { LINE_E_HEADER_END = 1 };

/* The LF of a line. */
static int line_end(struct http_reader *reader)
{
	struct http_reader_line *line = &reader->line;
	bool empty = line->len == 1;

	if (line->last != '\r')
		return refuse(reader, 400, "a line must end with CR LF");
	if (line->first && empty) {
		if (line->skipped)
			return refuse(reader, 400, "a request line was expected");
		reader->start += reader->scanned + 1;
		reader->scanned = 0;
		*line = (struct http_reader_line){ .first = true, .skipped = true };
		return 0;
	}
	if (line->first && line->spaces != 2)
		return refuse(reader, 400, "the request line must be METHOD path HTTP/1.1");
	if (!line->first && empty)
		return LINE_E_HEADER_END;
	if (!line->first && !line->colon)
		return refuse(reader, 400, "a header line has no colon");
	*line = (struct http_reader_line){ .first = false };
	return 0;
}

static int line_byte(struct http_reader *reader, unsigned char c)
{
	struct http_reader_line *line = &reader->line;

	if (c == '\n')
		return line_end(reader);
	if (line->last == '\r')
		return refuse(reader, 400, "CR without LF");
	if (c != '\r' && ((c < 0x20 && c != '\t') || c == 0x7f))
		return refuse(reader, 400, "a control character in the header");
	if (line->first) {
		if (c == '\t' || c >= 0x80)
			return refuse(reader, 400, "the request line must be plain ASCII");
		if (c == ' ' && (line->len == 0 || line->last == ' '))
			return refuse(reader, 400, "the request line must be METHOD path HTTP/1.1");
		line->spaces += c == ' ';
	} else if (!line->colon && c != '\r') {
		if (c == ':' && line->len > 0)
			line->colon = true;
		else if (!is_token(c))
			return refuse(reader, 400, "a header line is folded or its name malformed");
	}
	line->len++;
	line->last = (char)c;
	return 0;
}

/* Looks at the new bytes of a header. 0: the header is complete. */
static int scan_header(struct http_reader *reader)
{
	while (reader->start + reader->scanned < reader->end) {
		bool first = reader->line.first, skipped = reader->line.skipped;
		int r = line_byte(reader,
				  (unsigned char)reader->bytes[reader->start + reader->scanned]);

		if (r >= 400)
			return r;
		if (first && !skipped && reader->line.skipped)
			continue; /* start moved behind the empty line */
		if (++reader->scanned > reader->shared->max_header_bytes)
			return first ? refuse(reader, 414, "the path is too long")
				     : refuse(reader, 431, "the header is too long");
		if (r == LINE_E_HEADER_END)
			return 0;
	}
	return HTTP_READER_E_MORE;
}

/* ---- from header to body ---- */

static const char *const methods[] = {
	[HTTP_GET] = "GET",         [HTTP_POST] = "POST",     [HTTP_PUT] = "PUT",
	[HTTP_PATCH] = "PATCH",     [HTTP_DELETE] = "DELETE", [HTTP_HEAD] = "HEAD",
	[HTTP_OPTIONS] = "OPTIONS",
};

static bool find_method(const char *line, enum http_method *ret_method)
{
	for (size_t i = 0; i < ARRAY_SIZE(methods); i++) {
		size_t len = strlen(methods[i]);

		if (strncmp(line, methods[i], len) == 0 && line[len] == ' ') {
			*ret_method = (enum http_method)i;
			return true;
		}
	}
	return false;
}

/* Cuts "http://host" off the target, so that it starts with '/'. */
static int normal_target(struct http_reader *reader)
{
	struct http_span *target = &reader->head.target;
	const char *text = reader->bytes + reader->start + target->at;
	const char *slash;

	if (memchr(text, '#', target->len))
		return refuse(reader, 400, "a path has no fragment");
	if (target->len > 0 && text[0] == '/')
		return 0;
	if (target->len > 7 && strncasecmp(text, "http://", 7) == 0) {
		slash = memchr(text + 7, '/', target->len - 7);
		if (slash && slash > text + 7 && !memchr(text, '@', (size_t)(slash - text)) &&
		    !memchr(text, '?', (size_t)(slash - text))) {
			target->at += (uint32_t)(slash - text);
			target->len -= (uint32_t)(slash - text);
			return 0;
		}
	}
	return refuse(reader, 400, "the path must start with '/'");
}

static const char *head_value(const struct http_reader *reader, const char *name, size_t *ret_len)
{
	const char *bytes = reader->bytes + reader->start;

	for (size_t i = 0; i < reader->head.n_headers; i++) {
		struct http_span span = reader->head.names[i];

		if (span.len == strlen(name) && strncasecmp(bytes + span.at, name, span.len) == 0) {
			*ret_len = reader->head.values[i].len;
			return bytes + reader->head.values[i].at;
		}
	}
	return NULL;
}

static int take_expect(struct http_reader *reader)
{
	size_t len;
	const char *value = head_value(reader, "expect", &len);

	if (!value || reader->head.minor == 0)
		return 0;
	if (len != 12 || strncasecmp(value, "100-continue", 12) != 0)
		return refuse(reader, 417, "Expect can only be 100-continue");
	reader->expects = true;
	return 0;
}

static int take_header(struct http_reader *reader)
{
	const char *bytes = reader->bytes + reader->start;
	bool known;
	int r;

	reader->header_len = reader->scanned;
	known = find_method(bytes, &reader->method);
	r = http_head_parse(bytes, reader->header_len, &reader->head, &reader->why);
	if (r != 0)
		return r;
	if (!known)
		return refuse(reader, 501, "the method is not supported");
	r = normal_target(reader);
	if (r == 0)
		r = take_expect(reader);
	if (r != 0)
		return r;
	if (!reader->head.chunked && reader->head.length > reader->shared->max_body_bytes)
		return refuse(reader, 413, "the body is too long");
	reader->state = reader->head.chunked ? HTTP_READER_CHUNKED : HTTP_READER_BODY;
	reader->raw = reader->header_len;
	http_chunked_init(&reader->chunked, reader->shared->max_body_bytes, CHUNK_LINE_MAX_BYTES);
	return 0;
}

static int take_body(struct http_reader *reader)
{
	size_t have = reader->end - reader->start - reader->header_len;
	size_t want = (size_t)reader->head.length;

	reader->body_len = size_min(have, want);
	if (have < want)
		return HTTP_READER_E_MORE;
	reader->request_len = reader->header_len + want;
	reader->state = HTTP_READER_COMPLETE;
	return 0;
}

static const char *chunked_why(int status)
{
	switch (status) {
	case 413:
		return "the body is too long";
	case 431:
		return "the trailers are too long";
	default:
		return "the chunked body is malformed";
	}
}

static int take_chunks(struct http_reader *reader)
{
	char *request = reader->bytes + reader->start;
	size_t used, body;
	int r;

	r = http_chunked_decode(&reader->chunked, request + reader->raw,
				reader->end - reader->start - reader->raw, &used, &body);
	if (r >= 400)
		return refuse(reader, r, chunked_why(r));
	memmove(request + reader->header_len + reader->body_len, request + reader->raw, body);
	reader->body_len += body;
	reader->raw += used;
	if (r == HTTP_CHUNKED_END) {
		reader->request_len = reader->raw;
		reader->state = HTTP_READER_COMPLETE;
		return 0;
	}
	/* The framing is dropped, so that the buffer holds the body only. */
	reader->raw = reader->header_len + reader->body_len;
	reader->end = reader->start + reader->raw;
	return HTTP_READER_E_MORE;
}

int http_reader_next(struct http_reader *reader)
{
	int r;

	if (reader->state == HTTP_READER_HEADER) {
		r = scan_header(reader);
		if (r == 0)
			r = take_header(reader);
		if (r != 0)
			return r;
	}
	switch (reader->state) {
	case HTTP_READER_BODY:
		return take_body(reader);
	case HTTP_READER_CHUNKED:
		return take_chunks(reader);
	default:
		return 0;
	}
}

bool http_reader_expects(struct http_reader *reader)
{
	bool due = reader->expects && reader->body_len == 0 &&
		   (reader->state == HTTP_READER_BODY || reader->state == HTTP_READER_CHUNKED);

	reader->expects = false;
	return due;
}

/* ---- the complete request ---- */

static bool value_is(const struct http_reader *reader, const char *name, const char *wanted)
{
	size_t len;
	const char *value = head_value(reader, name, &len);

	return value && len == strlen(wanted) && strncasecmp(value, wanted, len) == 0;
}

/* 16 bytes as base64. */
static bool websocket_key_valid(const struct http_reader *reader)
{
	size_t len;
	const char *key = head_value(reader, "sec-websocket-key", &len);

	if (!key || len != 24 || key[22] != '=' || key[23] != '=')
		return false;
	for (size_t i = 0; i < 22; i++)
		if (!((key[i] >= 'a' && key[i] <= 'z') || (key[i] >= 'A' && key[i] <= 'Z') ||
		      (key[i] >= '0' && key[i] <= '9') || key[i] == '+' || key[i] == '/'))
			return false;
	return true;
}

static bool is_websocket(const struct http_reader *reader)
{
	return reader->method == HTTP_GET && reader->head.minor == 1 && reader->head.upgrade &&
	       reader->body_len == 0 && value_is(reader, "upgrade", "websocket") &&
	       value_is(reader, "sec-websocket-version", "13") && websocket_key_valid(reader);
}

static char *span_text(char *bytes, struct http_span span)
{
	bytes[span.at + span.len] = '\0';
	return bytes + span.at;
}

static void lower(char *text)
{
	for (; *text; text++)
		if (*text >= 'A' && *text <= 'Z')
			*text = (char)(*text - 'A' + 'a');
}

void http_reader_request(struct http_reader *reader, struct http_request *ret_request,
			 struct http_header ret_headers[static HTTP_HEADERS_MAX])
{
	char *bytes = reader->bytes + reader->start, *path, *query;
	bool websocket = is_websocket(reader);

	reader->nul_at = bytes + reader->header_len + reader->body_len;
	reader->nul_was = *reader->nul_at;
	*reader->nul_at = '\0';
	path = span_text(bytes, reader->head.target);
	query = strchr(path, '?');
	if (query)
		*query++ = '\0';
	for (size_t i = 0; i < reader->head.n_headers; i++) {
		char *name = span_text(bytes, reader->head.names[i]);

		lower(name);
		ret_headers[i].name = name;
		ret_headers[i].value = span_text(bytes, reader->head.values[i]);
	}
	*ret_request = (struct http_request){
		.method = reader->method,
		.path = path,
		.query = query ? query : "",
		.headers = ret_headers,
		.n_headers = reader->head.n_headers,
		.body = bytes + reader->header_len,
		.body_len = reader->body_len,
		.websocket = websocket,
	};
}

void http_reader_consume(struct http_reader *reader)
{
	if (reader->nul_at)
		*reader->nul_at = reader->nul_was;
	reader->nul_at = NULL;
	reader->start += reader->request_len;
	start_request(reader);
	if (http_reader_empty(reader))
		release(reader);
}

const char *http_request_header(const struct http_request *request, const char *name)
{
	for (size_t i = 0; i < request->n_headers; i++)
		if (strcmp(request->headers[i].name, name) == 0)
			return request->headers[i].value;
	return NULL;
}
