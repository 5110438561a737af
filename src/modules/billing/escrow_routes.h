/* escrow_routes.h - handlers of deposits and withdrawals, for the module's table of routes. */
#pragma once

#include "api/route.h"

/* A cursor is the last item's id; zeros: from the newest. */
struct escrow_page {
	int64_t limit;
	uint8_t cursor[16];
};
extern const struct field deposits_fields[], withdrawals_fields[];

struct withdrawal_body {
	struct amount amount;
};
extern const struct field withdrawal_fields[];

int get_deposits(struct request *request, struct tx *tx, struct reply *reply);
int get_withdrawals(struct request *request, struct tx *tx, struct reply *reply);
int get_withdrawal(struct request *request, struct tx *tx, struct reply *reply);
int post_withdrawal(struct request *request, struct tx *tx, struct reply *reply);
