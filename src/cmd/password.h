/* password.h - a wallet's password: from a file, from KAISAR_PASSWORD, or asked on the terminal
 * without echo. Never from the command line, which other users can see. */
#pragma once

#include "security/keystore.h"

struct password {
	char text[KEYSTORE_PASSWORD_MAX + 1];
};

/* @file: NULL, or a file with the password on its first and only line. @twice: a new password, which
 * is asked for again. -ENOTTY: nowhere to ask; -EMSGSIZE: too long; -EBADMSG: more than one line;
 * -ECANCELED: Ctrl-C; -EKEYREJECTED: typed differently the second time. */
_must_check_ int password_read(const char *file, bool twice, struct password *ret_password);

/* Says on standard error what a fault of password_read means. */
void password_explain(const char *file, int fault);

/* For _cleanup_: wipes it. */
void password_wipe(struct password *password);
