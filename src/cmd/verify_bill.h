/* verify_bill.h - what `kaisar verify-bill` prints about a bill, wherever the bill comes from. */
#pragma once

#include "cmd/bill.h"

enum { VERIFY_BILL_BYTES = 16 << 20 /* of the arena */ };

/* Checks the bill in @json and prints a table of its leases, what does not hold, and one line of
 * verdict. @wanted: see bill_check. Returns the exit status: 0 when all holds, with the bill; 1 when not. */
int verify_bill(const char *json, size_t len, const struct bill_wanted *wanted, struct arena *arena,
		struct bill *ret_bill);
