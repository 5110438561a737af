/* lines.h - the loop of a peer: lines from its standard input, a turn every 50 ms, JSON lines to its output. */
#pragma once

#include <jansson.h>

#include "base/base.h"

enum { LINE_MAX_SIZE = 8192 };

struct lines {
	int (*take)(void *arg, char *line);
	int (*turn)(void *arg);
	void *arg;
	char text[LINE_MAX_SIZE];
	size_t len;
};

/* Until the input ends (0) or one of the two fails. */
_must_check_ int lines_run(struct lines *lines);

/* Prints a line. Takes @json over; NULL is -ENOMEM. */
_must_check_ int lines_say(const char *before, json_t *json);

/* The same if it is not what @said holds, which then does. */
_must_check_ int lines_say_new(const char *before, json_t *json, json_t **said);
