/* prove_host.h - what the provers that compute on the host share: all but where the data set lies. */
#pragma once

#include "popw/crew.h"
#include "popw/host_rounds.h"
#include "popw/prover.h"
#include "popw/walk_log.h"

struct host_prover {
	struct prover_device device;
	struct crew *crew;
	struct session_work work;
	struct prg_key seed_d;
	struct walk_log log;
	struct host_rounds rounds;
};

/* @threads 0: one a processor. -EINVAL: more than PROVER_THREADS_MAX. */
_must_check_ int host_init(struct host_prover *host, const struct prover_ops *ops,
			   unsigned int threads, const char **ret_detail);
void host_done(struct host_prover *host);

static inline struct host_prover *host_of(struct prover_device *device)
{
	return (struct host_prover *)device;
}

/* Writes why into the device's detail; returns @fault. */
_printf_(3, 4) int host_fail(struct prover_device *device, int fault, const char *format, ...);

/* Of the machine, that may be taken; 0: unknown. */
uint64_t host_memory_available(void);
/* -ENOMEM, with a detail, where @bytes more would be too many. */
_must_check_ int host_memory_check(struct prover_device *device, uint64_t bytes, const char *what);

/* Begins a session: what the last one kept is given back, the log of the walks is made. @set_bytes:
 * what the data set takes of the memory. */
_must_check_ int host_begin(struct prover_device *device, const struct prg_key *seed_d,
			    const struct session_work *work, uint64_t set_bytes);

/* Operations. */
int host_walk_start(struct prover_device *device, const struct prg_key *seed_w);
int host_open_walk(struct prover_device *device, uint32_t walk, uint32_t epoch,
		   struct walk_opening *ret_opening);
int host_matrix_start(struct prover_device *device, const struct prg_key *seed_g,
		      const struct session_work *work);
int host_matrix_round(struct prover_device *device, const struct prg_key *seed_i, uint32_t round,
		      struct hash *ret_root);
int host_open_tiles(struct prover_device *device, const struct prg_key *seed_i, uint32_t round,
		    const uint32_t *tiles, size_t n, struct tile_opening *ret_openings);
