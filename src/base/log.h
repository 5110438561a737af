/* log.h - structured lines on standard error: time, level, event, fields, and the request they
 * belong to. Logfmt by default, JSON lines with log_init(true, ...). Thread safe; a line is one
 * write. Secrets (keys, tokens, signatures) are never passed in. */
#pragma once

#include "base/base.h"

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR };

struct log_field {
	const char *name;
	const char *text; /* NULL: the field is @number */
	int64_t number;
};

static inline struct log_field log_text(const char *name, const char *text)
{
	return (struct log_field){ name, text ? text : "", 0 };
}

static inline struct log_field log_int(const char *name, int64_t number)
{
	return (struct log_field){ name, NULL, number };
}

/* A fault (-errno) by its name. */
struct log_field log_fault(int fault);

void log_init(bool json, enum log_level least);

/* The request id written on every line of this thread until changed; NULL for none. Borrowed. */
void log_request(const char *request_id);

void log_write(enum log_level level, const char *event, const struct log_field *fields, size_t n);

#define LOG_FIELDS(...)                              \
	((const struct log_field[]){ __VA_ARGS__ }), \
		sizeof((const struct log_field[]){ __VA_ARGS__ }) / sizeof(struct log_field)
#define log_debug(event, ...) log_write(LOG_DEBUG, event, LOG_FIELDS(__VA_ARGS__))
#define log_info(event, ...) log_write(LOG_INFO, event, LOG_FIELDS(__VA_ARGS__))
#define log_warn(event, ...) log_write(LOG_WARN, event, LOG_FIELDS(__VA_ARGS__))
#define log_error(event, ...) log_write(LOG_ERROR, event, LOG_FIELDS(__VA_ARGS__))
