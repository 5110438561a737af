/* transcript.h - all that was said in a session up to its openings, in one canonical run of bytes. Who has
 * it can verify the session again, for ever. Its hash names it.
 *
 *	"POPWT1\0\0" · SESSION · members, 20 each · 4 set of members that committed · their NCOMMITs ·
 *	with a walk: NONCES 1 · FILLED · NONCES 2 · its roots, 32 each · SEAL ·
 *	with a matrix phase: NONCES 3 · its roots · SEAL ·
 *	NONCES 4 · OPEN
 *
 * NONCES are of the length that their set tells. Nothing is optional, nothing follows. */
#pragma once

#include "popw/message.h"

enum { TRANSCRIPT_SIZE_MAX = 2 << 20 };

struct transcript {
	struct session session;
	struct hash session_digest;
	struct address members[SESSION_PANEL_MAX];
	uint32_t committed; /* set of members */
	struct ncommit commits[SESSION_PANEL_MAX]; /* by member */
	struct nonces_message nonces[SESSION_NONCES]; /* by k - 1; those of absent phases unused */
	struct filled filled;
	struct hash *walk_roots; /* work.epochs of them; NULL without that phase */
	struct seal walk_seal;
	struct hash *matrix_roots; /* work.rounds of them */
	struct seal matrix_seal;
	struct open open;
};

enum transcript_outcome { TRANSCRIPT_E_MALFORMED = 1 };

/* Roots and openings live in @arena: 1.2 MiB at most, whatever the bytes say. @ret_detail (may be NULL): what was wrong, static. */
_must_check_ int transcript_decode(struct hasher *hasher, const void *bytes, size_t len,
				   struct arena *arena, struct transcript *ret_transcript,
				   const char **ret_detail);

size_t transcript_size(const struct transcript *transcript);
/* In @arena. -ENOMEM. */
_must_check_ int transcript_encode(const struct transcript *transcript, struct arena *arena,
				   uint8_t **ret_bytes, size_t *ret_len);
