#include "chain/signer_server.h"

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/clock.h"
#include "chain/signer.h"
#include "chain/signer_wire.h"

enum { PATIENCE_MS = 20000, STRANGER = 65534, FILES = 256 };

static char folder[32], path[64];
static struct signer_server *server;
static int stop_fd;
static pthread_t thread;

/* Whatever is asked is understood: what a question says is not the server's business. */
static int answer(void *arg _unused_, const uint8_t *question _unused_, size_t len,
		  struct arena *arena, const uint8_t **ret_answer, size_t *ret_len)
{
	static const uint8_t owner[20] = { 7 };
	const struct signer_answer said = { SIGNER_DONE, owner, sizeof(owner) };

	return len == 1 ? -EIO : signer_answer_write(&said, arena, ret_answer, ret_len);
}

static const struct signer_server_config config = { path, answer, NULL };

static void *serve(void *arg _unused_)
{
	return (void *)(intptr_t)signer_server_run(server, stop_fd);
}

static int set_up(void **state _unused_)
{
	snprintf(folder, sizeof(folder), "/tmp/kaisar-signer-XXXXXX");
	if (!mkdtemp(folder))
		return -1;
	snprintf(path, sizeof(path), "%s/socket", folder);
	stop_fd = eventfd(0, EFD_CLOEXEC);
	if (stop_fd < 0 || signer_server_new(&config, &server) < 0)
		return -1;
	return pthread_create(&thread, NULL, serve, NULL);
}

static int tear_down(void **state _unused_)
{
	void *result;

	if (eventfd_write(stop_fd, 1) < 0 || pthread_join(thread, &result) != 0 || result)
		return -1;
	signer_server_free(server);
	close(stop_fd);
	return access(path, F_OK) == 0 ? -1 : rmdir(folder);
}

static int connect_to(const char *where)
{
	struct sockaddr_un place = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(place.sun_path, sizeof(place.sun_path), "%s", where);
	if (fd >= 0 && connect(fd, (const struct sockaddr *)&place, sizeof(place)) < 0) {
		close(fd);
		return -1;
	}
	return fd;
}

static int connect_there(void)
{
	return connect_to(path);
}

/* Within the test's patience: bytes that came, 0 at the end. */
static ssize_t hear(int fd, void *bytes, size_t len)
{
	struct pollfd poll_fd = { .fd = fd, .events = POLLIN };

	assert_int_equal(poll(&poll_fd, 1, PATIENCE_MS), 1);
	return recv(fd, bytes, len, 0);
}

static void hear_end(int fd)
{
	char byte;

	assert_true(hear(fd, &byte, 1) <= 0);
	close(fd);
}

static void say(int fd, const char *bytes, size_t len)
{
	assert_int_equal(send(fd, bytes, len, MSG_NOSIGNAL), len);
}

/* As the client asks. */
static void is_answered(void)
{
	_cleanup_(signer_client_freep) struct signer_client *client = NULL;
	_cleanup_(arena_freep) struct arena *arena = NULL;
	struct address owner;
	const char *detail = NULL;

	assert_int_equal(arena_new(1 << 20, &arena), 0);
	assert_int_equal(signer_client_new(path, &client), 0);
	if (signer_client_address(client, arena, &owner, &detail) != 0)
		fail_msg("%s", detail);
	assert_int_equal(owner.bytes[0], 7);
}

static void only_its_user_may_connect(void **state _unused_)
{
	struct stat file;

	assert_int_equal(stat(path, &file), 0);
	assert_int_equal(file.st_mode & 0777, 0600);
	is_answered();
}

static void questions_in_pieces_and_one_after_another(void **state _unused_)
{
	const char question[] = { 0, 0, 0, 2, 'h', 'i', 0, 0, 0, 2, 'h', 'o' };
	int fd = connect_there();
	char bytes[256];
	size_t heard = 0, each = 4 + 24;

	for (size_t i = 0; i < 6; i++)
		say(fd, question + i, 1);
	while (heard < each)
		heard += (size_t)hear(fd, bytes + heard, each - heard);
	say(fd, question, sizeof(question)); /* two at once are two */
	for (heard = 0; heard < 2 * each;)
		heard += (size_t)hear(fd, bytes + heard, 2 * each - heard);
	close(fd);
}

static void what_cannot_be_a_question_ends_the_connection(void **state _unused_)
{
	const char empty[] = { 0, 0, 0, 0 }, huge[] = { 0x7f, 0, 0, 0 },
		   bad[] = { 0, 0, 0, 1, 'x' };
	int fd = connect_there();

	say(fd, empty, sizeof(empty));
	hear_end(fd);
	fd = connect_there();
	say(fd, huge, sizeof(huge));
	hear_end(fd);
	fd = connect_there();
	say(fd, bad, sizeof(bad)); /* the answer is a fault here */
	hear_end(fd);
	is_answered();
}

