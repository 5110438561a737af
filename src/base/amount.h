/* amount.h - money: integer micro-units of the accounting currency (1,000,000 = 1 USD), never a
 * floating-point number. Arithmetic that can overflow must be checked. */
#pragma once

#include "base/base.h"

struct amount {
	int64_t micro;
};

#define AMOUNT_ZERO ((struct amount){ 0 })

/* -ERANGE on overflow. */
_must_check_ int amount_add(struct amount a, struct amount b, struct amount *ret_sum);
_must_check_ int amount_sub(struct amount a, struct amount b, struct amount *ret_difference);
_must_check_ int amount_mul(struct amount a, int64_t factor, struct amount *ret_product);

static inline int amount_compare(struct amount a, struct amount b)
{
	return (a.micro > b.micro) - (a.micro < b.micro);
}

/* What @seconds cost at @rate_hour an hour: floor(rate * seconds / 3600). A bill charges this for
 * the total from the lease's start, less what was charged before, so that rounding never
 * accumulates. Both not negative, or -EINVAL; -ERANGE past int64. */
_must_check_ int amount_for_seconds(struct amount rate_hour, int64_t seconds,
				    struct amount *ret_amount);

/* floor(amount * basis_points / 10000), 0 <= basis_points <= 10000. */
_must_check_ int amount_share(struct amount amount, int64_t basis_points, struct amount *ret_share);

enum { AMOUNT_TEXT_SIZE = 24 };

/* "1.25", "-0.000001": at least one and at most six decimals, no trailing zeros but one place. */
void amount_text(struct amount amount, char ret_text[static AMOUNT_TEXT_SIZE]);

/* A plain decimal with at most six places, no exponent: -EINVAL, or -ERANGE. */
_must_check_ int amount_parse(const char *text, struct amount *ret_amount);
