#include "io/http_write.h"

#include <time.h>

static const struct status {
	int status;
	const char *title;
} statuses[] = {
	{ 200, "OK" },
	{ 201, "Created" },
	{ 202, "Accepted" },
	{ 204, "No Content" },
	{ 206, "Partial Content" },
	{ 301, "Moved Permanently" },
	{ 302, "Found" },
	{ 303, "See Other" },
	{ 304, "Not Modified" },
	{ 307, "Temporary Redirect" },
	{ 308, "Permanent Redirect" },
	{ 400, "Bad Request" },
	{ 401, "Unauthorized" },
	{ 402, "Payment Required" },
	{ 403, "Forbidden" },
	{ 404, "Not Found" },
	{ 405, "Method Not Allowed" },
	{ 406, "Not Acceptable" },
	{ 408, "Request Timeout" },
	{ 409, "Conflict" },
	{ 410, "Gone" },
	{ 411, "Length Required" },
	{ 412, "Precondition Failed" },
	{ 413, "Content Too Large" },
	{ 414, "URI Too Long" },
	{ 415, "Unsupported Media Type" },
	{ 416, "Range Not Satisfiable" },
	{ 417, "Expectation Failed" },
	{ 421, "Misdirected Request" },
	{ 422, "Unprocessable Content" },
	{ 425, "Too Early" },
	{ 426, "Upgrade Required" },
	{ 428, "Precondition Required" },
	{ 429, "Too Many Requests" },
	{ 431, "Request Header Fields Too Large" },
	{ 500, "Internal Server Error" },
	{ 501, "Not Implemented" },
	{ 502, "Bad Gateway" },
	{ 503, "Service Unavailable" },
	{ 504, "Gateway Timeout" },
	{ 505, "HTTP Version Not Supported" },
};

const char *http_status_title(int status)
{
	for (size_t i = 0; i < ARRAY_SIZE(statuses); i++)
		if (statuses[i].status == status)
			return statuses[i].title;
	return "Unknown";
}

static bool name_valid(const char *name)
{
	if (!*name)
		return false;
	for (const unsigned char *c = (const unsigned char *)name; *c; c++)
		if (*c <= ' ' || *c >= 0x7f || *c == ':')
			return false;
	return true;
}

static bool value_valid(const char *value)
{
	for (const unsigned char *c = (const unsigned char *)value; *c; c++)
		if ((*c < ' ' && *c != '\t') || *c == 0x7f)
			return false;
	return true;
}

int http_lines_size(const struct http_header *headers, size_t n_headers, size_t *ret_size)
{
	size_t size = 0;

	for (size_t i = 0; i < n_headers; i++) {
		if (!name_valid(headers[i].name) || !value_valid(headers[i].value))
			return -EINVAL;
		size += strlen(headers[i].name) + strlen(headers[i].value) + 4;
		if (size > HTTP_ANSWER_HEADERS_MAX_BYTES)
			return -E2BIG;
	}
	*ret_size = size;
	return 0;
}

static char *append(char *to, const char *text, size_t len)
{
	memcpy(to, text, len);
	return to + len;
}

static char *append_text(char *to, const char *text)
{
	return append(to, text, strlen(text));
}

void http_lines_write(const struct http_header *headers, size_t n_headers, char *ret_lines)
{
	for (size_t i = 0; i < n_headers; i++) {
		ret_lines = append_text(ret_lines, headers[i].name);
		ret_lines = append(ret_lines, ": ", 2);
		ret_lines = append_text(ret_lines, headers[i].value);
		ret_lines = append(ret_lines, "\r\n", 2);
	}
}

static void date_update(struct http_date *date)
{
	struct timespec now;
	struct tm tm;

	clock_gettime(CLOCK_REALTIME_COARSE, &now);
	if (date->second == now.tv_sec && date->text[0])
		return;
	date->second = now.tv_sec;
	gmtime_r(&now.tv_sec, &tm);
	strftime(date->text, sizeof(date->text), "%a, %d %b %Y %H:%M:%S GMT", &tm);
}

static char *append_number(char *to, uint64_t number)
{
	char digits[20];
	size_t n = 0;

	do {
		digits[n++] = (char)('0' + number % 10);
		number /= 10;
	} while (number > 0);
	while (n > 0)
		*to++ = digits[--n];
	return to;
}

size_t http_head_write(const struct http_answer_head *head, struct http_date *date,
		       char ret_text[static HTTP_ANSWER_HEAD_MAX_BYTES])
{
	char *to = ret_text;

	date_update(date);
	to = append_text(to, "HTTP/1.1 ");
	to = append_number(to, (uint64_t)head->status);
	to = append(to, " ", 1);
	to = append_text(to, http_status_title(head->status));
	to = append_text(to, "\r\nDate: ");
	to = append_text(to, date->text);
	if (http_status_has_body(head->status)) {
		to = append_text(to, "\r\nContent-Length: ");
		to = append_number(to, head->body_len);
	}
	to = append_text(to, head->keep_alive ? "\r\n" : "\r\nConnection: close\r\n");
	to = append(to, head->lines, head->lines_len);
	to = append(to, "\r\n", 2);
	return (size_t)(to - ret_text);
}
