/* judge.h - from a panel's revealed results to one verdict. Pure: anyone who has the transcript and the
 * results gets the same bytes.
 *
 * The exact part (bits and transcript hash) of more than half of the members that gave a result decides.
 * A phase's time is the median over those who agree and measured it, each less its own smallest round
 * trip (1 us at least), of which JUDGE_TRIP_MAX_US count at most: a worker could be slow to answer polls
 * on purpose. Of an even number it is the mean of the middle two. All divisions round down. */
#pragma once

#include "base/arena.h"
#include "popw/class.h"
#include "popw/verify.h"

enum { JUDGE_AGREEMENT_US = 250000, JUDGE_TRIP_MAX_US = 250000 };

enum verdict_outcome {
	VERDICT_PASSED =
		1, /* the claimed class is earned; nothing was claimed (CLASS_UNKNOWN); or exact,
			     * where only that counts (SESSION_RENTED) */
	VERDICT_LOWER, /* exact, but a lower class is earned, or none (earned -1) */
	VERDICT_FAILED, /* the exact part does not hold */
	VERDICT_NO_MAJORITY,
};

struct verdict {
	uint8_t outcome;
	uint16_t bits; /* the majority's */
	struct hash transcript;
	uint32_t agreeing, wrong, silent; /* sets of members; wrong: another exact part */
	uint32_t unrevealed; /* silent, though they committed to a result */
	uint32_t
		deviating; /* agreeing, but off the median by more than JUDGE_AGREEMENT_US in a phase */
	uint32_t fill_us, walk_us, matrix_us; /* 0: nobody measured it */
	uint32_t down_kbps, up_kbps; /* sums over the agreeing members, UINT32_MAX at most */
	/* From here on only where the exact part holds. */
	struct measured
		measured; /* matrix: 2 K N M rounds / time; walk: walks steps epochs 256 bytes / time */
	uint16_t claimed;
	int earned; /* class, -1: none; what is claimed where only exactness counts */
	uint32_t score_milli; /* of the class earned; 0 where only exactness counts */
};

/* @results: by member, those in @set, their signatures checked. */
void judge(const struct session *session, const struct result *results, uint32_t set,
	   struct verdict *ret_verdict);

/* One line of JSON, integers and lower-case hex only, keys in a fixed order, with a newline: the verdict
 * that `kaisar popw verify` prints. In @arena. -ENOMEM. */
_must_check_ int verdict_text(const struct session *session, const struct verdict *verdict,
			      struct arena *arena, const char **ret_text);

/* ---- a published session ---- */

/* Who committed to a result, and what those who revealed theirs said. */
struct testimony {
	struct commits commits;
	uint32_t set; /* of members that revealed */
	struct result results[SESSION_PANEL_MAX]; /* by member */
	uint8_t seen[SESSION_PANEL_MAX][SECP_SIGNATURE_SIZE]; /* of their REVEALs */
};

/* "POPWR2\0\0" · 4 length of the transcript · the transcript · COMMITS · 4 set of members that revealed · their
 * REVEALs, 224 each. */
struct record {
	struct transcript transcript;
	struct hash transcript_hash;
	struct testimony testimony;
};

enum record_outcome { RECORD_E_MALFORMED = 1 };
/* Transcript, commitments and results, each of the session and in its member's place. What the transcript needs lives in
 * @arena: 1.5 MiB at most. RECORD_E_MALFORMED: @ret_detail (may be NULL) says what, static. */
_must_check_ int record_decode(struct hasher *hasher, const void *bytes, size_t len,
			       struct arena *arena, struct record *ret_record,
			       const char **ret_detail);
/* In @arena. -ENOMEM. */
_must_check_ int record_encode(const void *transcript, size_t transcript_len,
			       const struct testimony *testimony, struct arena *arena,
			       uint8_t **ret_bytes, size_t *ret_len);

/* judge, and who committed without revealing. */
void judge_testimony(const struct session *session, const struct testimony *testimony,
		     struct verdict *ret_verdict);

/* Verifies the transcript again and judges the results. The panel was right where the verdict's bits and
 * transcript are the finding's bits and the record's transcript hash. RECORD_E_MALFORMED: a commitment or a result
 * is not signed by its member, a result is not what its member committed to, or was told before these commitments
 * were seen; the finding's detail says which, and there is no verdict. */
_must_check_ int record_replay(struct verifier *verifier, const struct record *record,
			       struct finding *ret_finding, struct verdict *ret_verdict);
