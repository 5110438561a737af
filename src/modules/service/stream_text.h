/* stream_text.h - what travels on a stream's WebSocket: log lines and stats as JSON texts, an
 * exec's first message, and its control messages. Pure. */
#pragma once

#include "base/arena.h"
#include "base/field.h"
#include "modules/worker/worker.h"

/* {"seq","at_ms","stream","text"}; bytes that are no UTF-8 become U+FFFD. malloc'ed; NULL without
 * memory. */
char *stream_log_text(enum worker_channel channel, uint64_t sequence, int64_t at_ms,
		      const void *bytes, size_t len);

/* A machine's stats, if they are one JSON object; NULL otherwise. malloc'ed. */
char *stream_stats_text(int64_t at_ms, const void *bytes, size_t len);

/* {"exit_code":n}, or {"error":@reason} where there is one. malloc'ed; NULL without memory. */
char *stream_exit_text(const char *reason, int32_t exit_code);

struct stream_exec {
	struct field_texts command;
	bool tty, stdin_;
	int64_t columns, rows;
};

/* Outcomes: enum field_outcome. -ENOMEM. */
_must_check_ int stream_exec_parse(const void *bytes, size_t len, struct arena *arena,
				   struct stream_exec *ret_exec, struct field_error *ret_error);

/* A control message's new size of the terminal, as WORKER_RESIZE wants it. Outcomes as above. */
_must_check_ int stream_resize_parse(const void *bytes, size_t len, struct arena *arena,
				     uint8_t ret_size[static 4], struct field_error *ret_error);
