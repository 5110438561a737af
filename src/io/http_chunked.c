#include "io/http_chunked.h"

enum chunked_state {
	CHUNKED_SIZE,
	CHUNKED_EXTENSION,
	CHUNKED_SIZE_LF,
	CHUNKED_DATA,
	CHUNKED_DATA_CR,
	CHUNKED_DATA_LF,
	CHUNKED_TRAILER_START, /* of a line */
	CHUNKED_TRAILER,
	CHUNKED_TRAILER_LF,
	CHUNKED_END_LF,
	CHUNKED_DONE,
};

enum { CHUNK_DIGITS_MAX = 15 }; /* of a 64-bit size, which then cannot overflow */

void http_chunked_init(struct http_chunked *chunked, size_t max_body, size_t max_line)
{
	*chunked = (struct http_chunked){ .max_body = max_body, .max_line = max_line };
}

static int hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

static bool is_control(char c)
{
	return ((unsigned char)c < 0x20 && c != '\t') || c == 0x7f;
}

static int size_byte(struct http_chunked *chunked, char c)
{
	int digit = hex_value(c);

	if (digit >= 0) {
		if (++chunked->digits > CHUNK_DIGITS_MAX)
			return 400;
		chunked->left = chunked->left * 16 + (uint64_t)digit;
		return 0;
	}
	if (chunked->digits == 0)
		return 400;
	if (chunked->left > chunked->max_body - chunked->total)
		return 413;
	if (c == ';')
		chunked->state = CHUNKED_EXTENSION;
	else if (c == '\r')
		chunked->state = CHUNKED_SIZE_LF;
	else
		return 400;
	return 0;
}

/* A byte of an extension or a trailer, which are read and forgotten. */
static int line_byte(struct http_chunked *chunked, char c, enum chunked_state behind)
{
	if (++chunked->line > chunked->max_line)
		return behind == CHUNKED_SIZE_LF ? 400 : 431;
	if (c == '\r')
		chunked->state = behind;
	else if (is_control(c))
		return 400;
	return 0;
}

static int trailer_start(struct http_chunked *chunked, char c)
{
	if (c == '\r') {
		chunked->state = CHUNKED_END_LF;
		return 0;
	}
	if (c == ' ' || c == '\t' || c == ':')
		return 400;
	chunked->state = CHUNKED_TRAILER;
	return line_byte(chunked, c, CHUNKED_TRAILER_LF);
}

static int expect(struct http_chunked *chunked, char c, char wanted, enum chunked_state next)
{
	if (c != wanted)
		return 400;
	chunked->state = next;
	return 0;
}

static int size_end(struct http_chunked *chunked, char c)
{
	bool last = chunked->left == 0;

	chunked->digits = 0;
	chunked->line = 0;
	return expect(chunked, c, '\n', last ? CHUNKED_TRAILER_START : CHUNKED_DATA);
}

/* One byte that is not of the body. */
static int frame_byte(struct http_chunked *chunked, char c)
{
	switch ((enum chunked_state)chunked->state) {
	case CHUNKED_SIZE:
		return size_byte(chunked, c);
	case CHUNKED_EXTENSION:
		return line_byte(chunked, c, CHUNKED_SIZE_LF);
	case CHUNKED_SIZE_LF:
		return size_end(chunked, c);
	case CHUNKED_DATA_CR:
		return expect(chunked, c, '\r', CHUNKED_DATA_LF);
	case CHUNKED_DATA_LF:
		return expect(chunked, c, '\n', CHUNKED_SIZE);
	case CHUNKED_TRAILER_START:
		return trailer_start(chunked, c);
	case CHUNKED_TRAILER:
		return line_byte(chunked, c, CHUNKED_TRAILER_LF);
	case CHUNKED_TRAILER_LF:
		return expect(chunked, c, '\n', CHUNKED_TRAILER_START);
	case CHUNKED_END_LF:
		return expect(chunked, c, '\n', CHUNKED_DONE);
	case CHUNKED_DATA:
	case CHUNKED_DONE:
		break;
	}
	abort();
}

static size_t take_data(struct http_chunked *chunked, char *to, const char *from, size_t len)
{
	size_t n = chunked->left < len ? (size_t)chunked->left : len;

	memmove(to, from, n);
	chunked->left -= n;
	chunked->total += n;
	if (chunked->left == 0)
		chunked->state = CHUNKED_DATA_CR;
	return n;
}

int http_chunked_decode(struct http_chunked *chunked, char *bytes, size_t len, size_t *ret_used,
			size_t *ret_body)
{
	size_t used = 0, body = 0;
	int status;

	while (used < len && chunked->state != CHUNKED_DONE) {
		if (chunked->state == CHUNKED_DATA) {
			size_t n = take_data(chunked, bytes + body, bytes + used, len - used);

			used += n;
			body += n;
			continue;
		}
		status = frame_byte(chunked, bytes[used++]);
		if (status != 0)
			return status;
	}
	*ret_used = used;
	*ret_body = body;
	return chunked->state == CHUNKED_DONE ? HTTP_CHUNKED_END : HTTP_CHUNKED_MORE;
}
