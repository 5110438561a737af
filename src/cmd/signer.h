/* signer.h - the subcommands of `kaisar signer`. argv[0] is the verb's own name; they return the exit status. */
#pragma once

#include "base/arena.h"
#include "cmd/options.h"

/* Makes the key. */
int cmd_signer_create(int argc, char **argv);

/* Signs what the policy allows until SIGTERM or SIGINT. */
int cmd_signer_run(int argc, char **argv);

/* Asks a running one. */
int cmd_signer_status(int argc, char **argv);

#define SIGNER_STATE_ROW                                                                         \
	{                                                                                        \
		"state", 0, "DIR", "where its key, counters and socket are (KAISAR_HOME/signer)" \
	}
#define SIGNER_PASSWORD_ROW                                                                 \
	{                                                                                   \
		"password-file", 0, "FILE",                                                 \
			"where the password is; else KAISAR_PASSWORD, else it is asked for" \
	}

/* The option's value, or @file in the signer's folder. 0, or the exit status. */
_must_check_ int signer_path(const struct options *options, const char *option, const char *file,
			     struct arena *arena, const char **ret_path);
