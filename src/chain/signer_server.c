#include "chain/signer_server.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "chain/signer.h"
#include "chain/signer_wire.h"

enum { ARENA_BYTES = 16 << 20, DEAF_MS = 200 /* where the machine has no room for who comes */ };

/* Reads a question, then writes its answer, and begins anew. */
struct connection {
	int fd; /* -1: free */
	int64_t deadline_ms;
	uint8_t prefix[SIGNER_PREFIX];
	uint8_t *
		bytes; /* of the question behind its length, or of the answer; NULL: its length comes */
	size_t len, done;
	bool writes;
};

struct signer_server {
	struct signer_server_config config;
	struct sockaddr_un place;
	int fd;
	bool bound;
	int64_t deaf_until_ms; /* nobody is taken before */
	struct arena *arena; /* one answer */
	struct connection connections[SIGNER_CONNECTIONS_MAX];
};

/* ---- the socket's file ---- */

/* Whether nobody listens there any more: then its file may go. */
static bool is_stale(const struct signer_server *server)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	bool refused = fd >= 0 &&
		       connect(fd, (const struct sockaddr *)&server->place, sizeof(server->place)) <
			       0 &&
		       errno == ECONNREFUSED;

	if (fd >= 0)
		close(fd);
	return refused;
}

static int bind_there(struct signer_server *server)
{
	const struct sockaddr *place = (const struct sockaddr *)&server->place;
	struct stat file;

	if (bind(server->fd, place, sizeof(server->place)) == 0)
		return 0;
	if (errno != EADDRINUSE)
		return -errno;
	if (lstat(server->place.sun_path, &file) < 0 || !S_ISSOCK(file.st_mode) ||
	    !is_stale(server))
		return -EADDRINUSE;
	if (unlink(server->place.sun_path) < 0 ||
	    bind(server->fd, place, sizeof(server->place)) < 0)
		return -errno;
	return 0;
}

/* Nobody can connect before it listens, and then its mode is right. */
static int listen_there(struct signer_server *server)
{
	int r;

	server->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (server->fd < 0)
		return -errno;
	r = bind_there(server);
	if (r < 0)
		return r;
	server->bound = true;
	if (chmod(server->place.sun_path, 0600) < 0 ||
	    listen(server->fd, SIGNER_CONNECTIONS_MAX) < 0)
		return -errno;
	return 0;
}

int signer_server_new(const struct signer_server_config *config, struct signer_server **ret_server)
{
	_cleanup_(signer_server_freep) struct signer_server *server = NULL;
	int r;

	if (strlen(config->path) > SIGNER_PATH_MAX)
		return -ENAMETOOLONG;
	server = calloc(1, sizeof(*server));
	if (!server)
		return -ENOMEM;
	server->config = *config;
	server->fd = -1;
	for (size_t i = 0; i < SIGNER_CONNECTIONS_MAX; i++)
		server->connections[i].fd = -1;
	server->place.sun_family = AF_UNIX;
	memcpy(server->place.sun_path, config->path, strlen(config->path));
	r = arena_new(ARENA_BYTES, &server->arena);
	if (r == 0)
		r = listen_there(server);
	if (r < 0)
		return r;
	*ret_server = server;
	server = NULL;
	return 0;
}

/* ---- connections ---- */

static void connection_end(struct connection *connection)
{
	if (connection->fd >= 0)
		close(connection->fd);
	free(connection->bytes);
	*connection = (struct connection){ .fd = -1 };
}

static void connection_begin(struct connection *connection, int fd)
{
	free(connection->bytes);
	*connection = (struct connection){
		.fd = fd, .deadline_ms = clock_mono_ms(&clock_system) + SIGNER_QUESTION_MS
	};
}

void signer_server_free(struct signer_server *server)
{
	if (!server)
		return;
	for (size_t i = 0; i < SIGNER_CONNECTIONS_MAX; i++)
		connection_end(&server->connections[i]);
	if (server->bound)
		unlink(server->place.sun_path);
	if (server->fd >= 0)
		close(server->fd);
	arena_free(server->arena);
	free(server);
}

/* Makes room for @len bytes; past this point nothing of the last message is left. */
static int take_bytes(struct connection *connection, const uint8_t *bytes, size_t len)
{
	uint8_t *room = malloc(len);

	if (!room)
		return -ENOMEM;
	if (bytes)
		memcpy(room, bytes, len);
	free(connection->bytes);
	connection->bytes = room;
	connection->len = len;
	connection->done = 0;
	return 0;
}

static int answer(struct signer_server *server, struct connection *connection)
{
	const uint8_t *bytes;
	size_t len;
	int r;

	arena_reset(server->arena);
	r = server->config.answer(server->config.arg, connection->bytes, connection->len,
				  server->arena, &bytes, &len);
	if (r == 0)
		r = take_bytes(connection, bytes, len);
	connection->writes = true;
	return r;
}

