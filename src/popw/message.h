/* message.h - what panel, control plane and prover say during a session. Fixed layouts, little-endian;
 * each decoder checks the exact length and the bounds that need no session (a member below
 * SESSION_PANEL_MAX, a known phase), and gives MESSAGE_E_MALFORMED otherwise. What machine and members sign is
 *
 *	H(tag || session_digest || the bytes before the signature)
 *
 * with the tags below, so that a message is worth nothing in another session. The tag of NONCES' is
 * signed by the network. */
#pragma once

#include "base/arena.h"
#include "popw/session.h"
#include "popw/tree.h"
#include "popw/walk.h"

#define TAG_NCOMMIT "popw1/ncommit"
#define TAG_NONCES "popw1/nonces"
#define TAG_FILLED "popw1/filled"
#define TAG_SEAL "popw1/seal"
#define TAG_OPEN "popw1/open"
#define TAG_COMMIT "popw1/commit"
#define TAG_RESULT "popw1/result"
#define TAG_REVEAL "popw1/reveal"

enum message_kind { /* byte 0 of a message where its kind is not known from its place */
		    MESSAGE_SESSION = 1, /* summons.h */
		    MESSAGE_NCOMMIT, /* member -> all, before anything */
		    MESSAGE_NONCE, /* member -> relay */
		    MESSAGE_NONCES, /* relay -> all: the set that makes a seed */
		    MESSAGE_FILLED, /* worker -> all */
		    MESSAGE_ROOT, /* worker -> all */
		    MESSAGE_SEAL, /* worker -> all: a phase's last */
		    MESSAGE_OPEN, /* worker -> all */
		    MESSAGE_COMMIT, /* member -> relay: H of its result */
		    MESSAGE_REVEAL, /* member -> relay, when all committed: RESULT, and what it saw */
		    MESSAGE_COMMITS, /* relay -> members: all COMMITs that it took */
};

enum {
	NCOMMIT_SIZE = 213,
	NONCE_SIZE = 53,
	FILLED_SIZE = 86,
	ROOT_SIZE = 53,
	SEAL_SIZE = 118,
	COMMIT_SIZE = 117,
	RESULT_SIZE = 159,
	REVEAL_SIZE = RESULT_SIZE + SECP_SIGNATURE_SIZE,
	COMMITS_HEAD_SIZE = 20,
	COMMITS_SIZE_MAX = COMMITS_HEAD_SIZE + SESSION_PANEL_MAX * COMMIT_SIZE,
	NONCES_HEAD_SIZE = 21,
	NONCES_SIZE_MAX = NONCES_HEAD_SIZE + SESSION_PANEL_MAX * SESSION_NONCE_SIZE +
			  SECP_SIGNATURE_SIZE,
	OPEN_HEAD_SIZE = 20,
	/* 256 walks of 2^20, and 256 tiles of 2^21. */
	OPEN_SIZE_MAX = OPEN_HEAD_SIZE + SESSION_OPENINGS_MAX * (256 + 2 * 20 * HASH_SIZE) +
			SESSION_OPENINGS_MAX * (TILE_BYTES + 21 * HASH_SIZE) + SECP_SIGNATURE_SIZE,
	FILLED_TAG = 1,
};

enum message_outcome { MESSAGE_E_MALFORMED = 1 };

struct ncommit { /* 213 */
	struct proof_id session;
	uint32_t member;
	struct hash nonces[SESSION_NONCES]; /* H of each */
	uint8_t signature[SECP_SIGNATURE_SIZE];
};

/* As the member of a NONCE from the relay, whose bytes are zero: reveal yours now. */
#define NONCE_ASKED UINT32_MAX

struct nonce { /* 53 */
	struct proof_id session;
	uint8_t k; /* enum session_nonce */
	uint32_t member;
	uint8_t bytes[SESSION_NONCE_SIZE];
};

/* 16 session, 1 k, 4 set, 32 for each member of it in order, 65 signature. */
struct nonces_message {
	struct proof_id session;
	uint8_t k;
	struct nonces nonces;
	uint8_t signature[SECP_SIGNATURE_SIZE];
};

struct filled { /* 86 */
	struct proof_id session;
	uint8_t tag; /* 1 */
	uint32_t set; /* of the first nonces */
	uint8_t signature[SECP_SIGNATURE_SIZE];
};

enum phase { PHASE_WALK = 2, PHASE_MATRIX };

struct root { /* 53 */
	struct proof_id session;
	uint8_t phase;
	uint32_t index; /* epoch or round, from 0 */
	struct hash root;
};

struct seal { /* 118 */
	struct proof_id session;
	uint8_t phase;
	uint32_t set; /* of the nonces that the phase began with */
	struct hash roots; /* H of the phase's roots, one after another */
	uint8_t signature[SECP_SIGNATURE_SIZE];
};

struct commit { /* 16 session, 4 member, 32 H(the result's 159 bytes), 65 signature */
	struct proof_id session;
	uint32_t member;
	struct hash result;
	uint8_t signature[SECP_SIGNATURE_SIZE];
};

struct result { /* 159 */
	struct proof_id session;
	uint32_t member;
	uint16_t bits; /* verify.h */
	struct hash transcript;
	uint32_t fill_us, walk_us, matrix_us, rtt_us; /* measured; 0: not */
	uint32_t down_kbps, up_kbps; /* kbit/s; 0: not measured */
	uint8_t salt[16];
	uint8_t signature[SECP_SIGNATURE_SIZE];
};

