#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>
#include <uv.h>

#include "io/process.h"
#include "io/loop.h"

struct fixture {
	struct loop *loop;
	struct process *process;
	char output[256];
	size_t output_len, total;
	bool kill_at_output, free_at_end;
	int ends, status, signal;
	char line[PROCESS_LINE_MAX];
};

static void on_output(void *arg, const void *bytes, size_t len)
{
	struct fixture *f = arg;
	size_t n = size_min(len, sizeof(f->output) - 1 - f->output_len);

	memcpy(f->output + f->output_len, bytes, n);
	f->output_len += n;
	f->total += len;
	if (f->kill_at_output)
		process_kill(f->process);
}

static void on_end(void *arg, const struct process_end *end)
{
	struct fixture *f = arg;

	f->ends++;
	f->status = end->status;
	f->signal = end->signal;
	snprintf(f->line, sizeof(f->line), "%s", end->last_line);
	if (f->free_at_end) {
		process_free(f->process);
		f->process = NULL;
	}
}

static int start(struct fixture *f, const char *file, const char *script)
{
	const char *const arguments[] = { "sh", "-c", script, NULL };
	const struct process_config config = {
		.file = file,
		.arguments = arguments,
		.queue_max = 1 << 20,
		.on_output = on_output,
		.on_end = on_end,
		.arg = f,
	};

	return process_new(f->loop, &config, &f->process);
}

static void on_tick(void *arg)
{
	int *left = arg;

	--*left;
}

/* Runs the loop until @over says so; not for ever. */
static void until(struct fixture *f, bool (*over)(const struct fixture *f))
{
	struct loop_timer *timer;
	int left = 2000;

	assert_int_equal(loop_timer_new(f->loop, 10, 10, on_tick, &left, &timer), 0);
	while (!over(f) && left > 0)
		uv_run(loop_uv(f->loop), UV_RUN_ONCE);
	loop_timer_free(timer);
	assert_true(left > 0);
}

static bool ended(const struct fixture *f)
{
	return f->ends > 0;
}

static bool spoke(const struct fixture *f)
{
	return memchr(f->output, '\n', f->output_len) != NULL;
}

static int set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	*state = f;
	return loop_new(&f->loop);
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	process_free(f->process);
	loop_free(f->loop);
	free(f);
	return 0;
}

static void hears_and_is_heard(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(start(f, "/bin/sh",
			       "read x; echo got $x; echo one >&2; "
			       "printf 'two\\001' >&2; exit 3"),
			 0);
	assert_int_equal(process_write(f->process, "hello\n", 6), 0);
	until(f, ended);
	assert_string_equal(f->output, "got hello\n");
	assert_int_equal(f->status, 3);
	assert_int_equal(f->signal, 0);
	assert_string_equal(f->line, "two?");
	assert_int_equal(process_write(f->process, "x", 1), -EPIPE);
	assert_int_equal(f->ends, 1);
}

static void what_is_not_there_does_not_start(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(start(f, "/nowhere/sh", "true"), -ENOENT);
	assert_null(f->process);
}

/* No process has the number that it said, but perhaps one that is dead and waits for init. */
static bool gone(const struct fixture *f)
{
	char path[64], line[256] = "", *state;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%ld/stat", strtol(f->output, NULL, 10));
	file = fopen(path, "re");
	if (!file)
		return true;
	if (!fgets(line, sizeof(line), file))
		line[0] = 0;
	fclose(file);
	state = strrchr(line, ')');
	return !state || state[2] == 'Z' || state[2] == 'X';
}

/* It is killed with what it started, which holds its pipes open. */
static void nothing_of_it_stays(void **state)
{
	struct fixture *f = *state;

	f->free_at_end = true;
	assert_int_equal(start(f, "/bin/sh", "sleep 100 & echo $!; wait"), 0);
	until(f, spoke);
	assert_false(gone(f));
	process_kill(f->process);
	until(f, ended);
	assert_int_equal(f->signal, SIGKILL);
	until(f, gone);
}

/* What it left behind cannot hold its end up. */
static void what_it_leaves_ends_with_it(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(start(f, "/bin/sh", "sleep 100 & echo $!; exit 0"), 0);
	until(f, ended);
	assert_int_equal(f->status, 0);
	until(f, gone);
}

static void one_that_is_freed_is_killed(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(start(f, "/bin/sh", "echo $$; sleep 100"), 0);
	until(f, spoke);
	process_free(f->process);
	f->process = NULL;
	until(f, gone);
	assert_int_equal(f->ends, 0);
}

static void it_is_killed_while_it_speaks(void **state)
{
	struct fixture *f = *state;

	f->kill_at_output = true;
	assert_int_equal(start(f, "/bin/sh", "while :; do echo babble; done"), 0);
	until(f, ended);
	assert_int_equal(f->signal, SIGKILL);
}

static void its_queue_has_an_end(void **state)
{
	static const char bytes[1 << 18];
	struct fixture *f = *state;
	int r = 0;

	assert_int_equal(start(f, "/bin/sh", "sleep 100"), 0);
	for (int i = 0; i < 10 && r == 0; i++)
		r = process_write(f->process, bytes, sizeof(bytes));
	assert_int_equal(r, -EAGAIN);
}

static bool much_came(const struct fixture *f)
{
	return f->total >= 1 << 20;
}

/* Held, it waits in its pipe; let go, everything comes. */
static void it_can_be_held(void **state)
{
	struct fixture *f = *state;
	size_t before;

	assert_int_equal(start(f, "/bin/sh", "head -c 3000000 /dev/zero"), 0);
	until(f, much_came);
	process_hold(f->process, true);
	before = f->total;
	for (int i = 0; i < 10; i++) {
		usleep(1000);
		uv_run(loop_uv(f->loop), UV_RUN_NOWAIT);
	}
	assert_int_equal(f->total, before);
	assert_int_equal(f->ends, 0);
	process_hold(f->process, false);
	until(f, ended);
	assert_int_equal(f->total, 3000000);
}

static void all_of_it_is_made_nicer(void **state)
{
	struct fixture *f = *state;
	pid_t pid;

	assert_int_equal(start(f, "/bin/sh", "sleep 100 & echo $!; wait"), 0);
	until(f, spoke);
	pid = (pid_t)strtol(f->output, NULL, 10);
	assert_int_equal(process_nice(f->process, 10), 0);
	assert_int_equal(getpriority(PRIO_PROCESS, (id_t)pid), 10);
}

static void it_ends_with_the_loop(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(start(f, "/bin/sh", "echo $$; sleep 100"), 0);
	until(f, spoke);
	f->process = NULL; /* tear_down frees the loop */
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(hears_and_is_heard),           TEST(what_is_not_there_does_not_start),
		TEST(nothing_of_it_stays),          TEST(what_it_leaves_ends_with_it),
		TEST(one_that_is_freed_is_killed),  TEST(its_queue_has_an_end),
		TEST(it_is_killed_while_it_speaks), TEST(it_can_be_held),
		TEST(all_of_it_is_made_nicer),      TEST(it_ends_with_the_loop),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
