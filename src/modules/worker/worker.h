/* worker.h - the machines: joining, agents' sessions, inventory, prices, liveness, the fleet and
 * the matcher, and what each machine should and does run.
 *
 * The store is the truth: a placement is a conditional write on the machine's row (and a row for
 * each GPU), so that nothing is sold twice, whatever the index in memory believes. */
#pragma once

#include "api/route.h"
#include "popw/credit.h"
#include "wire/wire.h"

enum worker_outcome {
	WORKER_E_NO_CAPACITY = ROUTE_E_MODULE, /* no offer fits; see worker_explain */
	WORKER_E_JOIN_TOKEN, /* unknown, used or expired */
	WORKER_E_SIGNATURE,
	WORKER_E_MACHINE_TAKEN, /* joined before, by another account */
	WORKER_E_TOO_MANY,
	WORKER_E_BUSY, /* cannot be removed while it holds leases */
	WORKER_E_OFFLINE, /* the machine is not connected now */
	WORKER_E_CONTAINER, /* past the bounds of wire.h, alone or beside the machine's others */
};

/* ---- placing ---- */

enum { WORKER_GPUS_MAX = 64, WORKER_AVOID_MAX = 8 };

/* What a rental needs: hard conditions. */
struct worker_need {
	const char *gpu_model; /* canonical or alias ("RTX 4090", "rtx4090"); NULL: any */
	int64_t gpus; /* 0: class cpu */
	int64_t cpu_milli; /* > 0 */
	int64_t memory_bytes; /* > 0 */
	int64_t disk_bytes; /* > 0 */
	struct amount max_rate_hour; /* of the whole rental; 0: any */
	const struct machine_id *machine; /* only this one; NULL: any */
	bool trial; /* of @machine, which needs no price nor proof for it: at no cost, and it gives way */
	struct machine_id avoid[WORKER_AVOID_MAX]; /* failed for this rental before */
	size_t n_avoid;
};

struct worker_placement {
	struct machine_id machine;
	struct account_id provider;
	struct amount rate_hour; /* gpus * the GPU-hour, or cores * the core-hour without a GPU */
	char gpus[WORKER_GPUS_MAX][48]; /* uuids */
	size_t n_gpus;
	bool displaces; /* a trial that is on the machine: */
	struct rental_id displaced; /* to be ended before the lease starts */
};

/* Chooses among the best by price, quality and latency, weighted random, and takes the resources
 * for @lease with a conditional write. A trial takes its place, too, but what it has stays free for
 * others: the first other lease on its machine displaces it. WORKER_E_NO_CAPACITY: nothing was taken. */
_must_check_ int worker_place(const struct context *context, struct tx *tx, struct lease_id lease,
			      struct rental_id rental, const struct worker_need *need,
			      struct worker_placement *ret_placement);

/* Why nothing fits: an object with one count for each condition that excluded offers, and what
 * would help, for people. Owned by the caller. */
_must_check_ int worker_explain(const struct context *context, struct tx *tx,
				const struct worker_need *need, json_t **ret_why);

/* ---- what machines should run ---- */

enum worker_want { WORKER_RUN = 1, WORKER_STOP = 2 };

struct worker_port {
	uint16_t container, host; /* host: 0 until known */
};

struct worker_container {
	const char *image;
	struct field_texts command;
	struct field_pairs env;
	int64_t cpu_milli, memory_bytes, disk_bytes, pids, shm_bytes;
	const struct worker_port *ports;
	size_t n_ports;
	int64_t stop_timeout_s;
};

/* Sets what the placed @lease should run (once) and hints its machine. WORKER_E_BUSY: done before.
 * WORKER_E_CONTAINER: it cannot be told to the machine; another may have room. */
_must_check_ int worker_lease_start(const struct context *context, struct tx *tx,
				    struct lease_id lease,
				    const struct worker_container *container);

/* Changes what is wanted; the same again changes nothing. Before worker_lease_start: nothing, too. */
_must_check_ int worker_lease_want(const struct context *context, struct tx *tx,
				   struct lease_id lease, enum worker_want want);

/* Gives back GPUs, CPU and memory (disk stays taken while the container is kept). Idempotent. */
_must_check_ int worker_lease_release(const struct context *context, struct tx *tx,
				      struct lease_id lease);

/* The machine is to remove everything of the lease. Releases it, too. Idempotent. */
_must_check_ int worker_lease_remove(const struct context *context, struct tx *tx,
				     struct lease_id lease);

