/* host_rounds.h - the matrix phase of the provers that compute on the host: B is kept, A and C are there
 * in strips of rows only, the rounds' trees are kept within a bound and computed again beyond it. */
#pragma once

#include "popw/crew.h"
#include "popw/message.h"

enum { HOST_TREES_MIB = 1024 };

struct host_rounds {
	struct crew *crew;
	struct session_work work;
	struct prg_key seed_g;
	uint32_t strip_rows;
	int8_t *b;
	struct strip *strips; /* one a worker */
	struct matrix_scratch scratch;
	struct hash *nodes; /* by round a tree, or one in all */
	bool kept;
};

size_t host_rounds_bytes(const struct session_work *work, unsigned int threads);

/* Makes B. @rounds: zero or done. @trees_max: bytes; HOST_TREES_MIB but in tests. -ENOMEM. */
_must_check_ int host_rounds_init(struct host_rounds *rounds, struct crew *crew,
				  const struct prg_key *seed_g, const struct session_work *work,
				  size_t trees_max);
void host_rounds_done(struct host_rounds *rounds);

_must_check_ int host_rounds_run(struct host_rounds *rounds, const struct prg_key *seed_i,
				 uint32_t round, struct hash *ret_root);
_must_check_ int host_rounds_open(struct host_rounds *rounds, const struct prg_key *seed_i,
				  uint32_t round, const uint32_t *tiles, size_t n,
				  struct tile_opening *ret_openings);
