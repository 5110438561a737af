/* checker.h - the subcommands of `kaisar checker`. argv[0] is the verb's own name; they return the exit
 * status. */
#pragma once

/* Makes the checker's key and registers it with the account that is signed in. */
int cmd_checker_create(int argc, char **argv);

/* Runs the node until SIGTERM or SIGINT. */
int cmd_checker_run(int argc, char **argv);

/* The account's checkers, what one of them did, and how one that did nothing yet goes. */
int cmd_checker_status(int argc, char **argv);
int cmd_checker_tasks(int argc, char **argv);
int cmd_checker_remove(int argc, char **argv);
