/* bill.h - checks a bill without asking anybody: who signed what, and whether each charge is what rate
 * and seconds make it. The bill is what GET /v1/bills/{rental} answers.
 *
 * It trusts nothing but the network's address: terms and receipts must be signed by it, usage by the
 * machine that the terms name. Pure: no I/O. */
#pragma once

#include "base/field.h"
#include "wire/sign.h"

enum {
	/* The network gives a rental four leases at most, and each 2048 excuses of some 330 bytes. */
	BILL_JSON_MAX = 4 << 20,
	BILL_LEASES_MAX = 64,
	BILL_EXCUSES_MAX = 4096,
	BILL_FINDINGS_MAX = 16 * BILL_LEASES_MAX
};

struct bill_usage {
	int64_t sequence; /* 0: the machine has not reported */
	int64_t started_at_ms, until_ms, seconds;
	bool final;
	const char *signature; /* "0x" and 130 digits, as the bill has them */
};

/* A time that is not billed: a majority of checkers found the machine unusable, in a session or in an hour. */
struct bill_excuse {
	struct proof {
		uint8_t bytes[16];
	} proof; /* zeros: none */
	int64_t hour; /* 0: none */
	int64_t from_ms, until_ms; /* until: 0 while it goes on */
	const char *signature;
};

struct bill_lease {
	struct lease_id lease;
	int64_t placing; /* which of the rental's leases it is; 0: placed before they were numbered */
	struct machine_id machine;
	struct account_id provider;
	struct amount rate_hour;
	int64_t fee_basis_points;
	int64_t placed_at_ms;
	const char *terms_signature;
	bool billed;
	int64_t ended_at_ms; /* 0: not closed */
	struct bill_usage usage;
	const char *receipt_signature; /* NULL without usage */
	struct amount charged, unpaid;
	struct field_objects excuses; /* of struct bill_excuse */
	int64_t record; /* the number of its last one on the chain; 0: its placing's, or none */

	/* What bill_check found out. */
	int64_t seconds; /* that may be charged */
	struct amount recomputed;
	bool signed_;
};

struct bill {
	int64_t version;
	struct address network;
	struct rental_id rental;
	struct account_id tenant;
	int64_t made_at_ms;
	int64_t placings; /* leases that the rental had had then */
	struct field_objects leases; /* of struct bill_lease */
	struct amount total;
	const char *signature;
};

enum bill_outcome { BILL_E_MALFORMED = 1 }; /* ret_error names the field and the rule */

/* Texts and leases live in @arena. What `kaisar bill -o json` adds of where it is on the chain is left out. -ENOMEM. */
_must_check_ int bill_read(const char *json, size_t len, struct arena *arena, struct bill *ret_bill,
			   struct field_error *ret_error);

/* A rule that does not hold. */
struct bill_finding {
	const struct bill_lease *lease; /* NULL: of the whole bill */
	const char *check; /* "usage signature" */
	const char *expected, *actual;
};

struct bill_findings {
	struct bill_finding items[BILL_FINDINGS_MAX];
	size_t n; /* 0: the bill holds */
};

/* Whose bill it must be; NULL: whosever it says that it is. */
struct bill_wanted {
	const struct address *network; /* that must have signed */
	const struct rental_id *rental;
	const struct address *reader; /* the tenant, or a provider of one of the leases */
	const struct address *provider; /* whose leases alone may be all that is in it */
};

/* -ENOMEM. */
_must_check_ int bill_check(struct bill *bill, const struct bill_wanted *wanted,
			    struct arena *arena, struct bill_findings *ret_findings);

/* It is a provider's: there are leases on others' machines. */
static inline bool bill_is_part(const struct bill *bill)
{
	return (int64_t)bill->leases.n < bill->placings;
}

static inline struct bill_lease *bill_leases(const struct bill *bill)
{
	return bill->leases.items;
}
