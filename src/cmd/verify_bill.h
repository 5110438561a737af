/* verify_bill.h - what `kaisar verify-bill` prints about a bill, wherever the bill comes from. */
#pragma once

#include "base/address.h"

/* Checks the bill in @json and prints a table of its leases, what does not hold, and one line of
 * verdict. @network: see bill_check. Returns the exit status: 0 when all holds, 1 when not. */
int verify_bill(const char *json, size_t len, const struct address *network);
