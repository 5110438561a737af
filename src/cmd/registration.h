/* registration.h - a machine onto the chain, in two steps: its key consents, where the machine is; its owner registers
 * it and pays the fee, where the wallet is. Workers and checkers alike. argv[0] is the verb's own name; they
 * return the exit status. */
#pragma once

int registration_consent_worker(int argc, char **argv);
int registration_consent_checker(int argc, char **argv);

int registration_worker(int argc, char **argv);
int registration_checker(int argc, char **argv);
