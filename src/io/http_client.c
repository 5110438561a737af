#include "io/http_client.h"

#include <curl/curl.h>

struct exchange {
	const struct http_call *call;
	CURL *curl;
	struct curl_slist *headers;
	char *body; /* grows by doubling, in the heap: the arena would keep every step */
	size_t len, size;
	int fault; /* what stopped the answer */
};

static void exchange_done(struct exchange *exchange)
{
	if (exchange->curl)
		curl_easy_cleanup(exchange->curl);
	curl_slist_free_all(exchange->headers);
	free(exchange->body);
}

static size_t on_bytes(char *bytes, _unused_ size_t one, size_t len, void *arg)
{
	struct exchange *exchange = arg;
	size_t need = exchange->len + len;

	if (need > exchange->call->max_answer_bytes) {
		exchange->fault = -EMSGSIZE;
		return 0;
	}
	if (need > exchange->size) {
		size_t size = exchange->size ? exchange->size * 2 : 4096;
		char *body;

		if (size < need)
			size = need;
		body = realloc(exchange->body, size);
		if (!body) {
			exchange->fault = -ENOMEM;
			return 0;
		}
		exchange->body = body;
		exchange->size = size;
	}
	memcpy(exchange->body + exchange->len, bytes, len);
	exchange->len = need;
	return len;
}

static int add_line(struct exchange *exchange, const char *line)
{
	struct curl_slist *headers = curl_slist_append(exchange->headers, line);

	if (!headers)
		return -ENOMEM;
	exchange->headers = headers;
	return 0;
}

static int add_headers(struct exchange *exchange)
{
	const struct http_call *call = exchange->call;
	/* Not libcurl's own: it would wait for 100 Continue, and call a body a form. */
	int r = add_line(exchange, "Expect:");

	if (r == 0 && call->body)
		r = add_line(exchange, "Content-Type:");
	for (size_t i = 0; r == 0 && i < call->n_headers; i++) {
		_cleanup_(freep) char *line = NULL;

		if (strpbrk(call->headers[i].name, "\r\n:") ||
		    strpbrk(call->headers[i].value, "\r\n"))
			return -EINVAL;
		if (asprintf(&line, "%s%s %s", call->headers[i].name,
			     *call->headers[i].value ? ":" : ";", call->headers[i].value) < 0) {
			line = NULL;
			return -ENOMEM;
		}
		r = add_line(exchange, line);
	}
	return r;
}

static int set_up(struct exchange *exchange)
{
	const struct http_call *call = exchange->call;
	CURL *curl = exchange->curl;
	int r = add_headers(exchange);

	if (r < 0)
		return r;
	curl_easy_setopt(curl, CURLOPT_URL, call->url);
	curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, (long)call->timeout_ms);
	curl_easy_setopt(curl, CURLOPT_HTTPHEADER, exchange->headers);
	curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_bytes);
	curl_easy_setopt(curl, CURLOPT_WRITEDATA, exchange);
	if (call->body) {
		curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)call->body_len);
		curl_easy_setopt(curl, CURLOPT_POSTFIELDS, call->body);
	}
	if (strcmp(call->method, "HEAD") == 0)
		curl_easy_setopt(curl, CURLOPT_NOBODY, 1L);
	else
		curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, call->method);
	return 0;
}

static int fault_of(const struct exchange *exchange, CURLcode r)
{
	switch (r) {
	case CURLE_OK:
		return 0;
	case CURLE_WRITE_ERROR:
		return exchange->fault;
	case CURLE_COULDNT_CONNECT:
		return -ECONNREFUSED;
	case CURLE_COULDNT_RESOLVE_HOST:
	case CURLE_COULDNT_RESOLVE_PROXY:
		return -EHOSTUNREACH;
	case CURLE_OPERATION_TIMEDOUT:
		return -ETIMEDOUT;
	case CURLE_OUT_OF_MEMORY:
		return -ENOMEM;
	case CURLE_URL_MALFORMAT:
	case CURLE_UNSUPPORTED_PROTOCOL:
		return -EINVAL;
	default:
		return -EPROTO;
	}
}

int http_call(const struct http_call *call, struct arena *arena, struct http_answer *ret_answer)
{
	_cleanup_(exchange_done) struct exchange exchange = { .call = call };
	long status;
	char *body;
	int r;

	exchange.curl = curl_easy_init();
	if (!exchange.curl)
		return -ENOMEM;
	r = set_up(&exchange);
	if (r == 0)
		r = fault_of(&exchange, curl_easy_perform(exchange.curl));
	if (r < 0)
		return r;
	curl_easy_getinfo(exchange.curl, CURLINFO_RESPONSE_CODE, &status);
	body = arena_text(arena, exchange.body ? exchange.body : "", exchange.len);
	if (!body)
		return -ENOMEM;
	*ret_answer = (struct http_answer){ .status = (int)status,
					    .body = body,
					    .body_len = exchange.len };
	return 0;
}
