/* registration.h - a machine onto the chain, in two steps: its key consents, where the machine is; its owner registers
 * it and pays the fee, where the wallet is. Workers and checkers alike. argv[0] is the verb's own name; they
 * return the exit status. */
#pragma once

#include <jansson.h>

#include "base/base.h"

struct cli;

int registration_consent_worker(int argc, char **argv);
int registration_consent_checker(int argc, char **argv);

int registration_worker(int argc, char **argv);
int registration_checker(int argc, char **argv);

/* The way back: the registry forgets the machine, and another owner may register it. */
int deregistration_worker(int argc, char **argv);
int deregistration_checker(int argc, char **argv);

/* A table of how the workers or checkers are registered, as the API gives them; nothing without a chain. An exit
 * status. */
_must_check_ int registration_show(struct cli *cli, const json_t *nodes);