/* More of it, as much as there is now. -EAGAIN: later; -ECONNRESET: no more. */
static int move(struct connection *connection, uint8_t *bytes, size_t len)
{
	while (connection->done < len) {
		uint8_t *at = bytes + connection->done;
		size_t left = len - connection->done;
		ssize_t n = connection->writes ? send(connection->fd, at, left, MSG_NOSIGNAL)
					       : recv(connection->fd, at, left, 0);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			return -ECONNRESET;
		connection->done += (size_t)n;
	}
	return 0;
}

static int read_question(struct signer_server *server, struct connection *connection)
{
	size_t len;
	int r = 0;

	if (!connection->bytes) {
		r = move(connection, connection->prefix, SIGNER_PREFIX);
		if (r == 0)
			r = signer_length(connection->prefix, SIGNER_QUESTION_MAX, &len);
		if (r == 0)
			r = take_bytes(connection, NULL, len);
	}
	if (r == 0)
		r = move(connection, connection->bytes, connection->len);
	return r == 0 ? answer(server, connection) : r;
}

/* What it can do without waiting, one question at most, so that all have their turn. */
static void serve(struct signer_server *server, struct connection *connection)
{
	int r = connection->writes ? 0 : read_question(server, connection);

	if (r == 0)
		r = move(connection, connection->bytes, connection->len);
	if (r == 0)
		connection_begin(connection, connection->fd);
	else if (r != -EAGAIN)
		connection_end(connection);
}

/* ---- who comes ---- */

static bool is_ours(int fd)
{
	struct ucred peer;
	socklen_t len = sizeof(peer);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) < 0)
		return false;
	if (peer.uid == 0 || peer.uid == geteuid())
		return true;
	log_warn("signer.stranger", log_int("uid", (int64_t)peer.uid));
	return false;
}

static struct connection *find_place(struct signer_server *server)
{
	struct connection *oldest = server->connections;

	for (size_t i = 0; i < SIGNER_CONNECTIONS_MAX; i++) {
		struct connection *connection = &server->connections[i];

		if (connection->fd < 0)
			return connection;
		if (connection->deadline_ms < oldest->deadline_ms)
			oldest = connection;
	}
	connection_end(oldest);
	return oldest;
}

/* What is wrong with one who came, or with the machine for now, is no end: who waits is taken later. */
static int not_accepted(struct signer_server *server, int fault)
{
	switch (fault) {
	case EAGAIN:
	case EINTR:
	case ECONNABORTED:
	case EPROTO:
		return 0;
	case EMFILE:
	case ENFILE:
	case ENOBUFS:
	case ENOMEM:
		server->deaf_until_ms = clock_mono_ms(&clock_system) + DEAF_MS;
		log_warn("signer.accept", log_text("problem", strerror(fault)));
		return 0;
	default:
		return -fault;
	}
}

/* One for each look around, and it is served at once: its question is most likely there. */
static int accept_one(struct signer_server *server)
{
	int fd = accept4(server->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	struct connection *connection;

	if (fd < 0)
		return not_accepted(server, errno);
	if (!is_ours(fd)) {
		close(fd);
		return 0;
	}
	connection = find_place(server);
	connection_begin(connection, fd);
	serve(server, connection);
	return 0;
}

/* ---- running ---- */

enum { STOP, LISTEN, FIRST, POLLED = FIRST + SIGNER_CONNECTIONS_MAX };

/* Ends those past their time; how long until there is something to do by itself. -1: there is nothing. */
static int expire(struct signer_server *server, int64_t now_ms)
{
	int64_t next_ms = server->deaf_until_ms > now_ms ? server->deaf_until_ms : INT64_MAX;

	for (size_t i = 0; i < SIGNER_CONNECTIONS_MAX; i++) {
		struct connection *connection = &server->connections[i];

		if (connection->fd >= 0 && connection->deadline_ms <= now_ms)
			connection_end(connection);
		if (connection->fd >= 0 && connection->deadline_ms < next_ms)
			next_ms = connection->deadline_ms;
	}
	return next_ms == INT64_MAX ? -1 : (int)(next_ms - now_ms);
}

int signer_server_run(struct signer_server *server, int stop_fd)
{
	struct pollfd polled[POLLED] = { [STOP] = { stop_fd, POLLIN, 0 } };
	int r = 0;

	while (r >= 0) {
		int64_t now_ms = clock_mono_ms(&clock_system);
		int wait_ms = expire(server, now_ms);

		polled[LISTEN] = (struct pollfd){ now_ms < server->deaf_until_ms ? -1 : server->fd,
						  POLLIN, 0 };
		for (size_t i = 0; i < SIGNER_CONNECTIONS_MAX; i++)
			polled[FIRST + i] = (struct pollfd){ server->connections[i].fd,
							     server->connections[i].writes ? POLLOUT
											   : POLLIN,
							     0 };
		r = poll(polled, POLLED, wait_ms);
		if (r < 0)
			r = errno == EINTR ? 0 : -errno;
		else if (polled[STOP].revents)
			return 0;
		for (size_t i = 0; r > 0 && i < SIGNER_CONNECTIONS_MAX; i++)
			if (polled[FIRST + i].revents)
				serve(server, &server->connections[i]);
		if (r > 0 && polled[LISTEN].revents)
			r = accept_one(server);
	}
	return r;
}
