#include "agent/logbook.h"

#include <fcntl.h>
#include <stdarg.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MAGIC = 0x4b4c4f47, NAME_SIZE = 48, BATCH_SIZE = 32768 };

/* At the start of a segment. Native byte order: it never leaves the machine. */
struct segment_head {
	uint32_t magic, version;
	uint64_t first; /* sequence of its first line */
	uint64_t taken; /* lines of the container before it */
};

struct line_head {
	uint32_t len;
	uint32_t channel;
	uint64_t sequence;
	int64_t at_ms;
};

struct segment {
	int fd; /* -1: there is none */
	uint64_t first;
	int64_t size;
};

/* What has come of a line. */
struct partial {
	char *text;
	size_t len;
};

struct logbook {
	const struct clock *clock;
	int dir;
	char name[NAME_SIZE];
	struct segment old, now;
	uint64_t last;
	uint64_t taken; /* lines of the container ever written */
	uint64_t skip; /* lines of the container to pass over */
	struct partial partial[2];
	char *batch; /* BATCH_SIZE while lines are being written */
	size_t batched;
	void (*on_lines)(void *arg);
	void *on_lines_arg;
};

static const char *segment_name(const struct logbook *book, bool old, char name[static NAME_SIZE])
{
	snprintf(name, NAME_SIZE, "%.31s%s", book->name, old ? ".old" : ".log");
	return name;
}

static int write_at(int fd, const char *bytes, size_t len, int64_t at)
{
	while (len > 0) {
		ssize_t n = pwrite(fd, bytes, len, at);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		bytes += n;
		at += n;
		len -= (size_t)n;
	}
	return 0;
}

static bool read_at(int fd, void *ret_bytes, size_t len, int64_t at)
{
	ssize_t n;

	do
		n = pread(fd, ret_bytes, len, at);
	while (n < 0 && errno == EINTR);
	return n == (ssize_t)len;
}

static void segment_close(struct segment *segment)
{
	if (segment->fd >= 0)
		close(segment->fd);
	segment->fd = -1;
}

static int segment_make(struct logbook *book)
{
	const struct segment_head head = { MAGIC, 1, book->last + 1, book->taken };
	char name[NAME_SIZE];
	int fd, r;

	fd = openat(book->dir, segment_name(book, false, name),
		    O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0)
		return -errno;
	r = write_at(fd, (const char *)&head, sizeof(head), 0);
	if (r < 0) {
		close(fd);
		return r;
	}
	book->now = (struct segment){ fd, head.first, sizeof(head) };
	return 0;
}

static bool line_valid(const struct line_head *head, uint64_t sequence)
{
	return head->sequence == sequence && head->len <= LOGBOOK_LINE_MAX &&
	       head->channel >= LOGBOOK_STDOUT && head->channel <= LOGBOOK_SYSTEM;
}

/* Finds the end of what is whole and cuts off the rest. */
static int segment_scan(struct logbook *book, struct segment *segment, int64_t file_size)
{
	uint64_t sequence = segment->first;
	struct line_head head;

	while (segment->size + (int64_t)sizeof(head) <= file_size &&
	       read_at(segment->fd, &head, sizeof(head), segment->size) &&
	       line_valid(&head, sequence) &&
	       segment->size + (int64_t)sizeof(head) + head.len <= file_size) {
		segment->size += (int64_t)sizeof(head) + head.len;
		book->taken += head.channel != LOGBOOK_SYSTEM;
		book->last = sequence++;
	}
	if (segment->size < file_size && ftruncate(segment->fd, segment->size) < 0)
		return -errno;
	return 0;
}

/* A segment that is missing or unreadable leaves @segment closed. */
static int segment_load(struct logbook *book, bool old, struct segment *segment)
{
	struct segment_head head;
	char name[NAME_SIZE];
	struct stat st;

	segment->fd = openat(book->dir, segment_name(book, old, name), O_RDWR | O_CLOEXEC);
	if (segment->fd < 0)
		return errno == ENOENT ? 0 : -errno;
	if (fstat(segment->fd, &st) < 0)
		return -errno;
	if (!read_at(segment->fd, &head, sizeof(head), 0) || head.magic != MAGIC ||
	    head.version != 1 || head.first <= book->last) {
		segment_close(segment);
		return 0;
	}
	segment->first = head.first;
	segment->size = sizeof(head);
	book->taken = head.taken;
	book->last = head.first - 1;
	return segment_scan(book, segment, st.st_size);
}

