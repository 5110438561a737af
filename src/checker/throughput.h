/* throughput.h - measures a worker's network as popw/bandwidth.h says: pulls its stream for a while, then
 * pushes one of its own, over one WebSocket to the worker's proof port. */
#pragma once

#include "base/random.h"
#include "popw/bandwidth.h"
#include "popw/summons.h"

struct throughput;
struct loop;

enum {
	THROUGHPUT_CONNECT_MS = 5000,
	THROUGHPUT_SPARE_MS = 10000, /* on top of both directions' times, then it is given up */
	THROUGHPUT_QUEUE_MAX = 4 << 20, /* bytes pushed and not yet sent */
};

struct throughput_config {
	struct loop *loop;
	struct random *random;
	const struct summons *summons; /* its port is not 0; borrowed while it begins */
	const char *url; /* of the network: what it bounds is said in target.h; as borrowed */
	const struct secp_key *key; /* the member's; as borrowed */
	uint32_t member;
	/* Once, on the loop, and never from within throughput_new; 0: not measured. */
	void (*on_done)(void *arg, uint32_t down_kbps, uint32_t up_kbps);
	void *arg;
};

/* Faults: -ENOMEM, -EACCES (a host to which this network's workers may not send it), the randomness'. */
_must_check_ int throughput_new(const struct throughput_config *config,
				struct throughput **ret_throughput);

/* Done or not; on_done is not called any more. */
void throughput_free(struct throughput *throughput);
