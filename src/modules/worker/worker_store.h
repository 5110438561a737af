/* worker_store.h - the statements on machines, their GPUs and join tokens. Outcomes are worker.h's and
 * route.h's; a row that is not there is ROUTE_E_NOT_FOUND. Texts live in the transaction's arena. */
#pragma once

#include "modules/worker/fleet.h"
#include "modules/worker/worker.h"
#include "security/token.h"

enum worker_lost { WORKER_HEARD, WORKER_LOST };

struct worker_inventory {
	uint8_t hash[32]; /* of the report; zeros: none yet */
	int64_t cpu_count, cpu_milli, memory_bytes, disk_bytes, gpus;
	const char *cpu_model, *os, *kernel, *engine;
	const char *address; /* of published ports; "": not told */
	const char *proof_address; /* "": @address */
	int64_t proof_port; /* 0: none */
};

struct worker_gpu {
	const char *uuid, *model, *driver, *cuda; /* the model's canonical name */
	int64_t memory_bytes;
};

struct worker_row {
	struct machine_id machine;
	struct account_id owner;
	const char *name, *agent_version;
	bool paused, lost, proved;
	struct amount gpu_hour, core_hour;
	int64_t quality, joined_at_ms, seen_at_ms; /* seen: 0 before the first sign of life */
	int64_t revision, generation, leases;
	struct worker_inventory inventory;
	int64_t cpu_milli_used, memory_used, disk_used;
	bool tried; /* by @trial, of which nothing is counted as used */
	struct lease_id trial;
};

/* What a conditional write takes or gives back. */
struct worker_share {
	int64_t gpus; /* 0: class cpu */
	int64_t cpu_milli, memory_bytes, disk_bytes;
	int64_t price_max; /* of a GPU-hour, or a core-hour */
	bool proved; /* only of a machine that is */
};

_must_check_ int worker_store_get(struct tx *tx, struct machine_id machine,
				  struct worker_row *ret_row);
_must_check_ int worker_store_add(struct tx *tx, struct machine_id machine, struct account_id owner,
				  const char *name, int64_t now_ms);
_must_check_ int worker_store_rename(struct tx *tx, struct machine_id machine, const char *name);
_must_check_ int worker_store_count(struct tx *tx, struct account_id owner, int64_t *ret_n);

/* Machines after @after by address, of @owner (NULL: all). Rows in the arena. */
_must_check_ int worker_store_list(struct tx *tx, const struct account_id *owner,
				   struct machine_id after, size_t max,
				   struct worker_row **ret_rows, size_t *ret_n);
_must_check_ int worker_store_change(struct tx *tx, const struct worker_row *row);
_must_check_ int worker_store_remove(struct tx *tx, struct machine_id machine);

/* Of an agent that said hello. */
_must_check_ int worker_store_greet(struct tx *tx, struct machine_id machine, const char *version,
				    int64_t now_ms);

struct worker_seen {
	struct machine_id machine;
	int64_t at_ms;
	bool engine_up;
};
_must_check_ int worker_store_seen(struct tx *tx, const struct worker_seen *seen, size_t n);
/* For the other instances' indexes. */
_must_check_ int worker_store_touch(struct tx *tx, struct machine_id machine, int64_t now_ms);
_must_check_ int worker_store_touched_purge(struct tx *tx, int64_t before_ms);
/* Touched since then, at most @max, the longest ago first. */
struct worker_touch {
	struct machine_id machine;
	int64_t at_ms;
};
_must_check_ int worker_store_touched(struct tx *tx, int64_t since_ms, size_t max,
				      struct worker_touch **ret_touched, size_t *ret_n);

/* Those that were seen after @since_ms, at most @max, the longest ago first. */
_must_check_ int worker_store_seen_since(struct tx *tx, int64_t since_ms, size_t max,
					 struct worker_seen **ret_seen, size_t *ret_n);

/* Outcome ROUTE_E_NOT_FOUND: it was so already. */
_must_check_ int worker_store_lost(struct tx *tx, struct machine_id machine, enum worker_lost lost);
_must_check_ int worker_store_quality(struct tx *tx, struct machine_id machine, int64_t quality);
_must_check_ int worker_store_inventory(struct tx *tx, struct machine_id machine,
					const struct worker_inventory *inventory,
					const struct worker_gpu *gpus);

