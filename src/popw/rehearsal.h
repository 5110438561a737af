/* rehearsal.h - a session in which network, panel and machine are made up, keys and all, in one process: what a
 * machine tests itself with, and what tests and benchmarks prove against. It counts for nothing.
 *
 * begin, then prove() with rehearsal_exchange - or the same by hand: nonces and hear -, then the
 * transcript is complete, and members can judge it. */
#pragma once

#include "popw/judge.h"
#include "popw/prover.h"
#include "popw/transcript.h"

struct rehearsal {
	struct random *random;
	struct hasher *hasher;
	struct secp_key *network, *machine, *members[SESSION_PANEL_MAX];
	struct arena *arena; /* of the session at hand */
	struct nonces nonces[SESSION_NONCES]; /* of all members */
	struct transcript transcript; /* as far as it has come */
	uint32_t walk_roots, matrix_roots; /* heard so far */
};

/* @panel_size members. @random: borrowed. */
_must_check_ int rehearsal_new(struct random *random, unsigned int panel_size,
			       struct rehearsal **ret_rehearsal);
void rehearsal_free(struct rehearsal *rehearsal);

/* A new session; the last one's transcript is gone. Of @plan, identities and signature are made up here: id,
 * block, network, machine, panel. -EINVAL: @plan breaks session_check; @ret_detail (may be NULL). */
_must_check_ int rehearsal_begin(struct rehearsal *rehearsal, const struct session *plan,
				 const char **ret_detail);

/* The nonces @k (enum session_nonce), of all members, signed by the network. Borrowed until the next
 * session. */
_must_check_ int rehearsal_nonces(struct rehearsal *rehearsal, uint8_t k,
				  const struct nonces_message **ret_message);

/* What the prover says, signed as its machine would. -EBADMSG: not what the session has there. */
_must_check_ int rehearsal_hear(struct rehearsal *rehearsal, enum message_kind kind,
				const uint8_t *bytes, size_t len);

/* Both, for prove(). */
struct prover_exchange rehearsal_exchange(struct rehearsal *rehearsal);

/* The transcript as it is, heard whole or not, in @arena. -ENOMEM. */
_must_check_ int rehearsal_transcript(const struct rehearsal *rehearsal, struct arena *arena,
				      uint8_t **ret_bytes, size_t *ret_len);

/* Signs @result as @member's: session, member, salt and signature are filled in. */
_must_check_ int rehearsal_sign_result(struct rehearsal *rehearsal, uint32_t member,
				       struct result *result);

/* Of the results that are there, signed: those in @committed are committed to, and those of testimony->set
 * revealed behind it. */
_must_check_ int rehearsal_testify(struct rehearsal *rehearsal, uint32_t committed,
				   struct testimony *testimony);

static inline void rehearsal_freep(struct rehearsal **rehearsal)
{
	rehearsal_free(*rehearsal);
}
