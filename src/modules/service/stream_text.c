#include "modules/service/stream_text.h"

#include "base/text.h"

static const char replacement[] = "\xef\xbf\xbd";

/* NULL without memory. */
static json_t *clean_string(const uint8_t *bytes, size_t len)
{
	_cleanup_(freep) char *clean = malloc(len * (sizeof(replacement) - 1) + 1);
	size_t used = 0;

	if (!clean)
		return NULL;
	for (size_t i = 0; i < len;) {
		size_t n = text_character((const char *)bytes + i, len - i);

		if (n > 0)
			memcpy(clean + used, bytes + i, n);
		else
			memcpy(clean + used, replacement, sizeof(replacement) - 1);
		used += n > 0 ? n : sizeof(replacement) - 1;
		i += n > 0 ? n : 1;
	}
	return json_stringn(clean, used);
}

/* Takes @object over. */
static char *dump(json_t *object)
{
	char *text = object ? json_dumps(object, JSON_COMPACT) : NULL;

	json_decref(object);
	return text;
}

static const char *channel_name(enum worker_channel channel)
{
	switch (channel) {
	case WORKER_STDOUT:
		return "stdout";
	case WORKER_STDERR:
		return "stderr";
	default:
		return "system";
	}
}

char *stream_log_text(enum worker_channel channel, uint64_t sequence, int64_t at_ms,
		      const void *bytes, size_t len)
{
	return dump(json_pack("{s:I, s:I, s:s, s:o}", "seq", (json_int_t)sequence, "at_ms",
			      (json_int_t)at_ms, "stream", channel_name(channel), "text",
			      clean_string(bytes, len)));
}

char *stream_stats_text(int64_t at_ms, const void *bytes, size_t len)
{
	json_error_t error;
	json_t *object = json_loadb(bytes, len, JSON_REJECT_DUPLICATES, &error);

	if (!json_is_object(object) ||
	    json_object_set_new(object, "at_ms", json_integer(at_ms)) < 0) {
		json_decref(object);
		return NULL;
	}
	return dump(object);
}

char *stream_exit_text(const char *reason, int32_t exit_code)
{
	if (*reason)
		return dump(json_pack("{s:o}", "error",
				      clean_string((const uint8_t *)reason, strlen(reason))));
	return dump(json_pack("{s:i}", "exit_code", (int)exit_code));
}

static const struct field exec_fields[] = {
	{ "command", FIELD_TEXTS, offsetof(struct stream_exec, command), .required = true,
	  .max = 4096, .count = 64, .lines = true },
	{ "tty", FIELD_BOOL, offsetof(struct stream_exec, tty) },
	{ "stdin", FIELD_BOOL, offsetof(struct stream_exec, stdin_) },
	{ "columns", FIELD_INT, offsetof(struct stream_exec, columns), .min = 1, .max = 1000,
	  .fallback = 80 },
	{ "rows", FIELD_INT, offsetof(struct stream_exec, rows), .min = 1, .max = 1000,
	  .fallback = 24 },
	{ 0 },
};

int stream_exec_parse(const void *bytes, size_t len, struct arena *arena,
		      struct stream_exec *ret_exec, struct field_error *ret_error)
{
	struct stream_exec exec = { .tty = false };
	int r = field_decode(bytes, len, exec_fields, arena, &exec, ret_error);

	if (r != 0)
		return r;
	if (exec.command.n == 0 || !*exec.command.items[0]) {
		field_error_set(ret_error, "command", "must have a first word");
		return FIELD_E_INVALID;
	}
	*ret_exec = exec;
	return 0;
}

struct size {
	int64_t columns, rows;
};

struct control {
	struct size resize;
};

static const struct field size_fields[] = {
	{ "columns", FIELD_INT, offsetof(struct size, columns), .required = true, .min = 1,
	  .max = 1000 },
	{ "rows", FIELD_INT, offsetof(struct size, rows), .required = true, .min = 1, .max = 1000 },
	{ 0 },
};

static const struct field control_fields[] = {
	{ "resize", FIELD_OBJECT, offsetof(struct control, resize), .required = true,
	  .fields = size_fields },
	{ 0 },
};

int stream_resize_parse(const void *bytes, size_t len, struct arena *arena,
			uint8_t ret_size[static 4], struct field_error *ret_error)
{
	struct control control = { .resize = { 0 } };
	int r = field_decode(bytes, len, control_fields, arena, &control, ret_error);

	if (r != 0)
		return r;
	ret_size[0] = (uint8_t)control.resize.columns;
	ret_size[1] = (uint8_t)(control.resize.columns >> 8);
	ret_size[2] = (uint8_t)control.resize.rows;
	ret_size[3] = (uint8_t)(control.resize.rows >> 8);
	return 0;
}
