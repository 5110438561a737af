#include "io/pool.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <unistd.h>
#include <cmocka.h>

struct gate {
	pthread_mutex_t lock;
	unsigned int entered, done;
};

static void pass(void *arg)
{
	struct gate *gate = arg;

	__atomic_add_fetch(&gate->entered, 1, __ATOMIC_SEQ_CST);
	pthread_mutex_lock(&gate->lock);
	gate->done++;
	pthread_mutex_unlock(&gate->lock);
}

static void wait_entered(struct gate *gate, unsigned int n)
{
	for (int i = 0; i < 2000 && __atomic_load_n(&gate->entered, __ATOMIC_SEQ_CST) < n; i++)
		usleep(1000);
	assert_int_equal(__atomic_load_n(&gate->entered, __ATOMIC_SEQ_CST), n);
}

static void bounded(_unused_ void **state)
{
	struct gate gate = { .lock = PTHREAD_MUTEX_INITIALIZER };
	struct pool *pool;

	assert_int_equal(pool_new("a name longer than fits", 2, 3, &pool), 0);
	pthread_mutex_lock(&gate.lock);
	/* Two are stuck on the threads, three wait, the sixth is refused. */
	assert_int_equal(pool_submit(pool, pass, &gate), 0);
	assert_int_equal(pool_submit(pool, pass, &gate), 0);
	wait_entered(&gate, 2);
	for (int i = 0; i < 3; i++)
		assert_int_equal(pool_submit(pool, pass, &gate), 0);
	assert_int_equal(pool_waiting(pool), 3);
	assert_int_equal(pool_submit(pool, pass, &gate), -EAGAIN);
	pthread_mutex_unlock(&gate.lock);
	/* What was queued is finished first. */
	pool_free(pool);
	assert_int_equal(gate.done, 5);
}

static void refuses_nonsense(_unused_ void **state)
{
	struct pool *pool;

	assert_int_equal(pool_new("p", 0, 1, &pool), -EINVAL);
	assert_int_equal(pool_new("p", 1, 0, &pool), -EINVAL);
	pool_free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bounded),
		cmocka_unit_test(refuses_nonsense),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
