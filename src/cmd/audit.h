/* audit.h - the audit log, read without believing its network: what an answer says is computed again, byte for
 * byte. docs/records.md has the forms. */
#pragma once

#include <jansson.h>

#include "chain/audit_form.h"

struct audit_read_entry {
	struct audit_text text; /* borrowed from the answer */
	uint8_t digest[AUDIT_DIGEST_SIZE];
};

struct audit_read_batch {
	struct audit_batch batch;
	uint8_t id[32], digest[AUDIT_DIGEST_SIZE]; /* computed */
};

/* 0; or an exit status, with what is wrong said. */
_must_check_ int audit_read_entry(const json_t *json, struct arena *arena,
				  struct audit_read_entry *ret_entry);
_must_check_ int audit_read_batch(const json_t *json, struct audit_read_batch *ret_batch);

/* `kaisar admin audit`: the whole log. audit_walk.c. */
int audit_admin(int argc, char **argv);
