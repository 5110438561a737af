#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/logbook.h"

struct fixture {
	char folder[64];
	int dir, calls;
	struct clock_fake clock;
	struct lease_id lease;
	struct logbook *book;
	struct logbook_line line;
};

static void open_book(struct fixture *f)
{
	assert_int_equal(logbook_open(f->dir, &f->lease, &f->clock.clock, &f->book), 0);
}

static int set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	snprintf(f->folder, sizeof(f->folder), "/tmp/kaisar-logs-XXXXXX");
	*state = f;
	if (!mkdtemp(f->folder))
		return -1;
	f->dir = open(f->folder, O_RDONLY | O_DIRECTORY);
	clock_fake_init(&f->clock, 1000);
	open_book(f);
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;
	int r;

	/* Leaves nothing behind. */
	logbook_remove(f->book);
	close(f->dir);
	r = rmdir(f->folder);
	free(f);
	return r;
}

static void take(struct fixture *f, enum logbook_channel channel, const char *text)
{
	assert_int_equal(logbook_take(f->book, channel, text, strlen(text)), 0);
}

static void expect(struct fixture *f, struct logbook_cursor *cursor, uint64_t sequence,
		   enum logbook_channel channel, const char *text)
{
	assert_int_equal(logbook_read(f->book, cursor, &f->line), 0);
	assert_int_equal(f->line.sequence, sequence);
	assert_int_equal(f->line.channel, channel);
	assert_int_equal(f->line.len, strlen(text));
	assert_memory_equal(f->line.text, text, f->line.len);
}

static void expect_end(struct fixture *f, struct logbook_cursor *cursor)
{
	assert_int_equal(logbook_read(f->book, cursor, &f->line), LOGBOOK_E_END);
}

static void lines_of_both_channels(void **state)
{
	struct logbook_cursor cursor = { .next = 1 };
	struct fixture *f = *state;

	assert_int_equal(logbook_say(f->book, "Pulling %s", "x"), 0);
	take(f, LOGBOOK_STDOUT, "one\ntw");
	take(f, LOGBOOK_STDERR, "bad\n\n");
	take(f, LOGBOOK_STDOUT, "o\nrest");
	expect(f, &cursor, 1, LOGBOOK_SYSTEM, "Pulling x");
	assert_int_equal(f->line.at_ms, 1000);
	expect(f, &cursor, 2, LOGBOOK_STDOUT, "one");
	expect(f, &cursor, 3, LOGBOOK_STDERR, "bad");
	expect(f, &cursor, 4, LOGBOOK_STDERR, "");
	expect(f, &cursor, 5, LOGBOOK_STDOUT, "two");
	expect_end(f, &cursor);
	assert_int_equal(logbook_flush(f->book), 0);
	expect(f, &cursor, 6, LOGBOOK_STDOUT, "rest");
	cursor = (struct logbook_cursor){ .next = 5 };
	expect(f, &cursor, 5, LOGBOOK_STDOUT, "two");
}

/* The engine shows everything again from its start; the book holds each line once. */
static void taking_up_again_repeats_nothing(void **state)
{
	static const char output[] = "a\nb\nc\nd\ne\n";
	struct fixture *f = *state;

	for (size_t cut = 0; cut < sizeof(output); cut++) {
		struct logbook_cursor cursor = { .next = 2 };

		logbook_remove(f->book);
		open_book(f);
		assert_int_equal(logbook_say(f->book, "Started"), 0);
		logbook_rewind(f->book);
		assert_int_equal(logbook_take(f->book, LOGBOOK_STDOUT, output, cut), 0);
		logbook_close(f->book);
		open_book(f);
		logbook_rewind(f->book);
		take(f, LOGBOOK_STDOUT, output);
		for (uint64_t i = 0; i < 5; i++)
			expect(f, &cursor, i + 2, LOGBOOK_STDOUT, (char[]){ output[2 * i], 0 });
		expect_end(f, &cursor);
	}
}

