/* rental_wait.h - finding a rental by what people call it, stopping it, and waiting for what becomes
 * of it. 0 or enum cli_exit; what goes wrong is said on standard error. */
#pragma once

#include "cmd/client.h"

/* An id, the unique beginning of one of at least 6 digits behind "rnt-", or the name of a live
 * rental. @ret_id lives as long as the client. CLI_NOT_FOUND, CLI_USAGE where several match. */
_must_check_ int rental_find(struct client *client, const char *word, const char **ret_id);

/* A member's text, "" where there is none. */
const char *rental_text(const json_t *rental, const char *name);

bool rental_has_ended(const json_t *rental);

_must_check_ int rental_get(struct client *client, const char *id, json_t **ret_rental);
_must_check_ int rental_stop(struct client *client, const char *id, json_t **ret_rental);

/* Asks every now and then, at most 15 minutes: CLI_TIMEOUT. */
_must_check_ int rental_wait_end(struct client *client, const char *id, json_t **ret_rental);

/* What an ended rental makes of a command's exit status: the container's own code, or the code for
 * what ended it. Says why where the container never ran or was broken. */
int rental_exit_code(const json_t *rental);
