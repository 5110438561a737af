/* container.h - between a lease's wishes and the engine's words: the body of containers/create, and
 * what an inspection says. */
#pragma once

#include "agent/cdi.h"
#include "agent/nvml.h"
#include "base/address.h"
#include "base/id.h"
#include "wire/wire.h"

/* Labels by which an agent finds its containers again. */
#define LABEL_LEASE "kaisar.lease"
#define LABEL_RENTAL "kaisar.rental"
#define LABEL_NETWORK "kaisar.network"

enum { CONTAINER_NAME_SIZE = 48 };

/* "kaisar-lse-...". */
void container_name(const struct lease_id *lease, char ret_name[static CONTAINER_NAME_SIZE]);

/* What the machine gives. */
struct container_host {
	struct address network;
	const struct cdi *cdi;
	const struct nvml *nvml;
};

/* @ret_body is owned by the caller. Outcome: CDI_E_MISSING, a wanted GPU is not there (its uuid in
 * @ret_missing, borrowed from @lease). -ENOMEM. */
_must_check_ int container_body(const struct container_host *host, const Wire__Lease *lease,
				json_t **ret_body, const char **ret_missing);

struct container_state {
	char id[80];
	bool running;
	bool ran; /* was started at least once */
	bool out_of_memory; /* as far as the engine says */
	int exit_code;
	int64_t started_at_ms, ended_at_ms; /* 0: not yet */
	struct {
		uint16_t container, host;
	} ports[WIRE_PORTS_MAX];
	size_t n_ports;
};

/* -EBADMSG: not an inspection. */
_must_check_ int container_state(const json_t *inspection, struct container_state *ret_state);

/* "2026-11-22T17:35:43.57011266Z", also with "+01:00": milliseconds since 1970; 0 for the engine's
 * year 1 ("never"). -EINVAL. */
_must_check_ int container_time(const char *text, int64_t *ret_ms);
