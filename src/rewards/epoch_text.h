/* epoch_text.h - an epoch's records and its payouts as text, in one spelling only, so that their
 * hashes can be compared. Lines end with a newline, words are parted by one space, numbers are
 * decimal without leading zeros, addresses in lower case; records ascend by address; the last
 * line is "end".
 *
 *	kaisar epoch records 1			kaisar epoch payouts 1
 *	epoch NUMBER				epoch NUMBER
 *	worker_total UNITS			records KECCAK256 of the records' text
 *	checker_total UNITS			capacity ALLOTTED UNALLOTTED
 *	ratio_bp NUMBER				delivery ALLOTTED UNALLOTTED
 *	commission_bp NUMBER			checking ALLOTTED UNALLOTTED
 *	max_stake UNITS				worker ID OWNER CAPACITY DELIVERY FOR_OWNER
 *	worker ID OWNER UPTIME_S JOBTIME_S	delegator ACCOUNT UNITS
 *	  STAKE DOWN_MBPS UP_MBPS CORES		...
 *	  GPU_MILLI DISK_GB MEMORY_GB STANDING	checker ID OWNER REWARD FOR_OWNER
 *	delegator ACCOUNT STAKE			delegator ACCOUNT UNITS
 *	...					...
 *	checker ID OWNER LICENCES_MILLI VALID	end
 *	  WRONG STANDING
 *	delegator ACCOUNT LICENCES_MILLI
 *	end
 *
 * (A record is one line.) A record's delegators follow it; workers come before checkers.
 * STANDING is "ok" or "banned". columns.c has the bounds. */
#pragma once

#include "rewards/epoch.h"

enum {
	EPOCH_TEXT_MAX = 144 << 20, /* more than the largest epoch's records or payouts need */
	EPOCH_ARENA_BYTES = 96 << 20, /* what the largest epoch's records take of @arena */
};

/* Outcome EPOCH_E_INVALID with @ret_fault, "line 12: ...". Faults: -ENOMEM. */
_must_check_ int epoch_read(const char *text, size_t len, struct arena *arena,
			    struct epoch *ret_epoch, struct epoch_fault *ret_fault);

/* Of an epoch that has passed epoch_check. The caller frees *@ret_text. -ENOMEM. */
_must_check_ int epoch_write(const struct epoch *epoch, char **ret_text, size_t *ret_len);

/* The same in pieces, for whoever does not have all records at once: @epoch's records, behind the head
 * and before the end where asked for. The pieces one behind the other are the text. */
enum epoch_part { EPOCH_HEAD = 1, EPOCH_END = 2 };
_must_check_ int epoch_write_parts(const struct epoch *epoch, unsigned int parts, char **ret_text,
				   size_t *ret_len);

/* @records: keccak256 of the records' text. The caller frees *@ret_text. -ENOMEM. */
_must_check_ int payouts_write(const struct epoch *epoch, const struct payouts *payouts,
			       const uint8_t records[static 32], char **ret_text, size_t *ret_len);

/* From the records' text to the payouts': reads, settles, writes. As epoch_read. With both texts it
 * takes 360 MiB for the largest epoch, 91 MiB for 100,000 workers and 30,000 checkers. */
_must_check_ int epoch_recompute(const char *records, size_t len, char **ret_payouts,
				 size_t *ret_len, struct epoch_fault *ret_fault);