/* ---- what machines do run ---- */

enum worker_phase { /* as in wire.proto */
		    WORKER_PHASE_NONE, /* not heard of yet */
		    WORKER_PHASE_PULLING,
		    WORKER_PHASE_STARTING,
		    WORKER_PHASE_RUNNING,
		    WORKER_PHASE_STOPPING,
		    WORKER_PHASE_EXITED,
		    WORKER_PHASE_FAILED,
};

struct worker_actual {
	struct machine_id machine;
	enum worker_phase phase;
	const char *reason; /* a WIRE_REASON_*, "" */
	const char *detail;
	int32_t exit_code;
	int64_t started_at_ms, ended_at_ms; /* 0: not yet */
	int64_t pulled_bytes, pull_total_bytes;
	struct worker_port ports[32];
	size_t n_ports;
	bool online; /* the machine was heard within settings->offline_after_ms */
	bool lost; /* not heard for settings->lost_after_ms */
	int64_t seen_at_ms; /* the machine's last sign of life */
};

/* Where the ports that @machine publishes are reached: a host name or a numeric address, in the
 * transaction's arena; "": its agent does not say. ROUTE_E_NOT_FOUND. */
_must_check_ int worker_address(struct tx *tx, struct machine_id machine, const char **ret_address);

/* Texts live in the transaction's arena. ROUTE_E_NOT_FOUND. */
_must_check_ int worker_lease_actual(const struct context *context, struct tx *tx,
				     struct lease_id lease, struct worker_actual *ret_actual);

/* Rentals of which something changed (a report, a machine lost) since they were last taken: at most
 * @max, taken off the list with this transaction. The module wakes the job "rentals" when it adds
 * to the list. */
_must_check_ int worker_changes_take(struct tx *tx, size_t max, struct rental_id *ret_rentals,
				     size_t *ret_n);

/* ---- streams: logs, exec, stats ---- */

enum worker_stream_kind { WORKER_STREAM_LOGS = 1, WORKER_STREAM_EXEC, WORKER_STREAM_STATS };

enum worker_channel { /* as in wire.proto */
		      WORKER_STDIN,
		      WORKER_STDOUT,
		      WORKER_STDERR,
		      WORKER_SYSTEM,
		      WORKER_RESIZE,
		      WORKER_STATS,
};

struct worker_stream_request {
	struct machine_id machine;
	struct lease_id lease;
	enum worker_stream_kind kind;
	uint64_t since;
	uint32_t tail;
	bool follow, tty;
	struct field_texts command; /* copied */
	uint16_t columns, rows;
};

/* All on the loop. */
struct worker_stream_handler {
	void (*on_data)(void *arg, enum worker_channel channel, uint64_t sequence, int64_t at_ms,
			const void *bytes, size_t len);
	/* The last call, unless worker_stream_close was called before. */
	void (*on_close)(void *arg, const char *reason, int32_t exit_code);
};

struct worker_stream;

/* On the loop. WORKER_E_OFFLINE. */
_must_check_ int worker_stream_open(const struct worker_stream_request *request,
				    const struct worker_stream_handler *handler, void *arg,
				    struct worker_stream **ret_stream);

/* On the loop. WORKER_E_TOO_MANY: more unsent than the window; the caller waits or ends. */
_must_check_ int worker_stream_send(struct worker_stream *stream, enum worker_channel channel,
				    const void *bytes, size_t len);

/* Says that @bytes shown by on_data were taken, so that the agent may send more. On the loop. */
void worker_stream_credit(struct worker_stream *stream, size_t bytes);

/* On the loop; no call follows. */
void worker_stream_close(struct worker_stream *stream);

/* ---- proofs ---- */

enum worker_device { /* as popw/session.h counts them */
		     WORKER_DEVICE_GPU = 1,
		     WORKER_DEVICE_HOST, /* CPU and memory */
		     WORKER_DEVICE_DISK,
};

enum worker_standing_state {
	WORKER_UNPROVED, /* never checked since it was seen first, or changed */
	WORKER_PROVED,
	WORKER_FAILED,
};

/* What proofs say of one device. */
struct worker_standing {
	enum worker_standing_state state;
	int64_t class_; /* popw/class.h's row; -1: none */
	int64_t score_milli;
	int64_t matrix_mops, walk_kbps, set_mib; /* measured */
	int64_t fill_kbps; /* how fast the set was filled */
	int64_t down_kbps, up_kbps; /* of the host */
	int64_t checked_at_ms, due_at_ms; /* the last verdict; the next session */
	int64_t failures; /* in a row */
	uint8_t proof[16]; /* the session that says so; zero: none */
	const char *reason; /* which part failed and why, for people; "" */
};

