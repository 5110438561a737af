/* logbook.h - the lines of one lease's life, on disk: what the platform says (pull, start, end) and
 * what the container writes. Numbered from 1 without gaps, so that a reader resumes by sequence.
 *
 * Two segments of LOGBOOK_SEGMENT_MAX; when the newer is full, the older is dropped. Lines are written
 * without sync: after a crash of the process nothing is missing, after one of the machine the torn
 * end is cut off and taken from the engine again. */
#pragma once

#include "base/clock.h"
#include "base/id.h"

enum {
	LOGBOOK_SEGMENT_MAX = 4 << 20,
	LOGBOOK_LINE_MAX = 16384, /* longer lines are broken */
};

enum logbook_channel { LOGBOOK_STDOUT = 1, LOGBOOK_STDERR, LOGBOOK_SYSTEM }; /* as on the wire */

struct logbook;

struct logbook_line {
	uint64_t sequence;
	int64_t at_ms;
	enum logbook_channel channel;
	size_t len;
	char text[LOGBOOK_LINE_MAX]; /* without the newline */
};

/* Opens or makes the lease's book in the folder @dir (an open directory's descriptor). */
_must_check_ int logbook_open(int dir, const struct lease_id *lease, const struct clock *clock,
			      struct logbook **ret_book);
void logbook_close(struct logbook *book);

/* Closes and deletes. */
void logbook_remove(struct logbook *book);

/* Called behind everything that adds lines. */
void logbook_watch(struct logbook *book, void (*on_lines)(void *arg), void *arg);

/* One line of the platform's own. */
_must_check_ _printf_(2, 3) int logbook_say(struct logbook *book, const char *format, ...);

/* The engine is about to show the container's whole output from its start again: what the book has
 * already is skipped. */
void logbook_rewind(struct logbook *book);

/* Bytes of the container's output; whole lines are written. */
_must_check_ int logbook_take(struct logbook *book, enum logbook_channel channel, const void *bytes,
			      size_t len);

/* The output ended: what has no newline is a line, too. */
_must_check_ int logbook_flush(struct logbook *book);

/* Of the oldest line that is kept, and of the newest (0: empty). */
uint64_t logbook_first(const struct logbook *book);
uint64_t logbook_last(const struct logbook *book);

/* Where a reader is; start with { .next = sequence }. */
struct logbook_cursor {
	uint64_t next; /* what is wanted; moves on past what was dropped */
	uint64_t segment; /* which segment .at is in */
	int64_t at;
};

/* Outcome LOGBOOK_E_END: nothing more yet. Faults: -EIO, ... */
enum logbook_outcome { LOGBOOK_E_END = 1 };
_must_check_ int logbook_read(struct logbook *book, struct logbook_cursor *cursor,
			      struct logbook_line *ret_line);
