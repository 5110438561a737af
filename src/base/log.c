#include "base/log.h"

#include <stdatomic.h>
#include <time.h>
#include <unistd.h>

enum { LINE_MAX_BYTES = 4096 };

static _Atomic(bool) as_json;
static _Atomic(int) least_level = LOG_INFO;
static _Thread_local const char *current_request;

struct line {
	char bytes[LINE_MAX_BYTES];
	size_t len;
};

static void put(struct line *line, const char *text, size_t len)
{
	/* One byte stays free for the newline; what does not fit is cut. */
	len = size_min(len, sizeof(line->bytes) - 1 - line->len);
	memcpy(line->bytes + line->len, text, len);
	line->len += len;
}

static void put_text(struct line *line, const char *text)
{
	put(line, text, strlen(text));
}

static void put_quoted(struct line *line, const char *text)
{
	put(line, "\"", 1);
	for (const unsigned char *c = (const unsigned char *)text; *c; c++) {
		char escaped[8];

		if (*c == '"' || *c == '\\')
			snprintf(escaped, sizeof(escaped), "\\%c", *c);
		else if (*c < 0x20 || *c == 0x7f)
			snprintf(escaped, sizeof(escaped), "\\u%04x", *c);
		else
			snprintf(escaped, sizeof(escaped), "%c", *c);
		put_text(line, escaped);
	}
	put(line, "\"", 1);
}

static bool is_plain(const char *text)
{
	if (!*text)
		return false;
	for (; *text; text++)
		if (!strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_./:@+",
			    *text))
			return false;
	return true;
}

static void put_field(struct line *line, const struct log_field *field, bool json)
{
	char number[24];

	put(line, json ? "," : " ", 1);
	if (json)
		put_quoted(line, field->name);
	else
		put_text(line, field->name);
	put(line, json ? ":" : "=", 1);
	if (!field->text) {
		snprintf(number, sizeof(number), "%" PRId64, field->number);
		put_text(line, number);
	} else if (json || !is_plain(field->text)) {
		put_quoted(line, field->text);
	} else {
		put_text(line, field->text);
	}
}

struct log_field log_fault(int fault)
{
	const char *name = strerrorname_np(fault < 0 ? -fault : fault);

	return name ? log_text("fault", name) : log_int("fault", fault);
}

void log_init(bool json, enum log_level least)
{
	atomic_store(&as_json, json);
	atomic_store(&least_level, (int)least);
}

void log_request(const char *request_id)
{
	current_request = request_id;
}

void log_write(enum log_level level, const char *event, const struct log_field *fields, size_t n)
{
	static const char *const names[] = { "debug", "info", "warn", "error" };
	bool json = atomic_load(&as_json);
	struct line line = { .len = 0 };
	char when[64], stamp[32];
	struct timespec now;
	struct tm tm;

	if ((int)level < atomic_load(&least_level))
		return;
	clock_gettime(CLOCK_REALTIME, &now);
	gmtime_r(&now.tv_sec, &tm);
	strftime(stamp, sizeof(stamp), "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(when, sizeof(when), "%s.%03ldZ", stamp, now.tv_nsec / 1000000);
	if (json) {
		put_text(&line, "{\"time\":");
		put_quoted(&line, when);
	} else {
		put_text(&line, when);
	}
	if (json) {
		put_field(&line, &(struct log_field){ "level", names[level], 0 }, true);
		put_field(&line, &(struct log_field){ "event", event, 0 }, true);
	} else {
		put(&line, " ", 1);
		put_text(&line, names[level]);
		put(&line, " ", 1);
		put_text(&line, event);
	}
	for (size_t i = 0; i < n; i++)
		put_field(&line, &fields[i], json);
	if (current_request)
		put_field(&line, &(struct log_field){ "request", current_request, 0 }, json);
	if (json)
		put(&line, "}", 1);
	line.bytes[line.len++] = '\n';
	/* A log that cannot be written has nowhere to complain to. */
	if (write(STDERR_FILENO, line.bytes, line.len) < 0)
		return;
}
