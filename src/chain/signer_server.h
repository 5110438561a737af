/* signer_server.h - the signer's end of its socket: a file of mode 0600, and only processes of the same user, or
 * root's, are answered. One question at a time on each connection, which is closed when it takes longer than
 * SIGNER_QUESTION_MS for one, or sends what cannot be a question. Memory is bounded by the number of connections;
 * where there are as many, the one that has waited longest gives way. */
#pragma once

#include "base/arena.h"

enum {
	SIGNER_CONNECTIONS_MAX = 32,
	SIGNER_QUESTION_MS = 5000,
};

struct signer_server_config {
	const char *path;
	/* The bytes of an answer, in @arena. A fault ends the connection. */
	int (*answer)(void *arg, const uint8_t *question, size_t len, struct arena *arena,
		      const uint8_t **ret_answer, size_t *ret_len);
	void *arg;
};

struct signer_server;

/* Listens. -EADDRINUSE: another one answers there, or it is no socket; -ENAMETOOLONG; other faults of the folder. */
_must_check_ int signer_server_new(const struct signer_server_config *config,
				   struct signer_server **ret_server);

/* Until @stop_fd is readable. */
_must_check_ int signer_server_run(struct signer_server *server, int stop_fd);

/* Takes the socket away. */
void signer_server_free(struct signer_server *server);

static inline void signer_server_freep(struct signer_server **server)
{
	signer_server_free(*server);
}
