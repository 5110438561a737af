/* worker_rules.h - what the module's routes and jobs ask of its rules (worker.c). Outcomes are
 * worker.h's. */
#pragma once

#include "modules/worker/worker_store.h"
#include "wire/sign.h"

enum {
	WORKER_TOKENS_MAX = 20, /* an account's, open at once */
	WORKER_MACHINES_MAX = 1000, /* an account's */
	WORKER_NAME_MAX = 64,
};

struct worker_token_grant {
	struct join_token_id id;
	char token[SECRET_TEXT_SIZE];
	int64_t expires_at_ms;
};

/* WORKER_E_TOO_MANY. */
_must_check_ int worker_token_make(const struct context *context, struct tx *tx,
				   struct account_id account, const char *name,
				   struct worker_token_grant *ret_grant);

struct worker_join {
	const char *token;
	struct machine_id machine;
	uint8_t signature[SIGNATURE_SIZE]; /* over join_digest */
	const char *name; /* NULL: the token's, or the machine's old one */
};

/* Uses the token up. The same machine may join again for the same account. WORKER_E_JOIN_TOKEN,
 * WORKER_E_SIGNATURE, WORKER_E_MACHINE_TAKEN, WORKER_E_TOO_MANY. */
_must_check_ int worker_join(const struct context *context, struct tx *tx,
			     const struct worker_join *join, struct worker_row *ret_row);

/* A machine of @owner: another's is not found. */
_must_check_ int worker_of(struct tx *tx, struct account_id owner, struct machine_id machine,
			   struct worker_row *ret_row);

/* WORKER_E_BUSY while it holds leases. */
_must_check_ int worker_remove(const struct context *context, struct tx *tx,
			       const struct worker_row *row);

/* Why the host's cores or memory are credited less than they claim to be: what its session measured, and what that
 * bears out; "": they are credited whole, or its host is not proved. */
enum { WORKER_CREDIT_WHY_SIZE = 384 };
void worker_credit_why(const struct worker_machine *machine,
		       const struct worker_proof_device *devices, size_t n,
		       char ret_text[static WORKER_CREDIT_WHY_SIZE]);

/* "joining", "online", "offline" or "lost". */
const char *worker_state_word(const struct context *context, const struct worker_row *row);

/* What the store has to learn from this process's memory: when machines were heard, and which went
 * silent for too long or came back. */
_must_check_ int worker_liveness(const struct context *context, struct arena *arena);

/* Records what is about to change of a device's standing, if it matters; before it is written. standing_audit.c.
 * ROUTE_E_NOT_FOUND. */
_must_check_ int worker_standing_audit(const struct context *context, struct tx *tx,
				       struct machine_id machine, enum worker_device device,
				       const char *uuid, const struct worker_standing *standing);
