/* logs.h - a rental's log on standard output and standard error, each line where the container wrote
 * it; the platform's own lines (pull, start, end) go to standard error. */
#pragma once

#include "cmd/client.h"

struct logs_wish {
	int64_t since; /* the first sequence wanted; 0: all kept */
	int64_t tail; /* at most so many lines of the past; 0: all */
	bool follow;
	/* The first SIGINT or SIGTERM stops the rental, and its last lines are still shown. */
	bool owns;
};

/* Until the log's end or a signal. A connection that is lost is made again, going on behind the last
 * line shown. 0, enum cli_exit, or 128 + the signal. */
_must_check_ int logs_show(struct client *client, const char *rental, const struct logs_wish *wish);
