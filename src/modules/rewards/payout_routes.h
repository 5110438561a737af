/* payout_routes.h - what accounts earned, and the roots by which the chain pays it. */
#pragma once

#include "modules/rewards/rewards.h"

int payout_account(struct request *request, struct tx *tx, struct reply *reply);
int payout_epochs(struct request *request, struct tx *tx, struct reply *reply);
int payout_roots(struct request *request, struct tx *tx, struct reply *reply);
int payout_root(struct request *request, struct tx *tx, struct reply *reply);
int payout_leaves(struct request *request, struct tx *tx, struct reply *reply);
int payout_proof(struct request *request, struct tx *tx, struct reply *reply);
int payout_replace(struct request *request, struct tx *tx, struct reply *reply);

struct payout_epochs_query {
	const char *cursor;
	int64_t limit;
};
struct payout_roots_query {
	int kind;
	const char *cursor;
	int64_t limit;
};
struct payout_replace_body {
	struct field_pairs less;
	const char *reason;
};
extern const struct field payout_epochs_fields[], payout_roots_fields[], payout_replace_fields[];
