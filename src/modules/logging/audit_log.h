/* audit_log.h - what the audit log's routes and its job ask of it (audit.c, audit_seal.c). */
#pragma once

#include "modules/logging/audit_store.h"

/* The texts of a row, which live as long as it and @arena. -ENOMEM. */
_must_check_ int audit_row_text(const struct audit_row *row, struct arena *arena,
				struct audit_text *ret_text, struct audit_origin *ret_origin);
_must_check_ int audit_row_digest(const struct audit_row *row, struct arena *arena,
				  uint8_t ret_digest[static AUDIT_DIGEST_SIZE]);
int64_t audit_row_at_ms(const struct audit_row *row);

/* The tree of a batch's rows, in their order. */
_must_check_ int audit_rows_tree(const struct audit_row *rows, size_t n, struct arena *arena,
				 struct merkle **ret_merkle);

/* Seals what is there, at most so many batches that others write in between; a job. */
_must_check_ int audit_seal(const struct context *context, struct arena *arena);
