#include "link/state.h"

#include <dirent.h>
#include <fcntl.h>
#include <jansson.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/codec.h"
#include "base/field.h"
#include "base/keccak.h"

enum { HEADER_MAX = 64, NAME_SIZE = 160 };

struct state {
	int dir;
	int lock;
	unsigned int die_at; /* 0: never */
};

enum { DIED = 137 };

static bool dies_here(struct state *state)
{
	return state->die_at > 0 && --state->die_at == 0;
}

static void at_step(struct state *state)
{
	if (dies_here(state))
		_exit(DIED);
}

static void closep(int *fd)
{
	if (*fd >= 0)
		close(*fd);
}

static int make_folder(int at, const char *path)
{
	return mkdirat(at, path, 0700) < 0 && errno != EEXIST ? -errno : 0;
}

static int take_folder(struct state *state, const char *path)
{
	int r;

	r = make_folder(AT_FDCWD, path);
	if (r < 0)
		return r;
	state->dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (state->dir < 0)
		return -errno;
	state->lock = openat(state->dir, "lock", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (state->lock < 0)
		return -errno;
	if (flock(state->lock, LOCK_EX | LOCK_NB) < 0)
		return errno == EWOULDBLOCK ? -EBUSY : -errno;
	return 0;
}

int state_open(const char *path, struct state **ret_state)
{
	struct state *state = malloc(sizeof(*state));
	int r;

	if (!state)
		return -ENOMEM;
	*state = (struct state){ .dir = -1, .lock = -1 };
	r = take_folder(state, path);
	if (r < 0) {
		state_close(state);
		return r;
	}
	*ret_state = state;
	return 0;
}

int state_look(const char *path, struct state **ret_state)
{
	struct state *state = malloc(sizeof(*state));

	if (!state)
		return -ENOMEM;
	*state = (struct state){ .lock = -1 };
	state->dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (state->dir < 0) {
		free(state);
		return -errno;
	}
	*ret_state = state;
	return 0;
}

void state_close(struct state *state)
{
	if (!state)
		return;
	closep(&state->lock);
	closep(&state->dir);
	free(state);
}

void state_die_at(struct state *state, unsigned int n)
{
	state->die_at = n;
}

int state_fd(const struct state *state)
{
	return state->dir;
}

int state_folder(struct state *state, const char *name)
{
	return make_folder(state->dir, name);
}

static int compose_header(const void *bytes, size_t len, char ret_header[static HEADER_MAX])
{
	uint8_t digest[32];
	char sum[17];

	keccak256(bytes, len, digest);
	hex_encode(digest, 8, sum);
	return snprintf(ret_header, HEADER_MAX, "kaisar-state %d %zu %s\n", STATE_VERSION, len,
			sum);
}

static int write_all(int fd, const char *bytes, size_t len)
{
	while (len > 0) {
		ssize_t n = write(fd, bytes, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		bytes += n;
		len -= (size_t)n;
	}
	return 0;
}

static int write_step(struct state *state, int fd, const char *bytes, size_t len)
{
	bool dies = dies_here(state);
	int r = write_all(fd, bytes, dies ? len / 2 : len);

	if (dies)
		_exit(DIED);
	return r;
}

static int write_synced(struct state *state, const char *name, const void *bytes, size_t len)
{
	_cleanup_(closep) int fd = -1;
	char header[HEADER_MAX];
	int r, n;

	at_step(state);
	fd = openat(state->dir, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0)
		return -errno;
	n = compose_header(bytes, len, header);
	r = write_step(state, fd, header, (size_t)n);
	if (r == 0)
		r = write_step(state, fd, bytes, len);
	at_step(state);
	if (r == 0 && fsync(fd) < 0)
		r = -errno;
	return r;
}

/* The rename is durable once the folder that holds the name is. */
static int sync_folder(int dir, const char *name)
{
	_cleanup_(closep) int fd = -1;
	char folder[NAME_SIZE] = ".";
	const char *slash = strrchr(name, '/');

	if (slash)
		snprintf(folder, sizeof(folder), "%.*s", (int)(slash - name), name);
	fd = openat(dir, folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 || fsync(fd) < 0)
		return -errno;
	return 0;
}

int state_write(struct state *state, const char *name, const void *bytes, size_t len)
{
	char beside[NAME_SIZE];
	int r;

	if (len > STATE_FILE_MAX)
		return -EFBIG;
	if (snprintf(beside, sizeof(beside), "%s.new", name) >= (int)sizeof(beside))
		return -ENAMETOOLONG;
	r = write_synced(state, beside, bytes, len);
	at_step(state);
	if (r == 0 && renameat(state->dir, beside, state->dir, name) < 0)
		r = -errno;
	if (r < 0) {
		unlinkat(state->dir, beside, 0);
		return r;
	}
	at_step(state);
	return sync_folder(state->dir, name);
}

static int read_whole(int fd, struct arena *arena, char **ret_bytes, size_t *ret_len)
{
	struct stat st;
	size_t len = 0;
	char *bytes;

	if (fstat(fd, &st) < 0)
		return -errno;
	if (st.st_size > STATE_FILE_MAX + HEADER_MAX)
		return -EBADMSG;
	bytes = arena_alloc(arena, (size_t)st.st_size + 1);
	if (!bytes)
		return -ENOMEM;
	while (len < (size_t)st.st_size) {
		ssize_t n = read(fd, bytes + len, (size_t)st.st_size - len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			break;
		len += (size_t)n;
	}
	*ret_bytes = bytes;
	*ret_len = len;
	return 0;
}

static int check(const char *bytes, size_t len, size_t *ret_start)
{
	const char *newline = memchr(bytes, '\n', size_min(len, HEADER_MAX));
	char header[HEADER_MAX];
	size_t start;
	int version;

	if (!newline || sscanf(bytes, "kaisar-state %d ", &version) != 1)
		return -EBADMSG;
	if (version > STATE_VERSION)
		return -EPROTONOSUPPORT;
	start = (size_t)(newline - bytes) + 1;
	if ((size_t)compose_header(bytes + start, len - start, header) != start ||
	    memcmp(header, bytes, start) != 0)
		return -EBADMSG;
	*ret_start = start;
	return 0;
}

int state_read(struct state *state, const char *name, struct arena *arena, const void **ret_bytes,
	       size_t *ret_len)
{
	_cleanup_(closep) int fd = -1;
	size_t len = 0, start = 0;
	char *bytes = NULL;
	int r;

	fd = openat(state->dir, name, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	r = read_whole(fd, arena, &bytes, &len);
	if (r == 0)
		r = check(bytes, len, &start);
	if (r < 0)
		return r;
	*ret_bytes = bytes + start;
	*ret_len = len - start;
	return 0;
}

int state_remove(struct state *state, const char *name)
{
	return unlinkat(state->dir, name, 0) < 0 && errno != ENOENT ? -errno : 0;
}

int state_each(struct state *state, const char *folder, int (*fn)(void *arg, const char *name),
	       void *arg)
{
	struct dirent *entry;
	int fd, r = 0;
	DIR *dir;

	fd = openat(state->dir, folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	dir = fdopendir(fd);
	if (!dir) {
		close(fd);
		return -ENOMEM;
	}
	while (r >= 0 && (entry = readdir(dir)))
		if (entry->d_name[0] != '.')
			r = fn(arg, entry->d_name);
	closedir(dir);
	return r < 0 ? r : 0;
}

static const char *const node_words[] = { [STATE_ANY] = NULL,
					  [STATE_WORKER] = "worker",
					  [STATE_CHECKER] = "checker",
					  [STATE_VPN] = "vpn" };

static enum state_node node_of(const char *word)
{
	for (int node = STATE_WORKER; word && node <= STATE_VPN; node++)
		if (strcmp(word, node_words[node]) == 0)
			return (enum state_node)node;
	return STATE_ANY;
}

int state_write_config(struct state *state, const struct state_config *config)
{
	_cleanup_(freep) char *text = NULL;
	char network[ADDRESS_TEXT_SIZE];
	json_t *json;

	address_text(&config->network, network);
	json = json_pack("{s:s, s:s, s:s, s:s*}", "url", config->url, "name", config->name,
			 "network", network, "node", node_words[config->node]);
	text = json ? json_dumps(json, JSON_INDENT(2)) : NULL;
	json_decref(json);
	return text ? state_write(state, "config", text, strlen(text)) : -ENOMEM;
}

struct config_fields {
	const char *url, *name, *node;
	struct address network;
};

static const struct field config_table[] = {
	{ "url", FIELD_TEXT, offsetof(struct config_fields, url), .required = true, .min = 1,
	  .max = 511 },
	{ "name", FIELD_TEXT, offsetof(struct config_fields, name), .max = 64 },
	{ "network", FIELD_ADDRESS, offsetof(struct config_fields, network), .required = true },
	{ "node", FIELD_TEXT, offsetof(struct config_fields, node), .max = 16 },
	{ 0 },
};

int state_read_config(struct state *state, struct state_config *ret_config)
{
	_cleanup_(arena_freep) struct arena *arena = NULL;
	struct config_fields fields = { 0 };
	struct field_error error;
	const void *bytes;
	size_t len;
	int r;

	r = arena_new(65536, &arena);
	if (r == 0)
		r = state_read(state, "config", arena, &bytes, &len);
	if (r == 0)
		r = field_decode(bytes, len, config_table, arena, &fields, &error);
	if (r != 0)
		return r < 0 ? r : -EBADMSG;
	*ret_config = (struct state_config){ .node = node_of(fields.node),
					     .network = fields.network };
	snprintf(ret_config->url, sizeof(ret_config->url), "%s", fields.url);
	snprintf(ret_config->name, sizeof(ret_config->name), "%s", fields.name ? fields.name : "");
	return 0;
}

int state_write_key(struct state *state, const struct secp_key *key)
{
	uint8_t secret[SECP_SECRET_SIZE];
	char text[2 * SECP_SECRET_SIZE + 1];
	int r;

	secp_key_secret(key, secret);
	hex_encode(secret, sizeof(secret), text);
	r = state_write(state, "key", text, strlen(text));
	explicit_bzero(secret, sizeof(secret));
	explicit_bzero(text, sizeof(text));
	return r;
}

int state_read_key(struct state *state, struct secp_key **ret_key)
{
	_cleanup_(arena_freep) struct arena *arena = NULL;
	uint8_t secret[SECP_SECRET_SIZE];
	const void *text;
	size_t len;
	int r;

	r = arena_new(4096, &arena);
	if (r == 0)
		r = state_read(state, "key", arena, &text, &len);
	if (r < 0)
		return r;
	r = hex_decode(text, len, secret, sizeof(secret)) < 0 ? -EBADMSG : 0;
	if (r == 0)
		r = secp_key_from_secret(secret, ret_key);
	explicit_bzero((void *)text, len);
	explicit_bzero(secret, sizeof(secret));
	return r;
}

int state_take_key(struct state *state, struct random *random, struct secp_key **ret_key)
{
	struct secp_key *key;
	int r;

	r = state_read_key(state, ret_key);
	if (r != -ENOENT)
		return r;
	r = secp_key_generate(random, &key);
	if (r < 0)
		return r;
	r = state_write_key(state, key);
	if (r < 0) {
		secp_key_free(key);
		return r;
	}
	*ret_key = key;
	return 0;
}