/* 16 session, 4 set, the COMMITs of its members in order. No more are taken once this is said. */
struct commits {
	struct proof_id session;
	uint32_t set;
	struct commit commits[SESSION_PANEL_MAX]; /* by member */
};

/* A RESULT is told together with its member's signature of the COMMITS that it saw before: what it did not
 * see there was not committed before the result could be known. */
struct reveal { /* 159 RESULT, 65 signature of reveal_digest */
	struct result result;
	uint8_t signature[SECP_SIGNATURE_SIZE];
};

/* One opened walk: the state with which its epoch begins, the path that shows it in the tree of the
 * epoch before (state and path zero where the epoch is 0), and the path of the state it leads to. */
struct walk_opening {
	struct walk_state before;
	struct hash path_before[TREE_DEPTH_MAX],
		path_after[TREE_DEPTH_MAX]; /* depth of them count */
};

struct tile_opening {
	struct tile tile;
	struct hash path[TREE_DEPTH_MAX];
};

/* 16 session, 4 set of the opening's nonces, the walks' openings, the tiles', 65 signature. */
struct open {
	struct proof_id session;
	uint32_t set;
	struct walk_opening *walks; /* open_walks of them, NULL without that phase */
	struct tile_opening *tiles;
	uint8_t signature[SECP_SIGNATURE_SIZE];
};

void ncommit_encode(const struct ncommit *message, uint8_t ret_bytes[static NCOMMIT_SIZE]);
_must_check_ int ncommit_decode(const void *bytes, size_t len, struct ncommit *ret_message);
void nonce_encode(const struct nonce *message, uint8_t ret_bytes[static NONCE_SIZE]);
_must_check_ int nonce_decode(const void *bytes, size_t len, struct nonce *ret_message);
size_t nonces_size(uint32_t set);
/* Returns the length, nonces_size(set). */
size_t nonces_encode(const struct nonces_message *message,
		     uint8_t ret_bytes[static NONCES_SIZE_MAX]);
_must_check_ int nonces_decode(const void *bytes, size_t len, struct nonces_message *ret_message);
void filled_encode(const struct filled *message, uint8_t ret_bytes[static FILLED_SIZE]);
_must_check_ int filled_decode(const void *bytes, size_t len, struct filled *ret_message);
void root_encode(const struct root *message, uint8_t ret_bytes[static ROOT_SIZE]);
_must_check_ int root_decode(const void *bytes, size_t len, struct root *ret_message);
void seal_encode(const struct seal *message, uint8_t ret_bytes[static SEAL_SIZE]);
_must_check_ int seal_decode(const void *bytes, size_t len, struct seal *ret_message);
void commit_encode(const struct commit *message, uint8_t ret_bytes[static COMMIT_SIZE]);
_must_check_ int commit_decode(const void *bytes, size_t len, struct commit *ret_message);
void result_encode(const struct result *message, uint8_t ret_bytes[static RESULT_SIZE]);
_must_check_ int result_decode(const void *bytes, size_t len, struct result *ret_message);

void reveal_encode(const struct reveal *message, uint8_t ret_bytes[static REVEAL_SIZE]);
_must_check_ int reveal_decode(const void *bytes, size_t len, struct reveal *ret_message);
size_t commits_size(uint32_t set);
/* Returns the length, commits_size(set). */
size_t commits_encode(const struct commits *message, uint8_t ret_bytes[static COMMITS_SIZE_MAX]);
/* Each COMMIT is of this session and of its member. */
_must_check_ int commits_decode(const void *bytes, size_t len, struct commits *ret_message);

/* Of @session's OPEN, exactly. */
size_t open_size(const struct session *session);
void open_encode(const struct session *session, const struct open *message, uint8_t *ret_bytes);
/* Openings live in @arena. -ENOMEM. MESSAGE_E_MALFORMED: another length. */
_must_check_ int open_decode(const struct session *session, const void *bytes, size_t len,
			     struct arena *arena, struct open *ret_message);

/* What is signed: @bytes is an encoded message that ends with its signature. */
void message_digest(struct hasher *hasher, const char *tag, const struct hash *session_digest,
		    const void *bytes, size_t len, struct hash *ret_digest);
/* H(TAG_REVEAL || session_digest || COMMITS, as encoded) */
void reveal_digest(struct hasher *hasher, const struct hash *session_digest,
		   const struct commits *commits, struct hash *ret_digest);
/* Puts @key's signature at the end of the encoded message. */
_must_check_ int message_sign(struct hasher *hasher, const char *tag,
			      const struct hash *session_digest, const struct secp_key *key,
			      uint8_t *bytes, size_t len);
/* Whether it is signed by @signer. A signature's v must be 27 or 28: with a second spelling, anybody could
 * change what others signed without being found out. */
bool message_signed_by(struct hasher *hasher, const char *tag, const struct hash *session_digest,
		       const struct address *signer, const void *bytes, size_t len);
/* The same for a digest at hand: session_digest's. */
bool digest_signed_by(const struct hash *digest,
		      const uint8_t signature[static SECP_SIGNATURE_SIZE],
		      const struct address *signer);
