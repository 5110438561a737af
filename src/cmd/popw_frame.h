/* popw_frame.h - the frames between `kaisar popw prove` and its parent (popw/prover.h), read and written at
 * once, each within a time. */
#pragma once

#include "popw/prover.h"

struct frame {
	enum message_kind kind;
	size_t len;
	uint8_t bytes[PROVER_FRAME_MAX];
};

/* -EPIPE: the other end has closed; -ETIMEDOUT; -EBADMSG: longer than a frame may be. */
_must_check_ int frame_read(int fd, int timeout_ms, struct frame *ret_frame);

/* -EPIPE, -ETIMEDOUT. SIGPIPE is the caller's to ignore. */
_must_check_ int frame_write(int fd, int timeout_ms, enum message_kind kind, const void *bytes,
			     size_t len);

/* Whether who writes to @fd has closed it or is gone. */
bool frame_closed(int fd);
