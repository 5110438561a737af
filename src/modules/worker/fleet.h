/* fleet.h - every machine in memory, indexed for the matcher, and when each was last heard.
 *
 * Only a hint: the store decides. It is filled from the store at the start, follows it through
 * tx_on_commit and heartbeats, and is laid over with the store's rows again now and then, so that a
 * lost update costs one refused placement and heals.
 *
 * Machines that can be rented lie in segments: one for each model ("cpu" without a GPU) and price
 * band, plain columns each. A choice begins at the cheapest band, at a random row, and stops at
 * enough candidates, so that its cost does not grow with the fleet. Liveness is counted on the
 * monotonic clock, from when this instance began to listen: what was not heard because nobody listened is
 * not silence. Thread safe behind one mutex. */
#pragma once

#include "base/address.h"
#include "base/amount.h"
#include "base/clock.h"
#include "base/random.h"
#include "modules/worker/gpu_name.h"

enum {
	FLEET_KINDS_MAX = 4, /* GPU models offered by one machine */
	FLEET_MODELS_MAX = 1024, /* in the whole fleet */
	FLEET_PRICE_MAX = 1000000000, /* micro-units an hour, for a GPU or core */
};

/* The GPUs of one model in one machine. */
struct fleet_gpus {
	char model[GPU_NAME_SIZE];
	int64_t total, free, memory_bytes;
};

/* A machine as the store has it. */
struct fleet_machine {
	struct machine_id machine;
	struct account_id owner;
	int64_t revision; /* of the machine's row: an older one does not replace a newer one */
	int64_t generation; /* of its desired set */
	bool paused;
	bool lost; /* the store says so */
	bool unproved; /* and the network asks for proofs */
	bool seen; /* at any time before */
	int64_t gpu_hour, core_hour; /* micro-units; 0: not offered */
	int64_t cpu_milli, memory_bytes, disk_bytes; /* free */
	int64_t quality; /* 0..1000 */
	struct fleet_gpus gpus[FLEET_KINDS_MAX];
	size_t n_gpus; /* 0: class cpu */
};

/* What the process itself knows of it. */
struct fleet_pulse {
	bool heard; /* in this process's life */
	bool engine_up;
	bool online; /* heard within offline_after_ms, its engine up */
	int64_t heard_at_ms; /* wall clock */
	int64_t silent_ms; /* since it was heard, or since this instance listens, if that is later */
	int64_t latency_ms;
};

struct fleet;

_must_check_ int fleet_new(const struct clock *clock, int64_t offline_after_ms,
			   struct fleet **ret_fleet);
void fleet_free(struct fleet *fleet);

/* Machines can be linked here from now on: what was not heard before is not silence. */
void fleet_listen(struct fleet *fleet);

/* Adds or replaces. -ENOMEM. */
_must_check_ int fleet_put(struct fleet *fleet, const struct fleet_machine *machine);
void fleet_remove(struct fleet *fleet, struct machine_id machine);
size_t fleet_count(struct fleet *fleet);

/* A sign of life now. @ret_generation: of its desired set. False: not known. */
bool fleet_heard(struct fleet *fleet, struct machine_id machine, bool engine_up,
		 int64_t *ret_generation);

/* Another instance heard it @ago_ms ago. */
void fleet_heard_elsewhere(struct fleet *fleet, struct machine_id machine, bool engine_up,
			   int64_t ago_ms);

/* Its desired set has this generation; an older one changes nothing. */
void fleet_generation(struct fleet *fleet, struct machine_id machine, int64_t generation);
/* False: not known. */
bool fleet_generation_of(struct fleet *fleet, struct machine_id machine, int64_t *ret_generation);
void fleet_latency(struct fleet *fleet, struct machine_id machine, int64_t latency_ms);

/* An unknown machine was never heard. */
void fleet_pulse_of(struct fleet *fleet, struct machine_id machine, struct fleet_pulse *ret_pulse);

struct fleet_query {
	const char *model; /* canonical; NULL: any */
	bool any_class; /* with @gpus 0: machines with GPUs, too (to browse, not to place) */
	int64_t gpus; /* 0: class cpu */
	int64_t cpu_milli, memory_bytes, disk_bytes;
	struct amount max_rate_hour; /* 0: any */
	const struct machine_id *machine; /* only this one; NULL: any */
	const struct machine_id *avoid;
	size_t n_avoid;
};

/* One machine that fits, chosen by chance among the best. False: none. -errno: no randomness. */
_must_check_ int fleet_match(struct fleet *fleet, const struct fleet_query *query,
			     struct random *random, bool *ret_found,
			     struct fleet_machine *ret_machine);

/* Calls @fn for each machine, under the lock: it must be quick and must not call the fleet. */
void fleet_each(struct fleet *fleet,
		void (*fn)(void *arg, const struct fleet_machine *machine,
			   const struct fleet_pulse *pulse),
		void *arg);

/* Takes machines that went silent out of the segments. */
void fleet_sweep(struct fleet *fleet);

static inline void fleet_freep(struct fleet **fleet)
{
	fleet_free(*fleet);
}
