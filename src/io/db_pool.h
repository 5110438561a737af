/* db_pool.h - a bounded number of connections, lent to one thread at a time. */
#pragma once

#include <pthread.h>

#include "base/base.h"

struct db_pool {
	pthread_mutex_t lock;
	pthread_cond_t freed;
	void **idle; /* the last one back is the first one out */
	unsigned int n_idle, n_lent, max;
};

_must_check_ int db_pool_init(struct db_pool *pool, unsigned int max);

/* When everything was given and drained. */
void db_pool_done(struct db_pool *pool);

/* Waits for a place, at most DB_WAIT_MS: then -EBUSY. @ret_connection becomes NULL where the
 * caller has to make a connection for its place. */
_must_check_ int db_pool_take(struct db_pool *pool, void **ret_connection);

/* Ends a loan; NULL if the connection is no more. */
void db_pool_give(struct db_pool *pool, void *connection);

/* Takes an idle connection away, to close it; NULL: there is none left. */
_must_check_ void *db_pool_drain(struct db_pool *pool);
