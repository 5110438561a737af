/* file.h - small private files: read whole, written so that a crash leaves the old or the new. */
#pragma once

#include "base/arena.h"

/* At most @max bytes, a NUL behind them, in @arena. -ENOENT, -EFBIG, ... */
_must_check_ int file_read(const char *path, size_t max, struct arena *arena, char **ret_text,
			   size_t *ret_len);

/* Writes PATH.tmp, syncs it, renames it, syncs the folder. @mode as open(2)'s. */
_must_check_ int file_write(const char *path, const void *bytes, size_t len, unsigned int mode);

/* Whether file_write would find its place, known before the work. 0, or why not: -EISDIR, -ENOENT, ... */
_must_check_ int file_can_write(const char *path);

/* Makes the folder and those above it, the last with @mode. */
_must_check_ int file_make_dirs(const char *path, unsigned int mode);
