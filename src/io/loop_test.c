#include "io/loop.h"

#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

enum { POSTS = 20000 };

struct seen {
	struct loop *loop;
	unsigned int n, ordered;
	struct loop_timer *timer;
	int signal;
};

struct poster {
	struct seen *seen;
	unsigned int last; /* what the loop saw of this thread */
	unsigned int items[POSTS];
	pthread_t thread;
};

static struct poster posters[2];

static void on_post(void *arg)
{
	unsigned int *item = arg;
	struct poster *poster = item >= posters[1].items ? &posters[1] : &posters[0];

	poster->seen->ordered += *item == poster->last + 1;
	poster->last = *item;
	if (++poster->seen->n == 2 * POSTS)
		loop_stop(poster->seen->loop);
}

static void *post_all(void *arg)
{
	struct poster *poster = arg;

	for (unsigned int i = 0; i < POSTS; i++) {
		poster->items[i] = i + 1;
		if (loop_post(poster->seen->loop, on_post, &poster->items[i]) != 0)
			abort();
	}
	return NULL;
}

static void posts_keep_their_order(_unused_ void **state)
{
	struct seen seen = { .n = 0 };

	assert_int_equal(loop_new(&seen.loop), 0);
	assert_false(loop_is_current(seen.loop));
	for (size_t i = 0; i < 2; i++) {
		posters[i].seen = &seen;
		assert_int_equal(pthread_create(&posters[i].thread, NULL, post_all, &posters[i]),
				 0);
	}
	assert_int_equal(loop_run(seen.loop), 0);
	for (size_t i = 0; i < 2; i++)
		pthread_join(posters[i].thread, NULL);
	assert_int_equal(seen.n, 2 * POSTS);
	assert_int_equal(seen.ordered, 2 * POSTS);
	assert_int_equal(loop_post(seen.loop, on_post, &posters[0].items[0]), -ESHUTDOWN);
	loop_free(seen.loop);
}

static void count(void *arg)
{
	((struct seen *)arg)->n++;
}

static void what_was_taken_runs(_unused_ void **state)
{
	struct seen seen = { .n = 0 };

	assert_int_equal(loop_new(&seen.loop), 0);
	assert_int_equal(loop_post(seen.loop, count, &seen), 0);
	loop_stop(seen.loop);
	assert_int_equal(loop_run(seen.loop), 0);
	assert_int_equal(seen.n, 1);
	loop_free(seen.loop);
}

static void on_tick(void *arg)
{
	struct seen *seen = arg;

	assert_true(loop_is_current(seen->loop));
	if (++seen->n < 3)
		return;
	loop_timer_free(seen->timer);
	loop_stop(seen->loop);
}

static void timers(_unused_ void **state)
{
	struct seen seen = { .n = 0 };
	struct loop_timer *never;

	assert_int_equal(loop_new(&seen.loop), 0);
	assert_int_equal(loop_timer_new(seen.loop, 1, 1, on_tick, &seen, &seen.timer), 0);
	assert_int_equal(loop_timer_new(seen.loop, 60000, 0, on_tick, &seen, &never), 0);
	assert_int_equal(loop_run(seen.loop), 0);
	assert_int_equal(seen.n, 3);
	/* The other one goes with the loop. */
	loop_free(seen.loop);
}

static void on_signal(void *arg, int number)
{
	struct seen *seen = arg;

	seen->signal = number;
	loop_stop(seen->loop);
}

static void signals(_unused_ void **state)
{
	struct seen seen = { .n = 0 };

	assert_int_equal(loop_new(&seen.loop), 0);
	assert_int_equal(loop_on_signal(seen.loop, on_signal, &seen), 0);
	raise(SIGTERM);
	assert_int_equal(loop_run(seen.loop), 0);
	assert_int_equal(seen.signal, SIGTERM);
	loop_free(seen.loop);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(posts_keep_their_order),
		cmocka_unit_test(what_was_taken_runs),
		cmocka_unit_test(timers),
		cmocka_unit_test(signals),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
