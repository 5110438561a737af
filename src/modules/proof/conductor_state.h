/* conductor_state.h - what conductor.c (the order of things) and conductor_take.c (what is taken) share. */
#pragma once

#include "modules/proof/conductor.h"

enum step { COMMITS, NONCES, FILL, HELD, WALK, MATRIX, OPENING, RESULTS, REVEALS, OVER };

struct conductor {
	struct conductor_plan plan;
	struct conductor_ops ops;
	struct hasher *hasher;
	struct arena *arena;
	struct transcript transcript; /* as far as it has come */
	unsigned int n; /* members */
	enum step step;
	int64_t deadline_ms;
	uint8_t k; /* the nonces asked for last */
	unsigned int least; /* of these nonces, for the session to go on */
	uint32_t asked; /* who is waited for in this step */
	uint32_t given; /* and has given it */
	uint32_t gone;
	uint32_t roots; /* of this phase, taken so far */
	uint8_t heard[SESSION_PANEL_MAX];
	struct testimony testimony;
	struct hash seen; /* what members sign when they reveal */
	struct conductor_end end;
};

static inline const struct session *conductor_session(const struct conductor *conductor)
{
	return &conductor->transcript.session;
}

/* Whether @member's message fits this step, is of this session, and is signed where it must be; kept then. */
bool conductor_take(struct conductor *conductor, unsigned int member, enum message_kind kind,
		    const void *bytes, size_t len);

/* Whether the worker's message is what comes next; kept then. -ENOMEM. */
enum conductor_take_outcome { TAKE_E_MALFORMED = 1 };
_must_check_ int conductor_take_worker(struct conductor *conductor, enum message_kind kind,
				       const void *bytes, size_t len);