static void a_torn_end_is_cut_off(void **state)
{
	struct logbook_cursor cursor = { .next = 1 };
	struct fixture *f = *state;
	char name[64] = "";
	struct stat st;
	int fd;

	take(f, LOGBOOK_STDOUT, "first\nsecond\n");
	logbook_close(f->book);
	lease_id_text(&f->lease, name);
	strncat(name, ".log", 5);
	fd = openat(f->dir, name, O_RDWR);
	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(ftruncate(fd, st.st_size - 3), 0);
	close(fd);
	open_book(f);
	logbook_rewind(f->book);
	take(f, LOGBOOK_STDOUT, "first\nsecond\nthird\n");
	expect(f, &cursor, 1, LOGBOOK_STDOUT, "first");
	expect(f, &cursor, 2, LOGBOOK_STDOUT, "second");
	expect(f, &cursor, 3, LOGBOOK_STDOUT, "third");
	expect_end(f, &cursor);
}

static void long_lines_are_broken(void **state)
{
	struct logbook_cursor cursor = { .next = 1 };
	_cleanup_(freep) char *text = malloc(LOGBOOK_LINE_MAX + 10);
	struct fixture *f = *state;

	memset(text, 'x', LOGBOOK_LINE_MAX + 10);
	text[LOGBOOK_LINE_MAX + 9] = '\n';
	assert_int_equal(logbook_take(f->book, LOGBOOK_STDOUT, text, LOGBOOK_LINE_MAX + 10), 0);
	assert_int_equal(logbook_read(f->book, &cursor, &f->line), 0);
	assert_int_equal(f->line.len, LOGBOOK_LINE_MAX);
	expect(f, &cursor, 2, LOGBOOK_STDOUT, "xxxxxxxxx");
	expect_end(f, &cursor);
}

static int64_t bytes_on_disk(const struct fixture *f)
{
	static const char *const suffixes[] = { ".log", ".old" };
	char text[ID_TEXT_SIZE], name[64];
	int64_t bytes = 0;
	struct stat st;

	lease_id_text(&f->lease, text);
	for (size_t i = 0; i < ARRAY_SIZE(suffixes); i++) {
		snprintf(name, sizeof(name), "%s%s", text, suffixes[i]);
		if (fstatat(f->dir, name, &st, 0) == 0)
			bytes += st.st_size;
	}
	return bytes;
}

/* Far more than fits: bounded, gapless, and a reader goes on where lines were dropped. */
static void old_lines_make_room(void **state)
{
	struct logbook_cursor slow = { .next = 1 }, cursor;
	struct fixture *f = *state;
	char text[1001];
	uint64_t last;

	memset(text, 'y', sizeof(text) - 2);
	text[999] = '\n';
	text[1000] = 0;
	take(f, LOGBOOK_STDOUT, text);
	assert_int_equal(logbook_read(f->book, &slow, &f->line), 0);
	for (int i = 0; i < 20000; i++)
		take(f, LOGBOOK_STDOUT, text);
	last = logbook_last(f->book);
	assert_int_equal(last, 20001);
	assert_true(bytes_on_disk(f) <= 2 * LOGBOOK_SEGMENT_MAX);
	assert_true(logbook_first(f->book) > 10000);
	assert_int_equal(logbook_read(f->book, &slow, &f->line), 0);
	assert_int_equal(f->line.sequence, logbook_first(f->book));
	cursor = slow;
	for (uint64_t next = cursor.next; next <= last; next++) {
		assert_int_equal(logbook_read(f->book, &cursor, &f->line), 0);
		assert_int_equal(f->line.sequence, next);
	}
	expect_end(f, &cursor);
	/* What was dropped is still known to have been taken. */
	logbook_close(f->book);
	open_book(f);
	assert_int_equal(logbook_last(f->book), last);
	logbook_rewind(f->book);
	for (uint64_t i = 0; i < last; i++)
		take(f, LOGBOOK_STDOUT, text);
	assert_int_equal(logbook_last(f->book), last);
}

static void on_lines(void *arg)
{
	struct fixture *f = arg;

	f->calls++;
}

static void watchers_hear_of_lines(void **state)
{
	struct fixture *f = *state;

	logbook_watch(f->book, on_lines, f);
	take(f, LOGBOOK_STDOUT, "a\nb\n");
	assert_int_equal(logbook_say(f->book, "c"), 0);
	assert_int_equal(f->calls, 2);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(lines_of_both_channels), TEST(taking_up_again_repeats_nothing),
		TEST(a_torn_end_is_cut_off),  TEST(long_lines_are_broken),
		TEST(old_lines_make_room),    TEST(watchers_hear_of_lines),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
