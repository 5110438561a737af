#include "cmd/popw_child.h"

#include <fcntl.h>
#include <jansson.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/codec.h"
#include "cmd/failure.h"

enum { INFO_MAX = 1024, ARGUMENTS_MAX = 16 };

struct words {
	char *items[ARGUMENTS_MAX];
	size_t n;
	char device[16], threads[16];
};

static void add(struct words *words, const char *word)
{
	words->items[words->n++] = (char *)(uintptr_t)word; /* posix_spawn wants it so */
}

static void make_words(struct words *words, const struct popw_choice *choice, bool info)
{
	snprintf(words->device, sizeof(words->device), "%u", choice->device);
	snprintf(words->threads, sizeof(words->threads), "%u", choice->threads);
	add(words, "kaisar");
	add(words, "popw");
	add(words, "prove");
	if (strcmp(choice->backend, "auto") != 0) {
		add(words, "--backend");
		add(words, choice->backend);
	}
	add(words, "--device");
	add(words, words->device);
	add(words, "--folder");
	add(words, choice->folder);
	if (choice->threads > 0) {
		add(words, "--threads");
		add(words, words->threads);
	}
	if (info)
		add(words, "--info");
}

static int spawn(struct words *words, int in, int out, pid_t *ret_pid)
{
	posix_spawn_file_actions_t actions;
	int r;

	r = posix_spawn_file_actions_init(&actions);
	if (r != 0)
		return -r;
	r = posix_spawn_file_actions_adddup2(&actions, in, STDIN_FILENO);
	if (r == 0)
		r = posix_spawn_file_actions_adddup2(&actions, out, STDOUT_FILENO);
	if (r == 0)
		r = posix_spawn(ret_pid, "/proc/self/exe", &actions, NULL, words->items, environ);
	posix_spawn_file_actions_destroy(&actions);
	return -r;
}

int popw_child_start(const struct popw_choice *choice, bool info, struct popw_child *ret_child)
{
	struct words words = { .n = 0 };
	int in[2], out[2];
	pid_t pid;
	int r;

	if (pipe2(in, O_CLOEXEC) < 0)
		return -errno;
	if (pipe2(out, O_CLOEXEC) < 0) {
		r = -errno;
		close(in[0]);
		close(in[1]);
		return r;
	}
	make_words(&words, choice, info);
	r = spawn(&words, in[0], out[1], &pid);
	close(in[0]);
	close(out[1]);
	if (r < 0) {
		close(in[1]);
		close(out[0]);
		return r;
	}
	*ret_child = (struct popw_child){ pid, in[1], out[0] };
	return 0;
}

int popw_child_end(struct popw_child *child, bool kill_it)
{
	int status;

	if (child->pid == 0)
		return 0;
	if (kill_it)
		kill(child->pid, SIGKILL);
	close(child->in);
	close(child->out);
	while (waitpid(child->pid, &status, 0) < 0)
		if (errno != EINTR)
			return -errno;
	child->pid = 0;
	return WIFEXITED(status) ? WEXITSTATUS(status) : -ECANCELED;
}

/* ---- its device ---- */

/* Until its end: a few hundred bytes. */
static int read_info(int fd, char ret_text[static INFO_MAX])
{
	size_t len = 0;
	ssize_t n;

	do {
		n = read(fd, ret_text + len, INFO_MAX - 1 - len);
		if (n > 0)
			len += (size_t)n;
	} while (n > 0 || (n < 0 && errno == EINTR));
	ret_text[len] = 0;
	return n < 0 ? -errno : 0;
}

static int parse_info(const char *text, char ret_backend[static 16], struct prover_info *ret_info)
{
	const char *backend, *name, *uuid;
	struct prover_info info = { .memory_bytes = 0 };
	json_int_t memory;
	json_t *json;
	int r;

	json = json_loads(text, 0, NULL);
	r = json_unpack(json, "{ss ss sI ss}", "backend", &backend, "name", &name, "memory_bytes",
			&memory, "uuid", &uuid);
	if (r == 0)
		r = hex_decode(uuid, strlen(uuid), info.uuid, sizeof(info.uuid));
	if (r == 0) {
		snprintf(ret_backend, 16, "%s", backend);
		snprintf(info.name, sizeof(info.name), "%s", name);
		info.memory_bytes = (uint64_t)memory;
		*ret_info = info;
	}
	json_decref(json);
	return r == 0 ? 0 : -EBADMSG;
}

int popw_child_info(const struct popw_choice *choice, char ret_backend[static 16],
		    struct prover_info *ret_info)
{
	struct popw_child child;
	char text[INFO_MAX];
	int r, status;

	r = popw_child_start(choice, true, &child);
	if (r < 0)
		return cli_fault(r, "the prover");
	r = read_info(child.out, text);
	status = popw_child_end(&child, r < 0);
	if (status > 0)
		return status;
	if (r == 0 && status == 0)
		r = parse_info(text, ret_backend, ret_info);
	return r < 0 || status < 0 ? cli_fault(r < 0 ? r : status, "the prover") : 0;
}
