/* walk_log.h - the states of all walks at the end of every epoch, with their trees: what a prover on the host
 * keeps so that any place can be opened. walks * epochs * 320 bytes. */
#pragma once

#include "popw/crew.h"
#include "popw/message.h"

struct walk_log {
	uint32_t walks, epochs;
	struct walk_state *states; /* by epoch, then walk */
	struct hash *nodes; /* by epoch a tree: 2 * walks */
};

size_t walk_log_bytes(const struct session_work *work);

/* @log: zero or done. -ENOMEM. */
_must_check_ int walk_log_init(struct walk_log *log, const struct session_work *work);
void walk_log_done(struct walk_log *log);

/* The first states. */
_must_check_ int walk_log_start(struct walk_log *log, struct crew *crew,
				const struct prg_key *seed_w);

/* The states with which @epoch begins, salted, all walks of them: to be walked in place. */
struct walk_state *walk_log_enter(struct walk_log *log, uint32_t epoch,
				  const uint32_t salt[static 8]);

/* They are at the epoch's end. */
_must_check_ int walk_log_seal(struct walk_log *log, struct crew *crew, uint32_t epoch,
			       struct hash *ret_root);

void walk_log_open(const struct walk_log *log, uint32_t walk, uint32_t epoch,
		   struct walk_opening *ret_opening);
