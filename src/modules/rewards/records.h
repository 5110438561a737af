/* records.h - what the store says of a machine or a checker, as a record of an epoch (rewards/epoch.h).
 * Only what was proved counts, as the mean of the epoch's hours (modules/proof/proof.h). Gigabytes are 10^9 bytes;
 * parts of a unit are left out; what is past a column's bound is the bound. */
#pragma once

#include "modules/checker/checker.h"
#include "modules/rewards/rewards_store.h"
#include "modules/worker/worker.h"

/* 10^18 units a token; at most 2^96 units. */
struct tokens record_tokens(int64_t whole);

void record_terms(const struct epoch_row *epoch, struct epoch_terms *ret_terms);

/* @ret_jobtime: what is counted of the machine's jobs when this record stands. Seconds that the column has
 * no room for count in the next epoch. */
_must_check_ int record_worker(const struct context *context, struct tx *tx,
			       const struct epoch_row *epoch, const struct worker_machine *machine,
			       struct epoch_worker *ret_record, struct reward_jobtime *ret_jobtime);

/* The record's delegators are put behind those of @epoch, whose array has room for them: EPOCH_DELEGATORS_MAX in all. */
void record_checker(const struct checker_work *work, struct epoch *epoch,
		    struct epoch_checker *ret_record);
