/* frames.h - what engines multiplex into one stream, taken apart as it arrives: frames of standard
 * output and error (an 8-byte header, then the bytes), and lines of JSON. Pure and bounded. */
#pragma once

#include <jansson.h>

#include "base/base.h"

enum frame_channel { FRAME_STDIN, FRAME_STDOUT, FRAME_STDERR };

struct frames {
	uint8_t header[8];
	size_t header_len;
	size_t left; /* of the frame that is being read */
};

typedef void frames_fn(void *arg, enum frame_channel channel, const void *bytes, size_t len);

/* Shows the bytes of each frame in order, in one or more pieces. -EPROTO: not such a stream. */
_must_check_ int frames_take(struct frames *frames, const void *bytes, size_t len, frames_fn *fn,
			     void *arg);

enum { JSON_LINE_MAX = 65536 };

struct json_lines {
	char *line; /* grown as needed, at most JSON_LINE_MAX */
	size_t len, size;
};

typedef void json_lines_fn(void *arg, const json_t *object);

/* Shows each line that is a JSON object; others are skipped. -EMSGSIZE: a line too long; -ENOMEM. */
_must_check_ int json_lines_take(struct json_lines *lines, const void *bytes, size_t len,
				 json_lines_fn *fn, void *arg);

/* What stands behind the last newline counts as a line, too. Frees. */
void json_lines_end(struct json_lines *lines, json_lines_fn *fn, void *arg);
