/* engine.h - the container engine (Podman or Docker) through the Docker Engine API on a unix socket.
 *
 * Every call is asynchronous on the loop and ends exactly once, with its reply, or silently by
 * engine_cancel. Paths are without the version; the engine puts the negotiated one in front. */
#pragma once

#include <jansson.h>

#include "agent/frames.h"
#include "base/base.h"

struct loop;
struct engine;
struct engine_call;

enum {
	ENGINE_ANSWER_MAX = 4 << 20, /* bytes of one JSON answer */
	ENGINE_TIMEOUT_MS = 60000, /* of one call */
	ENGINE_ID_SIZE = 64 + 1, /* of a container's id, in hexadecimal, with its NUL */
	ENGINE_PULL_IDLE_MS = 300000, /* a pull that says nothing for so long has failed */
};

/* Borrowed during the callback. */
struct engine_reply {
	int fault; /* 0, or -errno: the engine did not answer, so what it did is unknown */
	int status; /* HTTP */
	const char *message; /* the engine's words when status is not 2xx; never NULL */
	const json_t *json; /* the answer; NULL if none or not JSON */
};

typedef void engine_fn(void *arg, const struct engine_reply *reply);

static inline bool engine_ok(const struct engine_reply *reply)
{
	return reply->fault == 0 && reply->status >= 200 && reply->status < 400;
}

_must_check_ int engine_new(struct loop *loop, const char *socket, struct engine **ret_engine);
/* From now on no call waits longer than @ms for an answer. */
void engine_hurry(struct engine *engine, uint64_t ms);
/* No call may be in flight. */
void engine_free(struct engine *engine);

/* "podman 4.3.1", "" until engine_version has succeeded. */
const char *engine_name(const struct engine *engine);

/* Asks who it is, and agrees on the API's version; until then it is the newest that we know. Podman
 * takes a second for it: not for the way to a container. */
_must_check_ int engine_version(struct engine *engine, engine_fn *fn, void *arg,
				struct engine_call **ret_call);

/* One call with a JSON body (NULL: none) and a JSON answer. Faults, here and below: -ENOMEM,
 * -EMFILE; then @fn is not called. */
_must_check_ int engine_request(struct engine *engine, const char *method, const char *path,
				const json_t *body, uint64_t timeout_ms, engine_fn *fn, void *arg,
				struct engine_call **ret_call);

/* ---- containers; @id is an id or a name ---- */

/* All containers, running or not, that carry @label. */
_must_check_ int engine_list(struct engine *engine, const char *label, engine_fn *fn, void *arg,
			     struct engine_call **ret_call);
/* Podman (4.3 at least) that is killed between the two halves of a removal refuses every list that
 * the container would be in, until it is removed once more. Whether @reply to a list is that, and
 * which container. */
_must_check_ bool engine_torn(const struct engine_reply *reply, char ret_id[ENGINE_ID_SIZE]);
_must_check_ int engine_create(struct engine *engine, const char *name, const json_t *body,
			       engine_fn *fn, void *arg, struct engine_call **ret_call);
_must_check_ int engine_start(struct engine *engine, const char *id, engine_fn *fn, void *arg,
			      struct engine_call **ret_call);
/* SIGTERM, then SIGKILL after @grace_s. */
_must_check_ int engine_stop(struct engine *engine, const char *id, uint32_t grace_s, engine_fn *fn,
			     void *arg, struct engine_call **ret_call);
_must_check_ int engine_inspect(struct engine *engine, const char *id, engine_fn *fn, void *arg,
				struct engine_call **ret_call);
/* With its file system and unnamed volumes; a running one is killed. */
_must_check_ int engine_remove(struct engine *engine, const char *id, engine_fn *fn, void *arg,
			       struct engine_call **ret_call);
_must_check_ int engine_stats(struct engine *engine, const char *id, engine_fn *fn, void *arg,
			      struct engine_call **ret_call);

/* ---- streams: @on_... as it comes, then @fn once with the end ---- */

/* The JSON objects of a pull, read to its end. An "error" in one of them is the reply's message with
 * status 500 (Podman answers 200 before it knows). */
_must_check_ int engine_pull(struct engine *engine, const char *image, json_lines_fn *on_progress,
			     engine_fn *fn, void *arg, struct engine_call **ret_call);

/* Everything that happens to containers from now on. */
_must_check_ int engine_events(struct engine *engine, json_lines_fn *on_event, engine_fn *fn,
			       void *arg, struct engine_call **ret_call);

/* All that the container ever wrote, then what it writes, until it ends. */
_must_check_ int engine_logs(struct engine *engine, const char *id, frames_fn *on_frame,
			     engine_fn *fn, void *arg, struct engine_call **ret_call);

struct engine_terminal {
	uint16_t columns, rows; /* 0: not told */
};

/* Starts an exec made by POST containers/ID/exec: a raw stream both ways. With a @terminal (or NULL)
 * everything is FRAME_STDOUT. */
_must_check_ int engine_exec_start(struct engine *engine, const char *exec,
				   const struct engine_terminal *terminal, frames_fn *on_frame,
				   engine_fn *fn, void *arg, struct engine_call **ret_call);

/* Input of an exec, from its start on; nothing (@len 0) ends it. -EAGAIN: the queue is full; -EPIPE:
 * it has ended. */
_must_check_ int engine_exec_send(struct engine_call *call, const void *bytes, size_t len);

/* Bytes of input that wait to be sent. */
size_t engine_exec_queued(const struct engine_call *call);

/* Lets the engine wait with what it sends. */
void engine_pause(struct engine_call *call);
void engine_resume(struct engine_call *call);

/* No callback follows. May be called from callbacks. NULL is fine. */
void engine_cancel(struct engine_call *call);

/* Appends @text to @path of @size bytes, percent-escaped; false if it does not fit. */
_must_check_ bool engine_escape(char *path, size_t size, const char *text);
