#include "popw/crew.h"

#include <pthread.h>
#include <stdatomic.h>

#include "popw/tree.h"

struct crew {
	unsigned int size;
	unsigned int started; /* threads beside the caller's */
	struct member {
		struct crew *crew;
		unsigned int index;
		struct hasher *hasher;
		pthread_t thread;
	} * members;

	pthread_mutex_t mutex;
	pthread_cond_t begun, ended;
	uint64_t loop; /* how many were begun */
	unsigned int busy; /* threads that have not ended this one */
	bool closing;

	/* The loop at hand; written under the mutex while nobody is busy. */
	int (*turn)(void *arg, unsigned int worker, size_t i);
	void *arg;
	size_t n;
	atomic_size_t next;
	atomic_int fault;
};

static void take_turns(struct crew *crew, unsigned int worker)
{
	while (atomic_load(&crew->fault) == 0) {
		size_t i = atomic_fetch_add(&crew->next, 1);
		int none = 0, r;

		if (i >= crew->n)
			return;
		r = crew->turn(crew->arg, worker, i);
		if (r < 0)
			atomic_compare_exchange_strong(&crew->fault, &none, r);
	}
}

static void *work(void *arg)
{
	struct member *member = arg;
	struct crew *crew = member->crew;
	uint64_t seen = 0;

	pthread_mutex_lock(&crew->mutex);
	while (true) {
		while (crew->loop == seen && !crew->closing)
			pthread_cond_wait(&crew->begun, &crew->mutex);
		if (crew->closing)
			break;
		seen = crew->loop;
		pthread_mutex_unlock(&crew->mutex);
		take_turns(crew, member->index);
		pthread_mutex_lock(&crew->mutex);
		if (--crew->busy == 0)
			pthread_cond_signal(&crew->ended);
	}
	pthread_mutex_unlock(&crew->mutex);
	return NULL;
}

static int start(struct crew *crew)
{
	for (unsigned int i = 0; i < crew->size; i++) {
		struct member *member = &crew->members[i];
		int r;

		member->crew = crew;
		member->index = i;
		r = hasher_new(&member->hasher);
		if (r < 0)
			return r;
		if (i == 0)
			continue;
		r = pthread_create(&member->thread, NULL, work, member);
		if (r != 0)
			return -r;
		crew->started++;
	}
	return 0;
}

int crew_new(unsigned int threads, struct crew **ret_crew)
{
	_cleanup_(crew_freep) struct crew *crew = calloc(1, sizeof(*crew));
	int r;

	if (!crew)
		return -ENOMEM;
	pthread_mutex_init(&crew->mutex, NULL);
	pthread_cond_init(&crew->begun, NULL);
	pthread_cond_init(&crew->ended, NULL);
	crew->size = threads;
	crew->members = calloc(threads, sizeof(*crew->members));
	if (!crew->members)
		return -ENOMEM;
	r = start(crew);
	if (r < 0)
		return r;
	*ret_crew = crew;
	crew = NULL;
	return 0;
}

void crew_free(struct crew *crew)
{
	if (!crew)
		return;
	pthread_mutex_lock(&crew->mutex);
	crew->closing = true;
	pthread_cond_broadcast(&crew->begun);
	pthread_mutex_unlock(&crew->mutex);
	for (unsigned int i = 1; i <= crew->started; i++)
		pthread_join(crew->members[i].thread, NULL);
	for (unsigned int i = 0; crew->members && i < crew->size; i++)
		hasher_free(crew->members[i].hasher);
	pthread_cond_destroy(&crew->ended);
	pthread_cond_destroy(&crew->begun);
	pthread_mutex_destroy(&crew->mutex);
	free(crew->members);
	free(crew);
}

unsigned int crew_size(const struct crew *crew)
{
	return crew->size;
}

struct hasher *crew_hasher(const struct crew *crew, unsigned int worker)
{
	return crew->members[worker].hasher;
}

int crew_run(struct crew *crew, size_t n, int (*turn)(void *arg, unsigned int worker, size_t i),
	     void *arg)
{
	pthread_mutex_lock(&crew->mutex);
	crew->turn = turn;
	crew->arg = arg;
	crew->n = n;
	atomic_store(&crew->next, 0);
	atomic_store(&crew->fault, 0);
	crew->busy = crew->started;
	crew->loop++;
	pthread_cond_broadcast(&crew->begun);
	pthread_mutex_unlock(&crew->mutex);
	take_turns(crew, 0);
	pthread_mutex_lock(&crew->mutex);
	while (crew->busy > 0)
		pthread_cond_wait(&crew->ended, &crew->mutex);
	pthread_mutex_unlock(&crew->mutex);
	return atomic_load(&crew->fault);
}

/* ---- trees ---- */

enum { SUBTREES = 256 }; /* a power of two; enough for many threads, few beside the leaves */

struct subtrees {
	struct crew *crew;
	struct hash *nodes;
	uint32_t leaves;
};

/* Subtree @i: the nodes above the leaves down to node SUBTREES + i. */
static int build_subtree(void *arg, unsigned int worker, size_t i)
{
	const struct subtrees *subtrees = arg;
	struct hasher *hasher = crew_hasher(subtrees->crew, worker);
	struct hash *nodes = subtrees->nodes;

	for (uint32_t level = subtrees->leaves / 2; level >= SUBTREES; level /= 2) {
		uint32_t width = level / SUBTREES;
		uint32_t first = level + (uint32_t)i * width;

		for (uint32_t node = first; node < first + width; node++)
			hasher_once(hasher, &nodes[2 * (size_t)node], 2 * HASH_SIZE, &nodes[node]);
	}
	return 0;
}

void crew_tree_build(struct crew *crew, struct hash *nodes, uint32_t leaves)
{
	struct subtrees subtrees = { crew, nodes, leaves };
	bool shared = crew->started > 0 && leaves > SUBTREES;

	/* Turns that cannot fail. */
	if (shared && crew_run(crew, SUBTREES, build_subtree, &subtrees) == 0)
		leaves = SUBTREES;
	tree_build(crew_hasher(crew, 0), nodes, leaves);
}
