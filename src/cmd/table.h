/* table.h - answers on standard output: a table for people, JSON or YAML for programs. Nothing else
 * is ever written to standard output by a command that prints with these. */
#pragma once

#include <jansson.h>

#include "base/base.h"

enum out_format { OUT_TABLE, OUT_JSON, OUT_YAML };

/* "table", "json", "yaml". -EINVAL. */
_must_check_ int out_format_parse(const char *text, enum out_format *ret_format);

enum column_kind {
	COLUMN_TEXT, /* strings as they are, numbers, booleans; lists joined by spaces */
	COLUMN_BYTES, /* 1073741824 as "1GiB" */
	COLUMN_MILLI, /* 500 as "0.5" */
	COLUMN_SECONDS, /* 3725 as "1h2m5s" */
	COLUMN_PPM, /* 12500 as "1.25%" */
	COLUMN_UNITS, /* "1500000000000000000", units of 10^-18, as "1.5" */
	COLUMN_PORTS, /* [{container, host}] as "32768->80" */
};

struct column {
	const char *title; /* NULL ends a list of columns */
	const char *member; /* "inventory.gpus": dots go into objects */
	enum column_kind kind;
};

/* A line of titles and a line for each item; or the array itself. -EIO. */
_must_check_ int table_list(enum out_format format, const struct column *columns,
			    const json_t *items);

/* A line for each column; or the object itself. @columns NULL: an indented JSON object in place of a
 * table. -EIO. */
_must_check_ int table_object(enum out_format format, const struct column *columns,
			      const json_t *object);