/* One more generation of the desired set. */
_must_check_ int worker_store_next(struct tx *tx, struct machine_id machine,
				   int64_t *ret_generation);

/* The conditional write. WORKER_E_NO_CAPACITY: nothing was taken. */
_must_check_ int worker_store_take(struct tx *tx, struct machine_id machine,
				   const struct worker_share *share, struct worker_row *ret_row);

/* Where there is room for @share, whatever its price and proofs, and no other trial: @lease is the
 * machine's trial, of which only the lease is counted. WORKER_E_NO_CAPACITY. */
_must_check_ int worker_store_try(struct tx *tx, struct machine_id machine, struct lease_id lease,
				  const struct worker_share *share, struct worker_row *ret_row);

/* @leases: how many fewer. If @lease is the machine's trial, it is no longer. */
_must_check_ int worker_store_give(struct tx *tx, struct machine_id machine, struct lease_id lease,
				   const struct worker_share *share, int64_t leases);

/* Those that the machine shows now; what is rented and gone stays until its lease gives it back. */
_must_check_ int worker_store_gpus_put(struct tx *tx, struct machine_id machine,
				       const struct worker_gpu *gpus, size_t n);

/* Takes @n free GPUs of @model, those that a trial uses, too. WORKER_E_NO_CAPACITY: none was taken. */
_must_check_ int worker_store_gpus_take(struct tx *tx, struct machine_id machine,
					struct lease_id lease, const char *model, size_t n,
					char ret_uuids[][48]);

/* The same for the trial @lease, not those of another one: they stay free. */
_must_check_ int worker_store_gpus_try(struct tx *tx, struct machine_id machine,
				       struct lease_id lease, const char *model, size_t n,
				       char ret_uuids[][48]);
_must_check_ int worker_store_gpus_give(struct tx *tx, struct lease_id lease);
_must_check_ int worker_store_gpus_of_lease(struct tx *tx, struct lease_id lease, char ***ret_uuids,
					    size_t *ret_n);
_must_check_ int worker_store_gpus(struct tx *tx, struct machine_id machine,
				   struct worker_gpu **ret_gpus, size_t *ret_n);

/* ---- devices ---- */

/* Those that the machine shows now: new ones are unproved, those that went are forgotten. */
_must_check_ int worker_store_devices_put(struct tx *tx, struct machine_id machine,
					  const struct worker_gpu *gpus, size_t n);
_must_check_ int worker_store_standing(struct tx *tx, struct machine_id machine,
				       enum worker_device kind, const char *uuid,
				       const struct worker_standing *standing);
_must_check_ int worker_store_devices(struct tx *tx, struct machine_id machine,
				      struct worker_proof_device **ret_devices, size_t *ret_n);
/* Those that are proved, or those that are not. */
_must_check_ int worker_store_devices_due(struct tx *tx, bool proved, int64_t now_ms, size_t max,
					  struct worker_proof_device **ret_devices, size_t *ret_n);
_must_check_ int worker_store_devices_idle(struct tx *tx, enum worker_device kind,
					   const struct address *from, size_t max,
					   struct worker_proof_device **ret_devices, size_t *ret_n);

/* Machines as the index wants them: one, or at most @max after @after. */
_must_check_ int worker_store_fleet_one(struct tx *tx, const struct worker_row *row,
					struct fleet_machine *ret_machine);
_must_check_ int worker_store_fleet(struct tx *tx, struct machine_id after, size_t max,
				    struct fleet_machine **ret_machines, size_t *ret_n);

/* ---- join tokens ---- */

struct worker_token {
	struct join_token_id id;
	struct account_id account;
	const char *name;
	int64_t expires_at_ms;
	bool used;
};

_must_check_ int worker_store_token_add(struct tx *tx, const struct worker_token *token,
					const uint8_t hash[static SECRET_HASH_SIZE]);
_must_check_ int worker_store_tokens_open(struct tx *tx, struct account_id account, int64_t now_ms,
					  int64_t *ret_n);
_must_check_ int worker_store_token(struct tx *tx, const uint8_t hash[static SECRET_HASH_SIZE],
				    struct worker_token *ret_token);

/* WORKER_E_JOIN_TOKEN: somebody else used it, or it expired. */
_must_check_ int worker_store_token_use(struct tx *tx, struct join_token_id id,
					struct machine_id machine, int64_t now_ms);
_must_check_ int worker_store_tokens_purge(struct tx *tx, int64_t before_ms);
