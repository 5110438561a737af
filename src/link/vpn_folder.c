#include "link/vpn_folder.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#define NOT_OPEN ((struct vpn_folder){ .dir = -1, .lock = -1 })

static void closep(const int *fd)
{
	if (*fd >= 0)
		close(*fd);
}

static int find(const char *state, struct vpn_folder *folder)
{
	_cleanup_(freep) char *real = realpath(state, NULL);

	if (!real)
		return -errno;
	if (snprintf(folder->path, sizeof(folder->path), "%s/vpn", real) >=
	    (int)sizeof(folder->path))
		return -ENAMETOOLONG;
	return 0;
}

static int open_it(struct vpn_folder *folder, int lock_flags)
{
	folder->dir = open(folder->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (folder->dir < 0)
		return -errno;
	folder->lock = openat(folder->dir, "lock", lock_flags | O_CLOEXEC, 0600);
	return folder->lock < 0 ? -errno : 0;
}

/* Of the open file, not of the process: nobody loses it by closing another. */
static struct flock whole(short type)
{
	return (struct flock){ .l_type = type, .l_whence = SEEK_SET };
}

int vpn_folder_open(const char *state, struct vpn_folder *ret_folder)
{
	struct vpn_folder folder = NOT_OPEN;
	struct flock lock = whole(F_WRLCK);
	int r = find(state, &folder);

	if (r == 0 && mkdir(folder.path, 0700) < 0 && errno != EEXIST)
		r = -errno;
	if (r == 0)
		r = open_it(&folder, O_RDWR | O_CREAT);
	if (r == 0 && fcntl(folder.lock, F_OFD_SETLK, &lock) < 0)
		r = errno == EAGAIN || errno == EACCES ? -EBUSY : -errno;
	if (r < 0) {
		vpn_folder_close(&folder);
		return r;
	}
	*ret_folder = folder;
	return 0;
}

int vpn_folder_look(const char *state, struct vpn_folder *ret_folder, bool *ret_kept)
{
	struct vpn_folder folder = NOT_OPEN;
	struct flock lock = whole(F_WRLCK);
	int r = find(state, &folder);

	if (r == 0)
		r = open_it(&folder, O_RDWR);
	if (r == 0 && fcntl(folder.lock, F_OFD_GETLK, &lock) < 0)
		r = -errno;
	if (r < 0) {
		vpn_folder_close(&folder);
		return r;
	}
	*ret_kept = lock.l_type != F_UNLCK;
	*ret_folder = folder;
	return 0;
}

void vpn_folder_close(struct vpn_folder *folder)
{
	closep(&folder->dir);
	closep(&folder->lock);
	*folder = NOT_OPEN;
}

static int write_whole(int fd, const char *text)
{
	size_t len = strlen(text);

	while (len > 0) {
		ssize_t n = write(fd, text, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		text += n;
		len -= (size_t)n;
	}
	return fsync(fd) < 0 ? -errno : 0;
}

int vpn_folder_write(const struct vpn_folder *folder, const char *name, const char *text,
		     unsigned int mode)
{
	_cleanup_(closep) int fd = -1;
	char beside[64];
	int r;

	snprintf(beside, sizeof(beside), "%s.new", name);
	fd = openat(folder->dir, beside, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode);
	if (fd < 0)
		return -errno;
	r = write_whole(fd, text);
	if (r == 0 && renameat(folder->dir, beside, folder->dir, name) < 0)
		r = -errno;
	if (r == 0 && fsync(folder->dir) < 0)
		r = -errno;
	return r;
}

int vpn_folder_read(const struct vpn_folder *folder, const char *name, size_t max,
		    struct arena *arena, char **ret_text)
{
	_cleanup_(closep) int fd = openat(folder->dir, name, O_RDONLY | O_CLOEXEC);
	size_t len = 0;
	struct stat st;
	char *text;

	if (fd < 0)
		return -errno;
	if (fstat(fd, &st) < 0)
		return -errno;
	if (st.st_size < 0 || (size_t)st.st_size > max)
		return -EFBIG;
	text = arena_alloc(arena, (size_t)st.st_size + 1);
	if (!text)
		return -ENOMEM;
	while (len < (size_t)st.st_size) {
		ssize_t n = read(fd, text + len, (size_t)st.st_size - len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			break;
		len += (size_t)n;
	}
	text[len] = '\0';
	*ret_text = text;
	return 0;
}

int vpn_folder_remove(const struct vpn_folder *folder, const char *name)
{
	return unlinkat(folder->dir, name, 0) < 0 && errno != ENOENT ? -errno : 0;
}

static int make_key(const struct vpn_folder *folder, uint8_t ret_public[static NEBULA_KEY_SIZE])
{
	uint8_t secret[NEBULA_KEY_SIZE];
	char text[NEBULA_PEM_SIZE];
	int r = nebula_keypair(secret, ret_public);

	if (r == 0)
		r = nebula_pem_write(NEBULA_PEM_SECRET, secret, sizeof(secret), text);
	if (r == 0)
		r = vpn_folder_write(folder, "node.key", text, 0600);
	explicit_bzero(secret, sizeof(secret));
	explicit_bzero(text, sizeof(text));
	return r;
}

int vpn_folder_key(const struct vpn_folder *folder, struct arena *arena,
		   uint8_t ret_public[static NEBULA_KEY_SIZE])
{
	uint8_t secret[NEBULA_KEY_SIZE];
	size_t len;
	char *text;
	int r;

	r = vpn_folder_read(folder, "node.key", NEBULA_PEM_SIZE, arena, &text);
	if (r == -ENOENT)
		return make_key(folder, ret_public);
	if (r < 0)
		return r;
	r = nebula_pem_read(NEBULA_PEM_SECRET, text, secret, sizeof(secret), &len);
	if (r == 0)
		r = len == sizeof(secret) ? nebula_public(secret, ret_public) : -EBADMSG;
	explicit_bzero(secret, sizeof(secret));
	explicit_bzero(text, strlen(text));
	return r;
}
