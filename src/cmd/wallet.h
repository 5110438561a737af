/* wallet.h - the person's keys: version 3 keystores in $KAISAR_HOME/keystore/<address>.json (mode
 * 0600), the current one named by "wallet" in config.json. */
#pragma once

#include "cmd/home.h"
#include "security/secp.h"

enum wallet_outcome { WALLET_E_NONE = 1 /* no such wallet, or none yet */ };

_must_check_ int wallet_current(struct arena *arena, struct address *ret_address);

/* Makes @address the current one. Outcome WALLET_E_NONE. */
_must_check_ int wallet_use(struct arena *arena, const struct address *address);

_must_check_ int wallet_path(struct arena *arena, const struct address *address,
			     const char **ret_path);

/* The keystore's text. Outcome WALLET_E_NONE. */
_must_check_ int wallet_read(struct arena *arena, const struct address *address,
			     const char **ret_json, size_t *ret_len);

/* Stores a keystore and makes it the current one. -EEXIST: there is one for this address. */
_must_check_ int wallet_add(struct arena *arena, const struct address *address, const char *json,
			    size_t len);

/* `kaisar wallet balance`: what a wallet has on the chain. */
int wallet_balance(int argc, char **argv);

/* For commands that sign: decrypts the wallet at @address (NULL: the current one) with the password
 * of @password_file, KAISAR_PASSWORD or the terminal. Outcome WALLET_E_DONE: what was wrong is
 * printed already and @ret_exit is the exit status (1, 3 no wallet, 7 wrong password). */
enum { WALLET_E_DONE = 2 };
_must_check_ int wallet_open(const struct address *address, const char *password_file,
			     struct arena *arena, struct secp_key **ret_key, int *ret_exit);
