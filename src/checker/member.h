/* member.h - one session as a member of its panel lives through it, from the call to the end.
 *
 * A state machine: what the relay hands on comes in, what is to be said goes out through ops, and nothing
 * else happens; it has no thread, socket or clock of its own. The member
 *
 *	commits to four nonces, and tells each only when it is asked for, in order, and only behind the end
 *	of the phase before: a worker that knew one early could work ahead;
 *	takes the time of each phase from its own nonce to the phase's end;
 *	keeps what is said as a transcript, and has it verified when it is complete;
 *	commits to its result, and tells it when more than half of the panel is seen to have committed,
 *	signing whose commitments it saw.
 *
 * A message that does not fit is dropped: the panel and the worker have deadlines at the relay, and
 * the member its own, so that nothing lives for ever. What fits is not believed either: signatures,
 * hashes and openings are the verifier's to find. */
#pragma once

#include "base/random.h"
#include "checker/poll.h"
#include "popw/summons.h"
#include "popw/verify.h"

struct member;

enum {
	MEMBER_POLLS_FIRST = 5, /* to measure the round trip, before the first phase */
	MEMBER_POLLS_BETWEEN = 2, /* phases */
	/* How long the member waits; none is meant to be reached before the relay's own. */
	MEMBER_RELAY_MS = 120000, /* for the panel: commits, nonces */
	MEMBER_SPARE_MS = 60000, /* for the worker, on top of the phase's deadline */
	MEMBER_FINDING_MS = 300000, /* for its own verifying and measuring */
	MEMBER_RESULTS_MS = 600000, /* for the panel's commits, and again for the end */
};

struct member_ops {
	int64_t (*now_us)(void *arg); /* never steps back */
	/* To the relay. What cannot be sent is lost, and the panel sees to it. */
	int (*send)(void *arg, const struct member *member, enum message_kind kind,
		    const uint8_t *bytes, size_t len);
	/* A Poll to the session's machine. */
	int (*poll)(void *arg, const struct member *member, const struct poll_nonce *nonce);
	/* Begins to verify a copy of @transcript; member_verified follows, unless it fails. */
	int (*verify)(void *arg, const struct member *member, const uint8_t *transcript,
		      size_t len);
	/* Begins to measure bandwidth where the summons says; member_measured follows, unless it
	 * fails: then it is not measured. */
	int (*measure)(void *arg, const struct member *member);
	void *arg;
};

struct member_config {
	struct address network; /* whose sessions are served */
	const struct secp_key *key;
	struct random *random;
	struct member_ops ops;
};

enum member_outcome { MEMBER_E_REFUSED = 1 };

/* @bytes: of MESSAGE_SESSION. Says its NCOMMIT. MEMBER_E_REFUSED: not a session of this network with this
 * member; @ret_detail says why, static. Faults: -ENOMEM, the randomness'. The key outlives the member. */
_must_check_ int member_new(const struct member_config *config, const void *bytes, size_t len,
			    struct member **ret_member, const char **ret_detail);
void member_free(struct member *member);

const struct summons *member_summons(const struct member *member);
/* Its place in the panel. */
uint32_t member_index(const struct member *member);

/* What the relay says. */
void member_take(struct member *member, enum message_kind kind, const void *bytes, size_t len);

/* Whether the answer was to a poll of this member's. */
bool member_answered(struct member *member, const struct poll_nonce *nonce,
		     const uint8_t signature[static SIGNATURE_SIZE]);

/* @bits: of verify.h; @transcript: H of what was verified. */
void member_verified(struct member *member, uint16_t bits, const struct hash *transcript);
void member_measured(struct member *member, uint32_t down_kbps, uint32_t up_kbps);

/* Often, for deadlines. */
void member_tick(struct member *member);

/* Why it can go no further, static; NULL while it can. */
const char *member_over(const struct member *member);

static inline void member_freep(struct member **member)
{
	member_free(*member);
}
