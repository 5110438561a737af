/* worker.h - the subcommands of `kaisar worker` that run on the provider's machine. */
#pragma once

/* Makes the machine's key and joins a network with a one-time token. */
int cmd_worker_join(int argc, char **argv);

/* Runs the agent until SIGTERM or SIGINT; containers go on. */
int cmd_worker_run(int argc, char **argv);
