#include "io/ws_request.h"

#include <curl/curl.h>

#include "io/http_write.h"

static void url_freep(CURLU **url)
{
	curl_url_cleanup(*url);
}

static void curl_freep(char **text)
{
	curl_free(*text);
}

/* The host as it is said in the Host header, and the path with its query. */
static int url_parts(const char *text, char **ret_host, char **ret_target)
{
	_cleanup_(url_freep) CURLU *url = curl_url();
	_cleanup_(curl_freep) char *host = NULL, *port = NULL, *path = NULL, *query = NULL;
	int r;

	if (!url)
		return -ENOMEM;
	if (curl_url_set(url, CURLUPART_URL, text, 0) != CURLUE_OK ||
	    curl_url_get(url, CURLUPART_HOST, &host, 0) != CURLUE_OK ||
	    curl_url_get(url, CURLUPART_PATH, &path, 0) != CURLUE_OK)
		return -EINVAL;
	/* Absent parts are no errors. */
	curl_url_get(url, CURLUPART_PORT, &port, 0);
	curl_url_get(url, CURLUPART_QUERY, &query, 0);
	r = asprintf(ret_host, "%s%s%s", host, port ? ":" : "", port ? port : "");
	if (r < 0)
		return -ENOMEM;
	r = asprintf(ret_target, "%s%s%s", path, query ? "?" : "", query ? query : "");
	if (r < 0) {
		free(*ret_host);
		*ret_host = NULL;
		return -ENOMEM;
	}
	return 0;
}

/* libcurl connects to http and https. */
static int curl_url_of(const char *url, char **ret_url)
{
	*ret_url = NULL;
	if (strncmp(url, "ws://", 5) != 0 && strncmp(url, "wss://", 6) != 0)
		return -EINVAL;
	if (asprintf(ret_url, "http%s", url + 2) < 0) {
		*ret_url = NULL;
		return -ENOMEM;
	}
	return 0;
}

static int request_text(const char *url, const char *lines, const char *key, char **ret_text)
{
	_cleanup_(freep) char *host = NULL, *target = NULL;
	int r = url_parts(url, &host, &target);

	if (r < 0)
		return r;
	r = asprintf(ret_text,
		     "GET %s HTTP/1.1\r\nHost: %s\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
		     "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: %s\r\n%s\r\n",
		     target, host, key, lines);
	return r < 0 ? -ENOMEM : 0;
}

int ws_request_make(const char *url, const struct http_header *headers, size_t n_headers,
		    char ret_key[static WS_KEY_SIZE], char **ret_url, char **ret_text)
{
	_cleanup_(freep) char *connect_to = NULL, *lines = NULL;
	size_t lines_len;
	int r;

	if (http_lines_size(headers, n_headers, &lines_len) < 0)
		return -EINVAL;
	lines = calloc(1, lines_len + 1);
	if (!lines)
		return -ENOMEM;
	http_lines_write(headers, n_headers, lines);
	r = curl_url_of(url, &connect_to);
	if (r == 0)
		r = ws_handshake_key(ret_key);
	if (r == 0)
		r = request_text(connect_to, lines, ret_key, ret_text);
	if (r < 0)
		return r;
	*ret_url = connect_to;
	connect_to = NULL;
	return 0;
}
