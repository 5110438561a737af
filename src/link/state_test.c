#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "link/state.h"

struct fixture {
	char folder[64];
	struct state *state;
	struct arena *arena;
};

static int set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	snprintf(f->folder, sizeof(f->folder), "/tmp/kaisar-state-XXXXXX");
	*state = f;
	return !mkdtemp(f->folder) || arena_new(1 << 22, &f->arena) < 0 ||
	       state_open(f->folder, &f->state) < 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;
	char command[96];

	state_close(f->state);
	arena_free(f->arena);
	snprintf(command, sizeof(command), "rm -r '%s'", f->folder);
	free(f);
	return system(command);
}

static void reads_what_was_written(void **state)
{
	struct fixture *f = *state;
	const void *bytes;
	size_t len;

	assert_int_equal(state_read(f->state, "x", f->arena, &bytes, &len), -ENOENT);
	assert_int_equal(state_write(f->state, "x", "one", 3), 0);
	assert_int_equal(state_write(f->state, "x", "two\n\0three", 10), 0);
	assert_int_equal(state_read(f->state, "x", f->arena, &bytes, &len), 0);
	assert_int_equal(len, 10);
	assert_memory_equal(bytes, "two\n\0three", 10);
	assert_int_equal(state_remove(f->state, "x"), 0);
	assert_int_equal(state_remove(f->state, "x"), 0);
}

/* Whatever is cut off or changed is noticed. */
static void damage_is_refused(void **state)
{
	struct fixture *f = *state;
	const void *bytes;
	struct stat st;
	size_t len;
	int fd;

	assert_int_equal(state_write(f->state, "x", "some text to keep", 17), 0);
	fd = openat(state_fd(f->state), "x", O_RDWR);
	assert_int_equal(fstat(fd, &st), 0);
	for (off_t at = 0; at < st.st_size; at++) {
		char was, is;

		assert_int_equal(pread(fd, &was, 1, at), 1);
		is = was ^ 1;
		assert_int_equal(pwrite(fd, &is, 1, at), 1);
		assert_true(state_read(f->state, "x", f->arena, &bytes, &len) < 0);
		assert_int_equal(pwrite(fd, &was, 1, at), 1);
	}
	for (off_t size = st.st_size - 1; size >= 0; size--) {
		assert_int_equal(ftruncate(fd, size), 0);
		assert_int_equal(state_read(f->state, "x", f->arena, &bytes, &len), -EBADMSG);
	}
	close(fd);
}

static void later_versions_are_refused(void **state)
{
	struct fixture *f = *state;
	const void *bytes;
	size_t len;
	int fd;

	fd = openat(state_fd(f->state), "x", O_RDWR | O_CREAT, 0600);
	assert_int_equal(write(fd, "kaisar-state 2 0 0000000000000000\n", 34), 34);
	close(fd);
	assert_int_equal(state_read(f->state, "x", f->arena, &bytes, &len), -EPROTONOSUPPORT);
}

static void one_holder_at_a_time(void **state)
{
	struct fixture *f = *state;
	struct state *second;
	const void *bytes;
	size_t len;

	assert_int_equal(state_open(f->folder, &second), -EBUSY);
	assert_int_equal(state_write(f->state, "x", "abc", 3), 0);
	assert_int_equal(state_look(f->folder, &second), 0);
	assert_int_equal(state_read(second, "x", f->arena, &bytes, &len), 0);
	assert_int_equal(len, 3);
	state_close(second);
	assert_int_equal(state_look("/nowhere/at/all", &second), -ENOENT);
}

/* Writes 'a', 'b', ... until it is killed. */
static void write_for_ever(struct state *state)
{
	char text[4096];

	for (unsigned int i = 0;; i++) {
		memset(text, 'a' + (int)(i % 26), sizeof(text));
		if (state_write(state, "x", text, 1 + i * 37 % sizeof(text)) < 0)
			_exit(1);
	}
}

static void a_killed_writer_leaves_a_whole_file(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(state_write(f->state, "x", "start", 5), 0);
	for (unsigned int round = 0; round < 40; round++) {
		const char *text;
		const void *bytes;
		size_t len;
		pid_t pid = fork();

		if (pid == 0)
			write_for_ever(f->state);
		usleep(500 + round * 131);
		assert_int_equal(kill(pid, SIGKILL), 0);
		assert_int_equal(waitpid(pid, NULL, 0), pid);
		arena_reset(f->arena);
		assert_int_equal(state_read(f->state, "x", f->arena, &bytes, &len), 0);
		text = bytes;
		for (size_t i = 1; i < len && text[0] != 's'; i++)
			assert_int_equal(text[i], text[0]);
	}
}

/* Steps of one write: make, two writes, sync, rename, sync of the folder. */
static void a_death_at_each_step_leaves_the_old_or_the_new(void **state)
{
	enum { STEPS = 6, RENAMED = 6 };
	struct fixture *f = *state;

	for (unsigned int n = 1; n <= STEPS + 1; n++) {
		const void *bytes;
		int status;
		size_t len;
		pid_t pid;

		assert_int_equal(state_write(f->state, "x", "old", 3), 0);
		pid = fork();
		if (pid == 0) {
			state_die_at(f->state, n);
			_exit(state_write(f->state, "x", "newer", 5) < 0);
		}
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_int_equal(WEXITSTATUS(status), n <= STEPS ? 137 : 0);
		arena_reset(f->arena);
		assert_int_equal(state_read(f->state, "x", f->arena, &bytes, &len), 0);
		assert_int_equal(len, n < RENAMED ? 3 : 5);
		assert_memory_equal(bytes, n < RENAMED ? "old" : "newer", len);
	}
}

static void keeps_key_and_config(void **state)
{
	struct state_config config = { .node = STATE_CHECKER,
				       .url = "http://127.0.0.1:1",
				       .name = "box" },
			    read;
	struct fixture *f = *state;
	struct secp_key *key, *again;
	struct stat st;

	config.network.bytes[19] = 7;
	assert_int_equal(state_read_config(f->state, &read), -ENOENT);
	assert_int_equal(state_write_config(f->state, &config), 0);
	assert_int_equal(state_read_config(f->state, &read), 0);
	assert_string_equal(read.url, config.url);
	assert_string_equal(read.name, config.name);
	assert_int_equal(read.node, STATE_CHECKER);
	assert_true(address_equal(&read.network, &config.network));
	/* One from before folders said whose they are. */
	config.node = STATE_ANY;
	assert_int_equal(state_write_config(f->state, &config), 0);
	assert_int_equal(state_read_config(f->state, &read), 0);
	assert_int_equal(read.node, STATE_ANY);
	assert_int_equal(secp_key_generate(&random_system, &key), 0);
	assert_int_equal(state_write_key(f->state, key), 0);
	assert_int_equal(fstatat(state_fd(f->state), "key", &st, 0), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_int_equal(state_read_key(f->state, &again), 0);
	assert_true(address_equal(secp_key_address(key), secp_key_address(again)));
	secp_key_free(again);
	assert_int_equal(state_take_key(f->state, &random_system, &again), 0);
	assert_true(address_equal(secp_key_address(key), secp_key_address(again)));
	secp_key_free(key);
	secp_key_free(again);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(reads_what_was_written),
		TEST(damage_is_refused),
		TEST(later_versions_are_refused),
		TEST(one_holder_at_a_time),
		TEST(a_killed_writer_leaves_a_whole_file),
		TEST(a_death_at_each_step_leaves_the_old_or_the_new),
		TEST(keeps_key_and_config),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
