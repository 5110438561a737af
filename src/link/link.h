/* link.h - a node's one connection to the control plane: connects, proves who it is, and connects
 * again until it is refused for good (WIRE_CLOSE_REFUSED), with a jittered back-off of
 * LINK_BACKOFF_MIN_MS to _MAX_MS. The same for a worker's agent and a checker; knows messages, not what
 * they are about. */
#pragma once

#include "base/clock.h"
#include "base/random.h"
#include "security/secp.h"
#include "wire/wire.h"

struct link;
struct loop;

enum {
	LINK_BACKOFF_MIN_MS = 500,
	LINK_BACKOFF_MAX_MS = 30000,
	LINK_CONNECT_MS = 10000, /* to the end of the upgrade */
	LINK_HELLO_MS = 10000, /* from there to Welcome */
	LINK_PING_MS = 15000,
	LINK_QUEUE_MAX = 4 << 20, /* unsent bytes */
	LINK_REFUSAL_SIZE = 128, /* of a close reason */
};

struct link_config {
	struct loop *loop;
	struct random *random;
	const char *url; /* http(s)://host[:port] of the control plane */
	const char *path; /* "/v1/agent" or "/v1/checker" */
	struct address network; /* another network's control plane is refused */
	const struct secp_key *key;
	const char *version; /* of the node */
	/* The session stands; messages may be sent. */
	void (*on_welcome)(void *arg, const Wire__Welcome *welcome);
	/* Any later message; borrowed. */
	void (*on_message)(void *arg, const Wire__ToNode *message);
	/* The session ended; only behind on_welcome. */
	void (*on_down)(void *arg);
	/* Behind on_down, if that is due: the control plane will not have this node, and says why and what
	 * helps. The link does not try again; it is not to be freed in here. */
	void (*on_refused)(void *arg, const char *reason);
	void *arg;
};

/* Copies the texts. The key outlives the link. */
_must_check_ int link_new(const struct link_config *config, struct link **ret_link);
void link_free(struct link *link);

bool link_up(const struct link *link);

/* -EAGAIN: the queue is full, try later; -ENOTCONN; -EMSGSIZE. */
_must_check_ int link_send(struct link *link, const Wire__ToServer *message);

/* Bytes that wait to be sent. */
size_t link_queued(const struct link *link);

/* The next pause after @attempts failures: half of it fixed, half random. */
uint64_t link_backoff_ms(struct random *random, unsigned int attempts);

/* "http://host:1" and "/v1/agent" -> "ws://host:1/v1/agent". -EINVAL: not http(s), or too long. */
_must_check_ int link_url(const char *url, const char *path, char *ret_url, size_t size);
