/* wire.h - messages between the control plane and its nodes: bounded decoding into an arena, encoding.
 * Pure: no I/O. The schema is wire.proto; protobuf-c makes wire.pb-c.h from it. */
#pragma once

#include "base/arena.h"
#include "wire/wire.pb-c.h"

enum {
	WIRE_MESSAGE_MAX = 1 << 20,
	WIRE_LEASES_MAX = 256,
	WIRE_GPUS_MAX = 64,
	WIRE_PORTS_MAX = 32,
	WIRE_ENV_MAX = 256,
	WIRE_COMMAND_MAX = 256,
	WIRE_HOST_MAX = 253, /* a machine's public address */
	WIRE_TEXT_MAX = 512, /* names, models, reasons, details */
	WIRE_ARGUMENT_MAX = 32768, /* one word of a command, one variable */
	WIRE_CHUNK_MAX = 32768, /* bytes of one StreamData */
	WIRE_STREAM_WINDOW = 262144,
	WIRE_PROOF_MAX = 768 << 10, /* bytes of one message of a proof */
	WIRE_PROOF_KIND_MAX = 11,
	WIRE_WATCHED_MAX = 4096, /* workers that one checker polls */
	WIRE_HEARD_MAX = 4096, /* reports that one Heard names */
	WIRE_HEARD_SIZE = 32,
	WIRE_HOUR_MS_MIN = 1000, /* of uptime: shorter ones are for tests */
	WIRE_HOUR_MS_MAX = 3600000,
	WIRE_MEMORY_MAX = 16 << 20, /* what decoding one message may take from its arena */
};

/* The control plane will not have this node, now or later: the close reason says why and what helps. Any
 * other end of a link is worth another try. */
enum { WIRE_CLOSE_REFUSED = 4403 };

/* Reason codes of LeaseState: lower-case words joined by '_', stable, for programs. */
#define WIRE_REASON_IMAGE_NOT_FOUND "image_not_found"
#define WIRE_REASON_PULL_FAILED "pull_failed"
#define WIRE_REASON_CREATE_FAILED "create_failed"
#define WIRE_REASON_START_FAILED "start_failed"
#define WIRE_REASON_COMMAND_NOT_FOUND "command_not_found"
#define WIRE_REASON_ENGINE_DOWN "engine_down"
#define WIRE_REASON_EXITED "exited"
#define WIRE_REASON_OUT_OF_MEMORY "out_of_memory"
#define WIRE_REASON_STOPPED "stopped"
#define WIRE_REASON_CONTAINER_GONE "container_gone"
#define WIRE_REASON_GPU_MISSING "gpu_missing"

/* Why a proof ended early, in ProofEnd. */
#define WIRE_PROOF_YIELDED "yielded" /* a tenant's rental needs the device */
#define WIRE_PROOF_NO_DEVICE "no_device" /* not there, or no prover for it */
#define WIRE_PROOF_NO_MEMORY "no_memory" /* the data set does not fit */
#define WIRE_PROOF_BUSY "busy" /* another proof of that device is running */
#define WIRE_PROOF_NO_NONCES "no_nonces" /* the panel's did not come in time */
#define WIRE_PROOF_BROKEN "prover_failed"
#define WIRE_PROOF_REFUSED "refused" /* the session is not for this machine, or not signed */

/* A host name or a numeric address of at most WIRE_HOST_MAX bytes, as far as its letters tell. */
bool wire_is_host(const char *text);

enum wire_outcome { WIRE_E_MALFORMED = 1 }; /* not the schema, or past a bound */

/* The message lives in @arena and has a body; every length is within the bounds above, texts are
 * UTF-8, ids and signatures have their exact sizes (a refused receipt may have no signature), 64-bit
 * integers are 0..INT64_MAX, ports 1..65535 (host: from 0), enums known values (0 among them).
 * Messages below the body may be NULL. Faults: -ENOMEM, when @arena ends before WIRE_MEMORY_MAX. */
_must_check_ int wire_decode_to_server(const void *bytes, size_t len, struct arena *arena,
				       Wire__ToServer **ret_message);
_must_check_ int wire_decode_to_node(const void *bytes, size_t len, struct arena *arena,
				     Wire__ToNode **ret_message);

/* Bytes in @arena. -ENOMEM; -EMSGSIZE past WIRE_MESSAGE_MAX. */
_must_check_ int wire_encode_to_server(const Wire__ToServer *message, struct arena *arena,
				       const void **ret_bytes, size_t *ret_len);
_must_check_ int wire_encode_to_node(const Wire__ToNode *message, struct arena *arena,
				     const void **ret_bytes, size_t *ret_len);
