/* node.h - the control plane's side of a session with a node, a worker's agent or a checker, from its
 * socket to its last callback: what both kinds have in common.
 *
 *	GREETING -> (hello) -> CHECKING -> (node_adopt) -> LIVE -> ENDING
 *
 * It sends a challenge, the node answers with a hello that its key signed; the session's owner checks
 * that in its own time, and adopts or ends the session; who is adopted is welcomed. A newer session of a
 * node replaces the older one. All on the loop, except where it says from any thread. A session is freed
 * when its socket is gone and nobody holds it. */
#pragma once

#include <pthread.h>

#include "api/route.h"
#include "wire/wire.h"

enum { NODE_NONCE_SIZE = 32 };

/* ---- messages ---- */

/* One message. @scratch: for its encoding; emptied. False without memory. */
_must_check_ bool node_send(const struct context *context, struct http_conn_id conn,
			    struct arena *scratch, const Wire__ToNode *message);
_must_check_ bool node_challenge(const struct context *context, struct http_conn_id conn,
				 struct arena *scratch, uint8_t nonce[static NODE_NONCE_SIZE]);
_must_check_ bool node_welcome(const struct context *context, struct http_conn_id conn,
			       struct arena *scratch);

/* Whether the hello is signed by the key whose address it names, over @nonce and this network. */
bool node_hello_holds(const struct context *context, const uint8_t nonce[static NODE_NONCE_SIZE],
		      const Wire__Hello *hello, struct machine_id *ret_node);

/* ---- sessions ---- */

enum { NODE_BUCKETS = 4096 };

enum node_state { NODE_GREETING, NODE_CHECKING, NODE_LIVE, NODE_ENDING };

struct loop_timer;

/* The first member of its owner's own. */
struct node_session {
	struct node_sessions *all;
	struct node_session *next, **at; /* among all */
	struct node_session *next_in_bucket; /* LIVE */
	struct http_conn_id conn;
	enum node_state state;
	bool gone; /* the socket */
	unsigned int held; /* calls on their way to the loop, and by its owner */
	uint8_t nonce[NODE_NONCE_SIZE];
	struct machine_id node; /* LIVE */
	int64_t challenged_mono_ms, latency_ms; /* from challenge to hello */
	struct loop_timer *hello_timer;
};

/* How one kind of nodes is treated. Each but on_hello and on_message may be NULL. */
struct node_manner {
	size_t size; /* of the owner's session */
	size_t sessions_max, greeting_max; /* of them not greeted yet */
	int64_t hello_ms; /* to say hello */
	const char *replaced; /* what an older session is told */
	void (*on_open)(struct node_session *session);
	/* CHECKING: the owner calls node_adopt or node_end in its time, and holds it until then. */
	void (*on_hello)(struct node_session *session, const Wire__Hello *hello, const void *bytes,
			 size_t len);
	void (*on_message)(struct node_session *session, const Wire__ToServer *message,
			   const void *bytes, size_t len); /* LIVE */
	void (*on_up)(struct node_session *session);
	void (*on_down)(struct node_session *session); /* LIVE before; found no longer */
	/* Nothing is sent any longer, and nobody is sending. Maybe twice. */
	void (*on_end)(struct node_session *session);
	void (*on_free)(struct node_session *session);
};

struct node_sessions {
	const struct context *context;
	const struct node_manner *manner;
	struct node_session *first;
	size_t n, greeting;
	struct arena *incoming, *outgoing; /* of one message each */
	pthread_mutex_t mutex; /* guards what follows, and of LIVE sessions conn and node */
	struct node_session *buckets[NODE_BUCKETS];
	size_t live;
};

/* @sessions: zeros. -ENOMEM: nothing is left to undo. */
_must_check_ int node_sessions_init(struct node_sessions *sessions, const struct context *context,
				    const struct node_manner *manner);
/* After the loop has stopped. Leaves zeros. */
void node_sessions_done(struct node_sessions *sessions);

/* The session of a socket; NULL: not possible now. */
struct node_session *node_open(struct node_sessions *sessions, struct http_conn_id conn);
/* For a ws_route, with what node_open returned. */
void node_on_message(void *session, enum ws_kind kind, const void *bytes, size_t len);
void node_on_closed(void *session, uint16_t code);

/* The node's own: the session before it is replaced, this one is welcomed, found, and up. */
void node_adopt(struct node_session *session, struct machine_id node);
/* Once; more often: as once. */
void node_end(struct node_session *session, uint16_t code, const char *reason);

void node_hold(struct node_session *session);
/* The last may free it. */
void node_release(struct node_session *session);

/* NULL: not linked. With the mutex held, or on the loop. */
struct node_session *node_find(struct node_sessions *sessions, struct machine_id node);

/* From any thread. The connection of the node's session; its value is 0 without one. */
struct http_conn_id node_conn(struct node_sessions *sessions, struct machine_id node);
/* From any thread. Closes the node's session, if there is one. */
void node_drop(struct node_sessions *sessions, struct machine_id node, const char *reason);
