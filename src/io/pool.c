#include "io/pool.h"

#include <pthread.h>

struct task {
	void (*fn)(void *arg);
	void *arg;
};

struct pool {
	pthread_mutex_t lock; /* everything below */
	pthread_cond_t more;
	struct task *ring;
	size_t size, first, n;
	bool stopping;
	unsigned int n_threads;
	pthread_t threads[];
};

/* Waits for a task; false when there will be none. */
static bool pool_take(struct pool *pool, struct task *ret_task)
{
	bool taken = false;

	pthread_mutex_lock(&pool->lock);
	while (pool->n == 0 && !pool->stopping)
		pthread_cond_wait(&pool->more, &pool->lock);
	if (pool->n > 0) {
		*ret_task = pool->ring[pool->first];
		pool->first = (pool->first + 1) % pool->size;
		pool->n--;
		taken = true;
	}
	pthread_mutex_unlock(&pool->lock);
	return taken;
}

static void *pool_thread(void *arg)
{
	struct pool *pool = arg;
	struct task task;

	while (pool_take(pool, &task))
		task.fn(task.arg);
	return NULL;
}

static int pool_start(struct pool *pool, const char *name, unsigned int threads)
{
	char text[16];
	int r;

	for (unsigned int i = 0; i < threads; i++) {
		r = pthread_create(&pool->threads[i], NULL, pool_thread, pool);
		if (r != 0)
			return -r;
		pool->n_threads++;
		snprintf(text, sizeof(text), "%.10s-%u", name, i % 1000);
		pthread_setname_np(pool->threads[i], text);
	}
	return 0;
}

int pool_new(const char *name, unsigned int threads, size_t queue_limit, struct pool **ret_pool)
{
	struct pool *pool;
	int r;

	if (threads == 0 || queue_limit == 0)
		return -EINVAL;
	pool = calloc(1, sizeof(*pool) + threads * sizeof(pool->threads[0]));
	if (!pool)
		return -ENOMEM;
	pthread_mutex_init(&pool->lock, NULL);
	pthread_cond_init(&pool->more, NULL);
	pool->size = queue_limit;
	pool->ring = calloc(queue_limit, sizeof(*pool->ring));
	r = pool->ring ? pool_start(pool, name, threads) : -ENOMEM;
	if (r < 0) {
		pool_free(pool);
		return r;
	}
	*ret_pool = pool;
	return 0;
}

int pool_submit(struct pool *pool, void (*fn)(void *arg), void *arg)
{
	int r = 0;

	pthread_mutex_lock(&pool->lock);
	if (pool->stopping)
		r = -ESHUTDOWN;
	else if (pool->n == pool->size)
		r = -EAGAIN;
	else
		pool->ring[(pool->first + pool->n++) % pool->size] = (struct task){ fn, arg };
	pthread_mutex_unlock(&pool->lock);
	if (r == 0)
		pthread_cond_signal(&pool->more);
	return r;
}

size_t pool_waiting(struct pool *pool)
{
	size_t n;

	pthread_mutex_lock(&pool->lock);
	n = pool->n;
	pthread_mutex_unlock(&pool->lock);
	return n;
}

void pool_free(struct pool *pool)
{
	if (!pool)
		return;
	pthread_mutex_lock(&pool->lock);
	pool->stopping = true;
	pthread_mutex_unlock(&pool->lock);
	pthread_cond_broadcast(&pool->more);
	for (unsigned int i = 0; i < pool->n_threads; i++)
		pthread_join(pool->threads[i], NULL);
	pthread_cond_destroy(&pool->more);
	pthread_mutex_destroy(&pool->lock);
	free(pool->ring);
	free(pool);
}
