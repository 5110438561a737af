/* anchor_trees.h - paths of leaves in roots that were made. A tree is computed from its leaves by the first who asks,
 * and some are kept. Anybody may ask: so the newest roots, which most ask for, have places of their own, and whoever asks
 * for old ones in turn keeps nobody from them. Old ones are computed one at a time in the whole process. Thread safe. */
#pragma once

#include "modules/chain/chain_state.h"
#include "modules/chain/chain_store.h"

enum { ANCHOR_TREES_NEWEST = 8 };

/* The path of the leaf called @id under @root. ROUTE_E_UNAVAILABLE: another tree is being computed, of one of the
 * newest if this is one, else of an old one; ROUTE_E_NOT_FOUND. */
_must_check_ int anchor_trees_prove(const struct chain_state *state, struct tx *tx,
				    const struct anchor_root *root, const uint8_t id[32],
				    struct merkle_hash ret_path[static MERKLE_DEPTH_MAX],
				    size_t *ret_n);

void anchor_trees_forget(void);
