#include "popw/prover.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <sys/statfs.h>
#include <unistd.h>

#include "popw/prove_host.h"

enum {
	BLOCK = 4096, /* of direct I/O: aligned for any disk */
	ITEMS_A_BLOCK = BLOCK / ITEM_BYTES,
	CHUNK = 1 << 20, /* written at once */
	ITEMS_A_CHUNK = CHUNK / ITEM_BYTES,
	THREADS = 32, /* reads in flight, unless told: disks want more than there are processors */
};

struct disk_prover {
	struct host_prover host;
	char *folder;
	int file; /* unlinked: gone with the process */
	const char *cached; /* why reads go through the page cache; NULL: they do not */
	uint8_t **chunks; /* one a worker, CHUNK bytes, aligned */
	struct walk_state *states; /* of the epoch at hand */
};

static struct disk_prover *disk_of(struct prover_device *device)
{
	return (struct disk_prover *)device;
}

/* ---- the file ---- */

static int write_at(int file, const uint8_t *bytes, size_t len, uint64_t at)
{
	while (len > 0) {
		ssize_t n = pwrite(file, bytes, len, (off_t)at);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		bytes += n;
		len -= (size_t)n;
		at += (uint64_t)n;
	}
	return 0;
}

/* A whole block: the file has no other lengths, so less of it is a broken disk. */
static int read_block(int file, uint8_t *bytes, uint64_t at)
{
	ssize_t n;

	do {
		n = pread(file, bytes, BLOCK, (off_t)at);
	} while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	return n == BLOCK ? 0 : -EIO;
}

static uint64_t file_bytes(const struct session_work *work)
{
	uint64_t blocks = ((uint64_t)work->n_items + ITEMS_A_BLOCK - 1) / ITEMS_A_BLOCK;

	return blocks * BLOCK;
}

/* Newer kernels take O_DIRECT on tmpfs and mean nothing by it. */
static const char *why_cached(int file)
{
	struct statfs statfs;

	if (fstatfs(file, &statfs) == 0 &&
	    (statfs.f_type == TMPFS_MAGIC || statfs.f_type == RAMFS_MAGIC))
		return "the folder lies in memory";
	if (fcntl(file, F_SETFL, O_DIRECT) < 0)
		return "the file system refuses O_DIRECT";
	return NULL;
}

static int make_file(struct disk_prover *disk)
{
	_cleanup_(freep) char *path = NULL;

	if (asprintf(&path, "%s/kaisar-popw-XXXXXX", disk->folder) < 0)
		return -ENOMEM;
	disk->file = mkostemp(path, O_CLOEXEC);
	if (disk->file < 0)
		return -errno;
	if (unlink(path) < 0)
		return -errno;
	disk->cached = why_cached(disk->file);
	return 0;
}

/* ---- operations ---- */

static int fill_chunk(void *arg, unsigned int worker, size_t i)
{
	const struct disk_prover *disk = arg;
	const struct session_work *work = &disk->host.work;
	uint8_t *chunk = disk->chunks[worker];
	uint64_t at = (uint64_t)i * CHUNK;
	uint32_t first = (uint32_t)i * ITEMS_A_CHUNK;
	size_t n = size_min(ITEMS_A_CHUNK, work->n_items - first);
	size_t len = size_min(CHUNK, file_bytes(work) - at);

	item_fill(&disk->host.seed_d, work->double_rounds, first, n, (struct item *)chunk);
	memset(chunk + n * ITEM_BYTES, 0, len - n * ITEM_BYTES);
	return write_at(disk->file, chunk, len, at);
}

static uint64_t room_of(const struct disk_prover *disk)
{
	struct statfs statfs;

	if (fstatfs(disk->file, &statfs) < 0)
		return 0;
	return (uint64_t)statfs.f_bavail * (uint64_t)statfs.f_bsize;
}

/* Taken beforehand where the file system can, so that nobody finds his disk filled up to no end. */
static int reserve(struct disk_prover *disk, uint64_t bytes)
{
	if (ftruncate(disk->file, 0) < 0)
		return -errno;
	if (bytes > room_of(disk))
		return -ENOSPC;
	if (fallocate(disk->file, 0, 0, (off_t)bytes) < 0 && errno != EOPNOTSUPP)
		return -errno;
	return 0;
}