int logbook_open(int dir, const struct lease_id *lease, const struct clock *clock,
		 struct logbook **ret_book)
{
	struct logbook *book = calloc(1, sizeof(*book));
	int r;

	if (!book)
		return -ENOMEM;
	book->clock = clock;
	book->dir = dir;
	book->old.fd = book->now.fd = -1;
	lease_id_text(lease, book->name);
	r = segment_load(book, true, &book->old);
	if (r == 0)
		r = segment_load(book, false, &book->now);
	if (r == 0 && book->now.fd < 0)
		r = segment_make(book);
	if (r < 0) {
		logbook_close(book);
		return r;
	}
	*ret_book = book;
	return 0;
}

void logbook_close(struct logbook *book)
{
	if (!book)
		return;
	segment_close(&book->old);
	segment_close(&book->now);
	free(book->partial[0].text);
	free(book->partial[1].text);
	free(book->batch);
	free(book);
}

void logbook_remove(struct logbook *book)
{
	char name[NAME_SIZE];

	unlinkat(book->dir, segment_name(book, true, name), 0);
	unlinkat(book->dir, segment_name(book, false, name), 0);
	logbook_close(book);
}

void logbook_watch(struct logbook *book, void (*on_lines)(void *arg), void *arg)
{
	book->on_lines = on_lines;
	book->on_lines_arg = arg;
}

static int rotate(struct logbook *book)
{
	char from[NAME_SIZE], to[NAME_SIZE];

	if (renameat(book->dir, segment_name(book, false, from), book->dir,
		     segment_name(book, true, to)) < 0)
		return -errno;
	segment_close(&book->old);
	book->old = book->now;
	book->now.fd = -1;
	return segment_make(book);
}

/* Writes what was gathered. */
static int write_batch(struct logbook *book)
{
	int r;

	if (book->batched == 0)
		return 0;
	r = write_at(book->now.fd, book->batch, book->batched, book->now.size);
	if (r == 0)
		book->now.size += (int64_t)book->batched;
	book->batched = 0;
	return r;
}

static int add(struct logbook *book, enum logbook_channel channel, const char *text, size_t len)
{
	const struct line_head head = { (uint32_t)len, channel, book->last + 1,
					clock_now_ms(book->clock) };
	size_t need = sizeof(head) + len;
	int r = 0;

	if (!book->batch)
		book->batch = malloc(BATCH_SIZE);
	if (!book->batch)
		return -ENOMEM;
	if (book->batched + need > BATCH_SIZE)
		r = write_batch(book);
	if (r == 0 && book->now.size + (int64_t)(book->batched + need) > LOGBOOK_SEGMENT_MAX) {
		r = write_batch(book);
		if (r == 0)
			r = rotate(book);
	}
	if (r < 0)
		return r;
	memcpy(book->batch + book->batched, &head, sizeof(head));
	memcpy(book->batch + book->batched + sizeof(head), text, len);
	book->batched += need;
	book->last++;
	book->taken += channel != LOGBOOK_SYSTEM;
	return 0;
}

static int settle(struct logbook *book)
{
	int r = write_batch(book);

	free(book->batch);
	book->batch = NULL;
	if (book->on_lines)
		book->on_lines(book->on_lines_arg);
	return r;
}

int logbook_say(struct logbook *book, const char *format, ...)
{
	char text[1024];
	va_list args;
	int n, r;

	va_start(args, format);
	n = vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	if (n < 0)
		return -EINVAL;
	r = add(book, LOGBOOK_SYSTEM, text, size_min((size_t)n, sizeof(text) - 1));
	return r < 0 ? r : settle(book);
}

