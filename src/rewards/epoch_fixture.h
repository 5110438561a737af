/* epoch_fixture.h - epochs for tests: the one worked by hand in docs/rewards.md, and any number
 * of others from a seed. */
#pragma once

#include "base/random.h"
#include "rewards/epoch.h"

/* The records and the payouts of docs/rewards.md, less the line that names the records' hash. */
extern const char epoch_example[], epoch_example_payouts[];

enum { FIXTURE_RECORDS = 24, FIXTURE_DELEGATORS = 4 /* of a record, at most */ };

struct epoch_fixture {
	struct epoch epoch;
	struct epoch_worker workers[FIXTURE_RECORDS];
	struct epoch_checker checkers[FIXTURE_RECORDS];
	struct epoch_delegator delegators[2 * FIXTURE_RECORDS * FIXTURE_DELEGATORS];
};

void epoch_fixture_fill(struct random *random, struct epoch_fixture *ret_fixture);