static int fill(struct prover_device *device, const struct prg_key *seed_d,
		const struct session_work *work)
{
	struct disk_prover *disk = disk_of(device);
	uint64_t bytes = file_bytes(work);
	int r;

	r = host_begin(device, seed_d, work, 0);
	if (r < 0)
		return r;
	r = reserve(disk, bytes);
	if (r == 0)
		r = crew_run(disk->host.crew, (bytes + CHUNK - 1) / CHUNK, fill_chunk, disk);
	if (r < 0)
		return host_fail(device, r, "%" PRIu64 " MiB cannot be written in %s: %s",
				 bytes >> 20, disk->folder, strerror(-r));
	return 0;
}

/* One walk: each read waits for the one before, so that there are as many in flight as threads. */
static int walk_one(void *arg, unsigned int worker, size_t i)
{
	const struct disk_prover *disk = arg;
	const struct session_work *work = &disk->host.work;
	struct walk_state *state = &disk->states[i];
	uint8_t *block = disk->chunks[worker];

	for (uint32_t step = 0; step < work->steps; step++) {
		uint64_t item = walk_index(state, work->n_items);
		int r;

		r = read_block(disk->file, block, item / ITEMS_A_BLOCK * BLOCK);
		if (r < 0)
			return r;
		walk_mix(state, (const struct item *)block + item % ITEMS_A_BLOCK);
	}
	return 0;
}

static int epoch(struct prover_device *device, const uint32_t salt[static 8], uint32_t index,
		 struct hash *ret_root)
{
	struct disk_prover *disk = disk_of(device);
	struct host_prover *host = &disk->host;
	int r;

	disk->states = walk_log_enter(&host->log, index, salt);
	r = crew_run(host->crew, host->work.walks, walk_one, disk);
	if (r < 0)
		return host_fail(device, r, "the data set in %s cannot be read: %s", disk->folder,
				 strerror(-r));
	return walk_log_seal(&host->log, host->crew, index, ret_root);
}

static int walk_end(struct prover_device *device)
{
	return ftruncate(disk_of(device)->file, 0) < 0 ? -errno : 0;
}

static void info(struct prover_device *device, struct prover_info *ret_info)
{
	const struct disk_prover *disk = disk_of(device);

	*ret_info = (struct prover_info){ .memory_bytes = room_of(disk) };
	snprintf(ret_info->name, sizeof(ret_info->name), "%.60s, %s%s%s, %u reads at once",
		 disk->folder, disk->cached ? "cached (" : "direct I/O",
		 disk->cached ? disk->cached : "", disk->cached ? ")" : "",
		 crew_size(disk->host.crew));
}

/* ---- its life ---- */

static void close_disk(struct prover_device *device)
{
	struct disk_prover *disk = disk_of(device);

	for (unsigned int i = 0; disk->chunks && i < crew_size(disk->host.crew); i++)
		free(disk->chunks[i]);
	free(disk->chunks);
	if (disk->file >= 0)
		close(disk->file);
	if (disk->host.crew)
		host_done(&disk->host);
	free(disk->folder);
	free(disk);
}

static const struct prover_ops ops = {
	.backend = "disk",
	.close = close_disk,
	.info = info,
	.fill = fill,
	.walk_start = host_walk_start,
	.walk_epoch = epoch,
	.open_walk = host_open_walk,
	.walk_end = walk_end,
	.matrix_start = host_matrix_start,
	.matrix_round = host_matrix_round,
	.open_tiles = host_open_tiles,
};

static int make(struct disk_prover *disk, const char *folder, unsigned int threads,
		const char **ret_detail)
{
	unsigned int size = threads ? threads : THREADS;
	int r;

	r = host_init(&disk->host, &ops, size, ret_detail);
	if (r < 0)
		return r;
	*ret_detail = "no memory";
	disk->folder = strdup(folder);
	disk->chunks = calloc(size, sizeof(*disk->chunks));
	if (!disk->folder || !disk->chunks)
		return -ENOMEM;
	for (unsigned int i = 0; i < size; i++) {
		disk->chunks[i] = aligned_alloc(BLOCK, CHUNK);
		if (!disk->chunks[i])
			return -ENOMEM;
	}
	r = make_file(disk);
	if (r < 0)
		*ret_detail = "no file can be made in the folder";
	return r;
}

int prover_disk_open(const char *folder, unsigned int threads, struct prover_device **ret_device,
		     const char **ret_detail)
{
	struct disk_prover *disk = calloc(1, sizeof(*disk));
	int r;

	if (!disk) {
		*ret_detail = "no memory";
		return -ENOMEM;
	}
	disk->file = -1;
	r = make(disk, folder, threads, ret_detail);
	if (r < 0) {
		close_disk(&disk->host.device);
		return r;
	}
	*ret_device = &disk->host.device;
	return 0;
}
