/* fuzz_http.c - bytes of a client through the request reader, twice: whole, and in pieces whose
 * sizes come from the input. Both ways must see the same requests and the same end. */
#include "io/http_reader.h"

struct seen {
	uint64_t hash; /* FNV-1a of everything shown */
	unsigned int requests;
	int end;
};

static void see(struct seen *seen, const void *bytes, size_t len)
{
	for (size_t i = 0; i < len; i++)
		seen->hash = (seen->hash ^ ((const uint8_t *)bytes)[i]) * 0x100000001b3;
}

static void see_text(struct seen *seen, const char *text)
{
	see(seen, text, strlen(text) + 1);
}

static void see_request(struct seen *seen, struct http_reader *reader)
{
	struct http_header headers[HTTP_HEADERS_MAX];
	struct http_request request;

	http_reader_request(reader, &request, headers);
	if (request.path[0] != '/' || request.body[request.body_len] != '\0' ||
	    request.body_len > reader->shared->max_body_bytes)
		abort();
	see(seen, &request.method, sizeof(request.method));
	see_text(seen, request.path);
	see_text(seen, request.query);
	for (size_t i = 0; i < request.n_headers; i++) {
		see_text(seen, request.headers[i].name);
		see_text(seen, request.headers[i].value);
	}
	see(seen, request.body, request.body_len);
	see(seen, &request.websocket, sizeof(request.websocket));
	seen->requests++;
	http_reader_consume(reader);
}

static int read_requests(struct seen *seen, struct http_reader *reader)
{
	int r;

	while ((r = http_reader_next(reader)) == 0)
		see_request(seen, reader);
	if (r != HTTP_READER_E_MORE && !reader->why)
		abort();
	return r;
}

/* @step: 0 for as much as there is room for. */
static struct seen run(struct http_reader_shared *shared, const uint8_t *bytes, size_t len,
		       size_t step)
{
	struct seen seen = { .hash = 0xcbf29ce484222325, .end = HTTP_READER_E_MORE };
	struct http_reader reader;

	http_reader_init(&reader, shared);
	while (len > 0 && seen.end == HTTP_READER_E_MORE) {
		size_t room;
		char *at;

		if (http_reader_space(&reader, &at, &room) < 0)
			abort();
		room = size_min(size_min(room, len), step ? step : SIZE_MAX);
		memcpy(at, bytes, room);
		http_reader_take(&reader, room);
		bytes += room;
		len -= room;
		seen.end = read_requests(&seen, &reader);
	}
	http_reader_done(&reader);
	return seen;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	struct http_reader_shared shared = { .max_header_bytes = 1024, .max_body_bytes = 512 };
	struct seen whole, pieces;
	size_t step;

	if (len == 0)
		return 0;
	step = bytes[0] % 16 + 1;
	whole = run(&shared, bytes + 1, len - 1, 0);
	pieces = run(&shared, bytes + 1, len - 1, step);
	if (whole.hash != pieces.hash || whole.requests != pieces.requests ||
	    whole.end != pieces.end)
		abort();
	http_reader_shared_done(&shared);
	return 0;
}
