/* prover.h - the worker's side of a session: one driver, several devices.
 *
 * The driver (prove.c) knows the protocol, a device only the arithmetic; every device gives the same bits.
 * Straight-line and blocking: it runs in a process of its own (`kaisar popw prove`), below. */
#pragma once

#include "popw/message.h"

/* ---- devices ---- */

struct prover_device;

struct prover_info {
	char name[128]; /* "NVIDIA H100 80GB HBM3", "AVX-512 VNNI, 8 threads" */
	uint64_t memory_bytes; /* that a data set may fill */
	uint8_t uuid[SESSION_UUID_SIZE];
};

/* Called by one thread at a time, in this order: fill, walk_start, walk_epoch from 0 on, walk_end,
 * matrix_start, matrix_round from 0 on, then the openings in any order; a phase that the session does not
 * have is left out. A device may be used for another session behind that. Negative returns end the
 * session; the device says why in its @detail. */
struct prover_ops {
	const char *backend; /* "cpu", "opencl", "cuda", "disk" */
	void (*close)(struct prover_device *device);
	void (*info)(struct prover_device *device, struct prover_info *ret_info);

	/* ---- walk phase ---- */
	/* Room for the data set, the states and their trees. -ENOMEM: it does not fit. */
	int (*fill)(struct prover_device *device, const struct prg_key *seed_d,
		    const struct session_work *work);
	/* First states. */
	int (*walk_start)(struct prover_device *device, const struct prg_key *seed_w);
	/* One epoch of all walks; keeps what openings need. */
	int (*walk_epoch)(struct prover_device *device, const uint32_t salt[static 8],
			  uint32_t epoch, struct hash *ret_root);
	/* The state before it (that of the epoch before, unsalted; zeros in epoch 0) and both paths. */
	int (*open_walk)(struct prover_device *device, uint32_t walk, uint32_t epoch,
			 struct walk_opening *ret_opening);
	/* Gives the data set's memory back; openings stay possible. */
	int (*walk_end)(struct prover_device *device);

	/* ---- matrix phase ---- */
	int (*matrix_start)(struct prover_device *device, const struct prg_key *seed_g,
			    const struct session_work *work);
	int (*matrix_round)(struct prover_device *device, const struct prg_key *seed_i,
			    uint32_t round, struct hash *ret_root);
	/* @n tiles of one round, which may have to be computed again. */
	int (*open_tiles)(struct prover_device *device, const struct prg_key *seed_i,
			  uint32_t round, const uint32_t *tiles, size_t n,
			  struct tile_opening *ret_openings);
};

struct prover_device {
	const struct prover_ops *ops;
	char detail[160]; /* why its last operation failed, for people */
};

enum prover_outcome { PROVER_E_NONE = 1 /* no such device or library on this machine */ };

enum { PROVER_THREADS_MAX = 1024 }; /* 0 asks for one a processor */

/* @ret_detail: why it is not 0, for people; static or in the backend's own thread-local text. */
_must_check_ int prover_cpu_open(unsigned int threads, struct prover_device **ret_device,
				 const char **ret_detail);
/* The data set in an unlinked file of @folder, read with O_DIRECT; where the file system refuses that,
 * through the page cache, which the device's name then says. Each of @threads (0: 32)
 * waits for one read. */
_must_check_ int prover_disk_open(const char *folder, unsigned int threads,
				  struct prover_device **ret_device, const char **ret_detail);
/* @index: of the device as the driver counts. */
_must_check_ int prover_opencl_open(unsigned int index, struct prover_device **ret_device,
				    const char **ret_detail);
_must_check_ int prover_cuda_open(unsigned int index, struct prover_device **ret_device,
				  const char **ret_detail);

/* ---- the driver ---- */

/* How a prover is heard. Negative returns end the proof with that fault. */
struct prover_exchange {
	/* Waits for the nonces @k (enum session_nonce). */
	int (*nonces)(void *arg, uint8_t k, struct nonces *ret_nonces);
	/* FILLED, ROOT, SEAL and OPEN as encoded, unsigned (the signature's place is zero). */
	int (*say)(void *arg, enum message_kind kind, const uint8_t *bytes, size_t len);
	void *arg;
};

/* The whole session. Faults: the device's, the exchange's, -ENOMEM; -EBADMSG: nonces of nobody on the
 * panel. Signatures are the caller's to check and to make. */
_must_check_ int prove(const struct session *session, struct prover_device *device,
		       const struct prover_exchange *exchange);

/* ---- the process ---- */

/* Frames on standard input and output of `kaisar popw prove`: 4 length of the message, 1 enum message_kind, the
 * message. In: SESSION (SESSION_SIZE bytes, without the addresses), then NONCES as they come. Out: what is
 * said. It exits with 0 behind OPEN, or with one of enum prover_exit and a line on standard error; a parent
 * that closes standard input, or dies, ends it. */
enum { PROVER_FRAME_HEAD = 5, PROVER_FRAME_MAX = 1 << 20 };

enum prover_exit { /* as all subcommands' */
		   PROVER_EXIT_FAILED = 1,
		   PROVER_EXIT_NO_DEVICE = 3,
		   PROVER_EXIT_NO_MEMORY /* the data set does not fit */
};
