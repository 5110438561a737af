/* cheat_device.h - for tests: a prover on the CPU that does less than it says, in one way at a time, and counts of
 * how many places what it shows is wrong: openings find it out with the chance that this share gives. */
#pragma once

#include "popw/prove_host.h"

enum cheat_kind {
	CHEAT_NOTHING,
	CHEAT_TILES_SKIPPED, /* a share of the tiles is left zero */
	CHEAT_ROUNDS_TRUNCATED, /* the last share of the rounds shows the first one again */
	CHEAT_INT4, /* A without its low four bits */
	CHEAT_ROUNDED, /* C without its low four bits */
	CHEAT_SHORT_SUMS, /* half of K */
	CHEAT_ITEMS_MISSING, /* a share of the items is zero: not enough memory */
	CHEAT_WALKS_SKIPPED, /* a share of the walks stands still, each epoch others */
	CHEAT_WALKS_MERGED, /* one walk is made, and shown as all of them */
	CHEAT_EPOCHS_UNCHAINED, /* no salts but the first: epochs side by side */
	CHEAT_EPOCHS_REORDERED, /* the second and third epoch change places */
	CHEAT_FORGED_ROOTS, /* all of them */
};

struct cheat_device {
	struct host_prover host; /* first */
	enum cheat_kind kind;
	uint32_t share_permille;
	struct random *random; /* borrowed */
	struct matrix_scratch scratch;
	struct prg_key seed_w, seed_g, first_seed_i;
	struct item *items;
	bool *missing; /* items */
	bool *skipped; /* tiles, by round */

	/* What the session before showed wrongly, of how many. */
	uint32_t bad_walks, bad_tiles;
	uint8_t *bad_walk, *bad_tile; /* which: by epoch and walk, by round and tile */
};

_must_check_ int cheat_device_new(struct random *random, struct cheat_device **ret_cheat);
void cheat_device_free(struct cheat_device *cheat);

/* How it cheats from the next session on. */
void cheat_device_set(struct cheat_device *cheat, enum cheat_kind kind, uint32_t share_permille);

/* The chance that nobody notices: of openings with replacement. */
double cheat_device_passes(const struct cheat_device *cheat, const struct session *session);