static void many_who_say_nothing_hold_nobody_up(void **state _unused_)
{
	const char begun[] = { 0, 1, 0, 0, 'x' };
	int silent[3 * SIGNER_CONNECTIONS_MAX];

	for (size_t i = 0; i < ARRAY_SIZE(silent); i++) {
		silent[i] = connect_there();
		assert_true(silent[i] >= 0);
		send(silent[i], begun, i % 2 ? sizeof(begun) : 1, MSG_NOSIGNAL);
	}
	is_answered();
	for (size_t i = 0; i < ARRAY_SIZE(silent); i++)
		close(silent[i]);
}

/* Who came while the process had no descriptor left is answered when it has one again. */
static void what_lacks_for_a_while_ends_nothing(void **state _unused_)
{
	const char question[] = { 0, 0, 0, 2, 'h', 'i' };
	struct sockaddr_un place = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), taken[FILES], n = 0;
	struct rlimit limit, few;
	char byte;

	assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
	few = limit;
	few.rlim_cur = FILES;
	snprintf(place.sun_path, sizeof(place.sun_path), "%s", path);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
	while (n < FILES && (taken[n] = dup(fd)) >= 0)
		n++;
	assert_int_equal(connect(fd, (const struct sockaddr *)&place, sizeof(place)), 0);
	say(fd, question, sizeof(question));
	usleep(300000); /* that it is tried; the outcome does not depend on it */
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
	while (n > 0)
		close(taken[--n]);
	assert_int_equal(hear(fd, &byte, 1), 1);
	close(fd);
	is_answered();
}

static void who_is_slow_is_left(void **state _unused_)
{
	const char begun[] = { 0, 0, 0, 9, 'x' };
	int64_t at_ms = clock_mono_ms(&clock_system);
	int fd = connect_there();

	say(fd, begun, sizeof(begun));
	hear_end(fd);
	assert_true(clock_mono_ms(&clock_system) - at_ms >= SIGNER_QUESTION_MS - 100);
}

/* Another user's process, even where the file lets it in. */
static void strangers_get_no_answer(void **state _unused_)
{
	const char question[] = { 0, 0, 0, 2, 'h', 'i' };
	int status;
	pid_t child;

	if (geteuid() != 0) {
		print_message("skipped: only root can become somebody else\n");
		skip();
	}
	assert_int_equal(chmod(folder, 0711), 0);
	assert_int_equal(chmod(path, 0666), 0);
	child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		char byte;
		int fd;

		/* From within: the folders above may let no stranger through. */
		if (chdir(folder) < 0 || setresuid(STRANGER, STRANGER, STRANGER) < 0)
			_exit(2);
		fd = connect_to(strrchr(path, '/') + 1);
		if (fd < 0)
			_exit(3);
		send(fd, question, sizeof(question), MSG_NOSIGNAL);
		_exit(recv(fd, &byte, 1, 0) <= 0 ? 0 : 4);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	is_answered();
}

static void one_at_a_place(void **state _unused_)
{
	struct signer_server *other = NULL;

	assert_int_equal(signer_server_new(&config, &other), -EADDRINUSE);
	is_answered();
}

/* A file that a killed one left, and one that is something else. */
static void what_was_left_behind(void **state _unused_)
{
	struct sockaddr_un place = { .sun_family = AF_UNIX };
	struct signer_server_config there = config;
	struct signer_server *other = NULL;
	char left[80];
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(left, sizeof(left), "%s/left", folder);
	snprintf(place.sun_path, sizeof(place.sun_path), "%s", left);
	assert_int_equal(bind(fd, (const struct sockaddr *)&place, sizeof(place)), 0);
	close(fd);
	there.path = left;
	assert_int_equal(signer_server_new(&there, &other), 0);
	signer_server_free(other);
	assert_int_equal(access(left, F_OK), -1);
	fd = open(left, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	close(fd);
	assert_int_equal(signer_server_new(&there, &other), -EADDRINUSE);
	assert_int_equal(unlink(left), 0);
}

static void without_a_signer_the_remedy_is_said(void **state _unused_)
{
	_cleanup_(signer_client_freep) struct signer_client *client = NULL;
	_cleanup_(arena_freep) struct arena *arena = NULL;
	struct address owner;
	const char *detail;

	assert_int_equal(arena_new(1 << 20, &arena), 0);
	assert_int_equal(signer_client_new("/nowhere/socket", &client), 0);
	assert_int_equal(signer_client_address(client, arena, &owner, &detail), OUTBOX_E_AWAY);
	assert_non_null(strstr(detail, "/nowhere/socket"));
	assert_non_null(strstr(detail, "start `kaisar signer run`"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_its_user_may_connect),
		cmocka_unit_test(questions_in_pieces_and_one_after_another),
		cmocka_unit_test(what_cannot_be_a_question_ends_the_connection),
		cmocka_unit_test(many_who_say_nothing_hold_nobody_up),
		cmocka_unit_test(what_lacks_for_a_while_ends_nothing),
		cmocka_unit_test(who_is_slow_is_left),
		cmocka_unit_test(strangers_get_no_answer),
		cmocka_unit_test(one_at_a_place),
		cmocka_unit_test(what_was_left_behind),
		cmocka_unit_test(without_a_signer_the_remedy_is_said),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
