/* watch.h - whether the machines of a list are there: each is polled at times that it cannot foresee
 * (Poisson, with the mean that the control plane gives), and an answer within POLL_ANSWER_MS that it signed
 * counts. What was counted in an hour is reported when the hour is over, again and again until it was
 * heard.
 *
 * A machine is away from the sending of the first poll that it did not answer until it answers one. To know
 * that end, and whether a machine that is new on the list is there, polls are made soon that count for
 * nothing else: else who is away would be asked more often, and look away for longer. Where the link breaks
 * or a machine leaves the list, no more is said than was seen; and since a link may have been dead before
 * it was found to be, nothing of its last WATCH_DOUBT_MS. After that nobody is polled until the next list comes: the
 * control plane gives it when machines, too, have had the time to come back.
 *
 * A state machine: polls and reports go out through the configuration's functions, time and randomness
 * come in. While the link is down nobody is polled, for it would be nobody's fault. */
#pragma once

#include "base/random.h"
#include "checker/poll.h"
#include "link/link.h"
#include "wire/spans.h"

struct watch;

enum {
	WATCH_MACHINES_MAX = 4096,
	WATCH_TALLIES_MAX = 3 * WATCH_MACHINES_MAX, /* beyond that the oldest are given up */
	WATCH_TALLY_HOURS = 7 * 24, /* older ones, too */
	WATCH_HOUR_MS = WIRE_HOUR_MS_MAX, /* until a list says otherwise */
	WATCH_SOON_MS = 15000, /* mean time to the next poll of who is away or new */
	WATCH_DOUBT_MS = 2 * LINK_PING_MS,
	WATCH_ASLEEP_MS =
		2000, /* without a tick: it was not listening, and nobody was away for that */
	WATCH_AGAIN_MS = 600000, /* between two reports of the same */
	WATCH_EVERY_MIN_MS = 100,
	WATCH_POLLS_A_SECOND = 32, /* the control plane hands on no more than twice as many */
	WATCH_REPORTS_A_SECOND = 16, /* of an hour that is over */
	WATCH_TALLY_SIZE = 40 + SPANS_BYTES_MAX,
	WATCH_BYTES_MAX = 8 + WATCH_TALLIES_MAX * WATCH_TALLY_SIZE,
};

/* Of one machine in one hour. A poll counts in the hour in which it was answered or given up. */
struct watch_tally {
	struct address machine;
	int64_t hour; /* since 1970 */
	uint32_t polls, answered;
	struct spans away; /* of more than SPANS_MAX the first */
};

struct watch_config {
	struct address network, checker;
	struct random *random;
	/* Negative: not sent; the poll is then made later and does not count. */
	int (*poll)(void *arg, const struct address *machine, const struct poll_nonce *nonce);
	int (*report)(void *arg, int64_t hour_ms, const struct watch_tally *tally);
	void *arg;
};

/* -ENOMEM. */
_must_check_ int watch_new(const struct watch_config *config, struct watch **ret_watch);
void watch_free(struct watch *watch);

/* When it is: of a clock that never steps back, and by the wall. */
struct watch_time {
	int64_t mono_ms, wall_ms;
};

struct watch_list {
	uint32_t every_ms; /* 0: none is polled */
	uint32_t hour_ms; /* WIRE_HOUR_MS_MIN to _MAX; what was counted by another is forgotten */
	const struct address *machines;
	size_t n;
};

/* The machines from now on. Those that are on the list already keep their next time. -E2BIG: more than WATCH_MACHINES_MAX; -ENOMEM. */
_must_check_ int watch_set(struct watch *watch, const struct watch_list *list,
			   struct watch_time now);

/* A report with so many polls is in the store, or not wanted. Of an hour that goes on it is kept. */
void watch_heard(struct watch *watch, const struct address *machine, int64_t hour, uint32_t polls,
		 struct watch_time now);

/* Whether the answer was to a poll of the watch's. */
bool watch_answered(struct watch *watch, const struct poll_nonce *nonce,
		    const uint8_t signature[static SIGNATURE_SIZE], struct watch_time now);

/* Often: makes the polls that are due, gives up those that were not answered, reports hours that are
 * over. Only while the link is up. */
void watch_tick(struct watch *watch, struct watch_time now);

/* The link is down: polls on their way do not count, what was reported may be lost, and the list is void. */
void watch_down(struct watch *watch, struct watch_time now);

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
