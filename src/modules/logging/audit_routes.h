/* audit_routes.h - handlers of the audit log, for the module's table of routes. */
#pragma once

#include "api/route.h"

/* A cursor is the last item's id; zeros: from the newest. */
struct audit_query {
	struct account_id account; /* operators': zeros: everybody's */
	int64_t since_ms, limit;
	uint8_t cursor[16];
};
extern const struct field audit_fields[], audit_admin_fields[];

struct audit_batches_query {
	int64_t cursor, limit; /* the last one's number; the first first */
};
extern const struct field audit_batches_fields[];

int get_audit(struct request *request, struct tx *tx, struct reply *reply);
int get_audit_entry(struct request *request, struct tx *tx, struct reply *reply);
int get_audit_all(struct request *request, struct tx *tx, struct reply *reply);
int get_audit_batches(struct request *request, struct tx *tx, struct reply *reply);
int get_audit_batch(struct request *request, struct tx *tx, struct reply *reply);
