#include "lines.h"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

enum { TURN_MS = 50 };

int lines_say(const char *before, json_t *json)
{
	char *text = json ? json_dumps(json, JSON_COMPACT) : NULL;

	json_decref(json);
	if (!text)
		return -ENOMEM;
	printf("%s%s\n", before, text);
	free(text);
	return 0;
}

int lines_say_new(const char *before, json_t *json, json_t **said)
{
	if (json_equal(json, *said)) {
		json_decref(json);
		return 0;
	}
	json_decref(*said);
	*said = json_incref(json);
	return lines_say(before, json);
}

/* -ENODATA at the end of the input. */
static int take_lines(struct lines *lines)
{
	ssize_t n = read(STDIN_FILENO, lines->text + lines->len, sizeof(lines->text) - lines->len);
	char *end;
	int r = 0;

	if (n <= 0)
		return n == 0 || errno != EAGAIN ? -ENODATA : 0;
	lines->len += (size_t)n;
	while (r == 0 && (end = memchr(lines->text, '\n', lines->len))) {
		size_t used = (size_t)(end + 1 - lines->text);

		*end = '\0';
		r = lines->take(lines->arg, lines->text);
		lines->len -= used;
		memmove(lines->text, end + 1, lines->len);
	}
	return r;
}

int lines_run(struct lines *lines)
{
	struct pollfd in = { .fd = STDIN_FILENO, .events = POLLIN };
	int r = 0;

	fcntl(STDIN_FILENO, F_SETFL, O_NONBLOCK);
	while (r == 0) {
		if (poll(&in, 1, TURN_MS) > 0)
			r = take_lines(lines);
		if (r == 0)
			r = lines->turn(lines->arg);
		fflush(stdout);
	}
	return r == -ENODATA ? 0 : r;
}
