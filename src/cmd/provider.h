/* provider.h - the verbs of `kaisar worker` that talk to the API for a provider. argv[0] is the verb's
 * own name; they return the exit status. */
#pragma once

/* The provider's machines; with an address, one in full. */
int provider_status(int argc, char **argv);

/* Prices, the name, pausing. */
int provider_price(int argc, char **argv);
int provider_earnings(int argc, char **argv);

/* A one-time token, and the command that uses it on the machine. */
int provider_token(int argc, char **argv);
int provider_remove(int argc, char **argv);