/* A device as sessions need it. */
struct worker_proof_device {
	struct machine_id machine;
	struct account_id owner;
	enum worker_device device;
	char uuid[96]; /* of a GPU; "" */
	char model[96]; /* canonical GPU name; "" */
	int64_t ordinal; /* of a GPU on its machine */
	int64_t memory_bytes; /* of the GPU, the host, or free disk */
	const char *address; /* where checkers reach its proof port; "": not told */
	int64_t proof_port; /* 0: none */
	bool rented; /* the GPU, or anything on the host, is rented now */
	struct lease_id lease; /* of a rented GPU; for the host any live lease */
	struct worker_standing standing;
};

/* Devices of machines that are linked now and whose sessions are due at @now_ms, those that wait longest
 * first: up to half of @max that are proved, and as many that are not, so that neither keeps the other from
 * being looked at. Texts in the transaction's arena. */
_must_check_ int worker_proof_due(const struct context *context, struct tx *tx, int64_t now_ms,
				  size_t max, struct worker_proof_device **ret_devices,
				  size_t *ret_n);

/* For an epoch's records: at most @max machines after @after, by address, with what they say they have. */
struct worker_machine {
	struct machine_id machine;
	struct account_id owner;
	int64_t cores, memory_bytes, disk_bytes;
};
_must_check_ int worker_machines(struct tx *tx, struct machine_id after, size_t max,
				 struct worker_machine **ret_machines, size_t *ret_n);
/* What the standings of its devices bear out of that; nothing unless its host is proved. */
void worker_credit(const struct worker_machine *machine, const struct worker_proof_device *devices,
		   size_t n, struct credit *ret_credit);

/* Machines about whose host a session came to a verdict since @since_ms, linked or not: at most @max after
 * @after, by address. */
struct worker_checked {
	struct machine_id machine;
	struct account_id owner;
};
_must_check_ int worker_checked_machines(struct tx *tx, int64_t since_ms, struct machine_id after,
					 size_t max, struct worker_checked **ret_machines,
					 size_t *ret_n);

/* What proofs bear out of a machine now; zeros unless its host is proved, and of its GPUs the proved ones.
 * ROUTE_E_NOT_FOUND. */
struct worker_figures {
	int64_t down_kbps, up_kbps, cores;
	int64_t gpu_milli; /* the sum of its GPUs' scores */
	int64_t disk_bytes, memory_bytes;
};
_must_check_ int worker_figures(struct tx *tx, struct machine_id machine,
				struct worker_figures *ret_figures);

/* All devices of one machine. ROUTE_E_NOT_FOUND. */
_must_check_ int worker_proof_devices(const struct context *context, struct tx *tx,
				      struct machine_id machine,
				      struct worker_proof_device **ret_devices, size_t *ret_n);

/* Devices of one kind that are idle, proved, and linked, machine by machine: from address @from on and round
 * to it, so that in a network of more than @max each has its turn. A machine is in the list with all of its
 * own that are, or not. */
_must_check_ int worker_proof_idle(const struct context *context, struct tx *tx,
				   enum worker_device kind, const struct address *from, size_t max,
				   struct worker_proof_device **ret_devices, size_t *ret_n);

/* Writes what a verdict says of a device; the fleet follows after the commit. A machine is offered only
 * when its host and all its present GPUs are proved (settings->proof_required). ROUTE_E_NOT_FOUND. */
_must_check_ int worker_standing_set(const struct context *context, struct tx *tx,
				     struct machine_id machine, enum worker_device device,
				     const char *uuid, const struct worker_standing *standing);

/* To the machine's agent, if it is linked. From any thread. -ENOTCONN, -ENOMEM, -EMSGSIZE. */
_must_check_ int worker_proof_send(struct machine_id machine, const Wire__ToNode *message);
bool worker_linked(struct machine_id machine);

/* What agents say about proofs: Proof, ProofEnd, PollAnswer. On the loop; borrowed. One listener a
 * process, set before the first request. */
struct worker_proof_listener {
	void (*on_message)(void *arg, struct machine_id machine, const Wire__ToServer *message);
	void (*on_down)(void *arg, struct machine_id machine);
	void *arg;
};
void worker_proof_listen(const struct worker_proof_listener *listener);

extern const struct module worker_module;
