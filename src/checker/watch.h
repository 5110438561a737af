/* watch.h - whether the machines of a list are there: each is polled at times that it cannot foresee
 * (Poisson, with the mean that the control plane gives), and an answer within POLL_ANSWER_MS that it signed
 * counts. What was counted in an hour is reported when the hour is over, again and again until a newer
 * Watch shows that it was heard.
 *
 * A state machine: polls and reports go out through the configuration's functions, time and randomness
 * come in. While the link is down nobody is polled, for it would be nobody's fault. */
#pragma once

#include "base/random.h"
#include "checker/poll.h"

struct watch;

enum {
	WATCH_MACHINES_MAX = 4096,
	WATCH_TALLIES_MAX = 3 * WATCH_MACHINES_MAX, /* beyond that the oldest are given up */
	WATCH_TALLY_HOURS = 24, /* older ones, too */
	WATCH_HOUR_MS = 3600000,
	WATCH_AGAIN_MS = 600000, /* between two reports of the same */
	WATCH_EVERY_MIN_MS = 100,
	WATCH_POLLS_A_SECOND = 32, /* the control plane hands on no more than twice as many */
	WATCH_TALLY_SIZE = 36,
	WATCH_BYTES_MAX = 4 + WATCH_TALLIES_MAX * WATCH_TALLY_SIZE,
};

/* Of one machine in one hour. A poll counts in the hour in which it was answered or given up. */
struct watch_tally {
	struct address machine;
	int64_t hour; /* since 1970 */
	uint32_t polls, answered;
};

struct watch_config {
	struct address network, checker;
	struct random *random;
	/* Negative: not sent; the poll is then made later and does not count. */
	int (*poll)(void *arg, const struct address *machine, const struct poll_nonce *nonce);
	int (*report)(void *arg, const struct watch_tally *tally);
	void *arg;
};

/* -ENOMEM. */
_must_check_ int watch_new(const struct watch_config *config, struct watch **ret_watch);
void watch_free(struct watch *watch);

/* When it is: of a clock that never steps back, and by the wall. */
struct watch_time {
	int64_t mono_ms, wall_ms;
};

/* The machines from now on; @every_ms 0: none is polled. Those that are on the list already keep their next
 * time. What was reported before is heard. -E2BIG: more than WATCH_MACHINES_MAX; -ENOMEM. */
_must_check_ int watch_set(struct watch *watch, uint32_t every_ms, const struct address *machines,
			   size_t n, struct watch_time now);

/* Whether the answer was to a poll of the watch's. */
bool watch_answered(struct watch *watch, const struct poll_nonce *nonce,
		    const uint8_t signature[static SIGNATURE_SIZE], struct watch_time now);

/* Often: makes the polls that are due, gives up those that were not answered, reports hours that are
 * over. Only while the link is up. */
void watch_tick(struct watch *watch, struct watch_time now);

/* The link is down: polls on their way do not count, and what was reported may be lost. */
void watch_down(struct watch *watch);

/* Reports everything, the running hour too: the end of the run. A later report of the same hour has what
 * both runs counted. */
void watch_report_all(struct watch *watch);

/* ---- on the disk ---- */

/* Whether there is something to be kept that was not encoded yet. */
bool watch_changed(const struct watch *watch);
/* Returns the length, at most WATCH_BYTES_MAX. */
size_t watch_encode(struct watch *watch, uint8_t *ret_bytes);
/* Into a new watch. -EBADMSG: not what watch_encode made. */
_must_check_ int watch_decode(struct watch *watch, const void *bytes, size_t len);
