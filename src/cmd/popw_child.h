/* popw_child.h - `kaisar popw prove` as a child of this program, and the other end of its frames. */
#pragma once

#include "cmd/popw_device.h"
#include "cmd/popw_frame.h"

struct popw_child {
	pid_t pid; /* 0: none */
	int in, out; /* its standard input and output */
};

/* @info: with --info, which ends by itself. 0, -errno. */
_must_check_ int popw_child_start(const struct popw_choice *choice, bool info,
				  struct popw_child *ret_child);

/* Waits for its end, or ends it where @kill_it. Its exit status, or -errno. */
int popw_child_end(struct popw_child *child, bool kill_it);

/* What the child's device is: 0 or an exit status, which the child or this said why. */
_must_check_ int popw_child_info(const struct popw_choice *choice, char ret_backend[static 16],
				 struct prover_info *ret_info);
