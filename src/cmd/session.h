/* session.h - the sign-in that the CLI keeps between calls, in $KAISAR_HOME/session.json (mode 0600;
 * KAISAR_HOME is ~/.kaisar unless set). A session belongs to one URL: its tokens are never sent to
 * another. */
#pragma once

#include "base/arena.h"

struct session {
	const char *url; /* "http://127.0.0.1:7070" */
	const char *account;
	const char *network; /* whose signature bills must carry: pinned at the first sign-in */
	const char *access_token, *refresh_token;
	int64_t expires_at_ms; /* of the access token */
};

/* -ENOENT: not signed in. -EINVAL: the file is not a session. Texts in @arena. */
_must_check_ int session_load(struct arena *arena, struct session *ret_session);
_must_check_ int session_save(struct arena *arena, const struct session *session);

/* Signing out. Nothing there is fine. */
_must_check_ int session_remove(struct arena *arena);

/* Holds off other processes that would refresh the tokens at the same time, which the server would
 * take for theft. Released by closing @ret_fd. Waits at most 30 s: -ETIMEDOUT. */
_must_check_ int session_lock(struct arena *arena, int *ret_fd);
