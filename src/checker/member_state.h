/* member_state.h - what member.c (the order of things) and member_result.c (what was found) share. */
#pragma once

#include "checker/member.h"
#include "checker/trips.h"

enum member_step {
	STEP_COMMITS, /* to nonces */
	STEP_NONCES, /* @k is next */
	STEP_FILL,
	STEP_WALK,
	STEP_MATRIX,
	STEP_OPENING,
	STEP_FINDING, /* its own result */
	STEP_SHOWING, /* the panel's commits to theirs */
	STEP_END, /* everything is said */
};

struct member {
	struct member_config config;
	struct summons summons;
	uint32_t index, n; /* of the panel's n */
	struct hasher *hasher;
	struct arena *arena; /* until the transcript is handed on; then NULL */
	struct transcript transcript; /* as far as it has come */
	enum member_step step;
	int64_t deadline_us;
	const char *over;

	uint8_t nonces[SESSION_NONCES][SESSION_NONCE_SIZE];
	int64_t told_us[SESSION_NONCES]; /* 0: not told */
	uint8_t k; /* of the nonces that are due, or came last */
	uint32_t roots; /* of this phase, so far */
	struct trips trips;
	uint32_t fill_us, walk_us, matrix_us; /* 0: not measured */

	bool verified, measured;
	uint16_t bits;
	struct hash transcript_hash;
	uint32_t down_kbps, up_kbps;
	uint8_t result[RESULT_SIZE];
	struct hash result_hash;
};

static inline bool member_has(const struct member *member, uint16_t phase)
{
	return (member->summons.session.flags & phase) != 0;
}

void member_enter(struct member *member, enum member_step step, int64_t wait_ms);
void member_end(struct member *member, const char *why);
void member_send(struct member *member, enum message_kind kind, const uint8_t *bytes, size_t len);

/* The transcript is complete. */
void member_find(struct member *member);
/* MESSAGE_COMMITS: what the panel committed to. */
void member_take_commits(struct member *member, const void *bytes, size_t len);
