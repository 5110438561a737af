/* logging.h - what happened, for each account in order: the journal behind /v1/events.
 *
 * An event is written in the transaction of the change it tells of, numbered for its account
 * without gaps in the order of commits, and delivered to the account's WebSockets afterwards; a
 * client that was away resumes with the last number it saw. */
#pragma once

#include "modules/logging/audit.h"

/* Takes over @data (an object; NULL: none), also on failure. @subject: the text of an id, at most 63
 * bytes. @type: "rental.running". */
_must_check_ int logging_event(const struct context *context, struct tx *tx,
			       struct account_id account, const char *type, const char *subject,
			       json_t *data);

extern const struct module logging_module;
