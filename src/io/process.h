/* process.h - a child process on a loop: pipes to its standard input, output and error, and its end.
 *
 * It leads a session of its own, so that it is killed with all that it started, and no terminal's signal
 * reaches it. Everything is on the loop. */
#pragma once

#include "base/base.h"

struct loop;
struct process;

enum { PROCESS_LINE_MAX = 256 };

/* The texts are borrowed during the call. */
struct process_end {
	int status; /* exit code */
	int signal; /* that killed it; 0: it exited */
	const char *last_line; /* of its standard error, printable; "" without one */
};

struct process_config {
	const char *file; /* the program, absolute */
	const char *const *arguments; /* from its name on, behind the last NULL */
	size_t queue_max; /* bytes that it did not read yet */
	/* What it wrote to its standard output. The process must not be freed here; kill it. */
	void (*on_output)(void *arg, const void *bytes, size_t len);
	/* The last call: it is gone, and everything that it wrote was shown. It is still to be freed, and
	 * may be here. */
	void (*on_end)(void *arg, const struct process_end *end);
	void *arg;
};

/* Runs it. Faults: -ENOENT, -EACCES, -EMFILE, -ENOMEM, ... */
_must_check_ int process_new(struct loop *loop, const struct process_config *config,
			     struct process **ret_process);

/* Copies to its standard input. -EAGAIN: queue_max; -EPIPE: it reads no longer; -ENOMEM. */
_must_check_ int process_write(struct process *process, const void *bytes, size_t len);

/* While it is held, it waits once its pipe is full. A piece that was read already is still shown. */
void process_hold(struct process *process, bool hold);

/* All its threads, as nice(1). -EACCES: only the privileged go back down. */
_must_check_ int process_nice(struct process *process, int nice);

/* To the program itself, such as SIGHUP. What has ended hears nothing. */
void process_signal(struct process *process, int signal);

/* SIGKILL; on_end follows. */
void process_kill(struct process *process);

/* Kills it if it still runs; nothing is called any more. */
void process_free(struct process *process);
