#include "io/db_pool.h"

#include <time.h>

#include "io/db_driver.h"

int db_pool_init(struct db_pool *pool, unsigned int max)
{
	pthread_condattr_t monotonic;

	*pool = (struct db_pool){ .max = max, .idle = calloc(max, sizeof(*pool->idle)) };
	if (!pool->idle)
		return -ENOMEM;
	pthread_mutex_init(&pool->lock, NULL);
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(&pool->freed, &monotonic);
	pthread_condattr_destroy(&monotonic);
	return 0;
}

void db_pool_done(struct db_pool *pool)
{
	pthread_cond_destroy(&pool->freed);
	pthread_mutex_destroy(&pool->lock);
	free(pool->idle);
}

int db_pool_take(struct db_pool *pool, void **ret_connection)
{
	struct timespec until;
	int r = 0;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += DB_WAIT_MS / 1000;
	pthread_mutex_lock(&pool->lock);
	while (pool->n_lent == pool->max && r == 0)
		r = pthread_cond_timedwait(&pool->freed, &pool->lock, &until);
	if (pool->n_lent < pool->max) {
		*ret_connection = pool->n_idle > 0 ? pool->idle[--pool->n_idle] : NULL;
		pool->n_lent++;
		r = 0;
	}
	pthread_mutex_unlock(&pool->lock);
	return r == 0 ? 0 : -EBUSY;
}

void db_pool_give(struct db_pool *pool, void *connection)
{
	pthread_mutex_lock(&pool->lock);
	pool->n_lent--;
	if (connection)
		pool->idle[pool->n_idle++] = connection;
	pthread_cond_signal(&pool->freed);
	pthread_mutex_unlock(&pool->lock);
}

void *db_pool_drain(struct db_pool *pool)
{
	void *connection = NULL;

	pthread_mutex_lock(&pool->lock);
	if (pool->n_idle > 0)
		connection = pool->idle[--pool->n_idle];
	pthread_mutex_unlock(&pool->lock);
	return connection;
}
