#include "checker/finder.h"

#include "io/loop.h"
#include "io/pool.h"

enum { ARENA_BYTES = 4 << 20 /* roots and openings of one transcript */ };

struct finder {
	struct finder_config config;
	struct pool *pool;
};

struct job {
	struct finder *finder;
	struct finding_of found;
	size_t len;
	uint8_t bytes[];
};

static int find(struct job *job, struct hasher *hasher, struct verifier *verifier,
		struct arena *arena)
{
	struct transcript *transcript = arena_alloc(arena, sizeof(*transcript));
	struct finding_of *found = &job->found;
	int r;

	if (!transcript)
		return -ENOMEM;
	r = transcript_decode(hasher, job->bytes, job->len, arena, transcript, NULL);
	/* It was encoded from what was decoded: it can only be read. */
	if (r != 0)
		return r < 0 ? r : -EBADMSG;
	hasher_once(hasher, job->bytes, job->len, &found->transcript);
	verify(verifier, transcript, &found->finding);
	return job->finder->config.twist ? job->finder->config.twist(&found->finding) : 0;
}

static int find_with_room(struct job *job)
{
	_cleanup_(arena_freep) struct arena *arena = NULL;
	_cleanup_(hasher_freep) struct hasher *hasher = NULL;
	struct verifier *verifier;
	int r;

	r = arena_new(ARENA_BYTES, &arena);
	if (r == 0)
		r = hasher_new(&hasher);
	if (r == 0)
		r = verifier_new(&verifier);
	if (r < 0)
		return r;
	r = find(job, hasher, verifier, arena);
	verifier_free(verifier);
	return r;
}

static void on_done(void *arg)
{
	struct job *job = arg;
	struct finder *finder = job->finder;

	finder->config.on_found(finder->config.arg, &job->found);
	free(job);
}

static void work(void *arg)
{
	struct job *job = arg;

	job->found.fault = find_with_room(job);
	/* A loop that has ended wants no more answers. */
	if (loop_post(job->finder->config.loop, on_done, job) < 0)
		free(job);
}

int finder_verify(struct finder *finder, const struct proof_id *session, const uint8_t *bytes,
		  size_t len)
{
	struct job *job = malloc(sizeof(*job) + len);
	int r;

	if (!job)
		return -ENOMEM;
	*job = (struct job){ .finder = finder, .found.session = *session, .len = len };
	memcpy(job->bytes, bytes, len);
	r = pool_submit(finder->pool, work, job);
	if (r < 0)
		free(job);
	return r;
}

int finder_new(const struct finder_config *config, struct finder **ret_finder)
{
	struct finder *finder = calloc(1, sizeof(*finder));
	int r;

	if (!finder)
		return -ENOMEM;
	finder->config = *config;
	r = pool_new("finder", FINDER_THREADS, FINDER_QUEUE_MAX, &finder->pool);
	if (r < 0) {
		free(finder);
		return r;
	}
	*ret_finder = finder;
	return 0;
}

void finder_free(struct finder *finder)
{
	if (!finder)
		return;
	pool_free(finder->pool);
	free(finder);
}
