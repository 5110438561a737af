/* session.h - what is to be proved, by whom, to whom, and when: the SESSION message, and the seeds that
 * follow from it.
 *
 * All messages are fixed layouts, little-endian, without padding, in the order of the structs' fields.
 * docs/popw.md is the standard; this file is its first reader. */
#pragma once

#include "base/address.h"
#include "base/id.h"
#include "popw/hash.h"
#include "popw/item.h"
#include "popw/matrix.h"
#include "popw/prg.h"
#include "security/secp.h"

ID_DEFINE(proof, "prf") /* one session */

enum {
	SESSION_SIZE = 283,
	SESSION_SIGNED_SIZE = SESSION_SIZE - SECP_SIGNATURE_SIZE,
	SESSION_PANEL_MAX = 32,
	SESSION_NONCES = 4, /* one before each phase: enum session_nonce */
	SESSION_OPENINGS_MAX = 256, /* of each kind */
	SESSION_ITEMS_MIN = 1024,
	SESSION_WALKS_MAX = 1 << 20,
	SESSION_STEPS_MAX = 4096,
	SESSION_EPOCHS_MAX = 4096,
	SESSION_STATES_MAX = 1 << 26, /* walks * epochs */
	SESSION_SIDE_MAX = 16384, /* of a matrix */
	SESSION_ROUNDS_MAX = 4096,
	SESSION_ROOTS_MAX = 4096, /* of a phase */
	/* open_walks * steps * double_rounds: at this most, and with 256 tiles of K = 65536 beside it, to
	 * verify a session takes about three seconds of one core without vector instructions. */
	SESSION_WALK_COST_MAX = 1 << 26,
	SESSION_NONCE_SIZE = 32,
	SESSION_UUID_SIZE = 16,
};

enum session_kind {
	SESSION_REGISTRATION = 1,
	SESSION_STANDBY,
	SESSION_RENTED,
	SESSION_APPEAL,
	SESSION_SELF_TEST, /* of a machine by itself; counts for nothing */
};

/* Every phase begins with nonces of its own, so that its time is measured from a moment that the worker
 * could not know before: with one nonce for walk and matrix, a worker could hold the walk's seal back and
 * make its matrix phase look faster. A session without a walk has neither the first nor the second,
 * one without a matrix phase not the third. */
enum session_nonce { NONCE_FILL = 1, NONCE_WALK, NONCE_MATRIX, NONCE_OPEN };

enum session_device { SESSION_GPU = 1, SESSION_HOST, SESSION_DISK };

enum { SESSION_HAS_WALK = 1, SESSION_HAS_MATRIX = 2 }; /* flags: the phases */

/* How much is to be done. The fields of a phase that is not there are zero. */
struct session_work {
	uint32_t n_items; /* of ITEM_BYTES; SESSION_ITEMS_MIN or more */
	uint16_t double_rounds; /* 1..ITEM_DOUBLE_ROUNDS_MAX; SESSION_WALK_COST_MAX */
	uint32_t walks; /* power of two, 2..SESSION_WALKS_MAX */
	uint16_t steps; /* of an epoch, 1..SESSION_STEPS_MAX */
	uint16_t epochs; /* 1..SESSION_EPOCHS_MAX; walks * epochs at most SESSION_STATES_MAX */
	uint32_t k; /* multiple of 64, 64..MATRIX_K_MAX */
	uint32_t n, m; /* powers of two, 16..SESSION_SIDE_MAX */
	uint16_t rounds; /* 1..SESSION_ROUNDS_MAX */
	uint16_t open_walks, open_tiles; /* 1..SESSION_OPENINGS_MAX */
};

struct session {
	uint8_t kind; /* enum session_kind */
	uint8_t device; /* enum session_device */
	uint16_t flags;
	uint64_t chain_id;
	uint64_t block_number; /* of the beacon */
	struct hash block_hash;
	uint64_t epoch; /* of rewards */
	struct proof_id id;
	struct address network;
	struct address machine; /* the worker's key */
	uint8_t gpu_uuid[SESSION_UUID_SIZE]; /* zero for host and disk, the index too */
	uint16_t gpu_index;
	uint16_t class_; /* the claim: a row of class.h, or CLASS_UNKNOWN */
	uint8_t panel_size; /* 1..SESSION_PANEL_MAX */
	struct session_work work;
	uint32_t fill_ms, walk_ms,
		matrix_ms; /* deadlines, 1..600,000, filling's 1..3,600,000; 0 without that phase */
	struct hash panel; /* H of the members' addresses in order */
	uint8_t signature[SECP_SIGNATURE_SIZE]; /* the network's, over session_digest */
};

