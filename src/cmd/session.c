#include "cmd/session.h"

#include <fcntl.h>
#include <jansson.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

#include "cmd/file.h"
#include "cmd/home.h"

enum { SESSION_MAX = 16384, LOCK_TRIES = 300, LOCK_PAUSE_MS = 100 };

/* NULL where the object has no such text. */
static const char *text_of(struct arena *arena, const json_t *object, const char *name)
{
	const json_t *value = json_object_get(object, name);

	if (!json_is_string(value))
		return NULL;
	return arena_text(arena, json_string_value(value), json_string_length(value));
}

int session_load(struct arena *arena, struct session *ret_session)
{
	_cleanup_(json_decrefp) json_t *json = NULL;
	struct session session;
	const char *path;
	char *text;
	size_t len;
	int r;

	r = home_path(arena, "session.json", &path);
	if (r < 0)
		return r;
	r = file_read(path, SESSION_MAX, arena, &text, &len);
	if (r < 0)
		return r;
	json = json_loadb(text, len, JSON_REJECT_DUPLICATES, NULL);
	session = (struct session){
		.url = text_of(arena, json, "url"),
		.account = text_of(arena, json, "account"),
		.network = text_of(arena, json, "network"),
		.access_token = text_of(arena, json, "access_token"),
		.refresh_token = text_of(arena, json, "refresh_token"),
		.expires_at_ms = json_integer_value(json_object_get(json, "expires_at_ms")),
	};
	if (!session.url || !session.account || !session.network || !session.access_token ||
	    !session.refresh_token)
		return -EINVAL;
	*ret_session = session;
	return 0;
}

int session_save(struct arena *arena, const struct session *session)
{
	_cleanup_(json_decrefp) json_t *json = NULL;
	_cleanup_(freep) char *text = NULL;
	const char *path;
	int r;

	r = home_path(arena, "session.json", &path);
	if (r < 0)
		return r;
	json = json_pack("{s:s, s:s, s:s, s:s, s:s, s:I}", "url", session->url, "account",
			 session->account, "network", session->network, "access_token",
			 session->access_token, "refresh_token", session->refresh_token,
			 "expires_at_ms", (json_int_t)session->expires_at_ms);
	text = json ? json_dumps(json, JSON_INDENT(1)) : NULL;
	return text ? file_write(path, text, strlen(text), 0600) : -ENOMEM;
}

int session_remove(struct arena *arena)
{
	const char *path;
	int r;

	r = home_path(arena, "session.json", &path);
	if (r < 0)
		return r;
	return unlink(path) < 0 && errno != ENOENT ? -errno : 0;
}

int session_lock(struct arena *arena, int *ret_fd)
{
	const struct timespec pause = { .tv_nsec = LOCK_PAUSE_MS * 1000000l };
	const char *path;
	int fd, r;

	r = home_path(arena, "session.lock", &path);
	if (r < 0)
		return r;
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0)
		return -errno;
	for (int i = 0; i < LOCK_TRIES; i++) {
		if (flock(fd, LOCK_EX | LOCK_NB) == 0) {
			*ret_fd = fd;
			return 0;
		}
		if (errno != EWOULDBLOCK && errno != EINTR)
			break;
		nanosleep(&pause, NULL);
	}
	close(fd);
	return -ETIMEDOUT;
}
