#include "agent/frames.h"

static int start_frame(struct frames *frames)
{
	const uint8_t *h = frames->header;

	if (h[0] > FRAME_STDERR || h[1] || h[2] || h[3])
		return -EPROTO;
	frames->left = (size_t)h[4] << 24 | (size_t)h[5] << 16 | (size_t)h[6] << 8 | h[7];
	return 0;
}

int frames_take(struct frames *frames, const void *bytes, size_t len, frames_fn *fn, void *arg)
{
	const uint8_t *at = bytes, *end = at + len;

	while (at < end) {
		size_t n;

		if (frames->left == 0) {
			frames->header[frames->header_len++] = *at++;
			if (frames->header_len < sizeof(frames->header))
				continue;
			frames->header_len = 0;
			if (start_frame(frames) < 0)
				return -EPROTO;
			continue;
		}
		n = size_min(frames->left, (size_t)(end - at));
		fn(arg, (enum frame_channel)frames->header[0], at, n);
		frames->left -= n;
		at += n;
	}
	return 0;
}

static void show_line(struct json_lines *lines, json_lines_fn *fn, void *arg)
{
	json_t *object = json_loadb(lines->line, lines->len, JSON_REJECT_DUPLICATES, NULL);

	lines->len = 0;
	if (json_is_object(object))
		fn(arg, object);
	json_decref(object);
}

static int grow(struct json_lines *lines, size_t size)
{
	char *line;

	if (size > JSON_LINE_MAX)
		return -EMSGSIZE;
	if (size <= lines->size)
		return 0;
	size = size < 512 ? 512 : size * 2;
	line = realloc(lines->line, size);
	if (!line)
		return -ENOMEM;
	lines->line = line;
	lines->size = size;
	return 0;
}

int json_lines_take(struct json_lines *lines, const void *bytes, size_t len, json_lines_fn *fn,
		    void *arg)
{
	const char *at = bytes, *end = at + len;

	while (at < end) {
		const char *newline = memchr(at, '\n', (size_t)(end - at));
		size_t n = (size_t)((newline ? newline : end) - at);
		int r = grow(lines, lines->len + n);

		if (r < 0)
			return r;
		if (n > 0)
			memcpy(lines->line + lines->len, at, n);
		lines->len += n;
		at += n;
		if (newline) {
			at++;
			show_line(lines, fn, arg);
		}
	}
	return 0;
}

void json_lines_end(struct json_lines *lines, json_lines_fn *fn, void *arg)
{
	if (lines->len > 0 && fn)
		show_line(lines, fn, arg);
	free(lines->line);
	*lines = (struct json_lines){ 0 };
}