void logbook_rewind(struct logbook *book)
{
	book->skip = book->taken;
	book->partial[0].len = book->partial[1].len = 0;
}

static int add_line(struct logbook *book, enum logbook_channel channel, const char *text,
		    size_t len)
{
	if (book->skip > 0) {
		book->skip--;
		return 0;
	}
	return add(book, channel, text, len);
}

static int keep_partial(struct partial *partial, const char *text, size_t len)
{
	if (!partial->text)
		partial->text = malloc(LOGBOOK_LINE_MAX);
	if (!partial->text)
		return -ENOMEM;
	memcpy(partial->text + partial->len, text, len);
	partial->len += len;
	return 0;
}

static int end_partial(struct logbook *book, enum logbook_channel channel)
{
	struct partial *partial = &book->partial[channel - LOGBOOK_STDOUT];
	int r = add_line(book, channel, partial->text ? partial->text : "", partial->len);

	free(partial->text);
	*partial = (struct partial){ 0 };
	return r;
}

static int take_lines(struct logbook *book, enum logbook_channel channel, const char *at,
		      size_t len)
{
	struct partial *partial = &book->partial[channel - LOGBOOK_STDOUT];
	int r = 0;

	while (r == 0 && len > 0) {
		size_t room = LOGBOOK_LINE_MAX - partial->len;
		size_t n = size_min(len, room);
		const char *newline = memchr(at, '\n', n);

		if (newline)
			n = (size_t)(newline - at);
		if (newline && partial->len == 0)
			r = add_line(book, channel, at, n);
		else if (n > 0)
			r = keep_partial(partial, at, n);
		if (r == 0 && partial->len > 0 && (newline || partial->len == LOGBOOK_LINE_MAX))
			r = end_partial(book, channel);
		n += newline != NULL;
		at += n;
		len -= n;
	}
	return r;
}

int logbook_take(struct logbook *book, enum logbook_channel channel, const void *bytes, size_t len)
{
	int r = take_lines(book, channel, bytes, len);

	return r < 0 ? r : settle(book);
}

int logbook_flush(struct logbook *book)
{
	int r = 0;

	for (int channel = LOGBOOK_STDOUT; r == 0 && channel <= LOGBOOK_STDERR; channel++)
		if (book->partial[channel - LOGBOOK_STDOUT].len > 0)
			r = end_partial(book, channel);
	return r < 0 ? r : settle(book);
}

uint64_t logbook_first(const struct logbook *book)
{
	return book->old.fd >= 0 ? book->old.first : book->now.first;
}

uint64_t logbook_last(const struct logbook *book)
{
	return book->last;
}

static const struct segment *find_segment(const struct logbook *book, uint64_t sequence)
{
	return book->old.fd >= 0 && sequence < book->now.first ? &book->old : &book->now;
}

int logbook_read(struct logbook *book, struct logbook_cursor *cursor, struct logbook_line *ret_line)
{
	const struct segment *segment;
	struct line_head head;

	if (cursor->next < logbook_first(book))
		cursor->next = logbook_first(book);
	segment = find_segment(book, cursor->next);
	if (cursor->segment != segment->first || cursor->at == 0) {
		cursor->segment = segment->first;
		cursor->at = sizeof(struct segment_head);
	}
	for (;;) {
		if (cursor->at >= segment->size)
			return LOGBOOK_E_END;
		if (!read_at(segment->fd, &head, sizeof(head), cursor->at) ||
		    head.len > LOGBOOK_LINE_MAX)
			return -EIO;
		if (head.sequence >= cursor->next)
			break;
		cursor->at += (int64_t)sizeof(head) + head.len;
	}
	if (!read_at(segment->fd, ret_line->text, head.len, cursor->at + (int64_t)sizeof(head)))
		return -EIO;
	ret_line->sequence = head.sequence;
	ret_line->at_ms = head.at_ms;
	ret_line->channel = head.channel;
	ret_line->len = head.len;
	cursor->at += (int64_t)sizeof(head) + head.len;
	cursor->next = head.sequence + 1;
	return 0;
}
