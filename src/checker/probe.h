/* probe.h - a checker as a user: opens an exec in a container that was deployed for it, has it say a word that
 * nobody knew before and count its GPUs, and tells what came. */
#pragma once

#include "base/clock.h"
#include "base/random.h"

struct probe;
struct loop;

enum {
	PROBE_TOKEN_MAX = 4096,
	PROBE_TIMEOUT_MIN_MS = 1000,
	PROBE_TIMEOUT_MAX_MS = 600000,
};

struct probe_result {
	bool passed;
	uint32_t gpus; /* that the container sees */
	uint32_t answer_ms; /* from the beginning to the end of the answer */
	const char *detail; /* for people; borrowed */
};

struct probe_config {
	struct loop *loop;
	const struct clock *clock;
	struct random *random;
	const char *url; /* http(s):// of the control plane; this and what follows is copied */
	const char *rental; /* id as text */
	const char *token; /* opens its streams */
	uint32_t gpus; /* that it must see */
	uint32_t timeout_ms; /* taken into the bounds above */
	/* Once, on the loop, never from within probe_new. */
	void (*on_done)(void *arg, const struct probe_result *result);
	void *arg;
};

/* -EINVAL: the rental's id or the token is none. -ENOMEM, the randomness' faults. */
_must_check_ int probe_new(const struct probe_config *config, struct probe **ret_probe);

/* Done or not; on_done is not called any more. */
void probe_free(struct probe *probe);