enum session_outcome { SESSION_E_MALFORMED = 1 };

/* Whether every field is within its bounds. @ret_detail (may be NULL), here and below: which is not and
 * what it must be; static, written on refusal. */
_must_check_ int session_check(const struct session *session, const char **ret_detail);

/* "POPW", version 1, then the fields of struct session in their order. */
void session_encode(const struct session *session, uint8_t ret_bytes[static SESSION_SIZE]);
/* Checked. SESSION_E_MALFORMED. */
_must_check_ int session_decode(const void *bytes, size_t len, struct session *ret_session,
				const char **ret_detail);

/* H("popw1/session" || the bytes before the signature). */
void session_digest(struct hasher *hasher, const struct session *session, struct hash *ret_digest);

void session_panel_hash(struct hasher *hasher, const struct address *members, size_t n,
			struct hash *ret_hash);

/* The nonces of @panel_size members that a seed needs: ceil(2 m / 3). */
static inline unsigned int session_quorum(unsigned int panel_size)
{
	return (2 * panel_size + 2) / 3;
}

/* The nonces that the opening's seed needs, of the @before that began the phase before it: all but one, and a
 * quorum. Whoever composes that set could otherwise draw the openings as often as there are sets. */
static inline unsigned int session_least_open(unsigned int panel_size, uint32_t before)
{
	unsigned int quorum = session_quorum(panel_size),
		     all = (unsigned int)__builtin_popcount(before);

	return all > quorum ? all - 1 : quorum;
}

static inline uint32_t session_tiles(const struct session_work *work)
{
	return work->m / TILE_ROWS * (work->n / TILE_COLUMNS);
}

/* ---- seeds ---- */

/* The nonces that a seed was made of: those of the members in @set, in the panel's order. */
struct nonces {
	uint32_t set; /* bit i: member i */
	uint8_t bytes[SESSION_PANEL_MAX][SESSION_NONCE_SIZE]; /* by member; unused ones are zero */
};

/* seed_D = H("popw1/D" || SESSION, all 283 bytes || set, 4 bytes || nonces 1 in the panel's order) */
void seed_data(struct hasher *hasher, const struct session *session, const struct nonces *nonces,
	       struct hash *ret_seed);
/* seed_W = H("popw1/W" || seed_D || set || nonces 2) */
void seed_walk(struct hasher *hasher, const struct hash *seed_d, const struct nonces *nonces,
	       struct hash *ret_seed);
/* seed_G = H("popw1/G" || SESSION || the last epoch's root || seed_D || set || nonces 3); without a walk,
 * root and seed_D are zeros, and SESSION alone binds the rounds to machine and GPU. */
void seed_matrix(struct hasher *hasher, const struct session *session, const struct hash *last_root,
		 const struct hash *seed_d, const struct nonces *nonces, struct hash *ret_seed);
/* seed_{i+1} = H("popw1/G+" || seed_i || root_i) */
void seed_round(struct hasher *hasher, const struct hash *seed, const struct hash *root,
		struct hash *ret_seed);
/* H("popw1/O" || all roots, walks' first || set || nonces 4). The roots come as their hashes:
 * H(walk roots) and H(matrix roots), as they were sealed; zeros for a phase that is not there. */
void seed_opening(struct hasher *hasher, const struct hash *walk_roots,
		  const struct hash *matrix_roots, const struct nonces *nonces,
		  struct hash *ret_seed);

/* Opening @i: the first two words x, y of the PRG's row (PRG_OPENING, i, round 0) under the opening seed
 * give (x * first) >> 32 and (y * second) >> 32. Openings 0 .. open_walks - 1 are of walks: (walk of
 * walks, epoch of epochs); open_tiles more follow: (tile of session_tiles, round of rounds). */
void opening_place(const struct hash *seed, uint32_t i, uint32_t first, uint32_t second,
		   uint32_t *ret_first, uint32_t *ret_second);
