/* judge.h - from a panel's revealed results to one verdict. Pure: anyone who has the transcript and the
 * results gets the same bytes.
 *
 * The exact part (bits and transcript hash) of more than half of the members that committed decides. Timing
 * is the median of those who agree, each less its own smallest round trip. */
#pragma once

#include "base/arena.h"
#include "popw/class.h"
#include "popw/verify.h"

enum { JUDGE_AGREEMENT_US = 250000 };

enum verdict_outcome {
	VERDICT_PASSED = 1, /* the claimed class is earned */
	VERDICT_LOWER, /* exact, but a lower class is earned, or none (earned -1) */
	VERDICT_FAILED, /* the exact part does not hold */
	VERDICT_NO_MAJORITY,
};

struct verdict {
	uint8_t outcome;
	uint16_t bits; /* the majority's */
	struct hash transcript;
	uint32_t agreeing, wrong, silent; /* sets of members; wrong: another exact part */
	uint32_t
		deviating; /* agreeing, but their timing is off the median by more than JUDGE_AGREEMENT_US */
	uint32_t fill_us, walk_us, matrix_us; /* medians, round trips taken off */
	uint32_t down_kbps, up_kbps; /* sums over the agreeing members */
	struct measured measured;
	uint16_t claimed;
	int earned; /* class, -1: none */
	uint32_t score_milli;
};

/* @results: by member, those in @set. */
void judge(const struct session *session, const struct result *results, uint32_t set,
	   struct verdict *ret_verdict);

/* One line of JSON, integers and lower-case hex only, keys in a fixed order, with a newline: the verdict
 * that `kaisar popw verify` prints. In @arena. -ENOMEM. */
_must_check_ int verdict_text(const struct session *session, const struct verdict *verdict,
			      struct arena *arena, const char **ret_text);

/* ---- a published session ---- */

/* "POPWR1\0\0" · 4 length of the transcript · the transcript · 4 set of members that revealed · their
 * RESULTs, 159 each. */
struct record {
	struct transcript transcript;
	struct hash transcript_hash;
	uint32_t set;
	struct result results[SESSION_PANEL_MAX];
};

enum record_outcome { RECORD_E_MALFORMED = 1 };
_must_check_ int record_decode(struct hasher *hasher, const void *bytes, size_t len,
			       struct arena *arena, struct record *ret_record,
			       const char **ret_detail);
_must_check_ int record_encode(const void *transcript, size_t transcript_len,
			       const struct result *results, uint32_t set, struct arena *arena,
			       uint8_t **ret_bytes, size_t *ret_len);

/* Verifies the transcript again, checks that each result is signed by its member, judges. What a member
 * found is compared with what is found here: @ret_finding. */
void record_replay(struct verifier *verifier, const struct record *record,
		   struct finding *ret_finding, struct verdict *ret_verdict);
