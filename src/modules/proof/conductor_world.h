/* conductor_world.h - for tests: one session's members and worker, who behave in many ways, behind links with
 * delays of their own, on a clock that jumps; all of it repeatable from a seed. */
#pragma once

#include "modules/proof/conductor.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

enum { MEMBERS = 9, EVENTS = 4096, GARBAGE = 4096, NONCE_MS = 500, RESULT_MS = 1000 };

enum manner { /* of members */
	      HONEST,
	      LYING, /* another exact part */
	      SILENT, /* from some message on */
	      LATE, /* past every deadline */
	      COPYING, /* commits and reveals what it sees of others */
	      DEFECTING, /* commits, never reveals */
	      SWITCHING, /* reveals another result than it committed to */
	      HASTY, /* says that it saw other commitments than all */
	      BABBLING, /* bytes of any kind and length */
	      LEAVING, /* its link breaks */
	      DEAF, /* misses a message, knows it, and abstains */
	      MANNERS,
};

enum craft { /* of workers */
	     SOUND,
	     FORGING, /* every message fits; what it opens is wrong */
	     DYING, /* silent from some message on */
	     GOING, /* its link breaks */
	     YIELDING,
	     RAVING, /* bytes of any kind */
	     REPEATING, /* says a message twice */
	     CRAFTS,
};

struct event {
	int64_t at_ms;
	uint64_t order;
	int from; /* -1: the worker, else a member; for @to_node false */
	bool to_node;
	enum message_kind kind;
	size_t len;
	uint8_t *bytes;
};

struct member {
	enum manner manner;
	unsigned int said, silent_from, deaf_at, heard;
	bool committed, revealed;
	uint8_t nonces[SESSION_NONCES][SESSION_NONCE_SIZE];
	struct hasher *seen; /* what makes the transcript, in order */
	uint8_t result[RESULT_SIZE];
	int64_t last_in_ms, last_out_ms; /* a link keeps its order */
};

struct world {
	struct random_seeded random;
	struct secp_key *network, *machine, *keys[MEMBERS];
	struct hasher *hasher;
	struct session session;
	struct hash digest;
	struct address addresses[MEMBERS];
	struct conductor *conductor;
	int64_t now_ms, worker_in_ms, worker_out_ms;
	struct event events[EVENTS];
	size_t n_events;
	uint64_t order;
	unsigned int n;
	struct member members[MEMBERS];
	uint32_t quiet; /* members that tell no nonce for the opening */
	enum craft craft;
	unsigned int worker_said, worker_breaks;
	uint32_t next_set;
	size_t sent_after_end;
};

struct world *world_new(uint64_t seed);
void world_free(struct world *world);
uint64_t below(struct world *world, uint64_t bound);

/* What an honest member finds. */
uint16_t truth(const struct world *world);

/* Runs one session of world->n members to its end, which must come; then what comes too late. The end lives as
 * long as world->conductor, which the caller frees. */
const struct conductor_end *run(struct world *world);
